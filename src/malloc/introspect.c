/*
 * introspect - gathering the figures, and those functions of the C library
 * that only look at them.
 *
 * 1. The locks are taken one after the other, so nobody waits long, and no
 *    two figures are of the same moment.
 * 2. A difference of two counters that moved meanwhile is 0 at least.
 */
#include "malloc/introspect.h"
#include "base/print.h"
#include "mm/hotplug.h"
#include "mm/vmscan.h"

const char *const migratetype_names[NR_MIGRATETYPES] = {
	[MIGRATE_UNMOVABLE] = "unmovable",
	[MIGRATE_RECLAIMABLE] = "reclaimable",
	[MIGRATE_MOVABLE] = "movable",
};

const char *const numa_stat_names[NR_NUMA_STAT_ITEMS] = {
	[NUMA_HIT] = "numa_hit",
	[NUMA_MISS] = "numa_miss",
	[NUMA_FOREIGN] = "numa_foreign",
	[NUMA_INTERLEAVE_HIT] = "interleave_hit",
	[NUMA_LOCAL] = "local_node",
	[NUMA_OTHER] = "other_node",
};

static size_t minus(size_t a, size_t b)
{
	return a > b ? a - b : 0;
}

/* Reads the bins of all heaps. */
static void gather_heaps(struct figures *figures)
{
	struct heap_counts counts;

	figures->nr_heaps = heap_nr();
	for (unsigned int i = 0; i < NR_CLASSES; i++) {
		heap_count(i, &counts);
		figures->class[i].nr_alloc = counts.nr_alloc;
		figures->class[i].nr_free = counts.nr_free;
		figures->class[i].nr_cached = counts.nr_cached;
	}
}

static void gather_barn(struct class_figures *class, struct barn *barn)
{
	lock_acquire(&barn->lock);
	class->nr_slabs += barn->nr_slabs;
	lock_release(&barn->lock);
	class->nr_cached += barn_nr_cached(barn);
}

static void gather_barns(struct figures *figures)
{
	for_each_barn(barn)
		gather_barn(&figures->class[barn->class], barn);
}

static void gather_class(struct class_figures *class, unsigned int i)
{
	size_t run_pages = size_classes[i].size >> PAGE_SHIFT;

	class->nr_live = minus(class->nr_alloc, class->nr_free);
	if (class_is_small(i))
		class->nr_pages = class->nr_slabs << size_classes[i].slab_order;
	else
		class->nr_pages = (class->nr_live + class->nr_cached) *
				  run_pages;
}

static void gather_sums(struct figures *figures)
{
	for (unsigned int i = 0; i < NR_CLASSES; i++) {
		struct class_figures *class = &figures->class[i];

		gather_class(class, i);
		figures->nr_alloc += class->nr_alloc;
		figures->nr_free += class->nr_free;
		figures->nr_live += class->nr_live;
		figures->nr_cached += class->nr_cached;
		figures->cached_bytes += class->nr_cached *
					 size_classes[i].size;
		figures->class_live_bytes += class->nr_live *
					     size_classes[i].size;
		figures->class_pages += class->nr_pages;
	}
	figures->calls_counted = heap_counts_calls();
	figures->nr_alloc += figures->huge.nr_alloc;
	figures->nr_free += figures->huge.nr_free;
	figures->nr_live += figures->huge.nr_live;
	figures->live_bytes = figures->class_live_bytes +
			      figures->huge.live_bytes;
}

void figures_of_zone(struct zone_figures *figures, struct zone *zone)
{
	lock_acquire(&zone->lock);
	*figures = (struct zone_figures){
		.managed = zone->managed,
		.free = zone->nr_free,
		.free_dirty = zone->nr_free_dirty,
		.isolated = zone->nr_isolated,
		.used = zone_used(zone),
		.peak_used = zone->peak_used,
		.nr_grown = zone->nr_grown,
		.nr_purged = zone->nr_purged,
		.nr_migrated = __atomic_load_n(&zone->nr_migrated,
					       __ATOMIC_RELAXED),
		.nr_fallback = zone->nr_fallback,
		.asking = __atomic_load_n(&zone->nr_asking, __ATOMIC_RELAXED),
	};
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		figures->nr_blocks += zone->free_area[order].nr_free;
	lock_release(&zone->lock);
}

