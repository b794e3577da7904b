/*
 * thread-churn - thousands of threads are created and exit; each frees what
 * the one before it allocated. Nothing grows.
 */
#include "hard.h"
#include <pthread.h>

enum { NR_LANES = 4, NR_BLOCKS = 120, NR_WAVES = 1000 };

struct lane {
	void *block[NR_BLOCKS];
	size_t size[NR_BLOCKS];
	unsigned int seed;
};

static struct lane lanes[NR_LANES];

static void *body(void *arg)
{
	struct lane *lane = arg;
	uint64_t seed = lane->seed * 7919 + 1;
	int i;

	for (i = 0; i < NR_BLOCKS; i++) {
		if (lane->block[i])
			VERIFY(lane->block[i], lane->size[i], lane->seed);
		free(lane->block[i]);
		lane->size[i] = rnd_size(&seed, 16, i % 8 ? 2000 : 60000);
		lane->block[i] = malloc(lane->size[i]);
		CHECK(lane->block[i]);
	}
	lane->seed++;
	for (i = 0; i < NR_BLOCKS; i++)
		fill(lane->block[i], lane->size[i], lane->seed);
	/* And some that the thread keeps to itself. */
	if (lane->seed % 16 == 0)
		every_class_once();
	return NULL;
}

int main(void)
{
	size_t before = 0, after;
	int wave, i;

	hard_start(58);
	for (wave = 0; wave < NR_WAVES; wave++) {
		pthread_t thread[NR_LANES];

		for (i = 0; i < NR_LANES; i++)
			CHECK(!pthread_create(&thread[i], NULL, body,
					      &lanes[(wave + i) % NR_LANES]));
		for (i = 0; i < NR_LANES; i++)
			pthread_join(thread[i], NULL);
		if (wave != NR_WAVES / 4)
			continue;
		/* What is free may come and go: it does not count. */
		malloc_trim(0);
		before = rss();
	}
	malloc_trim(0);
	after = rss();
	CHECK_OP(after, <, before + 3 * MIB);
	return 0;
}
