/*
 * pieces - pages by where they lie: several free blocks that are neighbours.
 *
 * 1. Pages are taken from the free areas alone, as they lie: a zone grows here
 *    only behind what is extended, and for what finds no aligned block.
 * 2. What was taken is the caller's as after alloc_pages_exact, and goes back
 *    the same way.
 */
#ifndef ZBM_PIECES_H
#define ZBM_PIECES_H

#include "mm/memmap.h"
#include "mm/pcp.h"

/* Less than that is written as fast as it is copied. */
#define GROW_MIN_PAGES	16

/* The first of n > 1 pages that begin with a free block of the largest power of
 * two below n, or of half of that; 0: there are none. */
uint32_t zone_alloc_pieced(struct zone *zone, size_t n);

/* The same, of the few blocks that came last. */
uint32_t zone_alloc_pieced_soon(struct zone *zone, size_t n);

/* The first of n > 1 pages of which the zone grows by what is not free where
 * one of its sections ends; 0: there is no room. */
uint32_t zone_grow_pieced(struct zone *zone, size_t n);

/* Lets [page, page + old_n) have new_n > old_n pages by taking the free ones
 * behind it, growing the zone where it ends. False: nothing has changed. */
bool extend_pages_exact(struct page *page, size_t old_n, size_t new_n);

/*
 * The same for a run that grows step by step. What lies behind it may not be
 * in memory while the like of what it needs lies free elsewhere in its zone,
 * with room to go on growing: then it gets new pages there, and keeps the old
 * ones, which the caller copies and frees. NULL: nothing has changed.
 */
struct page *grow_pages_exact(struct pcp *pcp, struct page *page, size_t old_n,
			      size_t new_n);

#endif
