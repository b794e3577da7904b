/*
 * barn_list - the lists of a barn's partial slabs, for barn.c and
 * barn_reclaim.c.
 *
 * 1. All under the barn's lock.
 * 2. Each is in the list for the lane of the heap that was last served from
 *    it, if it is dense; else in the first list.
 */
#ifndef ZBM_BARN_LIST_H
#define ZBM_BARN_LIST_H

#include "slab/barn.h"

static inline struct list *barn_partial(struct barn *barn, uint8_t heap)
{
	unsigned int lane = class_is_dense(barn->class) ? lane_number(heap) : 0;

	return &barn->partial[lane];
}

static inline struct slab *partial_slab(struct list *list, struct list *node)
{
	return node == list ? NULL : list_entry(node, struct slab, link);
}

static inline struct slab *partial_first(struct list *list)
{
	return partial_slab(list, list->next);
}

/* It may leave its list meanwhile. `break` ends a list only. */
#define for_each_partial(slab, barn) \
	for (struct list *list_ = (barn)->partial; \
	     list_ < (barn)->partial + BARN_LANES; list_++) \
		for (struct slab *slab = partial_first(list_), *next_; \
		     slab && (next_ = partial_slab(list_, slab->link.next), \
			      true); \
		     slab = next_)

/* A slab enters or leaves its list as its objects come and go. */
static inline void barn_link(struct barn *barn, struct slab *slab, bool front)
{
	struct list *list = barn_partial(barn, slab->taker);

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

static inline void barn_set_nr_taken(struct barn *barn, size_t n)
{
	__atomic_store_n(&barn->nr_taken, n, __ATOMIC_RELAXED);
}

/* Of its slabs, taken or not. Without the lock a hint. */
static inline size_t barn_nr_objects(const struct barn *barn)
{
	return __atomic_load_n(&barn->nr_slabs, __ATOMIC_RELAXED) *
	       size_classes[barn->class].nr_objects;
}

/* A partial slab is the barn's no longer. */
static inline void barn_remove(struct barn *barn, struct slab *slab)
{
	barn->nr_unused -= slab_is_unused(slab);
	barn_set_nr_slabs(barn, barn->nr_slabs - 1);
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
