#include "mm/pieces.h"
#include "mm/buddy.h"
#include "mm/hotplug.h"
#include "mm/vmscan.h"
#include "mm/zonelist.h"

/* At free blocks of a list, while whole blocks are there as well. */
#define LOOKS		16

/* Room is for four times as much, or for the largest run that has a class. */
#define ROOM_SHIFT	2
#define ROOM_MAX	1024UL	/* pages */

/* The free pages that stand from `pfn` on, at most `want`; in blocks. */
static size_t free_pages_at(const struct zone *zone, size_t pfn, size_t want)
{
	size_t n = 0;

	while (n < want && pfn + n < vm.nr_pages &&
	       __atomic_load_n(&pfn_to_section(pfn + n)->zone,
			       __ATOMIC_RELAXED) == zone &&
	       buddy_is_free(pfn_to_page((uint32_t)(pfn + n))))
		n += 1UL << word_order(page_word(
				pfn_to_page((uint32_t)(pfn + n))));
	return n;
}

static bool take_pages_at(struct zone *zone, uint32_t pfn, size_t want)
{
	size_t low = zone->low_free_dirty, n = 0;

	if (free_pages_at(zone, pfn, want) < want)
		return false;
	while (n < want)
		n += 1UL << buddy_take(zone, pfn + (uint32_t)n);
	if (n > want)
		zone_free_contig(zone, pfn + (uint32_t)want, n - want);
	zone_note_taken(zone, want, low);
	return true;
}

/* n pages behind each other, the first of them in a block of the order. Of each
 * list at most so many blocks are looked at. */
static uint32_t take_pieces(struct zone *zone, unsigned int order, size_t n,
			    size_t looks)
{
	for (int type = 0; type < NR_MIGRATETYPES; type++) {
		uint32_t pfn = zone->free_area[order].list[type].first;

		for (size_t i = 0; pfn && i < looks; i++) {
			if (take_pages_at(zone, pfn, n))
				return pfn;
			pfn = pfn_link(pfn)->next;
		}
	}
	return 0;
}

static uint32_t zone_take_pieces(struct zone *zone, size_t n, size_t looks)
{
	unsigned int half = log2_ceil(n) - 1;
	uint32_t pfn;

	lock_acquire(&zone->lock);
	pfn = take_pieces(zone, half, n, looks);
	if (!pfn && half)
		pfn = take_pieces(zone, half - 1, n, looks);
	lock_release(&zone->lock);
	return pfn;
}

uint32_t zone_alloc_pieced(struct zone *zone, size_t n)
{
	return zone_take_pieces(zone, n, SIZE_MAX);
}

uint32_t zone_alloc_pieced_soon(struct zone *zone, size_t n)
{
	return zone_take_pieces(zone, n, LOOKS);
}

/* Takes [pfn, pfn + want) if it is free; else *have says how much from its
 * start on is. */
static bool zone_take_at(struct zone *zone, uint32_t pfn, size_t want,
			 size_t *have)
{
	bool done;

	lock_acquire(&zone->lock);
	done = take_pages_at(zone, pfn, want);
	*have = done ? want : free_pages_at(zone, pfn, want);
	lock_release(&zone->lock);
	return done;
}

uint32_t zone_grow_pieced(struct zone *zone, size_t n)
{
	uint32_t pfn = 0;
	size_t have;

	if (reclaim_runs(zone) || reclaim_scattered(zone))
		pfn = zone_alloc_pieced(zone, n);
	if (pfn)
		return pfn;
	do
		pfn = zone_grow_run(zone, n);
	while (pfn && !zone_take_at(zone, pfn, n, &have));
	return pfn;
}

bool extend_pages_exact(struct page *page, size_t old_n, size_t new_n)
{
	uint32_t end = page_to_pfn(page) + (uint32_t)old_n;
	struct zone *zone = page_zone(page);
	size_t want = new_n - old_n, have;
	bool done;

	ASSERT(new_n > old_n);
	if (end + want > vm.nr_pages || zone_is_full(zone, want, true))
		return false;
	done = zone_take_at(zone, end, want, &have);
	if (!done && section_grow_at(zone, end + (uint32_t)have, want - have))
		done = zone_take_at(zone, end, want, &have);
	if (done)
		numa_count(zone, zone->node, want);
	return done;
}

/* Pages that n may become, growing by steps, before they move again. */
static size_t room_for(size_t n)
{
	return max(n, min(n << ROOM_SHIFT, ROOM_MAX));
}

