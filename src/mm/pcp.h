/*
 * pcp - per-thread lists of free pages in front of a zone's free areas.
 *
 * 1. Blocks of the small orders, by order and migrate type; refilled and
 *    drained in batches, so that the zone lock is taken once for many.
 * 2. `high` bounds what a list set keeps, pages. It doubles with each refill
 *    up to PCP_MAX_HIGH, and falls when reclaim finds pages unused.
 * 3. A block's word is PAGE_PCP; RUN_DIRTY in it says that an owner had it,
 *    so that its pages count as dirty; else its dirty bits are valid.
 * 4. The lock is the pcp's: its thread takes it uncontended, reclaim takes
 *    it to drain the lists of idle threads.
 */
#ifndef ZBM_PCP_H
#define ZBM_PCP_H

#include "base/lock.h"
#include "mm/gfp.h"

#define PCP_MAX_ORDER	5	/* 128 KiB: the largest slab */
#define PCP_NR_ORDERS	(PCP_MAX_ORDER + 1)
#define PCP_BATCH	32	/* pages per refill, at least one block */
#define PCP_LOW_HIGH	64	/* pages; `high` of a new thread */
#define PCP_MAX_HIGH	128	/* pages: 512 KiB */

static_assert(PCP_BATCH <= PCP_LOW_HIGH, "a refill must fit");

struct pcp {
	/* constant while registered */
	struct zone *zone;
	struct pcp *next;	/* of all, which stay */
	/* under lock */
	struct lock lock;
	uint32_t count;		/* pages */
	uint32_t high;		/* pages */
	uint32_t low_count;	/* fewest pages since the last reclaim */
	uint32_t first[PCP_NR_ORDERS][NR_MIGRATETYPES];	/* pfns */
};

void pcp_register(struct pcp *pcp, struct zone *zone);

/* A block of 2^order pages, or 0: the zone's free areas have none. Its word
 * is as page_alloc.h says. */
uint32_t pcp_alloc(struct pcp *pcp, unsigned int order, enum migratetype type,
		   bool cold);

/* The block is the caller's, of the pcp's zone; its pages count as dirty. */
void pcp_free(struct pcp *pcp, uint32_t pfn, unsigned int order);

/* Gives everything, or what lay unused since the last call, to the zone. */
void pcp_drain(struct pcp *pcp, bool all);
void pcp_drain_each(bool all);

/* Pages on all the lists. */
size_t pcp_count_pages(void);

/* The list's lock, and those of each. */
bool pcp_fork_list(lock_fork_fn *lock_fork);
bool pcp_fork(lock_fork_fn *lock_fork);
void pcp_validate(struct pcp *pcp);

#endif
