/*
 * churn - threads that come and go.
 *
 *	churn/own/BLOCKS	the thread frees what it has allocated
 *	churn/left/BLOCKS	it leaves its blocks behind; who started it
 *				frees them when it has ended
 *
 * 1. A row reports nanoseconds per thread, from its start until it is joined,
 *    its blocks and their frees included. With threads:N, N threads do this
 *    side by side.
 * 2. `pairs` says how many blocks per second that makes.
 */
#include "rows.h"

#include <pthread.h>

#define MAX_BLOCKS	1000

struct work {
	size_t nr_blocks;
	bool frees;
	struct micro_sizes sizes;
	void *block[MAX_BLOCKS];
};

static void allocate(struct work *work)
{
	for (size_t i = 0; i < work->nr_blocks; i++)
		work->block[i] = micro_use(malloc(work->sizes.size[i]));
}

static void free_all(struct work *work)
{
	for (size_t i = 0; i < work->nr_blocks; i++)
		free(work->block[i]);
}

static void *live(void *argument)
{
	struct work *work = argument;

	allocate(work);
	if (work->frees)
		free_all(work);
	return NULL;
}

static void run_churn(struct shim_state *state)
{
	struct work work = {
		.nr_blocks = (size_t)shim_range(state, 0),
		.frees = shim_range(state, 1),
	};
	int64_t nr_blocks;
	pthread_t thread;

	micro_sizes_init(&work.sizes, MIXED);
	while (shim_keep_running(state, 1)) {
		if (pthread_create(&thread, NULL, live, &work)) {
			shim_skip_with_error(state, "no thread");
			continue;
		}
		pthread_join(thread, NULL);
		if (!work.frees)
			free_all(&work);
	}
	nr_blocks = shim_iterations(state) * shim_range(state, 0);
	shim_set_counter(state, "pairs", (double)nr_blocks, SHIM_RATE);
}

void churn_add_rows(int threads)
{
	static const int64_t nr_blocks[] = { 1, 100, MAX_BLOCKS };
	struct shim_bench row = { .run = run_churn, .threads = threads };

	for (size_t i = 0; i < array_size(nr_blocks); i++) {
		row.range[0] = nr_blocks[i];
		row.name = "churn/own";
		row.range[1] = true;
		micro_add(&row);
		row.name = "churn/left";
		row.range[1] = false;
		micro_add(&row);
	}
}
