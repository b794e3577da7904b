#include "mm/vmscan.h"
#include "base/options.h"
#include "mm/hugepage.h"
#include "mm/page_isolation.h"
#include "mm/pcp.h"
#include "os/limit.h"
#include "os/os.h"

/* A single page costs a system call and a fault as a large block does: the
 * clock purges only so many of them each time. */
#define PURGE_TICK_ORDER	1
#define PURGE_TICK_SINGLES	256	/* pages */

/* Blocks that go in exchange for others, at least. */
#define PURGE_EXCHANGE_ORDER	3
#define EXCHANGE_KEEP		8	/* an 8th of what is resident stays */
#define EXCHANGE_KEEP_SMALL	4096	/* pages, at most, of blocks that are no
					 * huge pages */

/* Free dirty pages that the clock leaves for the next request. */
#define PURGE_TICK_KEEP		32
#define PURGE_TICK_PARTS	8	/* and an 8th of what asks for huge
					 * pages, in parts of these */

/* Blocks in a row of which the kernel refuses each: then it refuses all. */
#define PURGE_REFUSED		64

static struct shrinker *shrinkers;

uint64_t reclaim_due_ms;
bool reclaim_pressed;

void register_shrinker(struct shrinker *shrinker)
{
	shrinker->next = shrinkers;
	shrinkers = shrinker;
}

void shrink_caches(enum reclaim how)
{
	for (struct shrinker *s = shrinkers; s; s = s->next)
		s->shrink(how);
	pcp_drain_each(reclaim_is_total(how));
}

void shrink_runs(void)
{
	for (struct shrinker *s = shrinkers; s; s = s->next)
		if (s->count)
			s->shrink(RECLAIM_RUNS);
}

static bool any_block(uint32_t pfn, unsigned int order)
{
	(void)pfn;
	(void)order;
	return true;
}

/* No part of what may be a huge page: the kernel would have to split it. */
static bool whole_block(uint32_t pfn, unsigned int order)
{
	return order >= PAGEBLOCK_ORDER || !hugepages_asked(pfn);
}

/* Purges pageblocks of an isolated block from its end, `target` pages of
 * dirty ones at least. `done` says how many pages at the end are clean. */
static size_t purge_block(uint32_t pfn, size_t n, size_t target, size_t *done)
{
	size_t step = min(n, PAGEBLOCK_PAGES), purged = 0, at = n;

	while (at && purged < target) {
		at -= step;
		purged += dirty_count(pfn + at, step);
	}
	*done = n - at;
	return pages_purge(pfn + (uint32_t)at, *done) ? purged : 0;
}

/* Purges so many pages of the zone at least, if there are; how many. Each turn
 * of the loop adds to the pages or to what was refused, so it ends. */
static size_t purge_blocks(struct zone *zone, size_t target,
			   struct isolation purge)
{
	unsigned int os_order = log2_floor(os.page_size >> PAGE_SHIFT);
	struct set_aside refused = { 0, 0 };
	unsigned int in_a_row = 0;
	size_t total = 0;

	purge.min_order = max(purge.min_order, os_order);
	lock_acquire(&zone->lock);
	/* While others write and free, there is always more. */
	target = min(target, zone->nr_free_dirty);
	while (total < target && in_a_row < PURGE_REFUSED) {
		unsigned int order;
		uint32_t pfn = isolate_block(zone, &purge, &order);
		size_t n, done, purged;

		if (!pfn)
			break;
		n = 1UL << order;
		lock_release(&zone->lock);
		/* Isolated: its dirty bits are ours to read. */
		purged = purge_block(pfn, n, target - total, &done);
		lock_acquire(&zone->lock);
		if (!purged) {
			set_aside(&refused, pfn);
			in_a_row++;
			continue;
		}
		in_a_row = 0;
		dirty_clear(pfn + n - done, done);
		putback_block(zone, pfn, order);
		zone->nr_purged += purged;
		total += purged;
	}
	putback_set_aside(zone, &refused);
	lock_release(&zone->lock);
	return total;
}

size_t zone_purge(struct zone *zone, size_t target, unsigned int min_order)
{
	return purge_blocks(zone, target, (struct isolation){
				.min_order = min_order,
				.max_order = MAX_PAGE_ORDER,
				.suits = any_block });
}

/* In use at once of late. Under the zone lock. */
static size_t zone_peak(const struct zone *zone)
{
	return max(zone->peak_recent,
		   max(zone->peak_before[0], zone->peak_before[1]));
}

/* Reclaim looks again when a 16th more is resident than was `seen`, or was in
 * use of late. Under the zone lock. */
static void zone_set_high(struct zone *zone, size_t seen)
{
	seen = max(seen, zone_peak(zone));
	zone->resident_seen = seen;
	zone->resident_high = min(zone->resident_limit,
				  seen + max(seen / 16, PAGEBLOCK_PAGES));
	__atomic_store_n(&zone->over_high, false, __ATOMIC_RELAXED);
}

