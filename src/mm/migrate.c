#include "mm/migrate.h"
#include "base/bitmap.h"
#include "mm/hugepage.h"
#include "mm/page_isolation.h"
#include "os/os.h"

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

bool pages_remap(uint32_t pfn, size_t n)
{
	const struct zone *zone = pfn_to_section(pfn)->zone;

	hugepages_drop(pfn, n);
	if (!os_remap(pfn_to_address(pfn), n << PAGE_SHIFT))
		return false;
	note_remapped(pfn, pfn + n);
	hugepages_advise(pfn, n);
	topology_place(pfn_to_address(pfn), n << PAGE_SHIFT, zone->placement,
		       zone->node);
	return true;
}

/* The kernel may have unmapped the target before it refused. */
static enum migrate refused(uint32_t to, size_t n)
{
	unsigned char incore;

	return os_incore(pfn_to_address(to), PAGE_SIZE, &incore) ||
	       pages_remap(to, n) ? MIGRATE_REFUSED : MIGRATE_LOST;
}

enum migrate migrate_pages(uint32_t from, uint32_t to, size_t n)
{
	struct zone *zone = pfn_to_section(to)->zone;

	if (!os_move(pfn_to_address(from), pfn_to_address(to),
		     n << PAGE_SHIFT))
		return refused(to, n);
	note_moved(to, to + n);
	/* What asks moves with the pages, and stays where they were. */
	if (hugepages_drop(from, n))
		hugepages_ask(to, n);
	__atomic_fetch_add(&zone->nr_migrated, n, __ATOMIC_RELAXED);
	return MIGRATE_DONE;
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

/* From an isolated block. */
static enum migrate fill_from(struct target *target, size_t from, size_t end)
{
	size_t have, want;

	while ((have = next_pageblocks(&from, end, true)) &&
	       (want = next_pageblocks(&target->at, target->end, false))) {
		size_t n = min(have, want);
		enum migrate done = migrate_pages((uint32_t)from,
						  (uint32_t)target->at, n);

		if (done != MIGRATE_DONE)
			return done;
		lock_acquire(&target->zone->lock);
		dirty_clear(from, n);
		dirty_set(target->at, n);
		lock_release(&target->zone->lock);
		from += n;
		target->at += n;
	}
	return MIGRATE_DONE;
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
	enum migrate done = MIGRATE_DONE;
	unsigned int order;
	uint32_t pfn;

	while (done == MIGRATE_DONE &&
	       next_pageblocks(&target->at, target->end, false)) {
		lock_acquire(&target->zone->lock);
		pfn = isolate_block(target->zone, &isolation, &order);
		lock_release(&target->zone->lock);
		if (!pfn)
			break;
		done = fill_from(target, pfn, pfn + (1UL << order));
		lock_acquire(&target->zone->lock);
		putback_block(target->zone, pfn, order);
		lock_release(&target->zone->lock);
	}
	return done;
}

static bool migration_pays(void)
{
	return os.page_size == PAGE_SIZE && !os_is_locked() &&
	       __atomic_load_n(&nr_moved, __ATOMIC_RELAXED) < MOVED_MAX &&
	       !__atomic_load_n(&os.refused[OS_REFUSED_MOVE], __ATOMIC_RELAXED);
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
