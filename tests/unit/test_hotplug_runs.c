/*
 * test_hotplug_runs - zones grow by runs that begin anywhere, and runs fit
 * where no aligned block does.
 */
#include "hotplugs.h"

static void grows_by_runs(void)
{
	size_t managed;

	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	managed = zone->managed;
	/* With what is free before it. */
	CHECK(zone_grow_run(zone, 3000) == FIRST_PFN);
	CHECK(zone->managed ==
	      managed + align_up(3000 - managed, PAGEBLOCK_PAGES));
	validate();
	managed = take_all();
	CHECK(managed == zone->managed);
	/* Into the next section. */
	CHECK(zone_grow_run(zone, SECTION_PAGES) == FIRST_PFN + managed);
	CHECK(section_at(0)->online == SECTION_PAGES);
	CHECK(section_at(1)->online == FIRST_PFN + managed);
	CHECK(zone->nr_free == SECTION_PAGES);
	validate();
	/* What is free is enough. */
	CHECK(zone_grow_run(zone, PAGEBLOCK_PAGES) == SECTION_PAGES / 2);
	CHECK(zone->nr_free == SECTION_PAGES);
}

/* The first of all, where no pageblock begins. */
static void grows_by_a_run_first(void)
{
	CHECK(zone_grow_run(zone, 300) == FIRST_PFN);
	CHECK(section_at(0)->online == 3 * PAGEBLOCK_PAGES);
	CHECK(zone->nr_free == 3 * PAGEBLOCK_PAGES - FIRST_PFN);
	validate();
}

static void grows_by_runs_to_the_end(void)
{
	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	CHECK(zone_alloc_contig(zone, (NR_SECTIONS - 2) * SECTION_PAGES));
	take_all();
	CHECK(!zone_grow_run(zone, SECTION_PAGES));
	CHECK(zone->nr_free == 0);
	CHECK(zone_grow_run(zone, SECTION_PAGES - 2 * PAGEBLOCK_PAGES) ==
	      2 * PAGEBLOCK_PAGES);
	take_all();
	validate();
	CHECK(zone_grow_run(zone, LAST_N) == vm.nr_pages - LAST_N);
	take_all();
	CHECK(!zone_grow_run(zone, 1));
	validate();
}

static void is_refused_runs(void)
{
	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	take_all();
	world_limit(RLIMIT_DATA, 20 << 20);
	for (int i = 0; i < 3; i++)
		CHECK(!zone_grow_run(zone, SECTION_PAGES / 2));
	CHECK(zone->nr_free == 0 && nr_online_sections == 1);
	validate();
	CHECK(zone_grow_run(zone, SECTION_PAGES / 4) == 2 * PAGEBLOCK_PAGES);
	validate();
}

static void test_a_zone_grows_by_a_run_of_pages(void **state)
{
	(void)state;
	assert_true(child_succeeds(grows_by_runs));
	assert_true(child_succeeds(grows_by_a_run_first));
	assert_true(child_succeeds(grows_by_runs_to_the_end));
	assert_true(child_succeeds(is_refused_runs));
}

/* No aligned block that holds them is left. */
static void fits_runs(void)
{
	CHECK(zone_grow(zone, 0, MIGRATE_MOVABLE));
	CHECK(zone_alloc_contig(zone, (NR_SECTIONS - 2) * SECTION_PAGES));
	CHECK(alloc_pages_exact(NULL, GFP_USER, 10000, PAGE_SIZE));
	validate();
	CHECK(alloc_pages_exact(NULL, GFP_USER, 5000, PAGE_SIZE));
	validate();
	CHECK(!alloc_pages_exact(NULL, GFP_USER, 5000, PAGE_SIZE));
	validate();
}

static void test_a_run_needs_no_aligned_block(void **state)
{
	(void)state;
	assert_true(child_succeeds(fits_runs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_zone_grows_by_a_run_of_pages),
		cmocka_unit_test(test_a_run_needs_no_aligned_block),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