size_t zone_purge_all(struct zone *zone)
{
	size_t purged = zone_purge(zone, SIZE_MAX, 0);

	lock_acquire(&zone->lock);
	zone->peak_recent = zone_used(zone);
	zone->peak_before[0] = zone->peak_before[1] = 0;
	zone_set_high(zone, zone_resident(zone));
	lock_release(&zone->lock);
	return purged;
}

/* Pages that may go in exchange for those that are resident since the last
 * look. A part may stay dirty, it is used again soon: no more than `keep`. */
static size_t zone_surplus(struct zone *zone, size_t keep)
{
	size_t resident, seen, dirty;

	lock_acquire(&zone->lock);
	resident = zone_resident(zone);
	seen = zone->resident_seen;
	dirty = zone->nr_free_dirty;
	lock_release(&zone->lock);
	keep = min(keep, resident / EXCHANGE_KEEP);
	return min(resident - min(seen, resident), dirty - min(keep, dirty));
}

/* What lies free and dirty did not serve. */
static void zone_exchange(struct zone *zone)
{
	struct isolation purge = {
		.min_order = PURGE_EXCHANGE_ORDER,
		.max_order = MAX_PAGE_ORDER,
		.suits = whole_block,
	};

	purge_blocks(zone, zone_surplus(zone, SIZE_MAX), purge);
	purge.max_order = PAGEBLOCK_ORDER - 1;
	purge_blocks(zone, zone_surplus(zone, EXCHANGE_KEEP_SMALL), purge);
}

/* Caches give back to the zones from now on. */
static void zone_start_shrink(struct zone *zone)
{
	lock_acquire(&zone->lock);
	zone->unshrunk_dirty = zone->nr_free_dirty;
	lock_release(&zone->lock);
}

/* Free dirty pages that they gave: these lay unused since the last look, as
 * those in the zone. Under the zone lock. */
static size_t zone_nr_shrunk(const struct zone *zone)
{
	return zone->nr_free_dirty -
	       min(zone->unshrunk_dirty, zone->nr_free_dirty);
}

/* Free dirty pages that were not needed since the look before the last two. A
 * collector of garbage, say, has turns of its own, in which it needs all of
 * them and then none. Under the zone lock. */
static size_t zone_next_low(struct zone *zone)
{
	size_t *before = zone->low_before;
	size_t low = zone->low_free_dirty + zone_nr_shrunk(zone);
	size_t lowest = min(low, min(before[0], before[1]));

	before[1] = before[0];
	before[0] = low;
	return lowest;
}

static void zone_restart_low(struct zone *zone, size_t purged)
{
	size_t *before = zone->low_before;

	before[0] -= min(before[0], purged);
	before[1] -= min(before[1], purged);
	zone->low_free_dirty = zone->nr_free_dirty;
}

/* Under the zone lock. */
static void zone_restart_peak(struct zone *zone)
{
	zone->peak_before[1] = zone->peak_before[0];
	zone->peak_before[0] = zone->peak_recent;
	zone->peak_recent = zone_used(zone);
}

/* What the zone did not need, but for a little. */
static size_t zone_unneeded(struct zone *zone)
{
	size_t dirty, keep;
	bool grows;

	lock_acquire(&zone->lock);
	dirty = zone_next_low(zone);
	grows = zone->peak_used > max(zone->peak_seen, HUGEPAGES_GROWN);
	zone->peak_seen = zone->peak_used;
	lock_release(&zone->lock);
	/* Slabs are filling a huge page. */
	keep = grows && hugepages_suit_slabs() ? PAGEBLOCK_PAGES :
						 PURGE_TICK_KEEP;
	return dirty - min(keep, dirty);
}

/* Of parts of huge pages a few stay: few are free of a heap that has grown and
 * stays, and each would cost a huge page. */
static size_t zone_parts_kept(const struct zone *zone)
{
	return __atomic_load_n(&zone->nr_asking, __ATOMIC_RELAXED) /
	       PURGE_TICK_PARTS;
}

/* What was not needed goes: other blocks, then parts of huge pages, then some
 * single pages. */
static void zone_reclaim(struct zone *zone)
{
	struct isolation purge = {
		.min_order = PURGE_TICK_ORDER,
		.max_order = MAX_PAGE_ORDER,
		.suits = whole_block,
	};
	size_t left = zone_unneeded(zone), purged, n;

	purged = n = purge_blocks(zone, left, purge);
	left -= min(left, n);
	left -= min(left, zone_parts_kept(zone));
	purge.suits = any_block;
	purged += n = purge_blocks(zone, left, purge);
	left -= min(left, n);
	purged += zone_purge(zone, min(left, (size_t)PURGE_TICK_SINGLES), 0);
	lock_acquire(&zone->lock);
	zone_restart_low(zone, purged);
	zone_restart_peak(zone);
	/* What has become resident since the last look is yet to be seen. */
	zone_set_high(zone, min(zone->resident_seen, zone_resident(zone)));
	lock_release(&zone->lock);
	zone_note_rise(zone);
}

