/*
 * mmzone - the nouns of the page allocator: page, pageblock, section, zone,
 * zonelist, node.
 *
 * 1. The window is cut into sections of 64 MiB; each belongs to one zone of
 *    one node. A zone's free pages lie in its free areas, by order and by
 *    migrate type; or in the per-thread lists (pcp) of its node's threads.
 * 2. A page's word says what it is, and it is the only thing that free()
 *    has to read:
 *
 *	bits  0-12  bin offset in a heap; 0 unless a slab of small objects
 *	bits 13-18  node
 *	bits 19-31  0, so that free() needs no mask for the two above
 *	bits 32-60  slab: its descriptor; else
 *	bits 32-39  run, pcp: enum run_state bits
 *	bits 40-47  run: size class + 1; free blocks: order | type << 5
 *	bits 61-63  enum page_type
 *
 *    All pages of a slab carry the slab's word. Of a run and of a free
 *    block only the first page does; the word of their other pages is 0.
 * 3. Words are written by the owner of the page, and read by anybody (a
 *    neighbour that looks for a buddy, a wrong free): relaxed atomics.
 */
#ifndef ZBM_MMZONE_H
#define ZBM_MMZONE_H

#include "base/lock.h"
#include "base/param.h"
#include "mm/meta.h"
#include "os/topology.h"

enum page_type {
	PAGE_NONE,	/* not ours, not yet, or not the first page */
	PAGE_BUDDY,	/* heads a free block */
	PAGE_PCP,	/* heads a block on a per-thread list */
	PAGE_ISOLATED,	/* heads a free block that is being purged, or whose
			 * memory moves */
	PAGE_SLAB,
	PAGE_RUN,	/* heads a run of pages: one object */
};

enum run_state {
	RUN_CACHED = 1,	/* free, in a sheaf */
	RUN_DIRTY = 2,	/* used before: its pages may not be zero */
	RUN_BUSY = 4,	/* cached, and being purged: see run_claim */
	RUN_GROWN = 8,	/* by realloc: never cached, see heap_grow_run */
};

struct page {
	union {
		uint64_t word;
		uint32_t bin;	/* its low half */
	};
};

static_assert(sizeof(struct page) == 8 && __BYTE_ORDER__ ==
	      __ORDER_LITTLE_ENDIAN__, "the low half comes first");

/* What only the page allocator has to know, apart from the words so that
 * these lie close. */
struct page_link {
	union {
		struct {
			uint32_t next, prev;	/* pfns, in a free list */
		};
		uint32_t nr_pages;	/* of a run */
	};
};

static_assert(sizeof(struct page) + sizeof(struct page_link) == 16,
	      "0.4 % of memory");

#define PAGE_BIN_MASK		0x1fffUL
#define PAGE_NODE_SHIFT		13
#define PAGE_NODE_MASK		0x3fUL
#define PAGE_STATE_SHIFT	32
#define PAGE_STATE_MASK		0xffUL
#define PAGE_SLAB_SHIFT		32
#define PAGE_SLAB_MASK		((1UL << META_HANDLE_BITS) - 1)
#define PAGE_INFO_SHIFT		40
#define PAGE_INFO_MASK		0xffUL
#define PAGE_TYPE_SHIFT		61

enum migratetype {
	MIGRATE_UNMOVABLE,	/* pins its pageblock: slabs of large objects */
	MIGRATE_RECLAIMABLE,	/* slabs of small objects */
	MIGRATE_MOVABLE,	/* runs */
	NR_MIGRATETYPES,
	MIGRATE_ISOLATE = NR_MIGRATETYPES, /* of blocks that are on no list */
};

enum zone_type {
	ZONE_DMA,
	ZONE_DMA32,
	ZONE_NORMAL,
	ZONE_MOVABLE,
	MAX_NR_ZONES,
};

/* 2 MiB. `dirty` bit i: page i may hold something else than zeros, and be
 * resident. It speaks of free pages; an owner's pages count as dirty when
 * they come back. Under the zone lock. */
struct pageblock {
	uint64_t dirty[PAGEBLOCK_PAGES / 64];
	uint16_t nr_dirty;	/* bits set: most often all or none. Atomic */
};

/* 64 MiB, or the shorter end of the window. Under the zone lock, but for
 * `online` and `zone`, which change under the hotplug lock. */
