/*
 * thread_heap - which heap a thread has, from its first call to its last.
 *
 * 1. A thread gets a heap at its first call: one whose thread has ended, or
 *    a new one. When it ends, what the heap holds goes to the barns and the
 *    zones, and the heap waits for the next thread.
 * 2. Calls after the end of a thread (destructors of keys), and of threads
 *    that there was no memory to make a heap for, use the shared heap under
 *    its lock.
 * 3. In the child of fork the heaps of the other threads are orphans: they
 *    serve new threads, without what lay in their bins (heap_fork.c).
 */
#ifndef ZBM_THREAD_HEAP_H
#define ZBM_THREAD_HEAP_H

#include "heap/heap.h"
#include "os/llc.h"
#include "os/os.h"
#include "os/thread.h"

/* In the place of a process's number. */
#define FORK_HANDLERS_DONE	(-1)

struct heap_registry {
	struct lock start_lock;
	bool started;
	bool first_registered;	/* the first thread's end is known */
	struct heap *first;	/* of the first thread */
	struct lock shared_lock;
	struct heap *shared;	/* NULL: not yet made. Atomic */
	/* under lock */
	struct lock lock;
	struct heap *heaps;
	size_t nr_heaps, nr_idle;
	int fork_handlers;	/* Atomic: the process that registers them, 0:
				 * none yet (heap_fork.c) */
};

extern struct heap_registry registry;

/* But for the shared one. A hint. */
static inline size_t nr_heaps(void)
{
	return __atomic_load_n(&registry.nr_heaps, __ATOMIC_RELAXED);
}

/* The calling thread's from now on; NULL: it has none. */
void thread_set_heap(struct heap *heap);

struct heap *heap_enter_slow(void);
void heap_leave_shared(void);

static inline bool heap_is_shared(const struct heap *heap)
{
	return heap == __atomic_load_n(&registry.shared, __ATOMIC_RELAXED);
}

/* Called before any lock is taken: others may fork from now on. */
static inline void heap_fork_watch(void)
{
	if (unlikely(!thread_is_alone() &&
		     /* Pairs with the release in heap_fork_register. */
		     __atomic_load_n(&registry.fork_handlers,
				     __ATOMIC_ACQUIRE) !=
			     FORK_HANDLERS_DONE))
		heap_fork_register();
}

/* The thread's heap; or the shared one, locked; NULL: not even that. */
static inline struct heap *heap_enter(void)
{
	struct heap *heap = thread_heap();

	heap_fork_watch();
	if (likely(heap))
		return heap;
	return heap_enter_slow();
}

static inline void heap_leave(struct heap *heap)
{
	if (unlikely(heap_is_shared(heap)))
		heap_leave_shared();
}

/* Reclaims by time. At the start of slow paths, with no bin in hand. */
void heap_tick_slow(struct heap *heap, uint64_t now);

/* Gives the bins' objects back: all, or of bins that stand as they stood at
 * the last call. */
void heap_flush_bins(struct heap *heap, bool all);

/* Spare's objects, of any node, go into their slabs. */
void bin_flush_spare(struct heap *heap, struct bin *bin);

/* Empty, of the class; `want` is that of the first refill. */
void bin_init(struct bin *bin, unsigned int class);

/* A heap for a thread that runs on the node: one that is nobody's, or a new
 * one. NULL without memory. */
struct heap *heap_take(int here);

/* Nobody's from now on: what it holds goes to barns and zones. */
void heap_leave_behind(struct heap *heap);

/* The end of the first thread is told from now on, if it was not. */
void heap_register_first(void);

/* Where there is more than one node or last-level cache (heap_node.c): */

/* Looks where the thread runs; the heap that it has from now on. */
struct heap *heap_follow(struct heap *heap, uint64_t now);

/* The node that the thread runs on, once that is online. */
int heap_here(void);

/* A node's barns for the cache at which the thread runs. */
struct barn_set *heap_barns_here(int node);

/* Objects of slabs, of the first node in this one's zonelist that has any;
 * `barn` is asked as the one of its node. */
size_t heap_refill_near(const struct heap *heap, struct pcp *pcp, int node,
			struct barn *barn, void **out, size_t n);

/* Which node the next refill is from. */
int heap_refill_node(struct heap *heap);

/* Frees an object of another node. */
void heap_free_alien(struct heap *heap, uint64_t word, void *p);

/* Alien objects go to their slabs. */
void heap_flush_alien(struct heap *heap);

/* The bins of objects of a node, in or beside the heap. */
static inline struct bin *heap_node_bins(const struct heap *heap, int node)
{
	return (struct bin *)((uintptr_t)heap +
			      (uintptr_t)(node - heap->node) * HEAP_SIZE);
}

