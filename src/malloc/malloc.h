/*
 * malloc - what the names of the C library mean here.
 *
 * 1. Sizes up to SMALL_MAX are objects of slabs; up to CLASS_MAX runs of a
 *    class; above, runs of any number of pages (huge.h).
 * 2. A failure is NULL (or an error number, where the standard says so) with
 *    errno ENOMEM or EINVAL; a success leaves errno alone, free always.
 * 3. A pointer is decoded once, by mem_block_of; what is not the start of a
 *    live block is another allocator's (foreign.h) or ends the process with
 *    a message (fault.h).
 */
#ifndef ZBM_MALLOC_H
#define ZBM_MALLOC_H

#include "heap/heap.h"
#include <malloc.h>
#include <stdio.h>

void *mem_malloc_slow(size_t size);
void mem_free_slow(void *p);
size_t mem_usable_size_slow(void *p);

/* NULL: there is more to it. */
static force_inline void *mem_malloc_fast(size_t size)
{
	struct heap *heap;

	if (unlikely(size >= thread_fast.size_end))
		return NULL;
	/* For the compiler: size_end is no more than that. */
	if (size > LOOKUP_MAX)
		__builtin_unreachable();
	heap = thread_heap();
	return bin_pop(heap_bin(heap, heap->bin_of_size[
			(size + MIN_ALIGN - 1) / MIN_ALIGN]));
}

/* The same for LOOKUP_MAX < size <= CLASS_MAX. */
void *mem_malloc_large_fast(size_t size);

/* malloc(3); 0 counts as 1. Every pointer is 16-byte aligned. */
static force_inline void *mem_malloc(size_t size)
{
	void *p = mem_malloc_fast(size);

	return likely(p) ? p : mem_malloc_slow(size);
}

/* free(3) */
static force_inline void mem_free(void *p)
{
	if (unlikely(!heap_free_fast(p)))
		mem_free_slow(p);
}

/* calloc(3) */
void *mem_calloc(size_t n, size_t size);

/* zbm_malloc_node(3), in zbmalloc.h; nid is the kernel's number. */
void *mem_malloc_node(size_t size, int nid);

/* realloc(3); size 0 frees, as glibc's does. */
void *mem_realloc(void *p, size_t size);

/* posix_memalign(3) and its relatives. */
void *mem_memalign(size_t align, size_t size);
void *mem_aligned_alloc(size_t align, size_t size);
int mem_posix_memalign(void **out, size_t align, size_t size);
void *mem_valloc(size_t size);
void *mem_pvalloc(size_t size);

/* malloc_usable_size(3); all of it may be written. NULL has 0. */
static force_inline size_t mem_usable_size(void *p)
{
	size_t size = heap_object_size(p);

	return likely(size) ? size : mem_usable_size_slow(p);
}

/* Darwin's malloc_good_size(3): what a request of this size gets. */
size_t mem_good_size(size_t size);

/* malloc_trim(3): 1 when memory went back. */
int mem_trim(size_t pad);

/* mlockall(2) and munlockall(2), without what is reserved and not used. */
int mem_mlockall(int flags);
int mem_munlockall(void);

void mem_stats(void);				/* malloc_stats(3) */
int mem_info(int options, FILE *stream);	/* malloc_info(3) */
struct mallinfo2 mem_mallinfo2(void);		/* mallinfo2(3) */
int mem_mallopt(int param, int value);		/* mallopt(3) */

/* A live block. */
struct block {
	struct page *page;	/* of its start */
	uint64_t word;
	size_t size;		/* usable bytes */
};

/* False: not the start of a live block of ours. */
bool mem_block_of(const void *p, struct block *block);

/* The word is that of the pointer's page: it is to the start of a run of a
 * class, which is in none of the states (enum run_state). */
static force_inline bool word_is_class_run(uint64_t word, const void *p,
					   uint32_t states)
{
	return likely(word_type(word) == PAGE_RUN) && word_class(word) >= 0 &&
	       (uintptr_t)p % PAGE_SIZE == 0 && !(word_state(word) & states);
}

/* A run of a class for SMALL_MAX < size <= CLASS_MAX, at a multiple of align
 * (a power of two, a page at least); NULL without memory. */
void *mem_alloc_run(size_t size, size_t align);

/* errno = ENOMEM; NULL. */
void *mem_no_memory(void);

#endif
