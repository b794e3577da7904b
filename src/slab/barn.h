/*
 * barn - what the threads of a last-level cache share of one class: full and
 * empty sheaves, and the slabs that have objects left.
 *
 * 1. A sheaf is an array of free objects. Threads exchange whole sheaves
 *    with the barn, so 100 objects change hands under one lock.
 * 2. Slabs with objects to hand out stand in lists of partial ones; full slabs
 *    in none. An unused slab goes back to the page allocator, but for one.
 * 3. Run classes have no slabs: their sheaves hold runs (RUN_CACHED).
 * 4. Sheaves lie in lanes. A heap has one, by its number: what a thread has
 *    freed is in the cache of its CPU, and it gets that back first, and under a
 *    lock that few others take (barn_lane.c). Only lanes that a heap has are
 *    looked at. A lane keeps as many full sheaves as turned out to be of use:
 *    twice as many when one is missed after it refused one, and fewer by those
 *    that lay unused between two reclaims. When its slabs are nearly empty a
 *    thread that frees more than is taken puts all into them (barn_is_sparse).
 *    When they are more than a CPU's cache holds (barn_is_spread), what a
 *    thread frees at a stroke goes through them, and what lies all over
 *    (barn_is_scattered), to be handed out in a row.
 * 5. Reclaim sweeps slabs whose free objects have not changed since its last
 *    visit: their free pages go back to the kernel, the slab stays.
 * 6. The barn's lock protects it and its slabs, a lane's lock the lane and its
 *    sheaves. No two of them are held at once, but by fork, and none while
 *    pages are allocated or freed.
 * 7. Slabs are in stocks by lane. A heap is served from its own; when that has
 *    none left, by a slab that another can do without, then by a new one, and
 *    without memory by any (barn_find_slab). So two threads' objects lie apart,
 *    and a stock keeps from others what its heaps will come for again.
 * 8. A node has a set of barns, one for each class, and one set more for each
 *    further cache that its threads were seen at (barn_set.c). Slabs change
 *    over between barns as between stocks.
 */
#ifndef ZBM_BARN_H
#define ZBM_BARN_H

#include "mm/vmscan.h"
#include "slab/sheaf.h"
#include "slab/slab.h"

#define BARN_LANES	16

/* A line. All 0 until it is first used. */
struct lane {
	alignas(CACHE_LINE) struct lock lock;
	struct sheaf *full, *empty;
	uint32_t nr_objects;	/* in full sheaves */
	uint16_t nr_full, nr_empty;
	uint16_t low_full;	/* fewest full since the last reclaim */
	uint16_t more_full;	/* it may keep so many beyond BARN_MIN_FULL */
	uint16_t taken;		/* by its heaps, or asked for in vain, less
				 * what they have put */
	uint16_t most_taken;	/* the most that this was since the last
				 * reclaim */
	uint16_t most_before;	/* and in the time before that */
	bool overflowed;	/* one was refused since more_full was raised */
	uint8_t next;		/* the one behind it that is asked first when
				 * it has none itself; atomic */
};

static_assert(sizeof(struct lane) == CACHE_LINE, "one line");

/* The slabs that a lane's heaps are served from. All 0 until it is first
 * used. */
struct stock {
	struct list partial;	/* those that have objects left */
	size_t nr_free;		/* objects of its slabs */
	size_t low_free;	/* fewest since the last reclaim */
};

struct barn {
	alignas(CACHE_LINE) struct lock lock;
	uint8_t class;
	uint8_t node;
	uint8_t sweep;		/* number of the sweep that is going on */
	uint16_t nr_unused;	/* partial slabs without objects in use */
	uint16_t nr_isolated;	/* slabs that are swept or may come to it */
	/* also read without the lock, as hints */
	size_t nr_slabs, nr_partial;
	size_t nr_free;		/* objects of its slabs */
	struct stock *stock;	/* the first: see barn_lane */
	struct lane *lane;
};

static_assert(sizeof(struct barn) == CACHE_LINE, "one line");

/* The lane of a heap. Heaps of one node or cache may have every second or
 * fourth number only; the first BARN_LANES heaps have one each. */
static inline unsigned int lane_number(unsigned int heap)
{
	return (heap + heap / BARN_LANES) % BARN_LANES;
}

/* Lanes of one number lie together: CPUs fetch lines by pairs, and neighbours
 * that are of other heaps would be taken from each other. So does a process
 * with one heap write to few pages of them. */
static inline struct lane *barn_lane(const struct barn *barn, unsigned int n)
{
	return barn->lane + (size_t)n * NR_CLASSES;
}

/* There is a heap of this number from now on. By one caller at a time. */
void barn_open_lane(unsigned int heap);

/* Lanes of heaps that there are: the first ones. A hint, which rises. */
extern unsigned int barn_lanes_open;

