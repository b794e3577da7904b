/*
 * test_zone_purge - free memory of a zone goes back: the largest blocks first,
 * as much as was asked for.
 */
#include "world.h"

#include <setjmp.h>

#include <cmocka.h>

static struct zone *zone;

static int start(void **state)
{
	(void)state;
	world_start(16 * SECTION_SIZE);
	zone = world_zone();
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	reclaim_all();
	assert_int_equal(world_used(), 0);
	assert_int_equal(zone->nr_free_dirty, 0);
	return 0;
}

static void finish(void)
{
	page_alloc_validate();
	assert_int_equal(zone->nr_isolated, 0);
}

/* Blocks of these orders, between pages in use; freed dirty. Their pfns. */
static struct page *free_dirty_blocks(const unsigned int *orders, size_t n,
				      uint32_t *pfns)
{
	struct page *page = alloc_pages(NULL, GFP_USER, MAX_PAGE_ORDER);
	uint32_t at = page_to_pfn(page);

	assert_non_null(page);
	for (size_t i = 0; i < n; i++) {
		/* Its buddy stays in use. */
		at = (uint32_t)align_up(at, 2UL << orders[i]);
		pfns[i] = at;
		memset(pfn_to_address(at), 0x66, PAGE_SIZE << orders[i]);
		free_pages(NULL, pfn_to_page(at), orders[i]);
		at += 2U << orders[i];
	}
	return page;
}

static void free_the_rest(struct page *page, const unsigned int *orders,
			  size_t n, const uint32_t *pfns)
{
	uint32_t at = page_to_pfn(page), end = at + SECTION_PAGES;

	for (size_t i = 0; i < n; i++) {
		if (pfns[i] > at)
			free_clean_pages(pfn_to_page(at), pfns[i] - at, 0);
		at = pfns[i] + (1U << orders[i]);
	}
	free_clean_pages(pfn_to_page(at), end - at, 0);
}

static const unsigned int orders[] = { 2, 9, 0, 5, 10, 3 };
static uint32_t pfns[array_size(orders)];

static struct page *begin(void)
{
	return free_dirty_blocks(orders, array_size(orders), pfns);
}

static void end(struct page *page)
{
	finish();
	free_the_rest(page, orders, array_size(orders), pfns);
	finish();
}

static bool is_dirty(size_t i)
{
	return dirty_any(pfns[i], 1UL << orders[i]);
}

static void test_the_largest_blocks_are_purged_first(void **state)
{
	static const size_t by_size[] = { 4, 1, 3, 5, 0, 2 };
	struct page *page = begin();

	(void)state;
	for (size_t i = 0; i < array_size(by_size); i++) {
		size_t n = 1UL << orders[by_size[i]];

		assert_true(is_dirty(by_size[i]));
		assert_int_equal(world_purge(n, 0), n);
		assert_false(is_dirty(by_size[i]));
		assert_int_equal(world_resident(pfns[by_size[i]], n), 0);
		if (i + 1 < array_size(by_size))
			assert_true(is_dirty(by_size[i + 1]));
		finish();
	}
	assert_int_equal(world_purge(SIZE_MAX, 0), 0);
	end(page);
}

static void test_blocks_below_the_least_order_are_left(void **state)
{
	struct page *page = begin();

	(void)state;
	assert_int_equal(world_purge(SIZE_MAX, 5), 1024 + 512 + 32);
	assert_true(is_dirty(0) && is_dirty(2) && is_dirty(5));
	assert_false(is_dirty(1) || is_dirty(3) || is_dirty(4));
	end(page);
}

static void test_a_large_block_is_purged_in_part(void **state)
{
	struct page *page = alloc_pages(NULL, GFP_USER, 12);
	uint32_t pfn = page_to_pfn(page);

	(void)state;
	memset(page_address(page), 0x66, PAGE_SIZE << 12);
	free_pages(NULL, page, 12);
	/* By pageblocks, from the end. */
	assert_int_equal(world_purge(100, 0), PAGEBLOCK_PAGES);
	assert_int_equal(dirty_count(pfn, 4096), 7 * PAGEBLOCK_PAGES);
	assert_int_equal(world_resident(pfn, 4096), 7 * PAGEBLOCK_PAGES);
	assert_false(dirty_any(pfn + 7 * PAGEBLOCK_PAGES, PAGEBLOCK_PAGES));
	finish();
	assert_int_equal(world_purge(PAGEBLOCK_PAGES + 1, 0),
			 2 * PAGEBLOCK_PAGES);
	assert_int_equal(world_purge(SIZE_MAX, 0), 5 * PAGEBLOCK_PAGES);
	assert_int_equal(world_resident(pfn, 4096), 0);
	finish();
}

static void test_the_clean_part_of_a_block_is_not_counted(void **state)
{
	struct page *page = alloc_pages(NULL, GFP_USER, 10);
	uint64_t before = zone->nr_purged;

	(void)state;
	free_clean_pages(page + 8, 1016, 0);
	memset(page_address(page), 0x66, 8 << PAGE_SHIFT);
	free_pages_exact(NULL, page, 8);
	assert_int_equal(zone->nr_free_dirty, 8);
	assert_int_equal(world_purge(SIZE_MAX, 0), 8);
	assert_int_equal(zone->nr_purged, before + 8);
	assert_int_equal(world_resident(page_to_pfn(page), 1024), 0);
	finish();
}

/* Without a page in its midst the kernel refuses to purge it. */
static void test_a_refused_block_keeps_no_other_one(void **state)
{
	struct page *page = begin();
	size_t n = 1UL << orders[4];
	void *hole = pfn_to_address(pfns[4] + n - 1);

	(void)state;
	assert_int_equal(munmap(hole, PAGE_SIZE), 0);
	assert_int_equal(world_purge(SIZE_MAX, 0), 512 + 32 + 8 + 4 + 1);
	assert_int_equal(world_purge(SIZE_MAX, 0), 0);
	assert_true(os_remap(hole, PAGE_SIZE));
	assert_true(is_dirty(4));
	assert_int_equal(zone->nr_free_dirty, n);
	finish();
	assert_int_equal(world_purge(SIZE_MAX, 0), n);
	end(page);
}

static void test_a_locked_block_is_purged(void **state)
{
	struct page *page = begin();
	void *locked = pfn_to_address(pfns[1]);

	(void)state;
	if (mlock(locked, PAGE_SIZE << orders[1])) {
		end(page);
		skip();
	}
	assert_int_equal(world_purge(SIZE_MAX, 0),
			 1024 + 512 + 32 + 8 + 4 + 1);
	assert_int_equal(world_resident(pfns[1], 1UL << orders[1]), 0);
	assert_int_equal(munlock(locked, PAGE_SIZE << orders[1]), 0);
	end(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			test_the_largest_blocks_are_purged_first, fresh),
		cmocka_unit_test_setup(
			test_blocks_below_the_least_order_are_left, fresh),
		cmocka_unit_test_setup(test_a_large_block_is_purged_in_part,
				       fresh),
		cmocka_unit_test_setup(
			test_the_clean_part_of_a_block_is_not_counted, fresh),
		cmocka_unit_test_setup(test_a_refused_block_keeps_no_other_one,
				       fresh),
		cmocka_unit_test_setup(test_a_locked_block_is_purged, fresh),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
