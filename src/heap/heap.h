/*
 * heap - what a thread allocates from without a lock.
 *
 * 1. A bin per class has a stack of free objects: malloc pops it, free pushes
 *    it. It is a sheaf, an array of object pointers. When this is empty or
 *    full it changes places with the `spare`, which is full or empty, and
 *    only when that does not help one goes to the barn for another.
 *    Classes whose objects share lines have two bins: malloc pops the one,
 *    free pushes the other, and when the first is empty their stacks change
 *    places. So there is time to look whose objects they are.
 * 2. The thread finds its heap, and what else its fast paths begin with, in
 *    one thread-local line.
 * 3. The low half of a page's word is the offset of the bin its objects go
 *    to, counted from where a heap of node 0 would lie: the bins of other
 *    nodes lie before and behind those of this heap (heap_node.c). Bin 0, of
 *    everything that is no small object, never has room.
 * 4. An object in a stack carries its key (slab.h); malloc clears it. A key
 *    found by free is a double free, one missed by malloc is a write after
 *    free.
 * 5. Run classes have no spare.
 * 6. The fast paths count no calls. Of paired classes they follow from where
 *    the stacks stand, of others only the difference does: where calls are to
 *    be counted (options stats and summary), each malloc goes the long way.
 *
 * Only the owner touches a heap's bins. A heap without an owner, and the
 * shared heap, are under a lock (thread_heap.c).
 */
#ifndef ZBM_HEAP_H
#define ZBM_HEAP_H

#include "base/options.h"
#include "mm/page_alloc.h"
#include "os/thread.h"
#include "slab/barn.h"
#include "slab/fault.h"

struct bin {
	alignas(CACHE_LINE) void **top;	/* above the object that is next */
	void **lo, **end;		/* objects from lo on, room up to end */
	uint64_t magic;			/* size_class.magic */
	uint32_t slab_mask;		/* bytes of a slab - 1 */
	uint32_t popped;		/* the long way, since calls were
					 * last counted */
	uint16_t given;			/* objects in main then */
	uint16_t want;			/* objects that a refill brings */
	uint8_t class;
	uint8_t until_more;		/* misses before `want` grows */
	struct sheaf *spare;
};

static_assert(sizeof(struct bin) == 1 << BIN_SHIFT, "a cache line");

enum heap_state {
	HEAP_OWNED,
	HEAP_FREE,	/* its thread has ended */
	HEAP_ORPHAN,	/* its thread was lost by fork: contents uncertain */
};

struct heap {
	alignas(CACHE_LINE) struct bin bin[NR_BINS];
	int node;
	struct barn_set *barns;		/* of the cache that it was seen at */
	uint8_t number;			/* by which they know it */
	int near;			/* node whose zonelist it walks */
	int next_node;			/* numa=interleave: the next refill's */
	unsigned int away;		/* looks at which it ran elsewhere */
	uint64_t alien;			/* bit n: it has bins of node n */
	uint64_t due_ms;		/* next look at what lies unused */
	unsigned int ticks;		/* slow paths taken */
	unsigned int watched;		/* mallocs that go the long way yet */
	size_t cached_runs;		/* bytes in bins of run classes */
	struct pcp pcp;
	/* calls that have left the bins; the rest is in the stacks */
	uint64_t nr_alloc[NR_CLASSES], nr_free[NR_CLASSES];
	uint16_t seen[NR_CLASSES];	/* where the stacks stood then */
	/* the same for other threads' reclaim */
	void **runs_seen[NR_CLASSES - NR_SMALL_CLASSES];
	/* under the registry lock */
	struct heap *next;		/* all heaps */
	enum heap_state state;
	bool marked;			/* its thread has the mark */
	uintptr_t owner;		/* lock_self() of its thread */
	struct thread_mark mark;
	/* a copy of size_class_bins: one register reaches both */
	alignas(CACHE_LINE) uint16_t bin_of_size[LOOKUP_MAX / MIN_ALIGN + 1];
};

/*
 * Reading the table waits for a store whose address has the same 12 low bits:
 * a page behind the bins of small classes it would wait for their tops (a
 * fifth more for 16 bytes), and at the start of a page for objects that start
 * pages (a fifth more for 256 bytes).
 */
