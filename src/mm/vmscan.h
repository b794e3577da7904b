/*
 * vmscan - memory that nobody uses goes back.
 *
 * 1. Three ways ask for it. Time: every quarter of decay_ms, by the next slow
 *    path of any thread, what lay unused since the last time is given back from
 *    caches to slabs and from slabs to zones, and what lay unused for three
 *    such times, there or here, from zones to the kernel. Need: with each 16th
 *    that a zone has more resident, than before and than it lately had in use,
 *    unused caches are emptied into the zones, and as much free memory is
 *    purged as was touched anew; when an allocation fails all caches are
 *    emptied; and free pages are purged when those that may be resident come
 *    near the limit of the cgroup or the machine.
 *    Fall (vmscan_fall): when nearly all that was in use is free, for then
 *    there may be no next call.
 * 2. Upper floors put their caches under it as shrinkers.
 * 3. Free dirty blocks are purged largest first: taken out of the free
 *    areas, purged without the zone lock, and freed again as clean ones.
 *    That is done under reclaim_lock, which fork takes.
 */
#ifndef ZBM_VMSCAN_H
#define ZBM_VMSCAN_H

#include "mm/mmzone.h"

enum reclaim {
	RECLAIM_RUNS,	/* runs that barns keep, into zones */
	RECLAIM_STALE,	/* what lay unused since the last time, into zones */
	RECLAIM_CACHES,	/* all caches, into zones */
	RECLAIM_IDLE,	/* what lay unused, and on to the kernel */
	RECLAIM_ALL,	/* all, and on to the kernel */
};

static inline bool reclaim_is_total(enum reclaim how)
{
	return how == RECLAIM_CACHES || how == RECLAIM_ALL;
}

static inline bool reclaim_purges(enum reclaim how)
{
	return how == RECLAIM_IDLE || how == RECLAIM_ALL;
}

struct shrinker {
	/* Pages that RECLAIM_RUNS would free, a hint; NULL: none, and it is not
	 * called for that. */
	size_t (*count)(void);
	/* Of locks, only the shared heap's may be held when it is called. */
	void (*shrink)(enum reclaim how);
	struct shrinker *next;
};

/* At start only. The structure stays the caller's and must live on. */
void register_shrinker(struct shrinker *shrinker);

void shrink_caches(enum reclaim how);

/* RECLAIM_RUNS, of those who count them. */
void shrink_runs(void);

/* The moment of the next reclaim, of os_now_ms(). */
extern uint64_t reclaim_due_ms;

/* At its last look reclaim found little left of the limit. A hint. */
extern bool reclaim_pressed;

static inline bool reclaim_is_pressed(void)
{
	return unlikely(__atomic_load_n(&reclaim_pressed, __ATOMIC_RELAXED));
}

/* Reclaims by time, if `now` is past the due moment and nobody else does. */
void reclaim_tick(uint64_t now);

/* The zone has no block that is large enough, and caches keep runs of an eighth
 * of its size: these are freed. False: they keep less. */
bool reclaim_runs(struct zone *zone);

/* The zone has no block that is large enough. Empties the caches when it has
 * much free memory, scattered because of what the caches hold; false: it has
 * not. */
bool reclaim_scattered(struct zone *zone);

/* More may be resident than when it was last looked at, or was in use of late.
 * Empties the caches that lay unused since; of what is free and dirty beyond an
 * eighth, purges as much as became resident since; and all of it when nearly
 * all that the process may have resident is. */
void reclaim_at_high_slow(struct zone *zone);

static inline void reclaim_at_high(struct zone *zone)
{
	if (unlikely(__atomic_load_n(&zone->over_high, __ATOMIC_RELAXED)))
		reclaim_at_high_slow(zone);
}

/* Of some zone much is free that was in use: what its caches hold goes to it,
 * where there are several threads the runs alone; and if hardly anything is in
 * use then, all that is free to the kernel. */
void reclaim_at_fall_slow(void);

static inline void reclaim_at_fall(void)
{
	if (unlikely(__atomic_load_n(&zones_have_fallen, __ATOMIC_RELAXED)))
		reclaim_at_fall_slow();
}

/* What the kernel takes to make a page; 0: not yet known. Under reclaim_lock;
 * for tests to change. */
extern uint64_t reclaim_fault_ns;

/* The zone has more resident than at the last look. Under reclaim_lock. */
void zone_note_rise(struct zone *zone);

/* Empties caches into the zones. */
void reclaim_caches(void);

/* Empties caches and gives all free memory to the kernel; pages purged. */
size_t reclaim_all(void);

/* Purges dirty free blocks of at least min_order until `target` pages are
 * given back or none is left; pages purged. Under reclaim_lock. */
size_t zone_purge(struct zone *zone, size_t target, unsigned int min_order);

/* The same of all that is free. What becomes resident then is new. */
size_t zone_purge_all(struct zone *zone);

/* No block is isolated while fork holds the lock. */
bool reclaim_fork(lock_fork_fn *lock_fork);

#endif
