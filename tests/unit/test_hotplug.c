/*
 * test_hotplug - zones grow by chunks and sections, and refusals are
 * survived.
 */
#include "hotplugs.h"

static void grows_by_an_eighth(void)
{
	size_t managed;

	CHECK(zone->managed == 0);
	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	CHECK(zone->managed > 0 && zone->managed <= PAGEBLOCK_PAGES);
	CHECK(section_at(0)->online == 2 * PAGEBLOCK_PAGES);
	validate();
	for (int i = 0; i < 30; i++) {
		size_t room;

		take_all();
		managed = zone->managed;
		room = SECTION_PAGES -
		       section_at(nr_online_sections - 1)->online;
		room = room ? room : SECTION_PAGES;
		CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
		CHECK(zone->managed - managed ==
		      min(room, PAGEBLOCK_PAGES +
				align_down(managed / 8, PAGEBLOCK_PAGES)));
		CHECK(zone->nr_free == zone->managed - managed);
		validate();
	}
	CHECK(zone->nr_grown == zone->managed);
}

static void test_a_zone_grows_in_proportion(void **state)
{
	(void)state;
	assert_true(child_succeeds(grows_by_an_eighth));
}

static void grows_to_the_order(void)
{
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++) {
		uint32_t pfn;

		take_all();
		CHECK(zone_grow(zone, k, MIGRATE_MOVABLE));
		lock_acquire(&zone->lock);
		pfn = buddy_alloc(zone, k, MIGRATE_MOVABLE, false);
		lock_release(&zone->lock);
		CHECK(pfn && pfn % (1U << k) == 0);
		CHECK(*(char *)pfn_to_address(pfn) == 0);
		*(char *)pfn_to_address(pfn + (1U << k) - 1) = 1;
		validate();
	}
}

static void test_growth_brings_a_block_of_each_order(void **state)
{
	(void)state;
	assert_true(child_succeeds(grows_to_the_order));
}

static void does_not_grow_twice(void)
{
	size_t managed;

	CHECK(zone_grow(zone, 3, MIGRATE_MOVABLE));
	managed = zone->managed;
	CHECK(zone_grow(zone, 3, MIGRATE_MOVABLE));
	CHECK(zone_grow(zone, PAGEBLOCK_ORDER - 2, MIGRATE_MOVABLE));
	CHECK(zone->managed == managed);
	CHECK(zone_grow(zone, PAGEBLOCK_ORDER + 1, MIGRATE_MOVABLE));
	CHECK(zone->managed > managed);
	validate();
}

static void test_a_zone_that_has_a_block_does_not_grow(void **state)
{
	(void)state;
	assert_true(child_succeeds(does_not_grow_twice));
}

static void gives_the_type(void)
{
	for (int type = 0; type < NR_MIGRATETYPES; type++) {
		uint32_t pfn;

		take_all();
		CHECK(zone_grow(zone, 0, (enum migratetype)type));
		zone->nr_fallback = 0;
		lock_acquire(&zone->lock);
		pfn = buddy_alloc(zone, 0, (enum migratetype)type, false);
		lock_release(&zone->lock);
		CHECK(pageblock_migratetype(pfn) == (enum migratetype)type);
		CHECK(zone->nr_fallback == 0);
		validate();
	}
}

static void test_what_grew_has_the_wanted_type(void **state)
{
	(void)state;
	assert_true(child_succeeds(gives_the_type));
}

static void fills_the_window(void)
{
	size_t n = 0;

	while (zone_grow(zone, 0, MIGRATE_MOVABLE))
		n += take_all();
	CHECK(n > vm.nr_pages - 2 * PAGEBLOCK_PAGES);
	CHECK(zone->managed == n && nr_online_sections == vm.nr_sections);
	CHECK(!zone_grow(zone, MAX_PAGE_ORDER, MIGRATE_MOVABLE));
	CHECK(!zone_alloc_contig(zone, SECTION_PAGES));
	validate();
}

static void test_a_zone_grows_to_the_end_of_the_window(void **state)
{
	(void)state;
	assert_true(child_succeeds(fills_the_window));
}