static_assert(offsetof(struct heap, bin_of_size) % PAGE_SIZE >=
	      36 * sizeof(struct bin), "aliases with bins of 4 KiB and more");

/* What a heap takes of metadata for each node that there may be. */
#define HEAP_SIZE	8192	/* bytes */

static_assert(sizeof(struct heap) <= HEAP_SIZE, "heaps are that far apart");
static_assert(HEAP_SIZE == 1UL << PAGE_NODE_SHIFT, "one per node");

/*
 * What the fast paths begin with, at one distance from the thread pointer.
 * While the thread has no heap, not yet or no longer, no size and no pointer
 * passes the first test; nor while all of it is 0, because the loader runs
 * IFUNC resolvers before it fills in thread-local values.
 */
struct thread_fast {
	alignas(CACHE_LINE)
	size_t size_end;	/* of the sizes in bin_of_size; 0: no heap, or
				 * all calls are looked at */
	struct heap *heap;
	struct page *map_end;	/* as in vm; NO_MAP_END: no heap */
	char *bins;		/* of node 0: see rule 3 */
};

extern __thread struct thread_fast thread_fast
	__attribute__((tls_model("initial-exec")));

static force_inline struct heap *thread_heap(void)
{
	return thread_fast.heap;
}

static force_inline struct bin *heap_bin(struct heap *heap, size_t offset)
{
	return (struct bin *)(void *)((char *)heap + offset);
}

/* A small object from main, or NULL: the bin is empty, or its next object
 * has lost its key. Both show as a missing key: below the last object of a
 * sheaf stands a pointer to a word that never is one (sheaf.h). The one after
 * it is fetched: its line is wanted next, and may lie in no cache, or in that
 * of another CPU. */
static force_inline void *bin_pop(struct bin *bin)
{
	void **top = bin->top;
	uint64_t *p = top[-1];

	if (unlikely(*p != object_key(p)))
		return NULL;
	prefetch_to_write(top[-2]);
	bin->top = top - 1;
	*p = 0;
	return p;
}

/* The same, the long way. */
static force_inline void *bin_pop_counted(struct bin *bin)
{
	void *p = bin_pop(bin);

	bin->popped += p != NULL;
	return p;
}

/* The pointer, into a slab of the bin's class, may be that of a live object.
 * Half of its key is compared, for programs write the first word in halves,
 * too, and a load of both would wait for the stores. What follows looks at
 * all. */
static force_inline bool bin_has_object(const struct bin *bin, const void *p)
{
	return likely(is_multiple((uintptr_t)p & bin->slab_mask, bin->magic)) &&
	       likely(*(const uint32_t *)p != (uint32_t)object_key(p));
}

/* Frees a small object on the page; false when that takes more than a push:
 * main is full, or the pointer is not to a live small object. */
static force_inline bool heap_free_on(const struct page *page, void *p)
{
	struct bin *bin = (struct bin *)(void *)(thread_fast.bins +
						 page_bin(page));
	void **top = bin->top;

	if (unlikely(top == bin->end || !bin_has_object(bin, p)))
		return false;
	*(uint64_t *)p = object_key(p);
	*top = p;
	bin->top = top + 1;
	return true;
}

/* The same; false also for what has no page, or none to be found so fast. */
static force_inline bool heap_free_fast(void *p)
{
	const struct page *end = thread_fast.map_end;
	ptrdiff_t place = map_place(end, p);

	return likely(map_has_place(place)) && heap_free_on(&end[place], p);
}

/* Bytes of a live small object; 0: it is none, or there is more to it. */
static force_inline size_t heap_object_size(const void *p)
{
	const struct page *end = thread_fast.map_end;
	ptrdiff_t place = map_place(end, p);
	const struct bin *bin;

	if (unlikely(!map_has_place(place)))
		return 0;
	bin = (const struct bin *)(const void *)(thread_fast.bins +
						 page_bin(&end[place]));
	/* Bin 0 is of no class, nor is one of another node as yet. */
	return likely(bin->magic) && likely(bin_has_object(bin, p)) ?
		size_classes[bin->class].size : 0;
}