/* In the free block, the first naturally aligned place of 2^order pages most of
 * whose first `room` are in memory; 0: there is none. */
static uint32_t find_dirty(uint32_t block, unsigned int order, size_t room)
{
	uint32_t end = block + (1U << word_order(page_word(
					pfn_to_page(block))));

	for (; block < end; block += 1U << order)
		if (dirty_count(block, room) > room / 2)
			return block;
	return 0;
}

/* Takes n pages at pfn, somewhere in the free block. */
static void take_pages_in(struct zone *zone, uint32_t block, uint32_t pfn,
			  size_t n)
{
	size_t low = zone->low_free_dirty;
	uint32_t end = block + (1U << buddy_take(zone, block));

	if (pfn > block)
		zone_free_contig(zone, block, pfn - block);
	if (end > pfn + n)
		zone_free_contig(zone, pfn + (uint32_t)n, end - pfn - n);
	zone_note_taken(zone, n, low);
}

/* n pages with room, of which most is in memory; 0: there are none. Blocks with
 * such pages stand in front. */
static uint32_t take_room(struct zone *zone, size_t n)
{
	size_t room = room_for(n);
	unsigned int least = log2_ceil(room);

	if (zone->nr_free_dirty <= room / 2)
		return 0;
	for (unsigned int order = least; order <= MAX_PAGE_ORDER; order++) {
		uint32_t block = zone->free_area[order]
				     .list[MIGRATE_MOVABLE].first;
		uint32_t pfn = block ? find_dirty(block, least, room) : 0;

		if (pfn) {
			take_pages_in(zone, block, pfn, n);
			return pfn;
		}
	}
	return 0;
}

static uint32_t zone_alloc_room(struct zone *zone, size_t n)
{
	uint32_t pfn;

	if (n < GROW_MIN_PAGES || zone_is_full(zone, n, true))
		return 0;
	lock_acquire(&zone->lock);
	pfn = take_room(zone, n);
	lock_release(&zone->lock);
	if (pfn)
		numa_count(zone, zone->node, n);
	return pfn;
}

/* A third of what the n pages may yet become lies in memory behind them, as far
 * as their section goes, or they are too many to be copied for that. */
static bool growth_is_cheap(struct zone *zone, uint32_t pfn, size_t n)
{
	size_t end = section_part_end(pfn, pfn + room_for(n));
	size_t behind = end - min(pfn + n, end), dirty;

	lock_acquire(&zone->lock);
	dirty = dirty_count(pfn + n, behind);
	lock_release(&zone->lock);
	return behind - dirty < 2 * n;
}

/* What stands in the way behind the run, if anything, is on a pcp's list. */
static bool pcp_is_in_the_way(struct zone *zone, uint32_t pfn, size_t want)
{
	size_t n;

	lock_acquire(&zone->lock);
	n = free_pages_at(zone, pfn, want);
	lock_release(&zone->lock);
	return n < want && pfn + n < vm.nr_pages &&
	       word_type(page_word(pfn_to_page(pfn + (uint32_t)n))) == PAGE_PCP;
}

/* What becomes resident goes in exchange for what is free now, not for what the
 * run itself leaves when it is freed. */
static bool grow_in_place(struct pcp *pcp, struct page *page, size_t old_n,
			  size_t new_n)
{
	uint32_t end = page_to_pfn(page) + (uint32_t)old_n;
	bool grown = extend_pages_exact(page, old_n, new_n);

	if (!grown && new_n >= GROW_MIN_PAGES &&
	    pcp_is_in_the_way(page_zone(page), end, new_n - old_n)) {
		pcp_drain(pcp, true);
		grown = extend_pages_exact(page, old_n, new_n);
	}
	if (grown)
		reclaim_at_high(page_zone(page));
	return grown;
}

struct page *grow_pages_exact(struct pcp *pcp, struct page *page, size_t old_n,
			      size_t new_n)
{
	struct zone *zone = page_zone(page);
	bool cheap = new_n < GROW_MIN_PAGES ||
		     growth_is_cheap(zone, page_to_pfn(page), old_n);
	uint32_t room;

	if (cheap && grow_in_place(pcp, page, old_n, new_n))
		return page;
	room = zone_alloc_room(zone, new_n);
	if (room)
		return pfn_to_page(room);
	if (!cheap && grow_in_place(pcp, page, old_n, new_n))
		return page;
	return NULL;
}
