/*
 * test_page_runs - runs of any number of pages: exact, aligned, and growing
 * in their place.
 *
 * Each test gives back all that it took; finish checks that, and every rule
 * of the zone and of the pcp.
 */
#include "pages.h"

/* All is zero but what the owner is told of. */
static bool is_as_promised(struct page *page, size_t n)
{
	uint32_t pfn = page_to_pfn(page);

	if (word_state(page_word(page)) & RUN_DIRTY)
		return true;
	for (size_t i = 0; i < n; i++)
		if (!dirty_any(pfn + i, 1) &&
		    !is_zero(pfn_to_address(pfn + i), PAGE_SIZE))
			return false;
	return true;
}

/* Up to two sections and some; neither more nor less is taken. */
static void test_exact_runs_waste_nothing(void **state)
{
	static const size_t sizes[] = {
		1, 2, 3, 5, 7, 8, 31, 33, 63, 64, 65, 100, 511, 512, 513,
		1000, 8191, 8193, SECTION_PAGES - 1, SECTION_PAGES,
		SECTION_PAGES + 1, 2 * SECTION_PAGES, 40000,
	};

	for (size_t i = 0; i < array_size(sizes); i++) {
		size_t n = sizes[i];
		struct page *page = alloc_pages_exact(NULL, GFP_USER, n,
						      PAGE_SIZE);

		assert_non_null(page);
		assert_int_equal(world_used(), n);
		assert_int_equal(zone->peak_used, n);
		assert_true(is_as_promised(page, n));
		memset(page_address(page), 0x55, PAGE_SIZE);
		memset((char *)page_address(page + n) - PAGE_SIZE, 0x66,
		       PAGE_SIZE);
		page_alloc_validate();
		free_pages_exact(NULL, page, n);
		assert_int_equal(world_used(), 0);
		page_alloc_validate();
	}
	finish(state);
}

static void test_exact_runs_have_any_alignment(void **state)
{
	static const size_t sizes[] = { 1, 3, 32, 100, 600, 17000 };

	for (size_t i = 0; i < array_size(sizes); i++) {
		for (size_t align = PAGE_SIZE; align <= 4 * SECTION_SIZE;
		     align *= 2) {
			size_t n = sizes[i];
			struct page *page = alloc_pages_exact(
				&pcp, GFP_USER | GFP_MOVABLE, n, align);

			assert_non_null(page);
			assert_int_equal((uintptr_t)page_address(page) % align,
					 0);
			assert_int_equal(world_used(), n + pcp.count);
			free_pages_exact(&pcp, page, n);
		}
	}
	finish(state);
}

static void test_neighbours_of_a_run_are_not_touched(void **state)
{
	struct page *page[40];
	size_t n[40];

	for (size_t i = 0; i < array_size(page); i++) {
		n[i] = 1 + i * 13 % 90;
		page[i] = alloc_pages_exact(&pcp, GFP_USER, n[i], PAGE_SIZE);
		assert_non_null(page[i]);
		memset(page_address(page[i]), (int)i + 1, n[i] << PAGE_SHIFT);
	}
	for (size_t i = 0; i < array_size(page); i++) {
		const char *bytes = page_address(page[i]);
		size_t size = n[i] << PAGE_SHIFT;

		assert_int_equal(bytes[0], i + 1);
		assert_memory_equal(bytes, bytes + 1, size - 1);
		free_pages_exact(&pcp, page[i], n[i]);
	}
	finish(state);
}

/* A hole of `hole` pages behind a run of 8, then one page in use. */
static struct page *run_with_hole(size_t hole, struct page **end)
{
	struct page *page = alloc_pages(NULL, GFP_USER | GFP_MOVABLE, 10);

	assert_non_null(page);
	free_pages_exact(NULL, page + 8, hole);
	*end = page + 8 + hole;
	return page;
}

static void free_after_hole(struct page *end, struct page *page)
{
	free_pages_exact(NULL, end, (size_t)(page + 1024 - end));
}

static void test_a_run_grows_into_the_free_pages_behind_it(void **state)
{
	struct page *end, *page = run_with_hole(100, &end);
	size_t used = world_used();

	assert_true(extend_pages_exact(page, 8, 9));
	assert_int_equal(world_used(), used + 1);
	assert_true(extend_pages_exact(page, 9, 108));
	assert_int_equal(world_used(), used + 100);
	page_alloc_validate();
	free_pages_exact(NULL, page, 108);
	free_after_hole(end, page);
	finish(state);
}

