/*
 * aligned - batches by posix_memalign.
 *
 *	aligned/ALIGNMENT/SIZE
 */
#include "rows.h"

static void *allocate(size_t align, size_t size)
{
	void *p;

	return posix_memalign(&p, align, size) ? NULL : p;
}

static void run_aligned(struct shim_state *state)
{
	size_t size = (size_t)shim_range(state, 0);
	size_t align = (size_t)shim_range(state, 1);
	size_t n = (size_t)shim_range(state, 2);
	void *block[BATCH];

	while (shim_keep_running(state, (int64_t)n)) {
		for (size_t i = 0; i < n; i++)
			block[i] = micro_use(allocate(align, size));
		for (size_t i = 0; i < n; i++)
			free(block[i]);
	}
}

void aligned_add_rows(int threads)
{
	static const struct shim_bench rows[] = {
		{ .name = "aligned/32", .range = { 48, 32, BATCH } },
		{ .name = "aligned/64", .range = { 64, 64, BATCH } },
		{ .name = "aligned/64", .range = { 1000, 64, BATCH } },
		{ .name = "aligned/4096", .range = { 512, 4096, BATCH } },
		{ .name = "aligned/4096", .range = { 65536, 4096, BATCH } },
		{ .name = "aligned/65536", .range = { 65536, 65536, 16 } },
		{ .name = "aligned/2097152", .range = { 2 << 20, 2 << 20, 4 } },
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		struct shim_bench row = rows[i];

		row.run = run_aligned;
		row.threads = threads;
		micro_add(&row);
	}
}
