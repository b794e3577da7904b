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

struct heap_registry {
	struct lock start_lock;
	bool started;
	bool first_registered;	/* the first thread's end is known */
	struct lock shared_lock;
	/* under lock */
	struct lock lock;
	struct heap *heaps;
	size_t nr_heaps, nr_idle;
};

extern struct heap_registry registry;

struct heap *heap_enter_slow(void);
void heap_leave_shared(void);
bool heap_is_shared(const struct heap *heap);

/* The thread's heap; or the shared one, locked; NULL: not even that. */
static inline struct heap *heap_enter(void)
{
	struct heap *heap = thread_heap();

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

static inline struct sheaf *bin_main(const struct bin *bin)
{
	struct sheaf *main = container_of(bin->main_lo, struct sheaf,
					  object[0]);

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

#endif
