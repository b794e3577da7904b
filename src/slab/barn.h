/*
 * barn - what the threads of a last-level cache share of one class: full and
 * empty sheaves, and the slabs that have objects left.
 *
 * 1. A sheaf is an array of free objects. Threads exchange whole sheaves
 *    with the barn, so 100 objects change hands under one lock.
 * 2. Slabs with objects to hand out stand in `partial`; full slabs in no
 *    list. An unused slab goes back to the page allocator, but for one.
 * 3. Run classes have no slabs: their sheaves hold runs (RUN_CACHED).
 * 4. As many full sheaves are kept as turned out to be of use: the barn may
 *    have twice as many when it is asked in vain for one after it refused
 *    one; and fewer by those that lay unused between two reclaims.
 *    They and the empty ones lie in lanes, of which each heap has one, by its
 *    number: what a thread has freed is in the cache of its CPU, and it gets
 *    that back first.
 * 5. Reclaim sweeps slabs whose free objects have not changed since its last
 *    visit: their free pages go back to the kernel, the slab stays.
 * 6. The lock protects the barn, its slabs and the sheaves in it. It is not
 *    held while pages are allocated or freed.
 * 7. A node has a set of barns, one for each class, and one set more for each
 *    further cache that its threads were seen at (barn_set.c). A barn whose
 *    slabs are all full takes a partial one from the node's other barns
 *    before it asks for pages, but leaves each of them its last one; without
 *    memory also that. So each cache has at most one partial slab of a class
 *    that others could use. Lanes do the same with partial slabs among
 *    themselves (barn_list.h).
 */
#ifndef ZBM_BARN_H
#define ZBM_BARN_H

#include "mm/vmscan.h"
#include "slab/sheaf.h"
#include "slab/slab.h"

#define BARN_LANES	4

struct barn {
	/* a line: what an exchange of sheaves reads and writes */
	alignas(CACHE_LINE) struct lock lock;
	struct sheaf *full[BARN_LANES];
	uint32_t nr_objects;	/* in full sheaves */
	uint16_t nr_full, nr_empty;
	uint16_t low_full;	/* fewest full since the last reclaim */
	uint16_t max_full;	/* rule 4 */
	bool overflowed;	/* one was refused since max_full was raised */
	uint8_t class;
	uint8_t node;
	uint8_t sweep;		/* number of the sweep that is going on */
	struct sheaf *empty[BARN_LANES];
	struct list partial[BARN_LANES];
	size_t nr_slabs;
	size_t nr_partial;	/* also read without the lock, as a hint */
	uint16_t nr_unused;	/* slabs in `partial` without objects in use */
};

static_assert(offsetof(struct barn, empty) <= CACHE_LINE, "one line");

#define for_each_sheaf(at, lanes) \
	for (size_t lane_ = 0; lane_ < BARN_LANES; lane_++) \
		for (struct sheaf *at = (lanes)[lane_]; at; at = at->next)

struct barn_set {
	struct barn barn[NR_CLASSES];
	struct barn_set *next;	/* of the node. Atomic */
	int cache;		/* whose; ANY_CACHE: not yet known. Atomic */
};

#define ANY_CACHE	(-1)
#define BARN_MIN_FULL	2	/* full sheaves that it may keep, at least */

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

/* A full sheaf for an empty one, of the heap's lane if it has one; NULL: none
 * there, and `empty` is kept. */
struct sheaf *barn_get_full(struct barn *barn, uint8_t heap,
			    struct sheaf *empty);

/* Takes a full sheaf if there is room; false: the caller keeps it. */
bool barn_put_full(struct barn *barn, uint8_t heap, struct sheaf *full);

/* An empty sheaf that lies in the barn, or a new one. */
struct sheaf *barn_get_empty(struct barn *barn, uint8_t heap, size_t want);

/* Fills out[0..n) with objects of slabs, small classes only; how many. It
 * is less than n only without memory, or when n spans many slabs. A new slab's
 * pages are asked for with these flags, and are of the barn's node. */
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

bool barn_fork(lock_fork_fn *lock_fork);
void barn_validate(struct barn *barn);

#endif