struct section {
	alignas(PAGE_SIZE)
	struct zone *zone;	/* NULL: not yet anybody's */
	uint32_t online;	/* pages committed, from its start */
	uint32_t nr_free;	/* pages in its zone's free areas */
	/* pageblocks by bit; atomic */
	uint32_t hugepages;	/* they ask */
	uint32_t moved;		/* the memory of some of their pages has */
	uint8_t migratetype[SECTION_PAGEBLOCKS];
	struct pageblock pageblock[SECTION_PAGEBLOCKS];
	struct page_link link[SECTION_PAGES];	/* of the pages' owners */
};

/* Dirty blocks stand in front, so that they are reused first. */
struct free_list {
	uint32_t first, last;	/* pfns; 0 ends it */
};

struct free_area {
	struct free_list list[NR_MIGRATETYPES];
	size_t nr_free;		/* blocks */
};

struct zone {
	/* set when the zone is made, then constant */
	int node;
	enum zone_type type;
	enum placement placement;	/* of its sections */
	const char *name;
	size_t limit;		/* pages handed out at most, of the user's */

	/* pages; atomic */
	size_t nr_asking;	/* of pageblocks that ask for huge pages */
	uint64_t nr_migrated;	/* whose memory came from others */

	/* atomic: see zone_is_full */
	size_t watch_used;	/* pages; for more the system is asked first */
	uint64_t pressed_until_ms;	/* it had too little */
	struct zone *next;	/* all zones, in the order they were made */

	/* under the hotplug lock */
	uint32_t first_partial;	/* no section before it has room to grow */

	/* under lock */
	alignas(CACHE_LINE) struct lock lock;
	size_t managed;		/* pages online */
	size_t nr_free;		/* pages in the free areas */
	size_t nr_free_dirty;	/* of these, dirty ones */
	size_t nr_isolated;	/* pages being purged, or whose memory moves */
	size_t low_free_dirty;	/* lowest nr_free_dirty since the clock last
				 * looked */
	size_t low_before[2];	/* the same of the times before and before
				 * that, less what was purged since */
	size_t unshrunk_dirty;	/* nr_free_dirty when the clock began to
				 * shrink caches */
	size_t peak_used;	/* most pages ever allocated at once */
	size_t peak_seen;	/* the same at the last reclaim by the clock */
	size_t peak_recent;	/* most pages allocated at once since then */
	size_t peak_before[2];	/* the same of the times before and before
				 * that */
	size_t resident_limit;	/* pages; near the limit of the process */
	size_t resident_high;	/* pages, at most resident_limit; reclaim looks
				 * when more may be resident */
	size_t resident_seen;	/* pages; at the last look */
	bool over_high;		/* and this says that it should */
	size_t fall_used;	/* pages; and when fewer are handed out */
	size_t rise_used;	/* pages; it looks, too, when there are more */
	bool was_empty;		/* hardly any were handed out at a look */
	uint64_t rise_ms;	/* and when there were more after that */
	uint64_t nr_alloc, nr_freed, nr_grown, nr_purged;	/* pages */
	uint64_t scattered_freed;	/* nr_freed when caches were emptied */
	uint64_t nr_fallback;	/* blocks taken of another migrate type */
	struct free_area free_area[NR_PAGE_ORDERS];
};

struct zonelist {
	/* in the order of preference; NULL ends it */
	struct zone *zone[MAX_NUMNODES * MAX_NR_ZONES + 1];
};

enum { ZONELIST_FALLBACK, ZONELIST_NOFALLBACK, MAX_ZONELISTS };

/* Pages handed out, in the words of numastat(8). Counted where there is more
 * than one node. */
enum numa_stat_item {
	NUMA_HIT,		/* of this node, as was wanted */
	NUMA_MISS,		/* of this node, though another was wanted */
	NUMA_FOREIGN,		/* of another, though this was wanted */
	NUMA_INTERLEAVE_HIT,	/* of this node, by interleaving */
	NUMA_LOCAL,		/* of this node, to a thread that ran on it */
	NUMA_OTHER,		/* of this node, to a thread of another */
	NR_NUMA_STAT_ITEMS,
};

struct node {
	int node;
	int home;	/* the first in its zonelist; atomic */
	struct zone zone[MAX_NR_ZONES];
	struct zonelist zonelist[MAX_ZONELISTS];
	uint64_t numa_stat[NR_NUMA_STAT_ITEMS];	/* pages; atomic */
};

/* NULL: not online. */
extern struct node *nodes[MAX_NUMNODES];
extern struct zone *zones;	/* the first; then zone->next */

