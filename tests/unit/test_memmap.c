/*
 * test_memmap - the window, its page map, and the dirty bits.
 */
#include "world.h"

#include <setjmp.h>

#include <cmocka.h>

/* The last section is a short one. */
#define WINDOW	(2 * SECTION_SIZE + 5 * PAGEBLOCK_SIZE)

#define GIB	(1UL << 30)

static int start(void **state)
{
	(void)state;
	os_init();
	options_set_defaults(&options);
	assert_true(memmap_init(WINDOW));
	return 0;
}

static void test_the_window_is_as_it_was_wanted(void **state)
{
	(void)state;
	assert_int_equal(vm.size, WINDOW);
	assert_int_equal(vm.nr_pages, WINDOW >> PAGE_SHIFT);
	assert_int_equal(vm.nr_sections, 3);
	assert_true(is_pow2(vm.base_align));
	assert_true(vm.base_align >= PAGEBLOCK_SIZE);
	assert_int_equal(vm.base % vm.base_align, 0);
	assert_int_equal(section_nr_pages(0), SECTION_PAGES);
	assert_int_equal(section_nr_pages(2), 5 * PAGEBLOCK_PAGES);
}

static void test_pointers_are_ours_or_not(void **state)
{
	char *base = pfn_to_address(0);
	int local;

	(void)state;
	assert_true(vm_contains(base));
	assert_true(vm_contains(base + WINDOW - 1));
	assert_false(vm_contains(base - 1));
	assert_false(vm_contains(base + WINDOW));
	assert_false(vm_contains(NULL));
	assert_false(vm_contains(&local));
	assert_false(vm_contains((void *)UINTPTR_MAX));
	assert_false(vm_contains(vm.mem_map));
}

static void test_no_pointer_is_taken_for_one_before_no_map(void **state)
{
	static const uintptr_t wild[] = {
		0, 1, 8, 4096, 1UL << 47, 1UL << 62, (1UL << 63) - 1,
		1UL << 63, 0xdeadbeefdeadbeef, 0xffffffff81000000, -8UL, -1UL,
	};

	(void)state;
	assert_ptr_equal(vm.map_end, NO_MAP_END);
	assert_false(map_has_place(map_place(NO_MAP_END, &wild)));
	assert_false(map_has_place(map_place(NO_MAP_END, (void *)vm.base)));
	for (size_t i = 0; i < array_size(wild); i++) {
		ptrdiff_t place = map_place(NO_MAP_END, (void *)wild[i]);

		assert_false(map_has_place(place));
	}
}

static void test_pages_addresses_and_numbers_agree(void **state)
{
	static const uint32_t pfns[] = { 0, 1, 511, 512, SECTION_PAGES,
					 2 * SECTION_PAGES + 77 };

	(void)state;
	for (size_t i = 0; i < array_size(pfns); i++) {
		struct page *page = pfn_to_page(pfns[i]);
		char *p = pfn_to_address(pfns[i]);

		assert_int_equal(page_to_pfn(page), pfns[i]);
		assert_ptr_equal(page_address(page), p);
		assert_int_equal(address_to_pfn(p), pfns[i]);
		assert_int_equal(address_to_pfn(p + PAGE_SIZE - 1), pfns[i]);
		assert_ptr_equal(pfn_to_section(pfns[i]),
				 section_at(pfns[i] / SECTION_PAGES));
	}
}

static void write_to_untouched_map(void)
{
	pfn_to_page(2 * SECTION_PAGES)->word = 1;
}

static void write_to_the_window(void)
{
	*(volatile char *)pfn_to_address(1000) = 1;
}

static void test_the_map_may_be_read_everywhere(void **state)
{
	struct capture capture;

	(void)state;
	for (size_t pfn = 0; pfn < vm.nr_pages; pfn += 100)
		assert_int_equal(word_type(page_word(pfn_to_page(
					(uint32_t)pfn))), PAGE_NONE);
	assert_int_equal(page_word(pfn_to_page((uint32_t)vm.nr_pages - 1)), 0);
	for (uint32_t i = 0; i < vm.nr_sections; i++)
		assert_null(section_at(i)->zone);
	/* But not written before a section is online. */
	assert_int_not_equal(child_run(&capture, write_to_untouched_map), 0);
	assert_int_not_equal(child_run(&capture, write_to_the_window), 0);
}

