#include "mm/buddy.h"

static struct free_list *buddy_list(struct zone *zone, unsigned int order,
				    enum migratetype type)
{
	return &zone->free_area[order].list[type];
}

static void buddy_link(struct free_list *list, uint32_t pfn, bool front)
{
	struct page_link *link = pfn_link(pfn);

	if (!list->first) {
		link->next = link->prev = 0;
		list->first = list->last = pfn;
	} else if (front) {
		link->prev = 0;
		link->next = list->first;
		pfn_link(list->first)->prev = pfn;
		list->first = pfn;
	} else {
		link->next = 0;
		link->prev = list->last;
		pfn_link(list->last)->next = pfn;
		list->last = pfn;
	}
}

static void buddy_unlink(struct free_list *list, uint32_t pfn)
{
	struct page_link *link = pfn_link(pfn);

	if (link->prev)
		pfn_link(link->prev)->next = link->next;
	else
		list->first = link->next;
	if (link->next)
		pfn_link(link->next)->prev = link->prev;
	else
		list->last = link->prev;
}

static void free_area_add(struct zone *zone, uint32_t pfn, unsigned int order,
			  enum migratetype type)
{
	buddy_link(buddy_list(zone, order, type), pfn,
		   dirty_any(pfn, 1UL << order));
	page_set_word(pfn_to_page(pfn),
		      word_make_free(PAGE_BUDDY, zone->node, order, type));
	zone->free_area[order].nr_free++;
}

static void free_area_del(struct zone *zone, uint32_t pfn)
{
	struct page *page = pfn_to_page(pfn);
	uint64_t word = page_word(page);
	unsigned int order = word_order(word);

	ASSERT(word_type(word) == PAGE_BUDDY);
	buddy_unlink(buddy_list(zone, order, word_migratetype(word)), pfn);
	page_set_word(page, 0);
	zone->free_area[order].nr_free--;
}

/* Called for all pages that enter or leave the free areas. */
static void buddy_account(struct zone *zone, uint32_t pfn, size_t n, bool add)
{
	struct section *section = pfn_to_section(pfn);
	size_t dirty = dirty_count(pfn, n);

	if (add) {
		zone->nr_free += n;
		zone->nr_free_dirty += dirty;
		section->nr_free += (uint32_t)n;
		return;
	}
	zone->nr_free -= n;
	zone->nr_free_dirty -= dirty;
	section->nr_free -= (uint32_t)n;
	zone->low_free_dirty = min(zone->low_free_dirty, zone->nr_free_dirty);
}

/* The buddy of the block, when it is free as one block of the same order. What
 * is not online has an entry, but to read it where none was written costs a
 * page fault. */
static bool buddy_can_merge(uint32_t buddy, unsigned int order)
{
	uint64_t word;

	if ((buddy & (SECTION_PAGES - 1)) >= pfn_to_section(buddy)->online)
		return false;
	word = page_word(pfn_to_page(buddy));
	return word_type(word) == PAGE_BUDDY && word_order(word) == order;
}

/* Rule 3 for a block of at least a pageblock. */
static void buddy_claim(uint32_t pfn, unsigned int order,
			enum migratetype type)
{
	uint32_t end = pfn + (1U << order);

	for (; pfn < end; pfn += PAGEBLOCK_PAGES)
		pageblock_set_migratetype(pfn, type);
}

static void buddy_free_block(struct zone *zone, uint32_t pfn,
			     unsigned int order)
{
	while (order < MAX_PAGE_ORDER) {
		uint32_t buddy = pfn ^ 1U << order;

		if (!buddy_can_merge(buddy, order))
			break;
		free_area_del(zone, buddy);
		pfn &= ~(1U << order++);
	}
	if (order > PAGEBLOCK_ORDER)
		buddy_claim(pfn, order, pageblock_migratetype(pfn));
	free_area_add(zone, pfn, order, pageblock_migratetype(pfn));
}

