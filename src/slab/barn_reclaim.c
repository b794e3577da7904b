/*
 * barn_reclaim - a barn gives back what lies unused: full sheaves, slabs, and
 * pages of slabs that are partly in use.
 *
 * 1. Full sheaves go into their slabs first, then what is unused of these can
 *    be seen.
 * 2. A slab without objects goes to its zone. Of others the sweep purges pages
 *    on which all objects are free, if they were as free at the last look.
 * 3. A slab that is swept is isolated: on no list, so that its purge holds no
 *    lock and nobody takes objects from it meanwhile.
 * 4. A huge page is not split for a few free objects.
 */
#include "mm/hugepage.h"
#include "os/os.h"
#include "slab/barn_list.h"

#define SWEEP_BATCH	64	/* slabs swept between two holds of the lock */
#define SPLIT_FREE_SHARE	4	/* so much free is worth huge pages */

static void barn_detach_unused(struct barn *barn, struct list *dead)
{
	for_each_partial(slab, barn) {
		if (!slab_is_unused(slab))
			continue;
		barn_remove(barn, slab);
		list_add_tail(dead, &slab->link);
	}
}

/* A quarter of the barn's objects is free, or the kernel has given no huge page
 * there, which it would have to split. */
static bool slab_may_split(const struct barn *barn, const struct slab *slab)
{
	size_t nr_objects = barn_nr_objects(barn);

	return !hugepages_asked(slab->pfn) ||
	       barn_nr_taken(barn) <
		       nr_objects - nr_objects / SPLIT_FREE_SHARE;
}

/* Worth a look: it could give back a page, and lay still since the last
 * time. */
static bool slab_wants_sweep(struct barn *barn, struct slab *slab, bool all)
{
	size_t bytes = (size_t)slab->nr_free * size_classes[slab->class].size;
	bool still = all || (slab->seen_free == slab->nr_free &&
			     slab_may_split(barn, slab));

	slab->sweep = barn->sweep;
	slab->seen_free = slab->nr_free;
	return still && bytes >= PAGE_SIZE;
}

/* Up to SWEEP_BATCH partial slabs for the sweep; how many. */
static size_t barn_isolate(struct barn *barn, struct slab **out, bool all)
{
	size_t n = 0;

	for_each_partial(slab, barn) {
		if (slab->sweep == barn->sweep || slab_is_unused(slab) ||
		    !slab_wants_sweep(barn, slab, all))
			continue;
		barn_unlink(barn, slab);
		slab->isolated = true;
		barn->nr_isolated++;
		out[n++] = slab;
		if (n == SWEEP_BATCH)
			return n;
	}
	return n;
}

static void barn_sweep(struct barn *barn, bool all)
{
	struct slab *slab[SWEEP_BATCH];
	size_t n;

	if (!class_is_small(barn->class) || os.page_size != PAGE_SIZE)
		return;
	lock_acquire(&barn->lock);
	barn->sweep++;
	while ((n = barn_isolate(barn, slab, all))) {
		lock_release(&barn->lock);
		for (size_t i = 0; i < n; i++)
			slab_sweep(slab[i]);
		lock_acquire(&barn->lock);
		barn->nr_isolated -= (uint16_t)n;
		while (n)
			barn_putback(barn, slab[--n]);
	}
	lock_release(&barn->lock);
}

static void barn_shrink(struct barn *barn, enum reclaim how)
{
	struct list dead;

	barn_shrink_lanes(barn, how);
	if (reclaim_purges(how))
		barn_sweep(barn, how == RECLAIM_ALL);
	list_init(&dead);
	lock_acquire(&barn->lock);
	if (barn->nr_unused)
		barn_detach_unused(barn, &dead);
	barn_restart_low(barn);
	lock_release(&barn->lock);
	slab_destroy_list(NULL, &dead);
}

void barn_shrink_all(enum reclaim how)
{
	for_each_barn(barn)
		if (how != RECLAIM_RUNS)
			barn_shrink(barn, how);
		else if (!class_is_small(barn->class))
			barn_shrink_lanes(barn, RECLAIM_CACHES);
}

size_t barn_count_runs(void)
{
	size_t bytes = 0;

	for_each_barn(barn)
		if (!class_is_small(barn->class))
			bytes += barn_nr_cached(barn) *
				 size_classes[barn->class].size;
	return bytes >> PAGE_SHIFT;
}
