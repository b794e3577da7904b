#include "mm/migrate.h"
#include "base/bitmap.h"
#include "mm/hugepage.h"
#include "mm/page_isolation.h"
#include "os/os.h"

/* Blocks that a run looks at without having all that is in them. */
#define FILL_LEFT	16

static size_t nr_moved;		/* pageblocks, atomic */

static void note_moved(size_t pfn, size_t end)
{
	for_each_section_part(at, n, pfn, end) {
		uint32_t bits = section_pageblocks(at, at + n);
		uint32_t before = __atomic_fetch_or(&pfn_to_section(at)->moved,
						    bits, __ATOMIC_RELAXED);

		__atomic_fetch_add(&nr_moved,
				   bitmap_count_word(bits & ~before),
				   __ATOMIC_RELAXED);
	}
}

static void note_remapped(size_t pfn, size_t end)
{
	for_each_section_part(at, n, pfn, end) {
		uint32_t bits = section_pageblocks(at, at + n);
		uint32_t before = __atomic_fetch_and(&pfn_to_section(at)->moved,
						     ~bits, __ATOMIC_RELAXED);

		__atomic_fetch_sub(&nr_moved, bitmap_count_word(before & bits),
				   __ATOMIC_RELAXED);
	}
}

bool pages_have_moved(uint32_t pfn, size_t n)
{
	size_t end = (size_t)pfn + n;

	for_each_section_part(at, some, pfn, end)
		if (__atomic_load_n(&pfn_to_section(at)->moved,
				    __ATOMIC_RELAXED) &
		    section_pageblocks(at, at + some))
			return true;
	return false;
}

bool migrate_is_crowded(void)
{
	return __atomic_load_n(&nr_moved, __ATOMIC_RELAXED) > MOVED_MAX / 2;
}

/* The n pages have a new mapping, which is to be as their sections are. */
static void settle_mapping(uint32_t pfn, size_t n)
{
	const struct zone *zone = pfn_to_section(pfn)->zone;

	note_remapped(pfn, pfn + n);
	hugepages_advise(pfn, n);
	topology_place(pfn_to_address(pfn), n << PAGE_SHIFT, zone->placement,
		       zone->node);
}

static bool pages_are_mapped(size_t pfn, size_t n)
{
	unsigned char incore[PAGEBLOCK_PAGES];
	size_t some;

	for (; n; pfn += some, n -= some) {
		some = min(n, sizeof(incore));
		if (!os_incore(pfn_to_address(pfn), some << PAGE_SHIFT,
			       incore))
			return false;
	}
	return true;
}

/*
 * The kernel has refused to replace the mapping of n pages; it may have
 * unmapped them. If they are mapped, all is as it was: mappings of others that
 * fill a hole to its last page would have needed what this one was refused
 * for, a mapping more or n pages of address space.
 */
static enum migrate mend_hole(uint32_t pfn, size_t n)
{
	if (os_map_hole(pfn_to_address(pfn), n << PAGE_SHIFT)) {
		hugepages_drop(pfn, n);
		settle_mapping(pfn, n);
		return MIGRATE_REFUSED;
	}
	return pages_are_mapped(pfn, n) ? MIGRATE_REFUSED : MIGRATE_LOST;
}

enum migrate pages_remap(uint32_t pfn, size_t n)
{
	hugepages_drop(pfn, n);
	if (!os_remap(pfn_to_address(pfn), n << PAGE_SHIFT))
		return mend_hole(pfn, n);
	settle_mapping(pfn, n);
	return MIGRATE_DONE;
}

static bool is_one_mapping(uint32_t pfn, size_t n)
{
	return os_is_one_mapping(pfn_to_address(pfn), n << PAGE_SHIFT);
}

/* How many of the n pages are one mapping, in steps of so many; 0: a part of a
 * pageblock, of which the end is not looked for. */
static size_t one_mapping(uint32_t pfn, size_t n, size_t step)
{
	size_t good = 0, bad = n;

	if (likely(is_one_mapping(pfn, n)))
		return n;
	while (bad > PAGEBLOCK_PAGES && good + step < bad) {
		size_t half = good +
			      max(align_down((bad - good) / 2, step), step);

		if (is_one_mapping(pfn, half))
			good = half;
		else
			bad = half;
	}
	return good < PAGEBLOCK_PAGES ? 0 : good;
}

/* As many as one_mapping says. */
static enum migrate move_mapping(uint32_t from, uint32_t to, size_t n)
{
	struct zone *zone = pfn_to_section(to)->zone;

	if (!os_move(pfn_to_address(from), pfn_to_address(to),
		     n << PAGE_SHIFT))
		return mend_hole(to, n);
	note_moved(to, to + n);
	/* What asks moves with the pages, and stays where they were. */
	if (hugepages_drop(from, n))
		hugepages_ask(to, n);
	__atomic_fetch_add(&zone->nr_migrated, n, __ATOMIC_RELAXED);
	return MIGRATE_DONE;
}

