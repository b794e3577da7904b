/*
 * workload - messages, samples of resident memory, threads.
 *
 * 1. Nothing here allocates while a workload runs, but pthread_create.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

#define REST_NS		50000000L	/* 50 ms: five samples of bench/suite */

static const char *workload_name = "zbm-workload";

void workload_set_name(const char *name)
{
	workload_name = name;
}

/* _exit, because other threads may still be at work in a broken heap. */
void workload_die(const char *format, ...)
{
	char message[512];
	va_list arguments;
	int length;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	length = dprintf(STDERR_FILENO, "%s: %s\n", workload_name, message);
	_exit(length < 0 ? 2 : 1);
}

void block_corrupt(const void *block, size_t size)
{
	workload_die("the block of %zu bytes at %p holds what was never "
		     "written there", size, block);
}

size_t resident_kib(void)
{
	char line[128];
	size_t total, resident;
	ssize_t length;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		workload_die("no /proc/self/statm");
	length = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[length < 0 ? 0 : length] = '\0';
	if (sscanf(line, "%zu %zu", &total, &resident) != 2)
		workload_die("/proc/self/statm says \"%s\"", line);
	return resident * ((size_t)sysconf(_SC_PAGESIZE) / KIB);
}

void run_sample(struct run *run)
{
	size_t now = resident_kib();

	if (now > run->peak_rss_kib)
		run->peak_rss_kib = now;
}

void run_rest(void)
{
	const struct timespec rest = { .tv_nsec = REST_NS };

	nanosleep(&rest, NULL);
}

uint64_t run_scaled(const struct run *run, uint64_t n)
{
	double scaled = (double)n * run->scale;

	return scaled < 1 ? 1 : (uint64_t)scaled;
}

struct start {
	void (*body)(struct worker *worker);
	struct worker worker;
};

static void *start_worker(void *argument)
{
	struct start *start = argument;

	start->body(&start->worker);
	return NULL;
}

void run_workers(struct run *run, unsigned int nr,
		 void (*body)(struct worker *worker), void *shared)
{
	static struct start starts[MAX_THREADS];
	pthread_t threads[MAX_THREADS];

	for (unsigned int i = 0; i < nr; i++) {
		starts[i] = (struct start){
			.body = body,
			.worker = { .run = run, .shared = shared, .index = i },
		};
		if (pthread_create(&threads[i], NULL, start_worker,
				   &starts[i]))
			workload_die("cannot start thread %u", i);
	}
	for (unsigned int i = 0; i < nr; i++) {
		pthread_join(threads[i], NULL);
		run->checksum += starts[i].worker.checksum;
		run->operations += starts[i].worker.operations;
	}
}
