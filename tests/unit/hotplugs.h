/*
 * hotplugs - a window whose zone grows: what its tests start from and what must
 * hold after each step. The last section is short.
 *
 * Each test runs in a child, where the zone is as it is at start.
 */
#ifndef TESTS_HOTPLUGS_H
#define TESTS_HOTPLUGS_H

#include "world.h"

#include "mm/buddy.h"
#include "mm/hotplug.h"

#include <setjmp.h>

#include <cmocka.h>

#define NR_SECTIONS	12
#define LAST_N		(3 * PAGEBLOCK_PAGES)	/* pages of the last one */
#define WINDOW		((NR_SECTIONS - 1) * SECTION_SIZE + \
			 (LAST_N << PAGE_SHIFT))

static struct zone *zone;

static inline int start(void **state)
{
	(void)state;
	world_start(WINDOW);
	zone = world_zone();
	return 0;
}

static inline void validate(void)
{
	static size_t unused;
	size_t online = 0;

	page_alloc_validate();
	for (uint32_t i = 0; i < nr_online_sections; i++) {
		CHECK(section_at(i)->zone == zone);
		CHECK(section_at(i)->online <= section_nr_pages(i));
		CHECK(i == 0 || section_at(i)->online % PAGEBLOCK_PAGES == 0);
		CHECK(section_at(i)->nr_free <= section_at(i)->online);
		online += section_at(i)->online;
	}
	/* The window's first pages are never used. */
	unused = unused ? unused : online - zone->managed;
	CHECK(unused > 0 && unused < 2 * PAGEBLOCK_PAGES);
	CHECK(online == zone->managed + unused);
}

/* All that is free becomes used; how many pages. */
static inline size_t take_all(void)
{
	size_t n = 0;

	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		while (alloc_pages(NULL, 0, k))
			n += 1UL << k;
	CHECK(zone->nr_free == 0);
	return n;
}

#endif
