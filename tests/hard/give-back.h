/*
 * give-back - a heap of 200 MiB of mixed sizes, built and freed, and the
 * question whether its memory goes back to the system.
 */
#ifndef ZBM_GIVE_BACK_H
#define ZBM_GIVE_BACK_H

#include "hard.h"
#include <pthread.h>

enum { GIVE_BACK_BLOCKS = 400000 };

struct heap {
	void **block;
	size_t count;
	uint64_t seed;
	size_t bytes;	/* to be allocated and written */
};

static void heap_init(struct heap *heap, size_t bytes, uint64_t seed)
{
	heap->block = (void **)hard_map(GIVE_BACK_BLOCKS * sizeof(void *));
	heap->count = 0;
	heap->seed = seed;
	heap->bytes = bytes;
	/* The table belongs to the baseline, not to the heap. */
	memset(heap->block, 0, GIVE_BACK_BLOCKS * sizeof(void *));
}

/* A tenth in blocks under 512, six tenths up to 64 KiB, the rest larger. */
static void heap_build(struct heap *heap)
{
	size_t total = 0;

	while (total < heap->bytes && heap->count < GIVE_BACK_BLOCKS) {
		size_t part = total * 10 / heap->bytes;
		size_t n = part < 1 ? rnd_size(&heap->seed, 16, 512) :
			   part < 7 ? rnd_size(&heap->seed, 512, 64 * KIB) :
			   rnd_size(&heap->seed, 64 * KIB, 8 * MIB);
		void *p = malloc(n);

		CHECK(p);
		memset(p, 0x11, n);
		heap->block[heap->count++] = p;
		total += n;
	}
	CHECK_OP(total, >=, heap->bytes - heap->bytes / 10);
}

static void heap_free(struct heap *heap)
{
	size_t i;

	for (i = heap->count; i > 0; i--) {
		size_t k = rnd(&heap->seed) % i;

		free(heap->block[k]);
		heap->block[k] = heap->block[i - 1];
	}
	heap->count = 0;
}

/* Small activity for up to two seconds, until it is under 5 % of the peak. What
 * began in time to give memory back counts, however long that took. */
static inline void check_falls(size_t baseline, size_t peak)
{
	size_t most = baseline + (peak - baseline) / 20, now;
	double end = hard_now() + 2;
	int i;

	for (i = 0; hard_now() < end; i++) {
		void *p = malloc(hide(100UL)), *q = malloc(hide(3000UL));

		CHECK(p && q);
		memset(p, 1, 100);
		memset(q, 1, 3000);
		free(p);
		free(q);
		usleep(1000);
		if (i % 50 == 49 && rss() < most)
			return;
	}
	now = rss();
	if (now >= most)
		hard_say("peak %zu KiB, baseline %zu KiB, still %zu KiB\n",
			 peak / KIB, baseline / KIB, now / KIB);
	CHECK_OP(now, <, most);
}

#endif