static void test_an_online_section_may_be_written(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t first = i << SECTION_ORDER;
		uint32_t last = first + (uint32_t)section_nr_pages(i) - 1;

		assert_true(memmap_online_section(i));
		page_set_word(pfn_to_page(first), 1);
		page_set_word(pfn_to_page(last), 2);
		assert_int_equal(page_word(pfn_to_page(first)), 1);
		page_set_word(pfn_to_page(first), 0);
		page_set_word(pfn_to_page(last), 0);
		pageblock_set_migratetype(last, MIGRATE_RECLAIMABLE);
		assert_int_equal(pageblock_migratetype(last),
				 MIGRATE_RECLAIMABLE);
		pageblock_set_migratetype(last, MIGRATE_UNMOVABLE);
	}
}

/* Each range alone: exactly its bits are set. */
static void check_range(size_t pfn, size_t n)
{
	dirty_set(pfn, n);
	assert_int_equal(dirty_count(0, vm.nr_pages), n);
	assert_int_equal(dirty_count(pfn, n), n);
	assert_int_equal(dirty_any(pfn, n), n > 0);
	if (pfn)
		assert_false(dirty_any(0, pfn));
	assert_false(dirty_any(pfn + n, vm.nr_pages - pfn - n));
	if (n) {
		assert_true(dirty_any(pfn, 1));
		assert_true(dirty_any(pfn + n - 1, 1));
	}
	dirty_clear(pfn, n);
	assert_int_equal(dirty_count(0, vm.nr_pages), 0);
}

static void test_dirty_ranges_cross_pageblocks_and_sections(void **state)
{
	static const size_t starts[] = {
		0, 1, 63, 64, 511, 512, 513, 1000, SECTION_PAGES - 1,
		SECTION_PAGES, SECTION_PAGES - 700, 2 * SECTION_PAGES - 1,
	};
	static const size_t lengths[] = {
		0, 1, 2, 63, 64, 65, 511, 512, 513, 1024, 1400,
		SECTION_PAGES, SECTION_PAGES + 1000,
	};

	(void)state;
	for (size_t i = 0; i < array_size(starts); i++)
		for (size_t k = 0; k < array_size(lengths); k++)
			if (starts[i] + lengths[k] <= vm.nr_pages)
				check_range(starts[i], lengths[k]);
	check_range(0, vm.nr_pages);
	check_range(vm.nr_pages - 1, 1);
}

static void test_dirty_bits_are_set_and_cleared_in_part(void **state)
{
	(void)state;
	dirty_set(300, SECTION_PAGES);
	dirty_clear(500, 30);
	dirty_clear(SECTION_PAGES - 1, 2);
	assert_int_equal(dirty_count(300, SECTION_PAGES), SECTION_PAGES - 32);
	assert_false(dirty_any(500, 30));
	assert_true(dirty_any(499, 30));
	assert_false(dirty_any(SECTION_PAGES - 1, 2));
	dirty_clear(0, vm.nr_pages);
}

/* Some ranges over others, beside an array that says the same. */
static void test_dirty_bits_are_as_an_array_says(void **state)
{
	static bool dirty[3 * PAGEBLOCK_PAGES];
	const size_t base = SECTION_PAGES - PAGEBLOCK_PAGES;
	uint64_t seed = world_number("ZBM_SEED", 3);

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t start = world_below(&seed, array_size(dirty));
		size_t n = world_below(&seed, array_size(dirty) - start + 1);
		size_t count = 0;
		bool on = world_below(&seed, 2);

		n = world_below(&seed, 2) ? n : min(n, 40UL);
		if (on)
			dirty_set(base + start, n);
		else
			dirty_clear(base + start, n);
		for (size_t i = 0; i < n; i++)
			dirty[start + i] = on;
		start = world_below(&seed, array_size(dirty));
		n = array_size(dirty) - start;
		for (size_t i = 0; i < n; i++)
			count += dirty[start + i];
		assert_int_equal(dirty_count(base + start, n), count);
		assert_int_equal(dirty_any(base + start, n), count > 0);
	}
	dirty_clear(0, vm.nr_pages);
	assert_int_equal(dirty_count(0, vm.nr_pages), 0);
}

/* In a child whose address space is smaller than the window. */
static void start_in(size_t more, size_t wanted)
{
	world_limit(RLIMIT_AS, more);
	vm = (struct vm){ 0 };
	CHECK(memmap_init(wanted));
	CHECK(vm.size >= WINDOW_MIN_SIZE);
	CHECK(vm.size <= more);
	CHECK(vm.size % PAGEBLOCK_SIZE == 0);
	CHECK(vm.base % vm.base_align == 0);
	CHECK(vm.map_end == NO_MAP_END);
	CHECK(memmap_online_section(0));
	CHECK(memmap_commit_pages(FIRST_PFN, PAGEBLOCK_PAGES));
	*(volatile char *)pfn_to_address(FIRST_PFN + 511) = 1;
	CHECK(page_word(pfn_to_page((uint32_t)vm.nr_pages - 1)) == 0);
	/* Something is left for the program. */
	CHECK(os_address_space_left() >= more / 16);
}

