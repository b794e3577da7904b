/*
 * barn_list - the stocks of a barn's slabs, for barn.c and barn_reclaim.c.
 *
 * 1. All under the barn's lock.
 * 2. A slab is of the stock for the lane of the heap that was last served from
 *    it, if it is dense; else of the first stock. It is in that one's list
 *    while it has objects left and is not isolated.
 * 3. What a stock's heaps have had of it at once, lately, they will come for
 *    again: it has a surplus if the rest of its slabs has room for that, or if
 *    what is free does not lie in their CPU's cache anyway.
 */
#ifndef ZBM_BARN_LIST_H
#define ZBM_BARN_LIST_H

#include "slab/barn.h"

static inline struct stock *barn_stock(struct barn *barn, uint8_t heap)
{
	unsigned int lane = class_is_dense(barn->class) ? lane_number(heap) : 0;

	return &barn->stock[lane];
}

#define for_each_stock(at, barn) \
	for (struct stock *at = (barn)->stock; \
	     at < (barn)->stock + BARN_LANES; at++)

static inline struct slab *stock_slab(struct stock *stock, struct list *node)
{
	return node == &stock->partial ? NULL :
					 list_entry(node, struct slab, link);
}

static inline struct slab *stock_first(struct stock *stock)
{
	return stock_slab(stock, stock->partial.next);
}

/* It may leave its list meanwhile. `break` ends a list only. */
#define for_each_partial(slab, barn) \
	for_each_stock(stock_, barn) \
		for (struct slab *slab = stock_first(stock_), *next_; \
		     slab && (next_ = stock_slab(stock_, slab->link.next), \
			      true); \
		     slab = next_)

/* A slab enters or leaves its list as its objects come and go. */
static inline void barn_link(struct barn *barn, struct slab *slab, bool front)
{
	struct list *list = &barn_stock(barn, slab->taker)->partial;

	if (front)
		list_add_head(list, &slab->link);
	else
		list_add_tail(list, &slab->link);
	__atomic_store_n(&barn->nr_partial, barn->nr_partial + 1,
			 __ATOMIC_RELAXED);
}

static inline void barn_unlink(struct barn *barn, struct slab *slab)
{
	list_del(&slab->link);
	__atomic_store_n(&barn->nr_partial, barn->nr_partial - 1,
			 __ATOMIC_RELAXED);
}

/* So many objects of the slab have been taken, or put back: less than 0. */
static inline void barn_count_taken(struct barn *barn, const struct slab *slab,
				    ptrdiff_t n)
{
	struct stock *stock = barn_stock(barn, slab->taker);

	stock->nr_taken += (int32_t)n;
	stock->most_taken = max(stock->most_taken, stock->nr_taken);
	__atomic_store_n(&barn->nr_taken, barn->nr_taken + (size_t)n,
			 __ATOMIC_RELAXED);
}

/* A slab comes into the stock of its taker, or leaves it (-1), with what is
 * taken of it. */
static inline void barn_count_slab(struct barn *barn, const struct slab *slab,
				   int n, size_t taken)
{
	barn_stock(barn, slab->taker)->nr_slabs += (uint32_t)n;
	__atomic_store_n(&barn->nr_slabs, barn->nr_slabs + (size_t)n,
			 __ATOMIC_RELAXED);
	barn_count_taken(barn, slab, n * (ptrdiff_t)taken);
}

/* Of its slabs, taken or not. Without the lock a hint. */
static inline size_t barn_nr_objects(const struct barn *barn)
{
	return __atomic_load_n(&barn->nr_slabs, __ATOMIC_RELAXED) *
	       size_classes[barn->class].nr_objects;
}

static inline size_t slab_nr_taken(const struct slab *slab)
{
	return (size_t)slab->nr_objects - slab->nr_free;
}

/* A partial slab is the barn's no longer. */
static inline void barn_remove(struct barn *barn, struct slab *slab)
{
	barn->nr_unused -= slab_is_unused(slab);
	barn_count_slab(barn, slab, -1, slab_nr_taken(slab));
	barn_unlink(barn, slab);
}

/* Back into the list of its barn, or into that of its new one. */
static inline void barn_putback(struct barn *barn, struct slab *slab)
{
	slab->isolated = false;
	barn->nr_unused += slab_is_unused(slab);
	barn_link(barn, slab, false);
}

/* Unused slabs, in no barn's list. Without the lock. */
void slab_destroy_list(struct pcp *pcp, struct list *dead);

#endif
