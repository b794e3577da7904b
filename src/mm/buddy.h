/*
 * buddy - the free blocks of one zone.
 *
 * 1. A block of order k starts at a multiple of 2^k pages and lies in one
 *    section.
 * 2. Two free buddies of one order never stand beside each other.
 * 3. A block larger than a pageblock gives its migrate type to all of its
 *    pageblocks; a smaller one is on the list of its pageblock's type.
 * 4. Blocks with dirty pages stand in front of clean ones.
 * 5. The caller holds zone->lock.
 */
#ifndef ZBM_BUDDY_H
#define ZBM_BUDDY_H

#include "mm/memmap.h"

/* Takes 2^order pages, from `type` or, failing that, from the type that
 * robbing hurts least. `cold` prefers clean memory. Returns a pfn, 0: none. */
uint32_t buddy_alloc(struct zone *zone, unsigned int order,
		     enum migratetype type, bool cold);

/* Gives back n pages from `pfn`, any number in any position that lies in one
 * section, merging. Their dirty bits are as the caller left them. */
void buddy_free(struct zone *zone, uint32_t pfn, size_t n);

/* Takes the free block that starts at `pfn` off its list; its order. */
unsigned int buddy_take(struct zone *zone, uint32_t pfn);

/* The block has just been taken from a pageblock that was free and clean as a
 * whole. */
bool buddy_opens_pageblock(uint32_t pfn, unsigned int order);

/* It has: all of its pageblock may become resident with it. */
void buddy_dirty_pageblock(struct zone *zone, uint32_t pfn,
			   unsigned int order);

/* The page heads a free block of the zone's free areas. */
static inline bool buddy_is_free(const struct page *page)
{
	return word_type(page_word(page)) == PAGE_BUDDY;
}

/* Takes a section that is free as a whole off the free lists. */
void buddy_take_section(struct zone *zone, uint32_t index);

/* Aborts when a rule above or a count is broken. Slow. */
void buddy_validate(struct zone *zone);

#endif