static void gather_zone(struct zone_figures *sum, struct zone *zone)
{
	struct zone_figures one;

	figures_of_zone(&one, zone);
	sum->managed += one.managed;
	sum->free += one.free;
	sum->free_dirty += one.free_dirty;
	sum->isolated += one.isolated;
	sum->used += one.used;
	sum->peak_used += one.peak_used;
	sum->nr_grown += one.nr_grown;
	sum->nr_purged += one.nr_purged;
	sum->nr_migrated += one.nr_migrated;
	sum->nr_fallback += one.nr_fallback;
	sum->nr_blocks += one.nr_blocks;
	sum->asking += one.asking;
}

static void gather_zones(struct zone_figures *sum)
{
	struct zone *zone;

	for_each_zone(zone)
		gather_zone(sum, zone);
}

static void gather_numa_stat(uint64_t stat[NR_NUMA_STAT_ITEMS],
			     const struct node *node)
{
	for (int i = 0; i < NR_NUMA_STAT_ITEMS; i++)
		/* Relaxed: counters, no two of one moment. */
		stat[i] = __atomic_load_n(&node->numa_stat[i],
					  __ATOMIC_RELAXED);
}

bool figures_of_node(struct node_figures *figures, int node)
{
	struct zone *zone;

	ASSERT(node >= 0 && node < topology.nr_nodes);
	if (!nodes[node])
		return false;
	*figures = (struct node_figures){
		.id = topology.node[node].id,
		.limit = nodes[node]->zone[ZONE_NORMAL].limit,
	};
	for_each_zone(zone)
		if (zone->node == node && zone->placement == PLACE_NODE)
			gather_zone(&figures->zones, zone);
	gather_numa_stat(figures->numa_stat, nodes[node]);
	return true;
}

const char *figures_node_name(char buf[NODE_NAME], const struct zone *zone)
{
	if (zone->placement != PLACE_NODE)
		return "all";
	print_format(buf, NODE_NAME, "%d", topology.node[zone->node].id);
	return buf;
}

static void gather_metadata(struct figures *figures)
{
	lock_acquire(&meta.lock);
	figures->meta_in_use = meta.in_use;
	figures->meta_used = meta.used;
	figures->meta_committed = meta.committed;
	figures->meta_reserved = meta.size;
	lock_release(&meta.lock);
	lock_acquire(&hotplug_lock);
	figures->map_committed = nr_online_sections *
		(SECTION_PAGES * sizeof(struct page) + sizeof(struct section));
	lock_release(&hotplug_lock);
	figures->map_reserved = vm.tables_size;
}

void figures_gather(struct figures *figures)
{
	memset(figures, 0, sizeof(*figures));
	if (!heap_start())
		return;
	gather_heaps(figures);
	gather_barns(figures);
	huge_count(&figures->huge);
	figures->pcp_pages = pcp_count_pages();
	gather_zones(&figures->zones);
	gather_metadata(figures);
	gather_sums(figures);
}

void figures_count_blocks(size_t blocks[NR_PAGE_ORDERS][NR_MIGRATETYPES],
			  struct zone *zone)
{
	uint32_t pfn;

	lock_acquire(&zone->lock);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		for (int type = 0; type < NR_MIGRATETYPES; type++) {
			blocks[order][type] = 0;
			pfn = zone->free_area[order].list[type].first;
			for (; pfn; pfn = pfn_link(pfn)->next)
				blocks[order][type]++;
		}
	}
	lock_release(&zone->lock);
}

static void validate_zone(struct zone *zone)
{
	size_t blocks[NR_PAGE_ORDERS][NR_MIGRATETYPES], pages = 0, nr = 0;
	struct zone_figures one;

	figures_of_zone(&one, zone);
	figures_count_blocks(blocks, zone);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		for (int type = 0; type < NR_MIGRATETYPES; type++) {
			nr += blocks[order][type];
			pages += blocks[order][type] << order;
		}
	}
	CHECK(nr == one.nr_blocks);
	CHECK(pages == one.free);
	CHECK(one.free_dirty <= one.free);
	CHECK(one.managed == one.used + one.free + one.isolated);
	CHECK(one.used <= one.peak_used && one.peak_used <= one.managed);
}

