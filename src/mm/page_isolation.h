/*
 * page_isolation - free dirty blocks that nobody may take meanwhile.
 *
 * 1. A block that is isolated lies in no free area and has no buddy; its pages
 *    count in zone->nr_isolated, as neither free nor used. Who has isolated it
 *    reads its dirty bits without the zone lock.
 * 2. That is done under reclaim_lock, which fork takes: a child has none.
 */
#ifndef ZBM_PAGE_ISOLATION_H
#define ZBM_PAGE_ISOLATION_H

#include "mm/mmzone.h"

extern struct lock reclaim_lock;

struct isolation {
	unsigned int min_order, max_order;	/* of the blocks */
	/* The free dirty block is of use. */
	bool (*suits)(uint32_t pfn, unsigned int order);
};

/* Isolates the zone's largest dirty block that suits. A pfn, 0: none. The zone
 * lock is held. */
uint32_t isolate_block(struct zone *zone, const struct isolation *isolation,
		       unsigned int *order);

/* Frees it. The zone lock is held. */
void putback_block(struct zone *zone, uint32_t pfn, unsigned int order);

/* Isolated blocks that were of no use, so that others are found. Each has the
 * pfn of the next in its link. */
struct set_aside {
	uint32_t first;		/* pfn; 0 ends it */
	unsigned int nr;
};

void set_aside(struct set_aside *blocks, uint32_t pfn);

/* Frees all of them. The zone lock is held. */
void putback_set_aside(struct zone *zone, struct set_aside *blocks);

#endif
