/*
 * bins - what the tests of bins and heaps do with objects.
 */
#ifndef TESTS_BINS_H
#define TESTS_BINS_H

#include "heaps.h"

#include "malloc/malloc.h"

#include <setjmp.h>

#include <cmocka.h>

#define MANY	20000	/* objects */

static void *objects[MANY];
static struct heap_counts before[NR_CLASSES], after[NR_CLASSES];

static inline struct bin *bin_for(unsigned int class)
{
	return heap_bin(thread_heap(), class_bin(class));
}

/* Where what is freed goes. */
static inline struct bin *taker_for(unsigned int class)
{
	return heap_bin(thread_heap(), class_free_bin(class));
}

/* In the thread's stacks. */
static inline size_t nr_kept(unsigned int class)
{
	struct bin *bin = bin_for(class), *taker = taker_for(class);

	return bin_main_count(bin) + bin_spare_count(taker) +
		(taker != bin ? bin_main_count(taker) : 0);
}

static inline void allocate(unsigned int class, size_t from, size_t to)
{
	for (; from < to; from++) {
		objects[from] = mem_malloc(size_classes[class].size);
		assert_non_null(objects[from]);
	}
}

static inline void release(size_t from, size_t to)
{
	for (; from < to; from++)
		mem_free(objects[from]);
}

static inline void count_calls(struct heap_counts *counts)
{
	for (unsigned int i = 0; i < NR_CLASSES; i++)
		heap_count(i, &counts[i]);
}

static inline size_t live(const struct heap_counts *counts, unsigned int class)
{
	return counts[class].nr_alloc - counts[class].nr_free;
}

static inline void finish(void)
{
	heap_validate();
	for (struct heap *heap = registry.heaps; heap; heap = heap->next)
		pcp_validate(&heap->pcp);
}

#endif
