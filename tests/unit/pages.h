/*
 * pages - the page allocator alone, with a pcp: what its tests start from and
 * what must hold after each.
 */
#ifndef TESTS_PAGES_H
#define TESTS_PAGES_H

#include "world.h"

#include <setjmp.h>

#include <cmocka.h>

#define WINDOW	(32 * SECTION_SIZE)

static struct zone *zone;
static struct pcp pcp;

static inline int start(void **state)
{
	(void)state;
	world_start(WINDOW);
	zone = world_zone();
	pcp_register(&pcp, zone);
	return 0;
}

static inline int finish(void **state)
{
	(void)state;
	pcp_drain(&pcp, true);
	assert_int_equal(world_used(), 0);
	assert_int_equal(zone->nr_isolated, 0);
	assert_int_equal(zone->nr_alloc, zone->nr_freed);
	pcp_validate(&pcp);
	page_alloc_validate();
	return 0;
}

static inline bool is_zero(const void *p, size_t size)
{
	const char *bytes = p;

	return !size || (!bytes[0] && !memcmp(bytes, bytes + 1, size - 1));
}

#endif