static inline unsigned int nr_lanes(void)
{
	return __atomic_load_n(&barn_lanes_open, __ATOMIC_RELAXED);
}

#define for_each_lane(at, barn) \
	for (struct lane *at = (barn)->lane, \
			 *end_ = barn_lane(barn, nr_lanes()); \
	     at < end_; at += NR_CLASSES)

struct barn_set {
	struct barn barn[NR_CLASSES];
	struct barn_set *next;	/* of the node. Atomic */
	int cache;		/* whose; ANY_CACHE: not yet known. Atomic */
	alignas(CACHE_LINE) struct stock stock[BARN_LANES][NR_CLASSES];
	struct lane lane[BARN_LANES][NR_CLASSES];
};

#define ANY_CACHE	(-1)
#define BARN_MIN_FULL	2	/* full sheaves of a lane, at least */

/* About what a CPU's own cache holds of a size. */
#define CPU_CACHE_BYTES	(1UL << 20)

/* A hint. */
static inline size_t barn_slab_bytes(const struct barn *barn)
{
	return __atomic_load_n(&barn->nr_slabs, __ATOMIC_RELAXED) <<
	       (PAGE_SHIFT + size_classes[barn->class].slab_order);
}

/* The node's first set. False: no memory. */
bool barn_init_node(int node);

/* The node's first set; the others follow. */
struct barn_set *barn_sets(int node);
struct barn_set *barn_set_next(const struct barn_set *set);

/* The barns of a cache's threads on a node. Without memory for them, the
 * node's first. By one caller at a time. */
struct barn_set *barn_set_of(int node, int cache);

static inline int barn_set_cache(const struct barn_set *set)
{
	return __atomic_load_n(&set->cache, __ATOMIC_RELAXED);
}

/* The one in the node's first set. */
struct barn *barn_of(int node, unsigned int class);

/* The one behind it, of all sets and nodes; NULL: the first. */
struct barn *barn_next(struct barn *barn);

#define for_each_barn(barn) \
	for (struct barn *barn = barn_next(NULL); barn; \
	     barn = barn_next(barn))

/* A full sheaf, of the heap's lane if it has one. An empty one (or NULL) is
 * left in the lane that it comes from. NULL: there is none for this heap, and
 * the caller keeps `empty`. */
struct sheaf *barn_get_full(struct barn *barn, uint8_t heap,
			    struct sheaf *empty);

/* Takes a full sheaf, and gives an empty one for `want` objects: NULL if that
 * is 0; without memory a smaller one or NULL. False: there is no room, the
 * caller keeps the full one and gets none. */
bool barn_put_full(struct barn *barn, uint8_t heap, struct sheaf *full,
		   size_t want, struct sheaf **empty);

/* An empty sheaf, of the heap's lane or a new one; without memory a smaller
 * one or NULL. */
struct sheaf *barn_get_empty(struct barn *barn, uint8_t heap, size_t want);

/* Fills out[0..n) with objects of slabs, the lowest last, small classes only;
 * how many. Less than n only without memory, or when its partial slabs had
 * less. A new slab's pages are asked for with these flags, and are of the
 * barn's node. */
size_t barn_refill(struct barn *barn, uint8_t heap, struct pcp *pcp, gfp_t gfp,
		   void **out, size_t n);

/* The object was last taken from its slab by another heap than this. A hint:
 * what a heap freed may be its own although others share the slab. */
bool barn_is_foreign(const void *object, uint8_t heap);

/* Gives n small objects of any node and class back to their slabs. Aborts
 * on one that its slab has already. */
void barn_flush(struct pcp *pcp, void **objects, size_t n);

/* Gives n runs back to the page allocator. */
void barn_flush_runs(struct pcp *pcp, void **objects, size_t n);

/* Flushes full sheaves and unused slabs, and sweeps the others. */
void barn_shrink_all(enum reclaim how);

/* The part of it that gives back one barn's sheaves. */
void barn_shrink_lanes(struct barn *barn, enum reclaim how);

/* Pages of runs in all barns. A hint. */
size_t barn_count_runs(void);

/* Objects in full sheaves. Without locks: exact when all rest. */
size_t barn_nr_cached(struct barn *barn);

/* Its slabs are mostly free, and few objects hold many of them: those that
 * nobody uses should not. A hint. */
bool barn_is_sparse(const struct barn *barn);

/* Its slabs are more than the caches of so many CPUs hold, so it counts what
 * lies next to what; and nobody is at them. A hint. */
bool barn_is_spread(const struct barn *barn, size_t nr_cpus);

/* The sheaf's objects lie all over a barn that is spread, and its slabs would
 * hand out in a row what they got back. A hint. */
bool barn_is_scattered(struct barn *barn, const struct sheaf *sheaf);

bool barn_fork(lock_fork_fn *lock_fork);

/* With its lanes. */
void barn_validate(struct barn *barn);
void lane_validate(struct lane *lane);

#endif