/* The largest order that may start at pfn within n pages. */
static unsigned int buddy_order_at(uint32_t pfn, size_t n)
{
	unsigned int aligned = (unsigned int)__builtin_ctz(pfn | 1U <<
							   MAX_PAGE_ORDER);

	return min(aligned, log2_floor(n));
}

void buddy_free(struct zone *zone, uint32_t pfn, size_t n)
{
	lock_assert_held(&zone->lock);
	ASSERT(n > 0);
	ASSERT(pfn_to_section(pfn)->zone == zone);
	buddy_account(zone, pfn, n, true);
	while (n) {
		unsigned int order = buddy_order_at(pfn, n);

		buddy_free_block(zone, pfn, order);
		pfn += 1U << order;
		n -= 1UL << order;
	}
}

/* Halves the block until it has the wanted order; the upper halves go back. */
static void buddy_expand(struct zone *zone, uint32_t pfn, unsigned int low,
			 unsigned int high, enum migratetype type)
{
	while (high > low) {
		high--;
		free_area_add(zone, pfn + (1U << high), high, type);
	}
}

static uint32_t rmqueue_smallest(struct zone *zone, unsigned int order,
				 enum migratetype type, bool cold)
{
	for (unsigned int high = order; high <= MAX_PAGE_ORDER; high++) {
		struct free_list *list = buddy_list(zone, high, type);
		uint32_t pfn = cold ? list->last : list->first;

		if (!pfn)
			continue;
		free_area_del(zone, pfn);
		buddy_expand(zone, pfn, order, high, type);
		return pfn;
	}
	return 0;
}

/* Moves the free blocks of a pageblock to another type; how many pages. */
static size_t move_freepages_block(struct zone *zone, uint32_t pfn,
				   enum migratetype type)
{
	uint32_t start = (uint32_t)align_down(pfn, PAGEBLOCK_PAGES);
	uint32_t at = start;
	size_t moved = 0;

	while (at < start + PAGEBLOCK_PAGES) {
		uint64_t word = page_word(pfn_to_page(at));
		unsigned int order = word_order(word);

		if (word_type(word) != PAGE_BUDDY) {
			at++;
			continue;
		}
		free_area_del(zone, at);
		free_area_add(zone, at, order, type);
		moved += 1UL << order;
		at += 1U << order;
	}
	return moved;
}

/*
 * A block of a foreign type is about to serve `type`. A large one takes its
 * pageblocks along; a smaller one its whole pageblock when at least half of
 * that is free, so that the types stay apart.
 */
static void buddy_steal(struct zone *zone, uint32_t pfn, unsigned int order,
			enum migratetype type)
{
	zone->nr_fallback++;
	if (order >= PAGEBLOCK_ORDER) {
		free_area_del(zone, pfn);
		buddy_claim(pfn, order, type);
		free_area_add(zone, pfn, order, type);
		return;
	}
	if (move_freepages_block(zone, pfn, type) >= PAGEBLOCK_PAGES / 2)
		pageblock_set_migratetype(pfn, type);
	else
		move_freepages_block(zone, pfn, pageblock_migratetype(pfn));
}

static uint32_t rmqueue_fallback(struct zone *zone, unsigned int order,
				 enum migratetype type, bool cold)
{
	static const enum migratetype fallbacks[NR_MIGRATETYPES][2] = {
		[MIGRATE_UNMOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE },
		[MIGRATE_RECLAIMABLE] = { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE },
		[MIGRATE_MOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE },
	};

	/* The largest block first: it leaves most of the other type whole. */
	for (int high = MAX_PAGE_ORDER; high >= (int)order; high--) {
		for (int i = 0; i < 2; i++) {
			unsigned int k = (unsigned int)high;
			enum migratetype other = fallbacks[type][i];
			uint32_t pfn = buddy_list(zone, k, other)->first;
			uint32_t got;

			if (!pfn)
				continue;
			buddy_steal(zone, pfn, k, type);
			got = rmqueue_smallest(zone, order, type, cold);
			if (got)
				return got;
			free_area_del(zone, pfn);
			buddy_expand(zone, pfn, order, k, other);
			return pfn;
		}
	}
	return 0;
}