static void test_a_run_that_cannot_grow_stays_as_it_is(void **state)
{
	struct page *end, *page = run_with_hole(100, &end);
	size_t used = world_used(), nr_free = zone->nr_free;

	assert_false(extend_pages_exact(page, 8, 109));
	assert_int_equal(world_used(), used);
	assert_int_equal(zone->nr_free, nr_free);
	assert_false(extend_pages_exact(page, 8, vm.nr_pages));
	assert_int_equal(world_used(), used);
	page_alloc_validate();
	free_pages_exact(NULL, page, 8);
	free_after_hole(end, page);
	finish(state);
}

/* The last section that is online: behind it the zone can grow. */
static void test_a_run_grows_over_the_end_of_what_is_online(void **state)
{
	struct page *page, *last = NULL;
	size_t n = 0, managed;

	/* Only a fresh section has untouched memory behind it. */
	do {
		page = alloc_pages(NULL, GFP_USER | GFP_MOVABLE,
				   PAGEBLOCK_ORDER);
		if (!page)
			skip();
		page_link(page)->next = last ? page_to_pfn(last) : 0;
		last = page;
		managed = pfn_to_section(page_to_pfn(page))->online;
		n++;
	} while ((page_to_pfn(page) & (SECTION_PAGES - 1)) + PAGEBLOCK_PAGES !=
		 managed || managed == SECTION_PAGES);

	managed = zone->managed;
	assert_true(extend_pages_exact(page, PAGEBLOCK_PAGES,
				       PAGEBLOCK_PAGES + 100));
	assert_int_equal(zone->managed, managed + PAGEBLOCK_PAGES);
	assert_true(is_zero(page_address(page + PAGEBLOCK_PAGES),
			    100 << PAGE_SHIFT));
	page_alloc_validate();
	last = page_link(page)->next ?
			pfn_to_page(page_link(page)->next) : NULL;
	free_pages_exact(NULL, page, PAGEBLOCK_PAGES + 100);
	while (last) {
		page = last;
		last = page_link(page)->next ?
			pfn_to_page(page_link(page)->next) : NULL;
		free_pages_exact(NULL, page, PAGEBLOCK_PAGES);
	}
	finish(state);
}

static void test_a_run_grows_over_sections(void **state)
{
	struct page *page = alloc_pages_exact(NULL, GFP_USER,
					      3 * SECTION_PAGES, PAGE_SIZE);

	assert_non_null(page);
	free_pages_exact(NULL, page + 100, 3 * SECTION_PAGES - 100);
	assert_true(extend_pages_exact(page, 100, SECTION_PAGES + 7));
	assert_int_equal(world_used(), SECTION_PAGES + 7);
	page_alloc_validate();
	assert_true(extend_pages_exact(page, SECTION_PAGES + 7,
				       2 * SECTION_PAGES));
	assert_int_equal(world_used(), 2 * SECTION_PAGES);
	free_pages_exact(NULL, page, 2 * SECTION_PAGES);
	finish(state);
}

static void test_a_run_of_the_pcp_keeps_its_dirty_mark(void **state)
{
	struct page *page = alloc_pages(&pcp, GFP_USER, 3);
	uint32_t pfn = page_to_pfn(page);

	free_pages(&pcp, page, 3);
	/* Seven of eight pages: the last one goes to the zone. */
	page = alloc_pages_exact(&pcp, GFP_USER, 7, PAGE_SIZE);
	assert_int_equal(page_to_pfn(page), pfn);
	assert_true(word_state(page_word(page)) & RUN_DIRTY);
	assert_true(dirty_any(pfn + 7, 1));
	page_alloc_validate();
	free_pages_exact(&pcp, page, 7);
	finish(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_runs_waste_nothing),
		cmocka_unit_test(test_exact_runs_have_any_alignment),
		cmocka_unit_test(test_neighbours_of_a_run_are_not_touched),
		cmocka_unit_test(
			test_a_run_grows_into_the_free_pages_behind_it),
		cmocka_unit_test(test_a_run_that_cannot_grow_stays_as_it_is),
		cmocka_unit_test(
			test_a_run_grows_over_the_end_of_what_is_online),
		cmocka_unit_test(test_a_run_grows_over_sections),
		cmocka_unit_test(test_a_run_of_the_pcp_keeps_its_dirty_mark),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