void reclaim_tick(uint64_t now)
{
	struct zone *zone;

	if (now < __atomic_load_n(&reclaim_due_ms, __ATOMIC_RELAXED) ||
	    !options.decay_ms || !lock_try(&reclaim_lock))
		return;
	__atomic_store_n(&reclaim_due_ms, decay_next_look(now),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&reclaim_pressed, false, __ATOMIC_RELAXED);
	for_each_zone(zone)
		zone_start_shrink(zone);
	shrink_caches(RECLAIM_IDLE);
	for_each_zone(zone)
		zone_reclaim(zone);
	lock_release(&reclaim_lock);
}

static size_t count_runs(void)
{
	size_t n = 0;

	for (struct shrinker *s = shrinkers; s; s = s->next)
		n += s->count ? s->count() : 0;
	return n;
}

static size_t zone_managed(struct zone *zone)
{
	size_t managed;

	lock_acquire(&zone->lock);
	managed = zone->managed;
	lock_release(&zone->lock);
	return managed;
}

bool reclaim_runs(struct zone *zone)
{
	size_t managed = zone_managed(zone);

	/* The first growth of all should not have to look at each barn. */
	if (managed < PAGEBLOCK_PAGES ||
	    count_runs() < max(managed / 8, PAGEBLOCK_PAGES))
		return false;
	shrink_runs();
	return true;
}

/* An eighth of the zone is free and yet too scattered, and enough has been
 * freed since the caches were last emptied for it to be of use again. */
static bool zone_is_scattered(struct zone *zone)
{
	bool scattered;

	lock_acquire(&zone->lock);
	scattered = zone->nr_free >= max(zone->managed / 8, PAGEBLOCK_PAGES) &&
		    zone->nr_freed - zone->scattered_freed >=
		    zone->managed / 16;
	if (scattered)
		zone->scattered_freed = zone->nr_freed;
	lock_release(&zone->lock);
	return scattered;
}

bool reclaim_scattered(struct zone *zone)
{
	if (!zone_is_scattered(zone))
		return false;
	shrink_caches(RECLAIM_CACHES);
	return true;
}

/* The limit is looked at again when the zone has used half of what is left,
 * or a little more where that is nothing. */
static void zone_set_limit(struct zone *zone, size_t left, size_t step)
{
	lock_acquire(&zone->lock);
	zone->resident_limit = zone_resident(zone) + max(left / 2, step);
	lock_release(&zone->lock);
}

static bool zone_is_at_limit(struct zone *zone)
{
	bool at_limit;

	lock_acquire(&zone->lock);
	at_limit = zone_resident(zone) > zone->resident_limit;
	lock_release(&zone->lock);
	return at_limit;
}

/* Of all zones, the one that has grown first; pages purged. */
static size_t zones_purge(struct zone *first, size_t target)
{
	size_t purged = zone_purge(first, target, 0);
	struct zone *zone;

	for_each_zone(zone)
		if (zone != first && purged < target)
			purged += zone_purge(zone, target - purged, 0);
	return purged;
}

static void reclaim_near_limit(struct zone *zone)
{
	struct limit limit;
	size_t left, margin;

	limit_read(&limit);
	left = limit.left >> PAGE_SHIFT;
	margin = (limit.size >> PAGE_SHIFT) / 6;
	__atomic_store_n(&reclaim_pressed, left < margin, __ATOMIC_RELAXED);
	if (left < margin) {
		shrink_caches(RECLAIM_ALL);
		left += zones_purge(zone, margin - left + margin / 4);
	}
	zone_set_limit(zone, left > margin ? left - margin : 0, margin / 4);
}

cold_path void reclaim_at_high_slow(struct zone *zone)
{
	/* Not lock_acquire: the shared heap's lock may be held. Whoever waits
	 * uses nothing meanwhile. */
	while (!lock_try(&reclaim_lock)) {
		if (!__atomic_load_n(&zone->over_high, __ATOMIC_RELAXED))
			return;
		lock_wait(&reclaim_lock);
	}
	zone_note_rise(zone);
	shrink_caches(RECLAIM_STALE);
	zone_exchange(zone);
	if (zone_is_at_limit(zone))
		reclaim_near_limit(zone);
	lock_acquire(&zone->lock);
	zone_set_high(zone, zone_resident(zone));
	lock_release(&zone->lock);
	lock_release(&reclaim_lock);
}

void reclaim_caches(void)
{
	shrink_caches(RECLAIM_CACHES);
}

static size_t count_purged(void)
{
	struct zone *zone;
	size_t n = 0;

	for_each_zone(zone) {
		lock_acquire(&zone->lock);
		n += zone->nr_purged;
		lock_release(&zone->lock);
	}
	return n;
}

size_t reclaim_all(void)
{
	struct zone *zone;
	size_t before, purged;

	lock_acquire(&reclaim_lock);
	before = count_purged();
	shrink_caches(RECLAIM_ALL);
	for_each_zone(zone)
		zone_purge_all(zone);
	purged = count_purged() - before;
	lock_release(&reclaim_lock);
	return purged;
}

bool reclaim_fork(lock_fork_fn *lock_fork)
{
	return lock_fork(&reclaim_lock);
}