/* The same of pages that lie in several mappings. */
static void copy_pages(uint32_t from, uint32_t to, size_t n)
{
	void *source = pfn_to_address(from);

	memcpy(pfn_to_address(to), source, n << PAGE_SHIFT);
	if (!pages_purge(from, n))
		memset(source, 0, n << PAGE_SHIFT);
}

/* A part was refused: the others go back. */
static void move_back(uint32_t from, uint32_t to, size_t n)
{
	memcpy(pfn_to_address(from), pfn_to_address(to), n << PAGE_SHIFT);
	pages_purge(to, n);
}

enum migrate migrate_pages(uint32_t from, uint32_t to, size_t n)
{
	enum migrate done = MIGRATE_DONE;
	size_t at = 0;

	while (at < n) {
		uint32_t next = from + (uint32_t)at;
		size_t some = one_mapping(next, n - at, 1);

		if (likely(some)) {
			done = move_mapping(next, to + (uint32_t)at, some);
		} else {
			some = min(n - at, PAGEBLOCK_PAGES);
			copy_pages(next, to + (uint32_t)at, some);
		}
		if (done != MIGRATE_DONE)
			break;
		at += some;
	}
	if (unlikely(at && at < n))
		move_back(from, to, at);
	return done;
}

bool migrate_is_refused(void)
{
	return os_is_locked() ||
	       __atomic_load_n(&os.refused[OS_REFUSED_MOVE], __ATOMIC_RELAXED);
}

/* Pageblocks from `at` on that are clean, or that are dirty as a whole;
 * pages. */
static size_t pageblocks_like(size_t at, size_t end, bool dirty)
{
	size_t n = 0;

	while (at + n < end &&
	       dirty_count(at + n, PAGEBLOCK_PAGES) ==
		       (dirty ? PAGEBLOCK_PAGES : 0))
		n += PAGEBLOCK_PAGES;
	return n;
}

static size_t next_pageblocks(size_t *at, size_t end, bool dirty)
{
	size_t n = 0;

	while (*at < end && !(n = pageblocks_like(*at, end, dirty)))
		*at += PAGEBLOCK_PAGES;
	return n;
}

/* Pageblocks of a run that are to be filled. */
struct target {
	size_t at, end;		/* pfns */
	struct zone *zone;
};

/* From an isolated block; a pageblock of several mappings stays. */
static enum migrate fill_from(struct target *target, size_t from, size_t end)
{
	enum migrate done = MIGRATE_DONE;
	size_t have, want;

	while ((have = next_pageblocks(&from, end, true)) &&
	       (want = next_pageblocks(&target->at, target->end, false))) {
		size_t n = one_mapping((uint32_t)from, min(have, want),
				       PAGEBLOCK_PAGES);

		if (!n) {
			from += PAGEBLOCK_PAGES;
			continue;
		}
		done = move_mapping((uint32_t)from, (uint32_t)target->at, n);
		if (done != MIGRATE_DONE)
			return done;
		lock_acquire(&target->zone->lock);
		dirty_clear(from, n);
		dirty_set(target->at, n);
		lock_release(&target->zone->lock);
		from += n;
		target->at += n;
	}
	return done;
}

static bool has_dirty_pageblock(uint32_t pfn, unsigned int order)
{
	size_t at = pfn;

	return next_pageblocks(&at, pfn + (1UL << order), true);
}

static enum migrate fill(struct target *target)
{
	const struct isolation isolation = {
		.min_order = PAGEBLOCK_ORDER,
		.max_order = MAX_PAGE_ORDER,
		.suits = has_dirty_pageblock,
	};
	struct set_aside left = { 0, 0 };
	enum migrate done = MIGRATE_DONE;
	unsigned int order;
	uint32_t pfn;

	while (done == MIGRATE_DONE && left.nr < FILL_LEFT &&
	       next_pageblocks(&target->at, target->end, false)) {
		lock_acquire(&target->zone->lock);
		pfn = isolate_block(target->zone, &isolation, &order);
		lock_release(&target->zone->lock);
		if (!pfn)
			break;
		done = fill_from(target, pfn, pfn + (1UL << order));
		lock_acquire(&target->zone->lock);
		if (has_dirty_pageblock(pfn, order))
			set_aside(&left, pfn);
		else
			putback_block(target->zone, pfn, order);
		lock_release(&target->zone->lock);
	}
	lock_acquire(&target->zone->lock);
	putback_set_aside(target->zone, &left);
	lock_release(&target->zone->lock);
	return done;
}

static bool migration_pays(void)
{
	return os.page_size == PAGE_SIZE && !migrate_is_refused() &&
	       __atomic_load_n(&nr_moved, __ATOMIC_RELAXED) < MOVED_MAX;
}

bool migrate_free_pages(uint32_t pfn, size_t n)
{
	struct target target = {
		.at = align_up(pfn, PAGEBLOCK_PAGES),
		.end = align_down((size_t)pfn + n, PAGEBLOCK_PAGES),
		.zone = pfn_to_section(pfn)->zone,
	};
	enum migrate done;

	/* Whoever reclaims has free memory in his hands. */
	if (!migration_pays() || !lock_try(&reclaim_lock))
		return true;
	done = fill(&target);
	lock_release(&reclaim_lock);
	return done != MIGRATE_LOST;
}