#define for_each_zone(zone) \
	for ((zone) = zones; (zone); (zone) = (zone)->next)

static inline size_t zone_used(const struct zone *zone)
{
	return zone->managed - zone->nr_free - zone->nr_isolated;
}

/* Pages that may be resident: handed out, or free and dirty. */
static inline size_t zone_resident(const struct zone *zone)
{
	return zone_used(zone) + zone->nr_free_dirty;
}

/* Pages were handed out. Under the zone lock. */
static inline void zone_note_alloc(struct zone *zone, size_t n)
{
	zone->nr_alloc += n;
	zone->peak_recent = max(zone->peak_recent, zone_used(zone));
	zone->peak_used = max(zone->peak_used, zone->peak_recent);
	if (unlikely(zone_resident(zone) > zone->resident_high ||
		     zone_used(zone) > zone->rise_used))
		__atomic_store_n(&zone->over_high, true, __ATOMIC_RELAXED);
}

/* The same, of blocks whose rest went back at once: that was not needed,
 * whatever `low_free_dirty` has become meanwhile. */
static inline void zone_note_taken(struct zone *zone, size_t n,
				   size_t low_free_dirty)
{
	zone->low_free_dirty = min(low_free_dirty, zone->nr_free_dirty);
	zone_note_alloc(zone, n);
}

/* Some zone has fewer pages handed out than its `fall_used`. A hint. */
extern bool zones_have_fallen;

/* Pages came back. Under the zone lock. */
static inline void zone_note_free(struct zone *zone, size_t n)
{
	zone->nr_freed += n;
	if (unlikely(zone_used(zone) < zone->fall_used))
		__atomic_store_n(&zones_have_fallen, true, __ATOMIC_RELAXED);
}

static inline uint64_t page_word(const struct page *page)
{
	return __atomic_load_n(&page->word, __ATOMIC_RELAXED);
}

/* What free() adds to where its bins begin. */
static inline uint32_t page_bin(const struct page *page)
{
	return __atomic_load_n(&page->bin, __ATOMIC_RELAXED);
}

static inline void page_set_word(struct page *page, uint64_t word)
{
	__atomic_store_n(&page->word, word, __ATOMIC_RELAXED);
}

static inline uint64_t word_make(enum page_type type, int node)
{
	return (uint64_t)type << PAGE_TYPE_SHIFT |
	       (uint64_t)node << PAGE_NODE_SHIFT;
}

static inline enum page_type word_type(uint64_t word)
{
	return word >> PAGE_TYPE_SHIFT;
}

static inline int word_node(uint64_t word)
{
	return (int)(word >> PAGE_NODE_SHIFT & PAGE_NODE_MASK);
}

/* Of slabs: the handle of the descriptor. */
static inline uint64_t word_make_slab(int node, uint32_t handle)
{
	return word_make(PAGE_SLAB, node) |
	       (uint64_t)handle << PAGE_SLAB_SHIFT;
}

static inline uint32_t word_handle(uint64_t word)
{
	return word >> PAGE_SLAB_SHIFT & PAGE_SLAB_MASK;
}

/* Of all but slabs: enum run_state bits. */
static inline uint64_t word_state_bits(uint32_t state)
{
	return (uint64_t)state << PAGE_STATE_SHIFT;
}

static inline uint32_t word_state(uint64_t word)
{
	return word >> PAGE_STATE_SHIFT & PAGE_STATE_MASK;
}

/* Of runs: the size class; -1 for a run larger than all classes. */
static inline uint64_t word_make_run(int node, int class, uint32_t state)
{
	return word_make(PAGE_RUN, node) | word_state_bits(state) |
	       (uint64_t)(class + 1) << PAGE_INFO_SHIFT;
}

static inline int word_class(uint64_t word)
{
	return (int)(word >> PAGE_INFO_SHIFT & PAGE_INFO_MASK) - 1;
}

/* Of free blocks. */
static inline uint64_t word_make_free(enum page_type type, int node,
				      unsigned int order,
				      enum migratetype migratetype)
{
	return word_make(type, node) |
	       (uint64_t)(order | (unsigned int)migratetype << 5) <<
	       PAGE_INFO_SHIFT;
}

static inline unsigned int word_order(uint64_t word)
{
	return word >> PAGE_INFO_SHIFT & 31;
}

static inline enum migratetype word_migratetype(uint64_t word)
{
	return word >> (PAGE_INFO_SHIFT + 5) & 7;
}

#endif