uint32_t buddy_alloc(struct zone *zone, unsigned int order,
		     enum migratetype type, bool cold)
{
	uint32_t pfn;

	lock_assert_held(&zone->lock);
	ASSERT(order <= MAX_PAGE_ORDER && type < NR_MIGRATETYPES);
	pfn = rmqueue_smallest(zone, order, type, cold);
	if (!pfn)
		pfn = rmqueue_fallback(zone, order, type, cold);
	if (pfn)
		buddy_account(zone, pfn, 1UL << order, false);
	return pfn;
}

bool buddy_opens_pageblock(uint32_t pfn, unsigned int order)
{
	if (likely(pfn % PAGEBLOCK_PAGES))
		return false;
	for (; order < PAGEBLOCK_ORDER; order++)
		if (!buddy_can_merge(pfn + (1U << order), order))
			return false;
	return !dirty_any(pfn, PAGEBLOCK_PAGES);
}

void buddy_dirty_pageblock(struct zone *zone, uint32_t pfn,
			   unsigned int order)
{
	lock_assert_held(&zone->lock);
	dirty_set(pfn, PAGEBLOCK_PAGES);
	zone->nr_free_dirty += PAGEBLOCK_PAGES - (1UL << order);
	for (; order < PAGEBLOCK_ORDER; order++) {
		uint32_t rest = pfn + (1U << order);

		/* Rule 4. */
		free_area_del(zone, rest);
		free_area_add(zone, rest, order, pageblock_migratetype(rest));
	}
}

unsigned int buddy_take(struct zone *zone, uint32_t pfn)
{
	unsigned int order = word_order(page_word(pfn_to_page(pfn)));

	lock_assert_held(&zone->lock);
	free_area_del(zone, pfn);
	buddy_account(zone, pfn, 1UL << order, false);
	return order;
}

void buddy_take_section(struct zone *zone, uint32_t index)
{
	uint32_t pfn = index << SECTION_ORDER;
	uint32_t end = pfn + section_at(index)->online;

	ASSERT(section_at(index)->nr_free == section_at(index)->online);
	while (pfn < end)
		pfn += 1U << buddy_take(zone, pfn);
}

static size_t buddy_validate_list(struct zone *zone, unsigned int order,
				  enum migratetype type, size_t *dirty)
{
	uint32_t prev = 0, pfn = buddy_list(zone, order, type)->first;
	size_t n = 0;

	for (; pfn; prev = pfn, pfn = pfn_link(pfn)->next, n++) {
		struct page *page = pfn_to_page(pfn);
		uint64_t word = page_word(page);

		CHECK(word_type(word) == PAGE_BUDDY);
		CHECK(word_order(word) == order);
		CHECK(word_migratetype(word) == type);
		CHECK(word_node(word) == zone->node);
		CHECK(pfn_link(pfn)->prev == prev);
		CHECK((pfn & ((1U << order) - 1)) == 0);
		CHECK(page_zone(page) == zone);
		CHECK(pageblock_migratetype(pfn) == type);
		CHECK(order == MAX_PAGE_ORDER ||
		      !buddy_can_merge(pfn ^ 1U << order, order));
		*dirty += dirty_count(pfn, 1UL << order);
	}
	CHECK(buddy_list(zone, order, type)->last == prev);
	return n;
}

void buddy_validate(struct zone *zone)
{
	size_t pages = 0, dirty = 0;

	lock_assert_held(&zone->lock);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		size_t blocks = 0;

		for (int type = 0; type < NR_MIGRATETYPES; type++)
			blocks += buddy_validate_list(zone, order,
						      (enum migratetype)type,
						      &dirty);
		CHECK(blocks == zone->free_area[order].nr_free);
		pages += blocks << order;
	}
	CHECK(pages == zone->nr_free);
	CHECK(dirty == zone->nr_free_dirty);
	CHECK(zone->nr_free + zone->nr_isolated <= zone->managed);
}
