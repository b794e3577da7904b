/*
 * calloc - blocks that must read as zero.
 *
 *	calloc/small/SIZE	batches of 64; the first word is written
 *	calloc/large/SIZE	two blocks, never looked at: zeros that need not
 *				be written
 *	calloc/recycled/SIZE	batches of which each byte is written before
 *				they are freed: the next ones may be dirty
 *
 * 1. The bytes shown per second are those handed out as zero.
 * 2. In calloc/recycled the writing is not timed.
 */
#include "rows.h"

#include <string.h>

#define NR_LARGE	2
#define MAX_RECYCLED	(1 << 20)	/* bytes of a batch */

static void set_bytes(struct shim_state *state)
{
	shim_set_bytes_processed(state, shim_iterations(state) *
					shim_range(state, 0));
}

static void run_small(struct shim_state *state)
{
	size_t size = (size_t)shim_range(state, 0);
	void *block[BATCH];

	while (shim_keep_running(state, BATCH)) {
		for (size_t i = 0; i < BATCH; i++)
			block[i] = micro_use(calloc(1, size));
		for (size_t i = 0; i < BATCH; i++)
			free(block[i]);
	}
	set_bytes(state);
}

static void *untouched(void *p)
{
	if (!p)
		micro_die("out of memory");
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static void run_large(struct shim_state *state)
{
	size_t size = (size_t)shim_range(state, 0);
	void *block[NR_LARGE];

	while (shim_keep_running(state, NR_LARGE)) {
		for (size_t i = 0; i < NR_LARGE; i++)
			block[i] = untouched(calloc(size / 8, 8));
		for (size_t i = 0; i < NR_LARGE; i++)
			free(block[i]);
	}
	set_bytes(state);
}

static void run_recycled(struct shim_state *state)
{
	size_t size = (size_t)shim_range(state, 0);
	size_t n = MAX_RECYCLED / size < BATCH ? MAX_RECYCLED / size : BATCH;
	void *block[BATCH];

	while (shim_keep_running(state, (int64_t)n)) {
		for (size_t i = 0; i < n; i++)
			block[i] = untouched(calloc(1, size));
		shim_pause(state);
		for (size_t i = 0; i < n; i++)
			memset(block[i], 0xa5, size);
		shim_resume(state);
		for (size_t i = 0; i < n; i++)
			free(block[i]);
	}
	set_bytes(state);
}

static void add_sizes(const char *name, void (*run)(struct shim_state *),
		      const int64_t *size, size_t nr_sizes, int threads)
{
	for (size_t i = 0; i < nr_sizes; i++)
		micro_add(&(struct shim_bench){
			.name = name,
			.run = run,
			.range = { size[i] },
			.threads = threads,
		});
}

void calloc_add_rows(int threads)
{
	static const int64_t small[] = { 16, 64, 512, 4096 };
	static const int64_t large[] = { 1 << 18, 1 << 20, 4 << 20, 64 << 20 };
	static const int64_t recycled[] = { 512, 1 << 14, 1 << 18, 1 << 20 };

	add_sizes("calloc/small", run_small, small, array_size(small), threads);
	add_sizes("calloc/large", run_large, large, array_size(large), threads);
	add_sizes("calloc/recycled", run_recycled, recycled,
		  array_size(recycled), threads);
}
