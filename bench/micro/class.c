/*
 * class - one size after the other, from 8 bytes to 4 MiB.
 *
 *	class/SIZE	of each block the first word is written
 *	touch/SIZE	of each block each page is written
 *
 * 1. The sizes are 8 bytes, steps of 16 to 128, and from there four per
 *    doubling, but eight from 1 to 8 KiB: those of zbmalloc's classes, and of
 *    what others commonly have, or close to it.
 * 2. As in batch/fifo, 64 blocks are there at once, but of large sizes only
 *    as many as come to 4 MiB, and at least 4.
 * 3. With more than one thread only the powers of two have rows.
 */
#include "rows.h"

#define MAX_SIZE	(4 << 20)	/* bytes */
#define MAX_LIVE	(4 << 20)	/* bytes */
#define MIN_BLOCKS	4

static size_t nr_blocks_of(size_t size)
{
	size_t n = MAX_LIVE / size;

	if (n > BATCH)
		return BATCH;
	return n < MIN_BLOCKS ? MIN_BLOCKS : n;
}

static void run_class(struct shim_state *state)
{
	size_t size = (size_t)shim_range(state, 0);
	size_t n = nr_blocks_of(size);
	void *block[BATCH];

	while (shim_keep_running(state, (int64_t)n)) {
		for (size_t i = 0; i < n; i++)
			block[i] = micro_use(malloc(size));
		for (size_t i = 0; i < n; i++)
			free(block[i]);
	}
}

static void run_touch(struct shim_state *state)
{
	size_t size = (size_t)shim_range(state, 0);
	size_t n = nr_blocks_of(size);
	void *block[BATCH];

	while (shim_keep_running(state, (int64_t)n)) {
		for (size_t i = 0; i < n; i++) {
			block[i] = micro_use(malloc(size));
			micro_touch(block[i], size);
		}
		for (size_t i = 0; i < n; i++)
			free(block[i]);
	}
}

static bool is_power_of_two(int64_t n)
{
	return !(n & (n - 1));
}

/* From a size of rule 1 to the next. */
static int64_t next_size(int64_t size)
{
	int64_t power = 128;

	if (size < 16)
		return 16;
	if (size < 128)
		return size + 16;
	while (power * 2 <= size)
		power *= 2;
	if (power >= 1024 && power < 8192)
		return size + power / 8;
	return size + power / 4;
}

void class_add_rows(int threads)
{
	struct shim_bench row = { .threads = threads };

	row.name = "class";
	row.run = run_class;
	for (int64_t size = 8; size <= MAX_SIZE; size = next_size(size)) {
		row.range[0] = size;
		if (threads == 1 || is_power_of_two(size))
			micro_add(&row);
	}
	row.name = "touch";
	row.run = run_touch;
	for (int64_t size = PAGE; size <= MAX_SIZE; size *= 4) {
		row.range[0] = size;
		micro_add(&row);
	}
}
