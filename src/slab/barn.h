/*
 * barn - what the threads of a node share of one class: full and empty
 * sheaves, and the slabs that have objects left.
 *
 * 1. A sheaf is an array of free objects. Threads exchange whole sheaves
 *    with the barn, so 100 objects change hands under one lock.
 * 2. Slabs with objects to hand out stand in `partial`; full slabs in no
 *    list. An unused slab goes back to the page allocator, but for one.
 * 3. Run classes have no slabs: their sheaves hold runs (RUN_CACHED).
 * 4. As many full sheaves are kept as turned out to be of use: the barn may
 *    have twice as many when it is asked in vain for one after it refused
 *    one; and fewer by those that lay unused between two reclaims.
 * 5. Reclaim sweeps slabs whose free objects have not changed since its last
 *    visit: their free pages go back to the kernel, the slab stays.
 * 6. The lock protects the barn, its slabs and the sheaves in it. It is not
 *    held while pages are allocated or freed.
 */
#ifndef ZBM_BARN_H
#define ZBM_BARN_H

#include "mm/vmscan.h"
#include "slab/slab.h"

struct sheaf {
	struct sheaf *next;
	uint16_t capacity;
	uint16_t nr;
	void *end;	/* &sheaf_end: what a pop of nothing finds */
	void *object[];
};

/* A word that is no object's key. */
extern uint64_t sheaf_end;

#define SHEAF_MIN_CAPACITY	5	/* objects: 64 bytes in all */

struct barn {
	alignas(CACHE_LINE) struct lock lock;
	struct list partial;
	struct sheaf *full, *empty;
	uint16_t nr_full, nr_empty;
	uint16_t low_full;	/* fewest full since the last reclaim */
	uint16_t max_full;	/* rule 4 */
	bool overflowed;	/* one was refused since max_full was raised */
	uint16_t nr_unused;	/* slabs in `partial` without objects in use */
	uint8_t class;
	uint8_t node;
	uint8_t sweep;		/* number of the sweep that is going on */
	size_t nr_slabs;
	size_t nr_partial;
};

/* The node's barns, one for each class. False: no memory. */
bool barn_init_node(int node);

struct barn *barn_of(int node, unsigned int class);

/* The one behind it, of all nodes; NULL: the first. */
struct barn *barn_next(const struct barn *barn);

#define for_each_barn(barn) \
	for (struct barn *barn = barn_next(NULL); barn; \
	     barn = barn_next(barn))

/* An empty sheaf for at least `want` objects; NULL without memory. */
struct sheaf *sheaf_alloc(size_t want);
void sheaf_free(struct sheaf *sheaf);

/* A full sheaf for an empty one; NULL: none there, and `empty` is kept. */
struct sheaf *barn_get_full(struct barn *barn, struct sheaf *empty);

/* Takes a full sheaf if there is room; false: the caller keeps it. */
bool barn_put_full(struct barn *barn, struct sheaf *full);

/* An empty sheaf that lies in the barn, or a new one. */
struct sheaf *barn_get_empty(struct barn *barn, size_t want);

/* Fills out[0..n) with objects of slabs, small classes only; how many. It
 * is less than n only without memory, or when n spans many slabs. A new slab's
 * pages are asked for with these flags, and are of the barn's node. */
size_t barn_refill(struct barn *barn, struct pcp *pcp, gfp_t gfp, void **out,
		   size_t n);

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