/* The kernel lets it have 20 MiB more. */
static void is_refused(void)
{
	size_t n = 0;

	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	CHECK(zone_grow(zone, MAX_PAGE_ORDER, MIGRATE_MOVABLE));
	n = take_all();
	world_limit(RLIMIT_DATA, 20 << 20);
	errno = 77;
	/* A whole section is too much, in one piece or in chunks. */
	CHECK(!zone_grow(zone, MAX_PAGE_ORDER, MIGRATE_MOVABLE));
	validate();
	while (zone_grow(zone, 0, MIGRATE_MOVABLE)) {
		n += take_all();
		validate();
	}
	CHECK(errno == 77);
	CHECK(n == zone->managed);
	CHECK((n << PAGE_SHIFT) >= SECTION_SIZE + (8UL << 20));
	CHECK((n << PAGE_SHIFT) <= SECTION_SIZE + (64UL << 20) + (20UL << 20));
	/* All pages that it has can be used. */
	for (uint32_t i = 0; i < nr_online_sections; i++)
		for (uint32_t k = i ? 0 : 2 * PAGEBLOCK_PAGES;
		     k < section_at(i)->online; k += PAGEBLOCK_PAGES)
			*(volatile char *)pfn_to_address((i << SECTION_ORDER) +
							 k) = 1;
}

static void test_refusals_to_commit_are_survived(void **state)
{
	(void)state;
	assert_true(child_succeeds(is_refused));
}

static void allocates_sections(void)
{
	static const size_t sizes[] = {
		SECTION_PAGES + 1, 2 * SECTION_PAGES, 2 * SECTION_PAGES + 700,
	};
	uint32_t pfn[array_size(sizes)];
	size_t used = 0;

	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	for (size_t i = 0; i < array_size(sizes); i++) {
		pfn[i] = zone_alloc_contig(zone, sizes[i]);
		CHECK(pfn[i] && pfn[i] % SECTION_PAGES == 0);
		used += sizes[i];
		CHECK(world_used() == used);
		*(char *)pfn_to_address(pfn[i]) = 1;
		*(char *)pfn_to_address(pfn[i] + sizes[i] - 1) = 1;
		CHECK(page_word(pfn_to_page(pfn[i])) == 0);
		validate();
	}
	for (size_t i = 0; i < array_size(sizes); i++) {
		lock_acquire(&zone->lock);
		zone_free_contig(zone, pfn[i], sizes[i]);
		lock_release(&zone->lock);
		validate();
	}
	CHECK(world_used() == 0);
	/* The same sections serve again. */
	CHECK(zone_alloc_contig(zone, sizes[2]) <= pfn[2]);
	validate();
}

static void test_sections_are_allocated_in_a_row(void **state)
{
	(void)state;
	assert_true(child_succeeds(allocates_sections));
}

/* Section 0, of which the first pages are never used, is not whole. */
static void grows_by_a_section_first(void)
{
	CHECK(zone_grow(zone, MAX_PAGE_ORDER, MIGRATE_MOVABLE));
	CHECK(zone->free_area[MAX_PAGE_ORDER].nr_free == 1);
	validate();
}

static void allocates_sections_first(void)
{
	uint32_t pfn = zone_alloc_contig(zone, SECTION_PAGES + 1);

	CHECK(pfn == SECTION_PAGES);
	CHECK(world_used() == SECTION_PAGES + 1);
	validate();
	CHECK(alloc_pages(NULL, GFP_USER, 0));
	validate();
}

static void test_the_first_request_may_be_for_sections(void **state)
{
	(void)state;
	assert_true(child_succeeds(grows_by_a_section_first));
	assert_true(child_succeeds(allocates_sections_first));
}

static void is_refused_sections(void)
{
	size_t managed;

	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	CHECK(zone_alloc_contig(zone, SECTION_PAGES));
	world_limit(RLIMIT_DATA, SECTION_SIZE + SECTION_SIZE / 2);
	managed = zone->managed;
	CHECK(!zone_alloc_contig(zone, 3 * SECTION_PAGES));
	/* Nothing was committed for it. */
	CHECK(zone->managed == managed);
	CHECK(world_used() == SECTION_PAGES);
	validate();
	CHECK(zone_alloc_contig(zone, SECTION_PAGES));
	CHECK(world_used() == 2 * SECTION_PAGES);
	CHECK(!zone_alloc_contig(zone, 2 * SECTION_PAGES));
	validate();
}

