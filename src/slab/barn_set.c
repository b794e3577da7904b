/*
 * barn_set - the barns of each node and last-level cache.
 *
 * 1. A node has one set at least, and one for each cache that a heap has asked
 *    for; the first is no cache's until then. Without memory for another the
 *    first serves.
 * 2. Sets are made under the lock under which the allocator starts, and stay.
 *    They are found without one: what is published is whole.
 * 3. Fork takes all barns' locks, and then all lanes': the order of ranks.
 */
#include "slab/barn.h"

static struct barn_set first_of_node_zero;
static struct barn_set *sets[MAX_NUMNODES];

unsigned int barn_lanes_open;

void barn_open_lane(unsigned int heap)
{
	unsigned int n = min(heap + 1, (unsigned int)BARN_LANES);

	if (n > barn_lanes_open)
		__atomic_store_n(&barn_lanes_open, n, __ATOMIC_RELAXED);
}

/* Only debug builds look at ranks. Else lanes stay untouched. */
static void barn_init_ranks(struct barn *barn)
{
	for (unsigned int i = 0; i < BARN_LANES; i++)
		lock_init(&barn_lane(barn, i)->lock, LOCK_LANE);
}

static void barn_set_init(struct barn_set *set, int node, int cache)
{
	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		struct barn *barn = &set->barn[class];

		lock_init(&barn->lock, LOCK_BARN);
		barn->lane = &set->lane[0][class];
		barn->stock = &set->stock[0][class];
		if (DEBUG_ZBM)
			barn_init_ranks(barn);
		barn->class = (uint8_t)class;
		barn->node = (uint8_t)node;
	}
	set->cache = cache;
}

bool barn_init_node(int node)
{
	struct barn_set *set = node ? meta_alloc(sizeof(*set)) :
				      &first_of_node_zero;

	if (!set)
		return false;
	barn_set_init(set, node, ANY_CACHE);
	/* The shared heap has it. */
	barn_open_lane(0);
	/* Pairs with the acquire of who walks them all; who is of the node
	 * finds it by its zone, which comes later. */
	__atomic_store_n(&sets[node], set, __ATOMIC_RELEASE);
	return true;
}

struct barn_set *barn_sets(int node)
{
	return __atomic_load_n(&sets[node], __ATOMIC_ACQUIRE);
}

struct barn_set *barn_set_next(const struct barn_set *set)
{
	return __atomic_load_n(&set->next, __ATOMIC_ACQUIRE);
}

/* A set for a cache that has none: the first, if it is no cache's yet. */
static struct barn_set *barn_set_make(struct barn_set *first, int cache)
{
	struct barn_set *set = first;

	if (first->cache != ANY_CACHE) {
		set = meta_alloc(sizeof(*set));
		if (!set)
			return first;
		barn_set_init(set, first->barn[0].node, cache);
		set->next = first->next;
		__atomic_store_n(&first->next, set, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&set->cache, cache, __ATOMIC_RELAXED);
	return set;
}

struct barn_set *barn_set_of(int node, int cache)
{
	struct barn_set *set;

	for (set = barn_sets(node); set; set = barn_set_next(set))
		if (set->cache == cache)
			return set;
	return barn_set_make(barn_sets(node), cache);
}

struct barn *barn_of(int node, unsigned int class)
{
	return &sets[node]->barn[class];
}

static struct barn_set *barn_set_of_barn(struct barn *barn)
{
	return container_of(barn - barn->class, struct barn_set, barn[0]);
}

struct barn *barn_next(struct barn *barn)
{
	struct barn_set *set = NULL;
	int node = 0;

	if (barn && barn->class < NR_CLASSES - 1)
		return &barn_set_of_barn(barn)->barn[barn->class + 1];
	if (barn) {
		set = barn_set_next(barn_set_of_barn(barn));
		node = barn->node + 1;
	}
	for (; !set && node < MAX_NUMNODES; node++)
		set = barn_sets(node);
	return set ? &set->barn[0] : NULL;
}

bool barn_fork(lock_fork_fn *lock_fork)
{
	for_each_barn(barn)
		if (!lock_fork(&barn->lock))
			return false;
	for_each_barn(barn)
		for_each_lane(lane, barn)
			if (!lock_fork(&lane->lock))
				return false;
	return true;
}
