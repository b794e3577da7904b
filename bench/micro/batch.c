/*
 * batch - blocks are allocated one after the other, then all are freed.
 *
 *	batch/ORDER/SIZE	64 blocks: what a function or a request has
 *	deep/ORDER/SIZE		10,000 blocks: more than any cache of a thread
 *
 * 1. ORDER is that of the frees: lifo (the last block first), fifo or random.
 * 2. All orders are read from a table, so that the loops are the same.
 */
#include "rows.h"

#define DEEP		9984	/* blocks; a multiple of BATCH */
#define NR_TABLES	16	/* of random orders, so that none is learned */

enum order { LIFO, FIFO, RANDOM };

struct batch {
	size_t nr_blocks;
	void **block;
	uint16_t *table;	/* NR_TABLES of nr_blocks indices each */
};

static void fill_table(struct batch *batch, enum order order)
{
	size_t n = batch->nr_blocks;
	uint64_t seed = 2;

	for (size_t k = 0; k < NR_TABLES; k++) {
		uint16_t *table = batch->table + k * n;

		for (size_t i = 0; i < n; i++)
			table[i] = (uint16_t)(order == LIFO ? n - 1 - i : i);
		if (order == RANDOM)
			micro_shuffle(table, n, &seed);
	}
}

static void run_batch(struct shim_state *state)
{
	struct batch batch = { .nr_blocks = (size_t)shim_range(state, 2) };
	size_t n = batch.nr_blocks, round = 0;
	size_t table_bytes = NR_TABLES * n * sizeof(batch.table[0]);
	struct micro_sizes sizes;

	batch.block = micro_map(n * sizeof(void *));
	batch.table = micro_map(table_bytes);
	fill_table(&batch, (enum order)shim_range(state, 1));
	micro_sizes_init(&sizes, shim_range(state, 0));
	while (shim_keep_running(state, (int64_t)n)) {
		const uint16_t *table = batch.table + round * n;

		for (size_t i = 0; i < n; i += BATCH) {
			const uint32_t *size = micro_sizes_batch(&sizes);

			for (size_t k = 0; k < BATCH; k++)
				batch.block[i + k] = micro_use(malloc(size[k]));
		}
		for (size_t i = 0; i < n; i++)
			free(batch.block[table[i]]);
		round = (round + 1) % NR_TABLES;
	}
	micro_unmap(batch.block, n * sizeof(void *));
	micro_unmap(batch.table, table_bytes);
}

static void add_sizes(const char *name, enum order order, int64_t nr_blocks,
		      const int64_t *size, size_t nr_sizes, int threads)
{
	for (size_t i = 0; i < nr_sizes; i++)
		micro_add(&(struct shim_bench){
			.name = name,
			.run = run_batch,
			.range = { size[i], order, nr_blocks },
			.threads = threads,
		});
}

void batch_add_rows(int threads)
{
	static const char *const batch[] = { "batch/lifo", "batch/fifo",
					     "batch/random" };
	static const char *const deep[] = { "deep/lifo", "deep/fifo",
					    "deep/random" };
	static const int64_t size[] = { 16, 64, 512, MIXED };
	static const int64_t deep_size[] = { 64, MIXED };

	for (int order = LIFO; order <= RANDOM; order++) {
		add_sizes(batch[order], (enum order)order, BATCH, size,
			  array_size(size), threads);
		add_sizes(deep[order], (enum order)order, DEEP, deep_size,
			  array_size(deep_size), threads);
	}
}
