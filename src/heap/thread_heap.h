/*
 * thread_heap - which heap a thread has, from its first call to its last.
 *
 * 1. A thread gets a heap at its first call: one whose thread has ended, or
 *    a new one. When its thread is gone, the next one that needs a heap, or the
 *    next reclaim, gives what it holds to the barns and the zones.
 * 2. Threads that there was no memory to make a heap for use the shared heap
 *    under its lock. So do calls after the end of a thread where that is told
 *    by its destructors (os/thread.h): those of keys run later.
 * 3. In the child of fork the heaps of the other threads are orphans: they
 *    serve new threads, without what lay in their bins (heap_fork.c).
 */
#ifndef ZBM_THREAD_HEAP_H
#define ZBM_THREAD_HEAP_H

#include "heap/bin.h"
#include "os/llc.h"
#include "os/os.h"
#include "os/thread.h"

/* In the place of a process's number. */
#define FORK_HANDLERS_DONE	(-1)

struct heap_registry {
	struct lock start_lock;
	bool started;
	struct heap *first;	/* of the first thread */
	struct lock shared_lock;
	struct heap *shared;	/* NULL: not yet made. Atomic */
	/* under lock */
	struct lock lock;
	struct heap *heaps;
	size_t nr_heaps, nr_idle;
	bool lost;		/* some were, by fork, with calls not counted */
	int fork_handlers;	/* Atomic: the process that registers them, 0:
				 * none yet (heap_fork.c) */
};

extern struct heap_registry registry;

/* But for the shared one. A hint. */
static inline size_t nr_heaps(void)
{
	return __atomic_load_n(&registry.nr_heaps, __ATOMIC_RELAXED);
}

/* NULL: nobody needed it yet. */
static inline struct heap *heap_shared(void)
{
	/* Pairs with the release in heap_enter_slow. */
	return __atomic_load_n(&registry.shared, __ATOMIC_ACQUIRE);
}

/* The calling thread's from now on; NULL: it has none. */
void thread_set_heap(struct heap *heap);

/*
 * What is freed and handed out again leaves the fast paths nothing to be done,
 * and the thread would never see the clock. So after each look at what lies
 * unused so many mallocs go the long way. A thread with more than that soon
 * comes there anyway, unless it has always as many objects as before.
 */
#define WATCHED_CALLS	1024U

/* The fast paths are open to malloc, unless calls are counted. */
void thread_stop_watching(void);

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

/* A heap for a thread that runs on the node: one that is nobody's, or a new
 * one. NULL without memory. */
struct heap *heap_take(int here);

/* Heaps of threads that are gone wait for others from now on. */
void heap_reap(void);

/* Nobody's from now on: what it holds goes to barns and zones. */
void heap_leave_behind(struct heap *heap);

/* The end of the calling thread, whose heap this is, is told from now on. */
void heap_watch_end(struct heap *heap);

/* It has its mark, whoever had it. Under the registry lock, or in the child of
 * fork. */
void heap_mark(struct heap *heap);

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

/* Main of a bin of another node's objects is full, or not there. False: no
 * memory for a sheaf. */
bool alien_make_room(struct heap *heap, struct bin *bin, uint64_t word);

/* Alien objects go to their slabs. */
void heap_flush_alien(struct heap *heap);

/* The bins of objects of a node, in or beside the heap. */
static inline struct bin *heap_node_bins(const struct heap *heap, int node)
{
	return (struct bin *)((uintptr_t)heap +
			      (uintptr_t)(node - heap->node) * HEAP_SIZE);
}

/* One of them, by its offset. */
static inline struct bin *heap_node_bin(const struct heap *heap, int node,
					size_t offset)
{
	return heap_node_bins(heap, node) + (offset >> BIN_SHIFT);
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

/* For pthread_atfork. */
void heap_fork_prepare(void);
void heap_fork_parent(void);
void heap_fork_child(void);

/* The orphan's bins become empty; what lay in them is lost (heap_fork.c). */
void heap_adopt(struct heap *heap);

#endif
