/*
 * buddies - one zone for the tests of its free blocks.
 *
 * 1. Each test starts with a zone whose sections are online and all of whose
 *    pages are taken; what it frees is all that is free.
 * 2. The zone lock is held throughout: nobody else is there.
 */
#ifndef TESTS_BUDDIES_H
#define TESTS_BUDDIES_H

#include "world.h"

#include "mm/buddy.h"
#include "mm/hotplug.h"

#include <setjmp.h>

#include <cmocka.h>

/* The first pages of whole sections. */
#define A	((uint32_t)SECTION_PAGES)
#define B	((uint32_t)(2 * SECTION_PAGES))

/* The window's last section has three pageblocks. */
#define LAST	((uint32_t)(3 * SECTION_PAGES))
#define LAST_N	(3 * PAGEBLOCK_PAGES)

static struct zone *zone;

static inline int start(void **state)
{
	(void)state;
	world_start(3 * SECTION_SIZE + (LAST_N << PAGE_SHIFT));
	zone = world_zone();
	assert_true(zone_grow(zone, 0, MIGRATE_MOVABLE));
	assert_true(section_grow_at(zone, section_at(0)->online,
				    SECTION_PAGES - section_at(0)->online));
	assert_true(section_grow_at(zone, A, SECTION_PAGES));
	assert_true(section_grow_at(zone, B, SECTION_PAGES));
	assert_true(section_grow_at(zone, LAST, LAST_N));
	assert_true(zone->managed > vm.nr_pages - 2 * PAGEBLOCK_PAGES);
	lock_acquire(&zone->lock);
	return 0;
}

static inline int take_everything(void **state)
{
	(void)state;
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		for (int type = 0; type < NR_MIGRATETYPES; type++)
			while (zone->free_area[k].list[type].first)
				buddy_take(zone, zone->free_area[k]
						 .list[type].first);
	assert_int_equal(zone->nr_free, 0);
	assert_int_equal(zone->nr_free_dirty, 0);
	for (uint32_t i = 0; i < vm.nr_sections; i++)
		memset(section_at(i)->migratetype, MIGRATE_MOVABLE,
		       SECTION_PAGEBLOCKS);
	dirty_clear(0, vm.nr_pages);
	zone->low_free_dirty = 0;
	return 0;
}

static inline uint32_t alloc(unsigned int order, enum migratetype type)
{
	return buddy_alloc(zone, order, type, false);
}

static inline size_t blocks(unsigned int order)
{
	return zone->free_area[order].nr_free;
}

static inline size_t all_blocks(void)
{
	size_t n = 0;

	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		n += blocks(k);
	return n;
}

static inline bool is_block(uint32_t pfn, unsigned int order)
{
	uint64_t word = page_word(pfn_to_page(pfn));

	return word_type(word) == PAGE_BUDDY && word_order(word) == order;
}

#define TEST(name) cmocka_unit_test_setup(name, take_everything)

#endif
