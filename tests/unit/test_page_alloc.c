/*
 * test_page_alloc - blocks of all orders come aligned, and go back; what is
 * dirty is known.
 *
 * Each test gives back all that it took; finish checks that, and every rule
 * of the zone and of the pcp.
 */
#include "pages.h"

static void test_each_order_is_aligned_and_says_nothing_more(void **state)
{
	(void)state;
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++) {
		struct page *page = alloc_pages(&pcp, GFP_USER, k);
		size_t size = PAGE_SIZE << k;
		uint64_t dirty = word_state_bits(RUN_DIRTY);

		assert_non_null(page);
		assert_int_equal((uintptr_t)page_address(page) %
				 min(size, vm.base_align), 0);
		assert_int_equal(page_word(page) & ~dirty, 0);
		assert_true(page_address(page) >= pfn_to_address(1));
		memset(page_address(page), 0xaa, min(size, PAGEBLOCK_SIZE));
		free_pages(&pcp, page, k);
	}
	finish(state);
}

static void test_small_orders_come_from_the_pcp(void **state)
{
	struct page *page = alloc_pages(&pcp, GFP_USER, 0);
	uint64_t nr_alloc;

	assert_int_equal(pcp.count, PCP_BATCH - 1);
	assert_int_equal(world_used(), PCP_BATCH);
	nr_alloc = zone->nr_alloc;
	free_pages(&pcp, page, 0);
	assert_ptr_equal(alloc_pages(&pcp, GFP_USER, 0), page);
	assert_int_equal(zone->nr_alloc, nr_alloc);
	assert_true(word_state(page_word(page)) & RUN_DIRTY);
	free_pages(&pcp, page, 0);
	finish(state);
}

static void test_larger_orders_pass_the_pcp_by(void **state)
{
	for (unsigned int k = PCP_MAX_ORDER + 1; k < NR_PAGE_ORDERS; k++) {
		struct page *page = alloc_pages(&pcp, GFP_USER, k);

		assert_non_null(page);
		assert_int_equal(pcp.count, 0);
		assert_int_equal(world_used(), 1UL << k);
		free_pages(&pcp, page, k);
		assert_int_equal(world_used(), 0);
	}
	finish(state);
}

static void test_no_pcp_is_needed(void **state)
{
	for (unsigned int k = 0; k <= PCP_MAX_ORDER; k++) {
		struct page *page = alloc_pages(NULL, GFP_USER, k);

		assert_non_null(page);
		assert_int_equal(world_used(), 1UL << k);
		free_pages(NULL, page, k);
		assert_int_equal(world_used(), 0);
	}
	finish(state);
}

static void test_a_request_that_may_not_wait_takes_what_is_there(void **state)
{
	struct page *page[64] = { NULL };
	size_t managed, n = 0;

	free_pages(NULL, alloc_pages(NULL, GFP_USER, 9), 9);
	managed = zone->managed;
	while ((page[n] = alloc_pages(NULL, 0, MAX_PAGE_ORDER)))
		assert_true(++n < array_size(page));
	assert_null(alloc_pages(NULL, 0, MAX_PAGE_ORDER));
	assert_int_equal(zone->managed, managed);

	page[n] = alloc_pages(NULL, GFP_WAIT, MAX_PAGE_ORDER);
	assert_non_null(page[n]);
	assert_true(zone->managed > managed);
	for (size_t i = 0; i <= n; i++)
		free_pages(NULL, page[i], MAX_PAGE_ORDER);
	finish(state);
}

static void test_zones_that_may_not_serve_do_not(void **state)
{
	struct page *page;

	assert_null(alloc_pages(&pcp, GFP_USER | GFP_DMA, 0));
	assert_null(alloc_pages(&pcp, GFP_USER | GFP_DMA32, 3));
	page = alloc_pages_node(&pcp, GFP_USER | GFP_THISNODE, 0, 0);
	assert_non_null(page);
	assert_ptr_equal(page_zone(page), zone);
	free_pages(&pcp, page, 0);
	finish(state);
}

static void test_the_migrate_type_follows_the_request(void **state)
{
	static const gfp_t gfp[NR_MIGRATETYPES] = {
		[MIGRATE_UNMOVABLE] = GFP_USER,
		[MIGRATE_RECLAIMABLE] = GFP_USER | GFP_RECLAIMABLE,
		[MIGRATE_MOVABLE] = GFP_USER | GFP_MOVABLE,
	};
	struct page *page[NR_MIGRATETYPES];

	for (int i = 0; i < NR_MIGRATETYPES; i++) {
		page[i] = alloc_pages(NULL, gfp[i], PAGEBLOCK_ORDER);
		assert_non_null(page[i]);
		assert_int_equal(pageblock_migratetype(page_to_pfn(page[i])),
				 i);
	}
	for (int i = 0; i < NR_MIGRATETYPES; i++)
		free_pages(NULL, page[i], PAGEBLOCK_ORDER);
	finish(state);
}

static void test_what_cannot_be_had_is_refused(void **state)
{
	assert_null(alloc_pages_exact(&pcp, GFP_USER, vm.nr_pages, PAGE_SIZE));
	assert_null(alloc_pages_exact(&pcp, GFP_USER, vm.nr_pages + 1,
				      PAGE_SIZE));
	assert_null(alloc_pages_exact(&pcp, GFP_USER, SIZE_MAX >> PAGE_SHIFT,
				      PAGE_SIZE));
	assert_null(alloc_pages_exact(&pcp, GFP_USER, 1, 2 * WINDOW));
	assert_null(alloc_pages_exact(&pcp, GFP_USER, vm.nr_pages / 2,
				      WINDOW));
	finish(state);
}

