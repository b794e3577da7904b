#include "mm/zonelist.h"
#include "base/options.h"
#include "mm/meta.h"
#include "os/os.h"
#include "os/topology.h"

/* Smaller heaps never ask for the limit on resident memory, nor for what
 * their node has left, pages. */
#define ZONE_FIRST_LIMIT	(8 * PAGEBLOCK_PAGES)

/* A node with less left is not asked: the kernel itself would soon take the
 * pages from elsewhere. */
#define NODE_LEAST_LEFT	(4UL << 20)	/* bytes */
#define PRESSURE_MS	100		/* until it is asked again */

/* Node 0 exists in every process and must not cost an allocation. */
static struct node node_zero;

static uint32_t zonelist_seq;	/* odd while lists are rebuilt */

/* Zones can be full before the window is. */
static bool zones_have_limits;

struct node *nodes[MAX_NUMNODES];
struct zone *zones;

static void zone_init(struct zone *zone, int node, enum zone_type type)
{
	static const char *const names[MAX_NR_ZONES] = {
		"DMA", "DMA32", "Normal", "Movable",
	};
	size_t limit = SIZE_MAX;

	if (type == ZONE_NORMAL && *options.node_limit)
		limit = options_limit_of(options.node_limit,
					 (size_t)topology.node[node].id);
	zone->node = node;
	zone->type = type;
	zone->name = names[type];
	zone->resident_limit = ZONE_FIRST_LIMIT;
	zone->resident_seen = zone->resident_high = PAGEBLOCK_PAGES;
	zone->rise_used = SIZE_MAX;
	zone->limit = limit == SIZE_MAX ? limit : limit >> PAGE_SHIFT;
	zone->watch_used = ZONE_FIRST_LIMIT;
	zones_have_limits |= limit != SIZE_MAX || topology.max_nodes > 1;
	lock_init(&zone->lock, LOCK_ZONE);
}

static bool zone_is_populated(const struct zone *zone)
{
	return zone->name;
}

/* The new node's zones go to the end: others may be walking. */
static void zones_append(struct node *node)
{
	struct zone **tail = &zones;

	while (*tail)
		tail = &(*tail)->next;
	for (int type = 0; type < MAX_NR_ZONES; type++) {
		struct zone *zone = &node->zone[type];

		if (!zone_is_populated(zone))
			continue;
		/* Its contents before the pointer to it. */
		__atomic_store_n(tail, zone, __ATOMIC_RELEASE);
		tail = &zone->next;
	}
}

static bool node_is_allowed(int node)
{
	return nodes[node] && topology.allowed >> node & 1;
}

static void zonelist_append(struct zonelist *list, size_t *n,
			    struct zone *zone)
{
	if (zone_is_populated(zone))
		/* Whoever walks asks for the sequence count. */
		__atomic_store_n(&list->zone[(*n)++], zone, __ATOMIC_SEQ_CST);
}

static void zonelist_append_node(struct zonelist *list, size_t *n,
				 struct node *node)
{
	for (int type = MAX_NR_ZONES - 1; type >= 0; type--)
		if (node->zone[type].placement == PLACE_NODE)
			zonelist_append(list, n, &node->zone[type]);
}

/* Smaller comes first; see rule 1. */
static unsigned int node_rank(int from, int to)
{
	bool far = topology.max_nodes > 1 && !topology.node[to].has_cpu;
	bool far_first = options.tier == TIER_FAR;
	unsigned int distance = (unsigned int)topology_distance(from, to);
	unsigned int round = (unsigned int)(to - from) % MAX_NUMNODES;
	unsigned int tier = from == to && !(far_first && far) ? 1 : 2;

	if (far && (far_first || from != to))
		tier = far_first ? 0 : 3;
	return (tier << 8 | distance) * MAX_NUMNODES + round;
}

/* The allowed node nearest to `from` that is not yet in `seen`; -1: none. */
static int nearest_node(int from, uint64_t seen)
{
	int best = -1;

	for (int node = 0; node < MAX_NUMNODES; node++) {
		if (!node_is_allowed(node) || (seen >> node & 1))
			continue;
		if (best < 0 || node_rank(from, node) < node_rank(from, best))
			best = node;
	}
	return best;
}

static void zonelist_end(struct zonelist *list, size_t n)
{
	__atomic_store_n(&list->zone[n], NULL, __ATOMIC_SEQ_CST);
}

static void zonelist_build(struct node *node)
{
	struct zonelist *list = &node->zonelist[ZONELIST_FALLBACK];
	struct zone *spread = &node_zero.zone[ZONE_MOVABLE];
	uint64_t seen = 0;
	size_t n = 0;
	int next;

	if (spread->placement == PLACE_INTERLEAVED)
		zonelist_append(list, &n, spread);
	while ((next = nearest_node(node->node, seen)) >= 0) {
		seen |= 1UL << next;
		zonelist_append_node(list, &n, nodes[next]);
	}
	zonelist_end(list, n);
	/* Relaxed: a thread takes the old one or the new one. */
	__atomic_store_n(&node->home, max(nearest_node(node->node, 0), 0),
			 __ATOMIC_RELAXED);

	list = &node->zonelist[ZONELIST_NOFALLBACK];
	n = 0;
	if (node_is_allowed(node->node))
		zonelist_append_node(list, &n, node);
	zonelist_end(list, n);
}

