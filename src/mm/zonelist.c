#include "mm/zonelist.h"
#include "mm/meta.h"
#include "os/topology.h"

/* Smaller heaps never ask for the limit on resident memory, pages. */
#define ZONE_FIRST_LIMIT	(8 * PAGEBLOCK_PAGES)

/* Node 0 exists in every process and must not cost an allocation. */
static struct node node_zero;

struct node *nodes[MAX_NUMNODES];
struct zone *zones;

static void zone_init(struct zone *zone, int node, enum zone_type type)
{
	static const char *const names[MAX_NR_ZONES] = {
		"DMA", "DMA32", "Normal", "Movable",
	};

	zone->node = node;
	zone->type = type;
	zone->name = names[type];
	zone->resident_limit = ZONE_FIRST_LIMIT;
	zone->resident_seen = zone->resident_high = PAGEBLOCK_PAGES;
	lock_init(&zone->lock, LOCK_ZONE);
}

/* Memory comes from ZONE_NORMAL alone; the others were never made. */
static bool zone_is_populated(const struct zone *zone)
{
	return zone->name;
}

static void zones_link(void)
{
	struct zone **tail = &zones;

	for (int id = 0; id < MAX_NUMNODES; id++) {
		for (int type = 0; nodes[id] && type < MAX_NR_ZONES; type++) {
			struct zone *zone = &nodes[id]->zone[type];

			if (!zone_is_populated(zone))
				continue;
			*tail = zone;
			tail = &zone->next;
		}
	}
	*tail = NULL;
}

static size_t zonelist_append(struct zonelist *list, size_t n,
			      struct node *node)
{
	for (int type = MAX_NR_ZONES - 1; type >= 0; type--)
		if (zone_is_populated(&node->zone[type]))
			list->zone[n++] = &node->zone[type];
	return n;
}

/* The online node nearest to `from` that is not yet in `seen`; -1: none. */
static int nearest_node(int from, uint64_t seen)
{
	int best = -1, best_distance = 0;

	for (int id = 0; id < MAX_NUMNODES; id++) {
		int distance;

		if (!nodes[id] || (seen >> id & 1))
			continue;
		distance = id == from ? 0 : topology_distance(from, id);
		if (best < 0 || distance < best_distance) {
			best = id;
			best_distance = distance;
		}
	}
	return best;
}

static void zonelist_build(struct node *node)
{
	struct zonelist *list = &node->zonelist[ZONELIST_FALLBACK];
	uint64_t seen = 0;
	size_t n = 0;
	int id;

	while ((id = nearest_node(node->id, seen)) >= 0) {
		seen |= 1UL << id;
		n = zonelist_append(list, n, nodes[id]);
	}
	list->zone[n] = NULL;

	list = &node->zonelist[ZONELIST_NOFALLBACK];
	n = zonelist_append(list, 0, node);
	list->zone[n] = NULL;
}

bool node_online(int id)
{
	struct node *node = id == 0 ? &node_zero :
				      meta_alloc(sizeof(struct node));

	ASSERT(id >= 0 && id < MAX_NUMNODES && !nodes[id]);
	if (!node)
		return false;
	node->id = id;
	zone_init(&node->zone[ZONE_NORMAL], id, ZONE_NORMAL);
	nodes[id] = node;
	zones_link();
	for (id = 0; id < MAX_NUMNODES; id++)
		if (nodes[id])
			zonelist_build(nodes[id]);
	return true;
}

struct zonelist *node_zonelist(int node, gfp_t gfp)
{
	ASSERT(nodes[node]);
	return &nodes[node]->zonelist[gfp & GFP_THISNODE ?
				      ZONELIST_NOFALLBACK : ZONELIST_FALLBACK];
}
