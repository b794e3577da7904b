/*
 * realloc - a block that grows.
 *
 *	realloc/double/LIMIT		from 16 bytes, twice as large each time
 *	realloc/step/STEP/LIMIT		by STEP bytes each time
 *	realloc/turns/STEP/LIMIT	8 blocks in turn, so that a neighbour
 *					stands in the way of growing in place
 *
 * 1. A row reports nanoseconds per call of realloc; the first malloc and the
 *    last free of a block are in it, spread over the calls.
 * 2. Each page that a call adds is written, by one word, as is the end of
 *    the block: what grows is there to be filled.
 */
#include "rows.h"

#define FIRST_SIZE	16	/* bytes */
#define NR_TURNS	8	/* blocks */

static char *grow(char *block, size_t old_size, size_t size)
{
	block = realloc(block, size);
	if (!block)
		micro_die("out of memory");
	micro_touch(block + old_size, size - old_size);
	*(volatile uint64_t *)(block + size - sizeof(uint64_t)) = 1;
	return block;
}

static void run_double(struct shim_state *state)
{
	size_t limit = (size_t)shim_range(state, 0);
	int64_t calls = 0;

	for (size_t size = FIRST_SIZE; size < limit; size *= 2)
		calls++;
	while (shim_keep_running(state, calls)) {
		char *block = micro_use(malloc(FIRST_SIZE));

		for (size_t size = FIRST_SIZE; size < limit; size *= 2)
			block = grow(block, size, size * 2);
		free(block);
	}
}

static void run_step(struct shim_state *state)
{
	size_t limit = (size_t)shim_range(state, 0);
	size_t step = (size_t)shim_range(state, 1);
	size_t nr = (size_t)shim_range(state, 2);
	char *block[NR_TURNS];

	while (shim_keep_running(state, (int64_t)(nr * (limit / step - 1)))) {
		for (size_t i = 0; i < nr; i++)
			block[i] = micro_use(malloc(step));
		for (size_t size = step; size < limit; size += step)
			for (size_t i = 0; i < nr; i++)
				block[i] = grow(block[i], size, size + step);
		for (size_t i = 0; i < nr; i++)
			free(block[i]);
	}
}

void realloc_add_rows(int threads)
{
	static const int64_t doubled[] = { 4096, 1 << 20, 64 << 20 };
	static const struct shim_bench stepped[] = {
		{ .name = "realloc/step/16", .range = { 4096, 16, 1 } },
		{ .name = "realloc/step/64", .range = { 65536, 64, 1 } },
		{ .name = "realloc/step/4096", .range = { 4 << 20, 4096, 1 } },
		{ .name = "realloc/turns/16", .range = { 4096, 16, NR_TURNS } },
		{ .name = "realloc/turns/4096",
		  .range = { 4 << 20, 4096, NR_TURNS } },
	};

	for (size_t i = 0; i < array_size(doubled); i++)
		micro_add(&(struct shim_bench){
			.name = "realloc/double",
			.run = run_double,
			.range = { doubled[i] },
			.threads = threads,
		});
	for (size_t i = 0; i < array_size(stepped); i++) {
		struct shim_bench row = stepped[i];

		row.run = run_step;
		row.threads = threads;
		micro_add(&row);
	}
}
