/*
 * huges - blocks of many pages through the whole library: what their tests
 * start from, what must hold after each, and blocks with a number in each page.
 */
#ifndef TESTS_HUGES_H
#define TESTS_HUGES_H

#include "heaps.h"

#include "malloc/huge.h"
#include "malloc/malloc.h"
#include "mm/migrate.h"

#include <setjmp.h>

#include <cmocka.h>

#define MIB	(1UL << 20)

static struct huge_counts before, after;
static uint64_t refused_before;		/* moves, by the kernel */

static inline int begin(void **state)
{
	(void)state;
	mem_trim(0);
	huge_count(&before);
	refused_before = os.refused[OS_REFUSED_MOVE];
	return 0;
}

/* All is given back, and counted. */
static inline void finish(void)
{
	huge_count(&after);
	assert_int_equal(after.nr_live, before.nr_live);
	assert_int_equal(after.live_bytes, before.live_bytes);
	heap_validate();
}

/* A number in each page. */
static inline void number_pages(void *p, size_t size, uint64_t first)
{
	for (size_t at = 0; at < size; at += PAGE_SIZE)
		*(uint64_t *)((char *)p + at) = first + at;
}

static inline bool pages_are_numbered(const void *p, size_t size,
				      uint64_t first)
{
	for (size_t at = 0; at < size; at += PAGE_SIZE)
		if (*(const uint64_t *)((const char *)p + at) != first + at)
			return false;
	return true;
}

static inline bool pages_are_zero(const void *p, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE_SIZE)
		if (*(const uint64_t *)((const char *)p + at))
			return false;
	return true;
}

static inline size_t resident(const void *p, size_t size)
{
	return world_resident(address_to_pfn(p), size >> PAGE_SHIFT)
	       << PAGE_SHIFT;
}

#endif