/* Of descriptors: slabs cannot be had then, blocks of pages can. */
static void test_pages_need_no_metadata(void **state)
{
	struct page *page;
	size_t n = 2 * SECTION_PAGES + 5;

	while (meta_alloc(META_MAX_SIZE))
		;
	page = alloc_pages_exact(&pcp, GFP_USER, n, PAGE_SIZE);
	assert_non_null(page);
	free_pages_exact(&pcp, page, n);
	finish(state);
}

static void test_the_window_can_be_used_up_and_comes_back(void **state)
{
	static struct page *page[WINDOW / PAGEBLOCK_SIZE];
	size_t n = 0;

	for (int round = 0; round < 2; round++) {
		while ((page[n] = alloc_pages(&pcp, GFP_USER,
					      PAGEBLOCK_ORDER)))
			n++;
		/* But for the first ones, which are never used. */
		assert_in_range(n, WINDOW / PAGEBLOCK_SIZE - 2,
				WINDOW / PAGEBLOCK_SIZE - 1);
		assert_true(zone->nr_free < PAGEBLOCK_PAGES);
		while (n)
			free_pages(&pcp, page[--n], PAGEBLOCK_ORDER);
		page_alloc_validate();
	}
	finish(state);
}

static void test_clear_pages_writes_to_dirty_pages_only(void **state)
{
	static const size_t ranges[][2] = {
		{ 0, 1 }, { 3, 2 }, { 63, 2 }, { 128, 64 }, { 200, 1 },
		{ 511, 1 }, { 512, 1 }, { 1000, 24 },
	};
	struct page *page = alloc_pages(NULL, GFP_USER, 10);
	size_t n = 0;

	assert_non_null(page);
	assert_true(os_purge(page_address(page), 1024 << PAGE_SHIFT));
	free_clean_pages(page, 1024, 1024);
	page = alloc_pages(NULL, GFP_USER, 10);
	assert_int_equal(dirty_count(page_to_pfn(page), 1024), 0);
	for (size_t i = 0; i < array_size(ranges); i++) {
		memset(page_address(page + ranges[i][0]), 0x77,
		       ranges[i][1] << PAGE_SHIFT);
		dirty_set(page_to_pfn(page) + ranges[i][0], ranges[i][1]);
		n += ranges[i][1];
	}
	clear_pages(page, 1024, false, false);
	assert_int_equal(world_resident(page_to_pfn(page), 1024), n);
	assert_true(is_zero(page_address(page), 1024 << PAGE_SHIFT));
	free_pages(NULL, page, 10);
	finish(state);
}

static void test_clear_pages_clears_part_of_a_run(void **state)
{
	struct page *page = alloc_pages(NULL, GFP_USER, 6);
	char *bytes = page_address(page);

	memset(bytes, 0x77, 64 << PAGE_SHIFT);
	clear_pages(page + 3, 50, true, false);
	assert_int_equal(bytes[(3 << PAGE_SHIFT) - 1], 0x77);
	assert_true(is_zero(bytes + (3 << PAGE_SHIFT), 50 << PAGE_SHIFT));
	assert_int_equal(bytes[53 << PAGE_SHIFT], 0x77);
	free_pages(NULL, page, 6);
	finish(state);
}

static void test_clear_pages_clears_much_memory(void **state)
{
	size_t n = 10 * PAGEBLOCK_PAGES;
	struct page *page = alloc_pages_exact(NULL, GFP_USER, n, PAGE_SIZE);

	assert_non_null(page);
	memset(page_address(page), 0x77, n << PAGE_SHIFT);
	clear_pages(page, n, true, false);
	assert_true(is_zero(page_address(page), n << PAGE_SHIFT));
	memset(page_address(page), 0x77, n << PAGE_SHIFT);
	/* It is to stay. */
	clear_pages(page, n, true, true);
	assert_int_equal(world_resident(page_to_pfn(page), n), n);
	assert_true(is_zero(page_address(page), n << PAGE_SHIFT));
	free_pages_exact(NULL, page, n);
	finish(state);
}

static void test_freed_pages_are_dirty_and_purged_ones_are_clean(void **state)
{
	struct page *page = alloc_pages(NULL, GFP_USER, 8);
	uint32_t pfn = page_to_pfn(page);

	free_pages(NULL, page, 8);
	assert_int_equal(dirty_count(pfn, 256), 256);
	page = alloc_pages(NULL, GFP_USER, 8);
	assert_int_equal(page_to_pfn(page), pfn);
	os_purge(page_address(page), 256 << PAGE_SHIFT);
	free_clean_pages(page, 256, 256);
	assert_int_equal(dirty_count(pfn, 256), 0);
	finish(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_each_order_is_aligned_and_says_nothing_more),
		cmocka_unit_test(test_small_orders_come_from_the_pcp),
		cmocka_unit_test(test_larger_orders_pass_the_pcp_by),
		cmocka_unit_test(test_no_pcp_is_needed),
		cmocka_unit_test(
			test_a_request_that_may_not_wait_takes_what_is_there),
		cmocka_unit_test(
			test_zones_that_may_not_serve_do_not),
		cmocka_unit_test(test_the_migrate_type_follows_the_request),
		cmocka_unit_test(test_what_cannot_be_had_is_refused),
		cmocka_unit_test(test_the_window_can_be_used_up_and_comes_back),
		cmocka_unit_test(test_clear_pages_writes_to_dirty_pages_only),
		cmocka_unit_test(test_clear_pages_clears_part_of_a_run),
		cmocka_unit_test(test_clear_pages_clears_much_memory),
		cmocka_unit_test(
			test_freed_pages_are_dirty_and_purged_ones_are_clean),
		/* The last: metadata do not come back. */
		cmocka_unit_test(test_pages_need_no_metadata),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
