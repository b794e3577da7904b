/*
 * pair - malloc and at once free.
 *
 *	pair/SIZE, pair/mixed
 */
#include "rows.h"

static void run_pair(struct shim_state *state)
{
	struct micro_sizes sizes;

	micro_sizes_init(&sizes, shim_range(state, 0));
	while (shim_keep_running(state, BATCH)) {
		const uint32_t *size = micro_sizes_batch(&sizes);

		for (size_t i = 0; i < BATCH; i++)
			free(micro_use(malloc(size[i])));
	}
}

void pair_add_rows(int threads)
{
	static const int64_t size[] = { 8, 16, 64, 512, 4096, 65536, 1048576,
					MIXED };

	for (size_t i = 0; i < array_size(size); i++)
		micro_add(&(struct shim_bench){
			.name = "pair",
			.run = run_pair,
			.range = { size[i] },
			.threads = threads,
		});
}
