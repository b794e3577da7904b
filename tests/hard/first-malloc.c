/* run: alone */
/*
 * first-malloc - what a process of one malloc touches of the library.
 *
 * Of its code and constants the kernel maps up to 64 KiB around each page that
 * is touched. What such a process runs stands together (libzbmalloc.ld): a
 * function that is missing there costs 64 KiB more.
 */
#include "hard.h"

#define FAULT_AROUND	(64 * KIB)

#if defined(ZBM_DEBUG) || !defined(__OPTIMIZE__)
#define IN_ORDER	0	/* other functions are inline, and more run */
#else
#define IN_ORDER	1
#endif

static char smaps[1 << 18];

/* Not by stdio, which allocates. */
static void smaps_read(void)
{
	int fd = open("/proc/self/smaps", O_RDONLY);
	size_t size = 0;
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, smaps + size, sizeof(smaps) - 1 - size)) > 0)
		size += (size_t)n;
	close(fd);
	CHECK_OP(size, <, sizeof(smaps) - 1);
}

/* Of the mapping that the address lies in. */
static size_t resident_around(unsigned long address)
{
	unsigned long start, end;
	size_t kib = 0;
	int inside = 0;

	smaps_read();
	for (char *at = smaps; *at; at += strcspn(at, "\n") + 1) {
		if (sscanf(at, "%lx-%lx ", &start, &end) == 2)
			inside = start <= address && address < end;
		else if (inside && sscanf(at, "Rss: %zu kB", &kib) == 1)
			break;
	}
	return kib * KIB;
}

int main(void)
{
	void *p = malloc(hide(100UL));
	size_t resident;

	hard_start(10);
	CHECK(p);
	free(p);
	resident = resident_around((unsigned long)malloc);
	hard_say("%zu KiB of the library\n", resident / KIB);
	if (!IN_ORDER)
		SKIP("not in a debug build");
	CHECK_OP(resident, >, 0);
	CHECK_OP(resident, <=, FAULT_AROUND + FAULT_AROUND / 2);
	return 0;
}
