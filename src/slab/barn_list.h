/*
 * barn_list - the lists of a barn, for barn.c and barn_reclaim.c.
 *
 * 1. All under the barn's lock.
 * 2. Sheaves lie in lanes by the number of the heap that filled or emptied
 *    them. So do partial slabs, by the heap that was last served from them, if
 *    their objects are smaller than a line; else in lane 0.
 */
#ifndef ZBM_BARN_LIST_H
#define ZBM_BARN_LIST_H

#include "slab/barn.h"

/* Any sheaf, of the heap's lane first. */
static inline struct sheaf *lanes_pop(struct sheaf **lanes, uint16_t *nr,
				      unsigned int heap)
{
	for (unsigned int i = 0; i < BARN_LANES; i++) {
		struct sheaf **lane = &lanes[(heap + i) % BARN_LANES];

		if (*lane)
			return sheaf_pop(lane, nr);
	}
	return NULL;
}

static inline void lanes_push(struct sheaf **lanes, uint16_t *nr,
			      unsigned int heap, struct sheaf *sheaf)
{
	sheaf_push(&lanes[heap % BARN_LANES], nr, sheaf);
}

/* How many empty sheaves it keeps: as many as it may get back as full ones. */
#define BARN_MAX_EMPTY	16

static inline size_t barn_max_empty(const struct barn *barn)
{
	return max(barn->max_full, BARN_MAX_EMPTY);
}

static inline struct list *barn_lane(struct barn *barn, uint8_t heap)
{
	bool shares_lines = class_group(barn->class) > 1;

	return &barn->partial[shares_lines ? heap % BARN_LANES : 0];
}

static inline struct slab *lane_slab(struct list *lane, struct list *node)
{
	return node == lane ? NULL : list_entry(node, struct slab, link);
}

static inline struct slab *lane_first(struct list *lane)
{
	return lane_slab(lane, lane->next);
}

/* It may leave its list meanwhile. `break` ends a lane only. */
#define for_each_partial(slab, barn) \
	for (struct list *lane_ = (barn)->partial; \
	     lane_ < (barn)->partial + BARN_LANES; lane_++) \
		for (struct slab *slab = lane_first(lane_), *next_; \
		     slab && (next_ = lane_slab(lane_, slab->link.next), true); \
		     slab = next_)

/* A slab enters or leaves its list as its objects come and go. */
static inline void barn_link(struct barn *barn, struct slab *slab, bool front)
{
	struct list *lane = barn_lane(barn, slab->taker);

	if (front)
		list_add_head(lane, &slab->link);
	else
		list_add_tail(lane, &slab->link);
	__atomic_store_n(&barn->nr_partial, barn->nr_partial + 1,
			 __ATOMIC_RELAXED);
}

static inline void barn_unlink(struct barn *barn, struct slab *slab)
{
	list_del(&slab->link);
	__atomic_store_n(&barn->nr_partial, barn->nr_partial - 1,
			 __ATOMIC_RELAXED);
}

/* A partial slab is the barn's no longer. */
static inline void barn_remove(struct barn *barn, struct slab *slab)
{
	barn->nr_unused -= slab_is_unused(slab);
	barn->nr_slabs--;
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
