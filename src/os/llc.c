#include "os/llc.h"
#include "base/print.h"
#include "os/os.h"

#include <sched.h>

#define SYS_CPU		"/sys/devices/system/cpu/"
#define TEXT_SIZE	1024	/* bytes of a file of /sys that are read */

struct llc llc;

bool llc_add(int *nr, const char *cpus)
{
	int number = min(*nr + 1, LLC_MAX);
	size_t first, last, count = 0;

	while (os_parse_range(&cpus, &first, &last))
		for (; first <= last && first < LLC_CPUS; first++, count++)
			llc.of_cpu[first] = (uint8_t)number;
	*nr = number;
	return count > 1;
}

static bool llc_read(int *nr, size_t cpu)
{
	char path[80], text[TEXT_SIZE];

	print_format(path, sizeof(path),
		     SYS_CPU "cpu%zu/cache/index3/shared_cpu_list", cpu);
	return os_read_file(path, text, sizeof(text)) > 0 &&
	       llc_add(nr, text);
}

static int llc_find(void)
{
	char online[TEXT_SIZE];
	const char *at = online;
	size_t cpu, last;
	int nr = 0;

	if (os_read_file(SYS_CPU "online", online, sizeof(online)) <= 0)
		return 1;
	while (os_parse_range(&at, &cpu, &last))
		for (; cpu <= last && cpu < LLC_CPUS; cpu++)
			if (!llc.of_cpu[cpu] && !llc_read(&nr, cpu))
				return 1;
	return max(nr, 1);
}

void llc_init(void)
{
	__atomic_store_n(&llc.nr, llc_find(), __ATOMIC_RELEASE);
}

int llc_current(void)
{
	unsigned int cpu;

	/* Of the vDSO: 20 ns. */
	if (!llc_is_divided() || getcpu(&cpu, NULL) || cpu >= LLC_CPUS)
		return 0;
	return llc.of_cpu[cpu];
}