#define for_each_alien(node, heap) \
	for (uint64_t left_ = (heap)->alien, node; \
	     left_ && (node = (uint64_t)__builtin_ctzl(left_), true); \
	     left_ &= left_ - 1)

/* Slow paths between two looks at the clock, which costs as much as they. */
#define TICK_PERIOD	8

static inline struct heap *heap_tick(struct heap *heap)
{
	uint64_t now;

	if (likely(++heap->ticks % TICK_PERIOD))
		return heap;
	now = os_now_ms();
	if (unlikely(topology.max_nodes > 1 || llc_is_divided()))
		heap = heap_follow(heap, now);
	if (unlikely(now >= heap->due_ms))
		heap_tick_slow(heap, now);
	return heap;
}

/* Where pages are asked for, it is worth a look each time. */
static inline struct heap *heap_tick_pages(struct heap *heap)
{
	if (unlikely(topology.max_nodes > 1))
		heap->ticks |= TICK_PERIOD - 1;
	return heap_tick(heap);
}

static inline struct barn *heap_barn(const struct heap *heap,
				     const struct bin *bin)
{
	return &heap->barns->barn[bin->class];
}

/* For pthread_atfork. */
void heap_fork_prepare(void);
void heap_fork_parent(void);
void heap_fork_child(void);

/* The orphan's bins become empty; what lay in them is lost (heap_fork.c). */
void heap_adopt(struct heap *heap);

/* Stands in for a main that is not there. */
extern union no_sheaf {
	struct sheaf sheaf;
	void *room[sizeof(struct sheaf) / sizeof(void *) + 1];
} no_sheaf;

static inline void bin_point_main(struct bin *bin, struct sheaf *sheaf,
				  size_t count)
{
	bin->main_lo = (sheaf ? sheaf : &no_sheaf.sheaf)->object;
	bin->main_top = bin->main_lo + count;
}

/* no_sheaf where there is no main: it has room for nothing. */
static inline struct sheaf *bin_main_or_none(const struct bin *bin)
{
	return container_of(bin->main_lo, struct sheaf, object[0]);
}

static inline struct sheaf *bin_main(const struct bin *bin)
{
	struct sheaf *main = bin_main_or_none(bin);

	return main == &no_sheaf.sheaf ? NULL : main;
}

static inline size_t bin_main_count(const struct bin *bin)
{
	return (size_t)(bin->main_top - bin->main_lo);
}

static inline size_t bin_spare_count(const struct bin *bin)
{
	return bin->spare ? (size_t)(bin->spare_top - bin->spare->object) : 0;
}

/* Calls since the stacks came go into the heap's sums. Run classes count
 * each call at once. */
static inline void bin_count_calls(struct heap *heap, struct bin *bin)
{
	size_t main = bin_main_count(bin), spare = bin_spare_count(bin);

	if (!class_is_small(bin->class))
		return;
	heap->nr_alloc[bin->class] += bin->main_given - main;
	heap->nr_free[bin->class] += spare - bin->spare_given;
	bin->main_given = (uint16_t)main;
	bin->spare_given = (uint16_t)spare;
}

/* How far a sheaf may be filled. */
static inline size_t bin_room(const struct bin *bin,
			      const struct sheaf *sheaf, size_t count)
{
	return max((size_t)min(sheaf->capacity, bin->want), count);
}

static inline void bin_set_spare(struct heap *heap, struct bin *bin,
				 struct sheaf *sheaf, size_t count)
{
	bin_count_calls(heap, bin);
	bin->spare_given = (uint16_t)count;
	bin->spare = sheaf;
	bin->spare_top = sheaf ? sheaf->object + count : NULL;
	bin->spare_end = sheaf ? sheaf->object + bin_room(bin, sheaf, count) :
				 NULL;
}

/* A sheaf grows when it has run out this often: what a thread caches stays
 * in proportion to what it uses. */
#define MISSES_TO_GROW	4

static inline void bin_set_want(struct bin *bin, size_t want)
{
	size_t most = size_classes[bin->class].sheaf_max;

	bin->want = (uint16_t)min(want, most);
	bin->until_more = want < most ? MISSES_TO_GROW - 1 : UINT8_MAX;
}

/* A miss. True: so many that the bin wants more from now on, as far as it may;
 * that is how many objects its next sheaf is for. */
static inline bool bin_want_more(struct bin *bin)
{
	if (likely(bin->until_more)) {
		bin->until_more--;
		return false;
	}
	bin_set_want(bin, bin->want * 2U + max(2U, class_group(bin->class)));
	return true;
}

#endif
