/*
 * introspect - what the counters of all floors say together: the figures
 * that mallinfo2, malloc_info, malloc_stats and the report at exit show.
 *
 * 1. Counters live in the structures that they count; here they are only
 *    read, each under its lock. Nothing is allocated.
 * 2. What the figures mean, and what holds when no other thread is at work
 *    (figures_validate):
 *
 *	class	live      = alloc - free
 *		capacity  = slabs * objects of a slab
 *			 >= live + cached		(small classes)
 *		pages     = slabs * pages of a slab	(small classes)
 *			  = (live + cached) * size / PAGE_SIZE	(runs)
 *	zone	managed   = used + free + isolated
 *		free      = sum of blocks * 2^order >= dirty
 *		used     <= peak <= managed
 *	node	hit + miss = local + other, hit >= interleave hit
 *		sum of miss = sum of foreign		(over all nodes)
 *	all	used      = pcp + pages of all classes + pages of huge blocks
 *		live bytes = sum of live * size, and the huge blocks' bytes
 *
 * 3. A block counts as what was reserved for it, its usable size. A realloc
 *    that stays in its place is no call.
 * 4. There is no exact peak of live bytes: it would cost each call. The peak
 *    is that of pages handed to slabs and runs at once, by zone; pages on
 *    pcp lists count as handed out.
 * 5. While other threads are at work the counters move as they are read:
 *    each is right for some moment, no equation is.
 */
#ifndef ZBM_INTROSPECT_H
#define ZBM_INTROSPECT_H

#include "malloc/huge.h"
#include "zbmalloc.h"

struct class_figures {
	uint64_t nr_alloc, nr_free;	/* blocks handed out, taken back */
	size_t nr_live;			/* objects that the program holds */
	size_t nr_cached;		/* in bins, and in sheaves of barns */
	size_t nr_slabs;
	size_t nr_pages;		/* of slabs, or of runs */
};

/* Pages, if nothing else is said. */
struct zone_figures {
	size_t managed;
	size_t free;
	size_t free_dirty;		/* of these: resident, trim frees it */
	size_t isolated;
	size_t used;
	size_t peak_used;
	uint64_t nr_grown, nr_purged, nr_migrated;	/* so far */
	uint64_t nr_fallback;		/* blocks of another migrate type */
	size_t nr_blocks;		/* free blocks of all orders */
	size_t asking;			/* for huge pages, used and free */
};

/* A node with all zones whose memory lies on it. */
struct node_figures {
	int id;				/* the kernel's number */
	size_t limit;			/* pages, of the user; or SIZE_MAX */
	struct zone_figures zones;	/* sums */
	uint64_t numa_stat[NR_NUMA_STAT_ITEMS];
};

struct figures {
	struct class_figures class[NR_CLASSES];
	struct huge_counts huge;
	struct zone_figures zones;	/* sums over all zones */
	size_t pcp_pages;
	size_t nr_heaps;		/* with those that wait for a thread */
	/* sums over the classes */
	size_t class_pages, class_live_bytes;
	size_t nr_cached, cached_bytes;
	/* with the huge blocks */
	bool calls_counted;		/* else there were more calls */
	uint64_t nr_alloc, nr_free;
	size_t nr_live, live_bytes;
	/* bytes of metadata; in_use is part of used, and so on */
	size_t meta_in_use, meta_used, meta_committed, meta_reserved;
	size_t map_committed, map_reserved;	/* mem_map, section table */
};

extern const char *const migratetype_names[NR_MIGRATETYPES];

/* The kernel's: see numastat(8). */
extern const char *const numa_stat_names[NR_NUMA_STAT_ITEMS];

void figures_gather(struct figures *figures);

void figures_of_zone(struct zone_figures *figures, struct zone *zone);

/* There is something to tell of single nodes. */
static inline bool figures_have_nodes(void)
{
	return topology.nr_nodes > 1;
}

/* False: no memory was ever wanted of this node, 0 to nr_nodes - 1. */
bool figures_of_node(struct node_figures *figures, int node);

/* Room for the largest number of a node, with the 0. */
#define NODE_NAME	12

/* The kernel's number of the zone's node; "all" when it is spread over all
 * that there are. */
const char *figures_node_name(char buf[NODE_NAME], const struct zone *zone);

/* The zone's free blocks by order and migrate type. Walks all of them. */
void figures_count_blocks(size_t blocks[NR_PAGE_ORDERS][NR_MIGRATETYPES],
			  struct zone *zone);

/* Aborts when rule 2 is broken. Of a process at rest that is no child of a
 * process with threads: such a child lost what they had in hand. */
void figures_validate(void);

/* zbm_numastat: 0, or EINVAL. */
int mem_numastat(int id, struct zbm_numastat *stat);

/* Bytes of an object, and of all memory that the class has. */
static inline size_t figures_class_bytes(const struct class_figures *class)
{
	return class->nr_pages << PAGE_SHIFT;
}

static inline bool figures_class_is_used(const struct class_figures *class)
{
	return class->nr_alloc || class->nr_pages;
}

#endif