/* A run of the class from the heap's own stack, or NULL. */
static force_inline void *heap_pop_run(struct heap *heap, unsigned int class)
{
	struct bin *bin = heap_bin(heap, class_bin(class));
	void *p;

	if (bin->top == bin->lo)
		return NULL;
	p = *--bin->top;
	run_claim(address_to_page(p));
	heap->cached_runs -= size_classes[class].size;
	heap->nr_alloc[class]++;
	return p;
}

static force_inline bool run_bin_has_room(const struct heap *heap,
					  const struct bin *bin, uint64_t word)
{
	return bin->top != bin->end &&
	       word_node(word) == heap->node;
}

/* The run is the program's, of the bin's class, and there is room. */
static force_inline void run_bin_push(struct heap *heap, struct bin *bin,
				      struct page *page, void *p,
				      uint64_t word)
{
	unsigned int class = (unsigned int)word_class(word);

	/* Pairs with the acquire in run_purge_cached. */
	__atomic_store_n(&page->word,
			 word | word_state_bits(RUN_CACHED | RUN_DIRTY),
			 __ATOMIC_RELEASE);
	*bin->top++ = p;
	heap->cached_runs += size_classes[class].size;
	heap->nr_free[class]++;
}

/* The run is the program's, of a class; `word` is that of its first page.
 * False: the thread may not cache it. */
static force_inline bool heap_push_run(struct heap *heap, struct page *page,
				       void *p, uint64_t word)
{
	unsigned int class = (unsigned int)word_class(word);
	struct bin *bin = heap_bin(heap, class_bin(class));

	if (!run_bin_has_room(heap, bin, word) ||
	    heap->cached_runs + size_classes[class].size > options.cache)
		return false;
	run_bin_push(heap, bin, page, p, word);
	return true;
}

/* Before anything that takes a lock and does not begin with a heap's function:
 * starts the allocator, and registers its fork handlers, if that has not been
 * and needs to be. False: no memory for it. */
bool heap_start(void);

/* The fork handlers are registered when this returns, unless it is called
 * while this very thread registers them (heap_fork.c). */
void heap_fork_register(void);

/* An object of a small class, NULL without memory. */
void *heap_alloc_small(unsigned int class);

/* The same of a node, or as near to it as there is memory. */
void *heap_alloc_small_node(unsigned int class, int node);

/* The pointer is to an object of a small class that is the program's. */
void heap_free_small(uint64_t word, void *p);

/* A run of the class, at a multiple of align (a power of two, a page at least);
 * NULL without memory. *dirty: it may not be zero. */
void *heap_alloc_run(unsigned int class, size_t align, bool *dirty);

/* The run is the program's and of a class. */
void heap_free_run(void *p);

/* Gives the program's run the length of a larger class, in its place; or a run
 * of that class where one that grows has room (grow_pages_exact), and then it
 * is still there. NULL: neither. */
struct page *heap_grow_run(struct page *page, unsigned int class);

/* Pages for one object, with the calling thread's pcp; NULL without memory.
 * Their first word is that of a run of the class, -1 for none. The node is
 * where to look first, -1 for the thread's own. `gfp`: GFP_NORECLAIM or 0. */
struct page *heap_alloc_pages(gfp_t gfp, size_t n, size_t align, int class,
			      int node);
void heap_free_pages(struct page *page, size_t n);

/* Empties the caches of the calling thread, and those without owner. */
void heap_flush(void);

/* Somebody will ask how many calls there were. */
static inline bool heap_counts_calls(void)
{
	return options.summary || options.stats[0];
}

/* Of a class, sums over all heaps. Exact when the other threads rest; where
 * calls are not counted, of some small classes only the difference is, and the
 * numbers are at least so many. */
struct heap_counts {
	uint64_t nr_alloc, nr_free;	/* calls */
	size_t nr_cached;		/* objects in bins */
};

void heap_count(unsigned int class, struct heap_counts *counts);

/* With those that wait for a thread. */
size_t heap_nr(void);

/* The state of all heaps; what only a still process can check. Slow. */
void heap_validate(void);

#endif
