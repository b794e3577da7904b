/*
 * param - the constants that shape memory: page, pageblock, section, nodes.
 *
 * 1. A page is 4 KiB whatever the machine's page size, so that address
 *    arithmetic is shifts by constants. The size of the machine's page only
 *    bounds what may be protected or purged (see os.h).
 * 2. A pfn is a page's index in the window; pfn 0 is never handed out, so
 *    that 0 ends a list.
 */
#ifndef ZBM_PARAM_H
#define ZBM_PARAM_H

#include "base/base.h"

#define CACHE_LINE		64	/* bytes */

#define PAGE_SHIFT		12
#define PAGE_SIZE		(1UL << PAGE_SHIFT)	/* bytes */

/* The unit of migrate type and of huge pages: 2 MiB. */
#define PAGEBLOCK_ORDER		9
#define PAGEBLOCK_PAGES		(1UL << PAGEBLOCK_ORDER)
#define PAGEBLOCK_SIZE		(PAGEBLOCK_PAGES << PAGE_SHIFT)

/* The unit that belongs to one zone of one node, and the largest buddy
 * block: 64 MiB. */
#define SECTION_ORDER		14
#define SECTION_PAGES		(1UL << SECTION_ORDER)
#define SECTION_SIZE		(SECTION_PAGES << PAGE_SHIFT)
#define SECTION_PAGEBLOCKS	(SECTION_PAGES / PAGEBLOCK_PAGES)

#define MAX_PAGE_ORDER		SECTION_ORDER
#define NR_PAGE_ORDERS		(MAX_PAGE_ORDER + 1)

#define WINDOW_MAX_SIZE		(1UL << 43)	/* 8 TiB, with its tables */
#define WINDOW_MIN_SIZE		(4 * PAGEBLOCK_SIZE)

#define MAX_NUMNODES		64

#define MIN_ALIGN		16	/* bytes; of every pointer */
#define MAX_ALIGN		(1UL << 30)	/* bytes */

static_assert(WINDOW_MAX_SIZE >> PAGE_SHIFT <= 1UL << 31,
	      "a pfn plus a number of pages fits 32 bits");

#endif
