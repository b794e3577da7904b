/*
 * vmscan_fall - a program that has freed nearly all it had, and may rest.
 *
 * 1. The clock gives back what lay unused for a second, but it is looked at by
 *    those who call. Who frees all and sleeps does not call again.
 * 2. So a free looks when a quarter of what was resident, at the last look at
 *    the zone's growth or by the clock, is not in use, and then each time that
 *    a quarter less is. What caches hold is no use: they are emptied, and barns
 *    take no runs from then on. If then at most a quarter of what is resident
 *    is in use, all that is free goes back.
 * 3. Some programs breathe: they need it again soon. What was not had for
 *    FALL_HELD times as long as the kernel takes to make its pages, since
 *    hardly anything was in use, is kept. When as much is in use again as when
 *    the fall began, or more is resident, what was left in use sets the depth
 *    of the next fall, until FALL_SHARE times as long has passed since the last
 *    one as its looks took, and as it takes to have the pages again.
 * 4. Where there are several threads caches give runs alone: of smaller objects
 *    what their lanes keep for each would be mixed in the slabs
 *    (tests/hard/neighbours).
 */
#include "base/options.h"
#include "mm/page_isolation.h"
#include "mm/vmscan.h"
#include "os/os.h"
#include "os/thread.h"

#define FALL_FREE	3	/* pages free for each that is in use */
#define FALL_HELD	2
#define FALL_SHARE	32

bool zones_have_fallen;
uint64_t reclaim_fault_ns;

/* Both under reclaim_lock. */
static uint64_t cost_ns;	/* of looks, since a zone last rose */
static uint64_t due_ms;		/* the next fall of a quarter counts */

static void set_pressed(bool pressed)
{
	__atomic_store_n(&reclaim_pressed, pressed, __ATOMIC_RELAXED);
}

void zone_note_rise(struct zone *zone)
{
	uint64_t now = os_now_ms();

	lock_acquire(&zone->lock);
	if (!zone->rise_ms)
		zone->rise_ms = now;
	if (zone->rise_used != SIZE_MAX) {
		zone->rise_used = SIZE_MAX;
		if (zone->was_empty)
			zone->rise_ms = now;
		zone->was_empty = false;
		set_pressed(false);
		cost_ns = 0;
	}
	if (!options.decay_ms)
		zone->fall_used = 0;
	else if (now >= due_ms)
		zone->fall_used = zone_resident(zone) / 4 * 3;
	lock_release(&zone->lock);
}

static uint64_t pages_again_ns(size_t n)
{
	if (!reclaim_fault_ns)
		reclaim_fault_ns = max(os_fault_ns(), 1UL);
	return n * reclaim_fault_ns;
}

/* What is resident was had for a while. */
static bool zone_was_held(struct zone *zone)
{
	uint64_t held_ms = os_now_ms() - zone->rise_ms;
	size_t resident;

	lock_acquire(&zone->lock);
	resident = zone_resident(zone);
	lock_release(&zone->lock);
	return held_ms * 1000000 >= FALL_HELD * pages_again_ns(resident);
}

static bool zone_falls(struct zone *zone)
{
	bool falls;

	lock_acquire(&zone->lock);
	falls = zone_used(zone) < zone->fall_used;
	lock_release(&zone->lock);
	return falls;
}

/* True: hardly anything is in use. */
static bool zone_note_fall(struct zone *zone)
{
	bool empty;

	lock_acquire(&zone->lock);
	if (zone->rise_used == SIZE_MAX)
		zone->rise_used = zone->fall_used;
	zone->fall_used = zone_used(zone) / 4 * 3;
	empty = zone->nr_free_dirty > FALL_FREE * zone_used(zone);
	zone->was_empty |= empty;
	lock_release(&zone->lock);
	return empty;
}

static void zone_fall(struct zone *zone)
{
	bool alone = thread_is_alone();

	if (!zone_was_held(zone)) {
		zone_note_fall(zone);
		return;
	}
	if (alone) {
		shrink_caches(RECLAIM_CACHES);
		set_pressed(true);
	} else {
		shrink_runs();
	}
	if (!zone_note_fall(zone))
		return;
	if (alone)
		shrink_caches(RECLAIM_ALL);
	cost_ns += pages_again_ns(zone_purge_all(zone));
}

cold_path void reclaim_at_fall_slow(void)
{
	struct zone *zone;
	uint64_t start;

	if (!lock_try(&reclaim_lock))
		return;
	start = os_now_ns();
	__atomic_store_n(&zones_have_fallen, false, __ATOMIC_RELAXED);
	for_each_zone(zone)
		if (zone_falls(zone))
			zone_fall(zone);
	cost_ns += os_now_ns() - start;
	due_ms = os_now_ms() + cost_ns * FALL_SHARE / 1000000;
	lock_release(&reclaim_lock);
}
