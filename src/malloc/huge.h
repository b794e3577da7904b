/*
 * huge - blocks larger than all classes, those whose alignment no class has,
 * and those that were made smaller: runs of any number of pages, straight from
 * the page allocator.
 *
 * 1. They start on a page; their length is in the first page's nr_pages.
 * 2. They grow into the free pages behind them; else their memory moves
 *    (migrate.h), and their bytes are copied only where that cannot be.
 * 3. A freed block of a section and more goes back to the kernel at once, as
 *    glibc's do; smaller ones wait for the next request, or for reclaim.
 * 4. When the program writes all of its large blocks, as some pages of those
 *    that it frees tell, the next ones take memory that lies free elsewhere,
 *    and ask for huge pages.
 */
#ifndef ZBM_HUGE_H
#define ZBM_HUGE_H

#include "malloc/malloc.h"

/* `align` is a power of two. `zero`: all bytes are 0. NULL without memory,
 * errno is the caller's. */
void *huge_alloc(size_t size, size_t align, bool zero);

/* The same of a node, or as near to it as there is memory; -1: here. */
void *huge_alloc_node(size_t size, size_t align, bool zero, int node);
void huge_free(struct page *page);

/* The block with room for `size` bytes, perhaps elsewhere; NULL: it could
 * neither grow nor move, and is as it was. */
void *huge_resize(struct page *page, size_t size);

/* The run, be it of a class, stays and gives back what is behind its first
 * `size` bytes. */
void huge_trim(struct page *page, size_t size);

/* Calls and live bytes so far. */
struct huge_counts {
	uint64_t nr_alloc, nr_free;
	size_t live_bytes, nr_live;
};

void huge_count(struct huge_counts *counts);

#endif