static void start_in_4_gib(void)
{
	start_in(4UL << 30, 0);
	CHECK(vm.size >= 1UL << 30);
}

static void start_in_200_mib(void)
{
	start_in(200UL << 20, 0);
	CHECK(vm.size >= 50UL << 20);
}

static void start_in_40_mib(void)
{
	start_in(40UL << 20, 1UL << 40);
}

static void start_in_nothing(void)
{
	world_limit(RLIMIT_AS, 1 << 20);
	vm = (struct vm){ 0 };
	errno = 77;
	CHECK(!memmap_init(0));
	CHECK(vm.size == 0 && !vm_contains(&vm));
	CHECK(errno == 77);
}

/* As the window grows, a program maps, and both get most of what was left. */
static void start_and_fill(void)
{
	size_t more = 200UL << 20, n = 0;

	start_in(more, 0);
	CHECK(vm.size > more / 10 * 9 && vm.mapped_end < vm.nr_pages);
	while (memmap_commit_pages(FIRST_PFN + n, PAGEBLOCK_PAGES))
		n += PAGEBLOCK_PAGES;
	CHECK(n << PAGE_SHIFT > more / 10 * 9);
	CHECK(vm.mapped_end >= FIRST_PFN + n);
	/* A stack can grow. */
	CHECK(os_address_space_left() >= 256UL << 10);
}

static void start_and_map(void)
{
	size_t more = 200UL << 20, n = 0, end;

	start_in(more, 0);
	while (os_reserve(1 << 20, os.page_size, false))
		n += 1 << 20;
	CHECK(n > more / 10 * 9);
	end = vm.mapped_end;
	errno = 77;
	CHECK(!memmap_commit_pages(end, PAGEBLOCK_PAGES));
	CHECK(errno == 77 && vm.mapped_end == end);
}

static void start_beside_somebody(void)
{
	size_t end, there;
	char *p;

	start_in(1UL << 30, 0);
	end = vm.mapped_end;
	there = end + 2 * PAGEBLOCK_PAGES;
	p = pfn_to_address(there);
	CHECK(os_reserve_at(p, PAGE_SIZE) && os_commit(p, PAGE_SIZE));
	*p = 7;
	CHECK(memmap_commit_pages(end, PAGEBLOCK_PAGES));
	CHECK(!memmap_commit_pages(end + PAGEBLOCK_PAGES, SECTION_PAGES));
	CHECK(*p == 7 && vm.mapped_end == end + PAGEBLOCK_PAGES);
}

/* Just not enough for two. */
static void start_in_16_tib(void)
{
	world_limit(RLIMIT_AS, 2 * WINDOW_MAX_SIZE - (1UL << 30));
	vm = (struct vm){ 0 };
	CHECK(memmap_init(0));
	CHECK(vm.size >= 1UL << 40 && vm.map_end == NO_MAP_END);
}

/* A machine with nodes binds whole sections. */
static void start_with_nodes(void)
{
	size_t more = 1UL << 30;

	topology.max_nodes = 2;
	start_in(more, 0);
	CHECK(vm.mapped_start == 0 && vm.mapped_end == vm.nr_pages);
	CHECK(vm.size > more / 3 && vm.size <= more / 2);
	CHECK(os_address_space_left() > more / 3);
}

static void start_in_20_tib(void)
{
	world_limit(RLIMIT_AS, 20UL << 40);
	vm = (struct vm){ 0 };
	CHECK(memmap_init(0));
	CHECK(vm.map_end != NO_MAP_END);
	CHECK(vm.mapped_start == 0 && vm.mapped_end == vm.nr_pages);
}

static void check_place(const void *p, const struct page *page)
{
	ptrdiff_t place = map_place(vm.map_end, p);

	CHECK(map_has_place(place) && &vm.map_end[place] == page);
}

static bool has_place(const void *p)
{
	return map_has_place(map_place(vm.map_end, p));
}

static void check_front(char *p)
{
	CHECK(os_commit(p, os.page_size));
	*p = 1;
}