static void validate_nodes(void)
{
	uint64_t stat[NR_NUMA_STAT_ITEMS], miss = 0, foreign = 0;

	for (int n = 0; n < topology.nr_nodes; n++) {
		if (!nodes[n])
			continue;
		gather_numa_stat(stat, nodes[n]);
		CHECK(stat[NUMA_HIT] + stat[NUMA_MISS] ==
		      stat[NUMA_LOCAL] + stat[NUMA_OTHER]);
		CHECK(stat[NUMA_INTERLEAVE_HIT] <= stat[NUMA_HIT]);
		miss += stat[NUMA_MISS];
		foreign += stat[NUMA_FOREIGN];
	}
	CHECK(miss == foreign);
}

void figures_validate(void)
{
	struct figures figures;
	struct zone *zone;

	for_each_zone(zone)
		validate_zone(zone);
	validate_nodes();
	figures_gather(&figures);
	for (unsigned int i = 0; i < NR_CLASSES; i++) {
		const struct class_figures *class = &figures.class[i];

		CHECK(class->nr_free <= class->nr_alloc);
		CHECK(!class_is_small(i) || class->nr_live + class->nr_cached <=
		      class->nr_slabs * size_classes[i].nr_objects);
	}
	CHECK(figures.huge.nr_free <= figures.huge.nr_alloc);
	CHECK(figures.zones.used == figures.pcp_pages + figures.class_pages +
	      (figures.huge.live_bytes >> PAGE_SHIFT));
	CHECK(figures.meta_in_use <= figures.meta_used &&
	      figures.meta_used <= figures.meta_committed &&
	      figures.meta_committed <= figures.meta_reserved);
}

int mem_trim(size_t pad)
{
	int saved_errno = errno;
	size_t purged;

	(void)pad;
	heap_flush();
	purged = reclaim_all();
	errno = saved_errno;
	return purged > 0;
}

/*
 * glibc's words for our things: mmapped are the huge blocks, the arena is
 * all other memory that is in use or kept, fast bins are bins and sheaves.
 */
struct mallinfo2 mem_mallinfo2(void)
{
	struct figures f;
	size_t kept, arena, live;

	figures_gather(&f);
	kept = f.zones.free_dirty + f.zones.isolated;
	arena = minus(f.zones.used << PAGE_SHIFT, f.huge.live_bytes) +
		(kept << PAGE_SHIFT);
	live = min(f.class_live_bytes, arena);
	return (struct mallinfo2){
		.arena = arena,
		.ordblks = f.zones.nr_blocks,
		.smblks = f.nr_cached,
		.hblks = f.huge.nr_live,
		.hblkhd = f.huge.live_bytes,
		.usmblks = f.zones.peak_used << PAGE_SHIFT,
		.fsmblks = min(f.cached_bytes, arena - live),
		.uordblks = live,
		.fordblks = arena - live,
		.keepcost = f.zones.free_dirty << PAGE_SHIFT,
	};
}

/* -1: the process has no memory on the node with this id. With one node, that
 * is all nodes of the machine. */
static int node_with_id(int id)
{
	int node;

	if (!figures_have_nodes())
		return topology_node_of(id);
	node = topology_find(id);
	return node >= 0 && nodes[node] ? node : -1;
}

int mem_numastat(int id, struct zbm_numastat *stat)
{
	uint64_t n[NR_NUMA_STAT_ITEMS];
	int saved_errno = errno, node = heap_start() ? node_with_id(id) : -1;

	errno = saved_errno;
	if (node < 0)
		return EINVAL;
	gather_numa_stat(n, nodes[node]);
	*stat = (struct zbm_numastat){
		.numa_hit = n[NUMA_HIT],
		.numa_miss = n[NUMA_MISS],
		.numa_foreign = n[NUMA_FOREIGN],
		.interleave_hit = n[NUMA_INTERLEAVE_HIT],
		.local_node = n[NUMA_LOCAL],
		.other_node = n[NUMA_OTHER],
	};
	return 0;
}

/* The largest that glibc takes as M_MXFAST. */
#define MXFAST_MAX	(80 * sizeof(size_t) / 4)	/* bytes */

/* zbmalloc tunes itself: what glibc lets a program set has no effect. The
 * answers are glibc's, which knows of one mistake only. */
int mem_mallopt(int param, int value)
{
	return param != M_MXFAST ||
	       (value >= 0 && (size_t)value <= MXFAST_MAX);
}