void zonelists_rebuild(void)
{
	/* Sequentially consistent, all of it: it is rare. */
	__atomic_add_fetch(&zonelist_seq, 1, __ATOMIC_SEQ_CST);
	for (int node = 0; node < MAX_NUMNODES; node++)
		if (nodes[node])
			zonelist_build(nodes[node]);
	__atomic_add_fetch(&zonelist_seq, 1, __ATOMIC_SEQ_CST);
}

uint32_t zonelist_begin(void)
{
	return __atomic_load_n(&zonelist_seq, __ATOMIC_SEQ_CST);
}

bool zonelist_retry(uint32_t seq)
{
	return seq & 1 ||
	       __atomic_load_n(&zonelist_seq, __ATOMIC_SEQ_CST) != seq;
}

bool node_online(int number)
{
	struct node *node = number == 0 ? &node_zero :
					  meta_alloc(sizeof(struct node));

	ASSERT(number >= 0 && number < MAX_NUMNODES && !nodes[number]);
	if (!node)
		return false;
	node->node = number;
	zone_init(&node->zone[ZONE_NORMAL], number, ZONE_NORMAL);
	if (number == 0 && topology.max_nodes > 1 &&
	    options.numa == NUMA_INTERLEAVED) {
		zone_init(&node->zone[ZONE_MOVABLE], 0, ZONE_MOVABLE);
		node->zone[ZONE_MOVABLE].placement = PLACE_INTERLEAVED;
	}
	/* Relaxed: used by who finds one of its zones. */
	__atomic_store_n(&nodes[number], node, __ATOMIC_RELAXED);
	zones_append(node);
	zonelists_rebuild();
	return true;
}

struct zonelist *node_zonelist(int node, gfp_t gfp)
{
	ASSERT(nodes[node]);
	return &nodes[node]->zonelist[gfp & GFP_THISNODE ?
				      ZONELIST_NOFALLBACK : ZONELIST_FALLBACK];
}

int node_home(int node)
{
	ASSERT(nodes[node]);
	return __atomic_load_n(&nodes[node]->home, __ATOMIC_RELAXED);
}

/* What the kernel has left there is asked again when a quarter of it is used,
 * or after a while. Without the zone lock: a file is read. */
static bool node_is_pressed(struct zone *zone, size_t used)
{
	uint64_t now = os_now_ms();
	size_t left;

	/* Relaxed, here and below: a thread may ask once too often. */
	if (now < __atomic_load_n(&zone->pressed_until_ms, __ATOMIC_RELAXED))
		return true;
	left = topology_node_left(zone->node);
	if (left < NODE_LEAST_LEFT) {
		__atomic_store_n(&zone->pressed_until_ms, now + PRESSURE_MS,
				 __ATOMIC_RELAXED);
		return true;
	}
	__atomic_store_n(&zone->watch_used,
			 used + (left >> PAGE_SHIFT) / 4,
			 __ATOMIC_RELAXED);
	return false;
}

bool zone_is_full(struct zone *zone, size_t n, bool pressed)
{
	size_t used;

	if (likely(!zones_have_limits))
		return false;
	lock_acquire(&zone->lock);
	used = zone_used(zone) + n;
	lock_release(&zone->lock);
	if (used > zone->limit)
		return true;
	return !pressed && topology.max_nodes > 1 &&
	       zone->placement == PLACE_NODE &&
	       used > __atomic_load_n(&zone->watch_used, __ATOMIC_RELAXED) &&
	       node_is_pressed(zone, used);
}

static void numa_add(int node, enum numa_stat_item item, size_t n)
{
	__atomic_fetch_add(&nodes[node]->numa_stat[item], n, __ATOMIC_RELAXED);
}

static void numa_count_node(int node, int wanted, size_t n)
{
	numa_add(node, node == wanted ? NUMA_HIT : NUMA_MISS, n);
	if (node != wanted)
		numa_add(wanted, NUMA_FOREIGN, n);
	if (node == wanted && options.numa == NUMA_INTERLEAVED)
		numa_add(node, NUMA_INTERLEAVE_HIT, n);
	numa_add(node, node == topology_current_node() ? NUMA_LOCAL :
							 NUMA_OTHER, n);
}

void numa_count(const struct zone *zone, int wanted, size_t n)
{
	size_t nr;

	if (likely(topology.max_nodes == 1))
		return;
	if (zone->placement == PLACE_NODE) {
		numa_count_node(zone->node, wanted, n);
		return;
	}
	/* Each allowed node has its share, and the first ones a page more. */
	nr = (size_t)__builtin_popcountl(topology.allowed);
	for (int node = 0; node < MAX_NUMNODES && n; node++)
		if (node_is_allowed(node)) {
			size_t share = (n + nr - 1) / nr;

			numa_count_node(node, node, share);
			n -= share;
			nr--;
		}
}
