/*
 * migrate - memory moves from pages to others, by page tables: nothing is
 * copied, but for pageblocks that lie in several mappings.
 *
 * 1. What moves is that of pages with an owner, or of free dirty pageblocks.
 *    The place that it leaves reads as zero and is not resident.
 * 2. A run that will be written takes the memory of free pageblocks for its
 *    clean ones. Else the kernel would clear new memory for these, and free
 *    memory would be purged in exchange (vmscan.h).
 * 3. A place that the kernel is asked to replace is unmapped first, and if it
 *    then refuses, any thread of the program may get a mapping there. So what
 *    it surely would refuse is found out before; after a refusal a hole is
 *    mapped again only if it is one as a whole, and else lost; and nothing
 *    moves any more.
 * 4. To the kernel what has moved is a mapping of its own, and it gives a
 *    process 65,530 of them (vm.max_map_count). Of MOVED_MAX pageblocks on no
 *    free memory moves; of half of that on runs that have moved are mapped
 *    afresh when they are freed.
 */
#ifndef ZBM_MIGRATE_H
#define ZBM_MIGRATE_H

#include "mm/memmap.h"

#define MOVED_MAX	1024	/* pageblocks */

enum migrate {
	MIGRATE_DONE,
	MIGRATE_REFUSED,	/* the source is as it was */
	MIGRATE_LOST,		/* and the target has no mapping any more, or
				 * another's: nobody may have it again */
};

/* Moves the memory of n pages, all of one zone. The caller owns both places,
 * and what the target held is lost. */
enum migrate migrate_pages(uint32_t from, uint32_t to, size_t n);

/* The kernel moves nothing: it was tried; or memory is locked, and would lose
 * that (os_is_locked). */
bool migrate_is_refused(void);

/* Fills clean pageblocks of the owner's n pages, whose dirty bits hold, with
 * free dirty memory of their zone. False: some are lost. */
bool migrate_free_pages(uint32_t pfn, size_t n);

/* Runs of which some has moved are to be mapped afresh when they are freed. */
bool migrate_is_crowded(void);
bool pages_have_moved(uint32_t pfn, size_t n);

/* Maps the owner's n pages afresh, as their sections are: they become zero.
 * It is they that are as they were, or lost. */
enum migrate pages_remap(uint32_t pfn, size_t n);

#endif
