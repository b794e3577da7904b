/*
 * barn_list - the stocks of a barn's slabs, for barn.c and barn_reclaim.c.
 *
 * 1. All under the barn's lock.
 * 2. A slab is of the stock for the lane of the heap that was last served from
 *    it, if it is dense; else of the first stock. It is in that one's list
 *    while it has objects left and is not isolated.
 * 3. What a stock's heaps have had of it at once, lately, they will come for
 *    again: others may have what lay free meanwhile.
 */
#ifndef ZBM_BARN_LIST_H
#define ZBM_BARN_LIST_H

#include "slab/barn.h"

static inline struct stock *barn_stock(struct barn *barn, uint8_t heap)
{
	unsigned int lane = class_is_dense(barn->class) ? lane_number(heap) : 0;

	return barn->stock + (size_t)lane * NR_CLASSES;
}

#define for_each_stock(at, barn) \
	for (struct stock *at = (barn)->stock, \
			  *end_ = at + (size_t)nr_lanes() * NR_CLASSES; \
	     at < end_; at += NR_CLASSES)

/* A list that was never used has no nodes, not even its own. */
static inline struct slab *stock_slab(struct stock *stock, struct list *node)
{
	return !node || node == &stock->partial ?
		       NULL : list_entry(node, struct slab, link);
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

	if (unlikely(!list->next))
		list_init(list);
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

static inline void barn_set_nr_slabs(struct barn *barn, size_t n)
{
	__atomic_store_n(&barn->nr_slabs, n, __ATOMIC_RELAXED);
}

/* So many objects more or, negative, less are free in it. */
static inline void stock_add_free(struct barn *barn, struct stock *stock,
				  ptrdiff_t n)
{
	stock->nr_free += (size_t)n;
	stock->low_free = min(stock->low_free, stock->nr_free);
	__atomic_store_n(&barn->nr_free, barn->nr_free + (size_t)n,
			 __ATOMIC_RELAXED);
}

/* Of its slabs, taken or not. Without the lock a hint. */
static inline size_t barn_nr_objects(const struct barn *barn)
{
	return __atomic_load_n(&barn->nr_slabs, __ATOMIC_RELAXED) *
	       size_classes[barn->class].nr_objects;
}

/* Taken from them. Without the lock a hint. */
static inline size_t barn_nr_taken(const struct barn *barn)
{
	size_t n = barn_nr_objects(barn);

	return n - min(n, __atomic_load_n(&barn->nr_free, __ATOMIC_RELAXED));
}

/* A slab comes into the stock of its taker, and had so many free objects when
 * it left another: its heaps need so much less of what they have. */
static inline void stock_add_slab(struct barn *barn, const struct slab *slab,
				  size_t nr_free)
{
	struct stock *stock = barn_stock(barn, slab->taker);

	stock->low_free += slab->nr_objects;
	stock_add_free(barn, stock, (ptrdiff_t)nr_free);
}

/* It leaves it. */
static inline void stock_sub_slab(struct barn *barn, const struct slab *slab)
{
	struct stock *stock = barn_stock(barn, slab->taker);

	stock->low_free -= min(stock->low_free, (size_t)slab->nr_objects);
	stock_add_free(barn, stock, -(ptrdiff_t)slab->nr_free);
}

/* A look: what is free from now on counts. */
static inline void barn_restart_low(struct barn *barn)
{
	for_each_stock(stock, barn)
		stock->low_free = stock->nr_free;
}

/* A partial slab is the barn's no longer. */
static inline void barn_remove(struct barn *barn, struct slab *slab)
{
	barn->nr_unused -= slab_is_unused(slab);
	barn_set_nr_slabs(barn, barn->nr_slabs - 1);
	stock_sub_slab(barn, slab);
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
