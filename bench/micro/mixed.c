/*
 * mixed - a live set of drawn sizes, of which one block at a time is replaced.
 *
 *	mixed/LIVE
 *
 * 1. LIVE blocks are there throughout, those of all threads together; each
 *    thread replaces its own. A pair is the free of a block at a random place
 *    and the malloc of its successor, of another size.
 * 2. `rss_mib` is the process's resident memory when the loop has ended.
 */
#include "rows.h"

#include <fcntl.h>
#include <unistd.h>

#define NR_DRAWS	(1U << 18)	/* a multiple of BATCH */

struct draw {
	uint32_t place;		/* as a share of 2^32 */
	uint32_t size;		/* bytes */
};

static void fill_draws(struct draw *draw, int thread)
{
	uint64_t seed = 3 + (uint64_t)thread;

	for (size_t i = 0; i < NR_DRAWS; i++) {
		draw[i].place = (uint32_t)splitmix_next(&seed);
		draw[i].size = micro_draw_size(&seed);
	}
}

/* By system calls: stdio would allocate in the heap that is looked at. */
static double resident_mib(void)
{
	char text[128] = "", *end;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	unsigned long pages = 0;

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0) {
		strtoul(text, &end, 10);	/* the address space */
		pages = strtoul(end, NULL, 10);
	}
	if (fd >= 0)
		close(fd);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void run_mixed(struct shim_state *state)
{
	size_t n = (size_t)(shim_range(state, 0) / shim_threads(state));
	void **block = micro_map(n * sizeof(void *));
	struct draw *draw = micro_map(NR_DRAWS * sizeof(*draw));
	uint64_t seed = 4;
	size_t at = 0;

	fill_draws(draw, shim_thread_index(state));
	for (size_t i = 0; i < n; i++)
		block[i] = micro_use(malloc(micro_draw_size(&seed)));
	while (shim_keep_running(state, BATCH)) {
		for (size_t i = 0; i < BATCH; i++, at++) {
			size_t place = (size_t)((draw[at].place * n) >> 32);

			free(block[place]);
			block[place] = micro_use(malloc(draw[at].size));
		}
		if (at == NR_DRAWS)
			at = 0;
	}
	if (shim_thread_index(state) == 0)
		shim_set_counter(state, "rss_mib", resident_mib(), SHIM_PLAIN);
	for (size_t i = 0; i < n; i++)
		free(block[i]);
	micro_unmap(block, n * sizeof(void *));
	micro_unmap(draw, NR_DRAWS * sizeof(*draw));
}

void mixed_add_rows(int threads)
{
	static const int64_t live[] = { 10000, 1000000 };

	for (size_t i = 0; i < array_size(live); i++)
		micro_add(&(struct shim_bench){
			.name = "mixed",
			.run = run_mixed,
			.range = { live[i] },
			.threads = threads,
		});
}
