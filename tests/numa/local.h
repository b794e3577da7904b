/*
 * local - the question whether what a thread allocates lies on its node: small
 * objects (8 bytes to 8 KiB), runs (16 to 256 KiB), huge blocks (1 to 32 MiB).
 */
#ifndef ZBM_LOCAL_H
#define ZBM_LOCAL_H

#include "numa.h"

enum { LOCAL_SMALL, LOCAL_RUNS, LOCAL_HUGE, NR_LOCAL };

struct local_figures {
	double share[NR_LOCAL];	/* percent; the lower of two rounds */
	size_t pages[NR_LOCAL];
};

static inline void local_fill(struct blocks *blocks, struct pages *pages,
			      int kind)
{
	static const size_t huge[] = { 1, 3, 8, 32 };
	size_t i;

	switch (kind) {
	case LOCAL_SMALL:
		blocks_fill(blocks, pages, 6 * MIB, 8, 8 * KIB);
		break;
	case LOCAL_RUNS:
		blocks_fill(blocks, pages, 12 * MIB, 16 * KIB, 256 * KIB);
		break;
	default:
		for (i = 0; i < array_size(huge); i++)
			blocks_fill(blocks, pages, huge[i] * MIB,
				    huge[i] * MIB, huge[i] * MIB);
	}
}

/* For a thread that runs on node `id`: fresh memory first, then once more
 * what was freed. */
static inline void local_check(int id, struct local_figures *figures)
{
	static const char *const kind_name[] = { "small", "runs", "huge" };
	int home = numa_nearest(id), kind, round;
	struct blocks blocks;
	struct pages pages;

	blocks_init(&blocks, 100000);
	pages_init(&pages);
	for (kind = 0; kind < NR_LOCAL; kind++) {
		figures->share[kind] = 100;
		for (round = 0; round < 2; round++) {
			pages_drop(&pages);
			local_fill(&blocks, &pages, kind);
			pages_locate(&pages);
			blocks_free(&blocks);
			CHECK_SHARE(&pages, home, 99, "node %d, %s, round %d",
				    id, kind_name[kind], round);
			if (pages_share(&pages, home) < figures->share[kind])
				figures->share[kind] =
					pages_share(&pages, home);
			figures->pages[kind] = pages.n;
		}
	}
	blocks_release(&blocks);
	pages_release(&pages);
}

static inline void local_say(const char *when, int id,
			     const struct local_figures *figures)
{
	hard_say("%s: node %d has of a thread on node %d: small %.2f %% of "
		 "%zu pages, runs %.2f %% of %zu, huge %.2f %% of %zu\n",
		 when, numa_nearest(id), id, figures->share[LOCAL_SMALL],
		 figures->pages[LOCAL_SMALL], figures->share[LOCAL_RUNS],
		 figures->pages[LOCAL_RUNS], figures->share[LOCAL_HUGE],
		 figures->pages[LOCAL_HUGE]);
}

#endif