/* Of each page from there on, sparsely: the map can be read. */
static void start_whole(void)
{
	uint64_t step = 1000003, sum = 0;
	char *end;

	vm = (struct vm){ 0 };
	CHECK(memmap_init(0));
	end = (char *)vm.map_end;
	CHECK(end == (char *)vm.base + WINDOW_MAX_SIZE);
	CHECK(vm.size > WINDOW_MAX_SIZE - (64UL << 30));
	CHECK((void *)(section_at(0) + 1) == vm.mem_map);
	CHECK((char *)section_at(vm.nr_sections - 1) >= vm.tables);
	CHECK(vm.tables >= (char *)vm.base + vm.size);
	CHECK(vm.tables + vm.tables_size == end);
	/* What is used first lies in two GiB. */
	CHECK(vm.base % vm.base_align == 0 && vm.base % GIB == GIB / 2);
	CHECK((uintptr_t)vm.mem_map % GIB == GIB / 2);
	CHECK(vm.front_size > META_MAX_TOTAL);
	check_front((char *)vm.base - vm.front_size);
	check_front((char *)vm.base - os.page_size);
	for (uint64_t pfn = 1; pfn < vm.nr_pages; pfn += step)
		check_place(pfn_to_address(pfn), pfn_to_page((uint32_t)pfn));
	check_place(pfn_to_address(vm.nr_pages) - 1,
		    pfn_to_page((uint32_t)vm.nr_pages - 1));
	/* What the tables lie in has entries, and nothing in them. */
	for (char *p = vm.tables; p < end; p += step << PAGE_SHIFT)
		sum += page_word(&vm.map_end[map_place(vm.map_end, p)]);
	CHECK(!sum && page_word(vm.map_end - 1) == 0);
	CHECK(!has_place(end) && !has_place(pfn_to_address(0)));
	CHECK(!has_place((char *)vm.base - 1) && !has_place(NULL));
	CHECK(!has_place((void *)-1L) && !has_place(end + (1UL << 62)));
}

static void test_the_largest_window_is_found_from_its_end(void **state)
{
	(void)state;
	if (TSAN_ZBM) {
		print_message("TSan leaves no room for the largest window\n");
		skip();
	}
	assert_true(child_succeeds(start_whole));
}

static void test_the_window_shrinks_until_it_fits(void **state)
{
	(void)state;
	assert_true(child_succeeds(start_in_4_gib));
	assert_true(child_succeeds(start_in_200_mib));
	assert_true(child_succeeds(start_in_40_mib));
	assert_true(child_succeeds(start_in_nothing));
}

static void test_a_limited_window_leaves_what_it_does_not_need(void **state)
{
	(void)state;
	if (TSAN_ZBM)
		skip();
	assert_true(child_succeeds(start_and_fill));
	assert_true(child_succeeds(start_and_map));
}

static void test_a_limited_window_maps_nothing_over(void **state)
{
	(void)state;
	if (TSAN_ZBM)
		skip();
	assert_true(child_succeeds(start_beside_somebody));
}

static void test_where_memory_is_bound_half_is_reserved(void **state)
{
	(void)state;
	assert_true(child_succeeds(start_with_nodes));
}

static void test_a_limit_that_holds_two_largest_windows_is_none(void **state)
{
	(void)state;
	if (TSAN_ZBM)
		skip();
	assert_true(child_succeeds(start_in_20_tib));
	assert_true(child_succeeds(start_in_16_tib));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_window_is_as_it_was_wanted),
		cmocka_unit_test(test_pointers_are_ours_or_not),
		cmocka_unit_test(test_pages_addresses_and_numbers_agree),
		cmocka_unit_test(test_the_map_may_be_read_everywhere),
		cmocka_unit_test(test_an_online_section_may_be_written),
		cmocka_unit_test(
			test_dirty_ranges_cross_pageblocks_and_sections),
		cmocka_unit_test(test_dirty_bits_are_set_and_cleared_in_part),
		cmocka_unit_test(test_dirty_bits_are_as_an_array_says),
		cmocka_unit_test(
			test_no_pointer_is_taken_for_one_before_no_map),
		cmocka_unit_test(test_the_largest_window_is_found_from_its_end),
		cmocka_unit_test(test_the_window_shrinks_until_it_fits),
		cmocka_unit_test(
			test_a_limited_window_leaves_what_it_does_not_need),
		cmocka_unit_test(test_a_limited_window_maps_nothing_over),
		cmocka_unit_test(test_where_memory_is_bound_half_is_reserved),
		cmocka_unit_test(
			test_a_limit_that_holds_two_largest_windows_is_none),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