static void test_a_refused_request_takes_nothing(void **state)
{
	(void)state;
	assert_true(child_succeeds(is_refused_sections));
}

/* It has room for three pageblocks only. */
static void keeps_within_the_window(void)
{
	size_t n = (NR_SECTIONS - 2) * SECTION_PAGES + LAST_N;

	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	CHECK(!zone_alloc_contig(zone, n + 1));
	CHECK(world_used() == 0);
	validate();
	CHECK(zone_alloc_contig(zone, n) == SECTION_PAGES);
	CHECK(!zone_alloc_contig(zone, LAST_N + 1));
	validate();
}

static void test_a_short_last_section_ends_the_window(void **state)
{
	(void)state;
	assert_true(child_succeeds(keeps_within_the_window));
}

/* The first free sections would have to grow, which is refused. */
static void avoids_what_cannot_grow(void)
{
	uint32_t pfn;

	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	pfn = zone_alloc_contig(zone, SECTION_PAGES - 700);
	CHECK(pfn == SECTION_PAGES);
	CHECK(section_at(1)->online < SECTION_PAGES);
	CHECK(zone_alloc_contig(zone, 2 * SECTION_PAGES) == 2 * SECTION_PAGES);
	lock_acquire(&zone->lock);
	zone_free_contig(zone, SECTION_PAGES, SECTION_PAGES - 700);
	zone_free_contig(zone, 2 * SECTION_PAGES, 2 * SECTION_PAGES);
	lock_release(&zone->lock);
	world_limit(RLIMIT_DATA, 1 << 20);
	CHECK(zone_alloc_contig(zone, 2 * SECTION_PAGES) == 2 * SECTION_PAGES);
	validate();
}

static void test_sections_that_cannot_grow_are_avoided(void **state)
{
	(void)state;
	assert_true(child_succeeds(avoids_what_cannot_grow));
}

static void grows_at_the_end(void)
{
	uint32_t end = 2 * PAGEBLOCK_PAGES;

	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	CHECK(section_at(0)->online == end);
	/* Only where its online part ends, and only in one section. */
	CHECK(!section_grow_at(zone, end - 1, 1));
	CHECK(!section_grow_at(zone, end + PAGEBLOCK_PAGES, 1));
	CHECK(!section_grow_at(zone, end, SECTION_PAGES));
	CHECK(!section_grow_at(zone, 2 * SECTION_PAGES, 1));
	CHECK(section_grow_at(zone, end, 1));
	CHECK(section_at(0)->online == end + PAGEBLOCK_PAGES);
	CHECK(section_grow_at(zone, end + PAGEBLOCK_PAGES,
			      SECTION_PAGES - end - PAGEBLOCK_PAGES));
	CHECK(section_at(0)->online == SECTION_PAGES);
	validate();
	/* The next section opens where the last one ends. */
	CHECK(section_grow_at(zone, SECTION_PAGES, 600));
	CHECK(section_at(1)->online == 2 * PAGEBLOCK_PAGES);
	validate();
}

static void test_a_section_grows_at_its_end_alone(void **state)
{
	(void)state;
	assert_true(child_succeeds(grows_at_the_end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_zone_grows_in_proportion),
		cmocka_unit_test(test_growth_brings_a_block_of_each_order),
		cmocka_unit_test(test_a_zone_that_has_a_block_does_not_grow),
		cmocka_unit_test(test_what_grew_has_the_wanted_type),
		cmocka_unit_test(test_a_zone_grows_to_the_end_of_the_window),
		cmocka_unit_test(test_refusals_to_commit_are_survived),
		cmocka_unit_test(test_sections_are_allocated_in_a_row),
		cmocka_unit_test(test_the_first_request_may_be_for_sections),
		cmocka_unit_test(test_a_refused_request_takes_nothing),
		cmocka_unit_test(test_a_short_last_section_ends_the_window),
		cmocka_unit_test(test_sections_that_cannot_grow_are_avoided),
		cmocka_unit_test(test_a_section_grows_at_its_end_alone),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
