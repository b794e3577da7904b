/*
 * test_near_limit - a zone that grows looks at the limit of the process, and
 * near it what is free goes back, whatever else is to.
 */
#include "world.h"

#include "groups.h"
#include "mm/hotplug.h"

#define PAGES(mib)	((size_t)(mib) << (20 - PAGE_SHIFT))
#define SINGLES		PAGES(8)	/* pages that keep_apart frees */

static struct zone *zone;
static size_t nr_total;		/* calls for all that caches have */

static void shrink(enum reclaim how)
{
	nr_total += how == RECLAIM_ALL;
}

static struct shrinker shrinker = { .shrink = shrink };

static int start(void **state)
{
	(void)state;
	world_start(32 * SECTION_SIZE);
	zone = world_zone();
	groups_start();
	register_shrinker(&shrinker);
	return 0;
}

/* As after the start, in a group of its own. */
static int fresh(void **state)
{
	if (groups_clear(state))
		return 1;
	put("/proc/self/cgroup", "0::/own\n");
	reclaim_all();
	assert_int_equal(world_used(), 0);
	assert_int_equal(zone->nr_free_dirty, 0);
	zone->resident_limit = PAGES(16);
	/* It looks when it is told to. */
	zone->resident_high = SIZE_MAX;
	zone->over_high = false;
	reclaim_pressed = false;
	nr_total = 0;
	return 0;
}

static void finish(void)
{
	page_alloc_validate();
	assert_int_equal(zone->nr_isolated, 0);
}

static struct page *take(size_t mib)
{
	struct page *page = alloc_pages_exact(NULL, GFP_USER, PAGES(mib),
					      PAGE_SIZE);

	assert_non_null(page);
	return page;
}

static void give(struct page *page, size_t mib)
{
	free_pages_exact(NULL, page, PAGES(mib));
}

static struct page *apart[SINGLES];

/* Single pages lie free and dirty between used ones: too small to go in
 * exchange for what is new. */
static void keep_apart(void)
{
	struct page *page = take(2 * 8);

	for (size_t i = 0; i < SINGLES; i++) {
		apart[i] = page + 2 * i + 1;
		free_pages_exact(NULL, page + 2 * i, 1);
	}
	assert_int_equal(zone->nr_free_dirty, SINGLES);
}

static void free_apart(void)
{
	for (size_t i = 0; i < SINGLES; i++)
		free_pages_exact(NULL, apart[i], 1);
}

static void look(void)
{
	zone->over_high = true;
	give(take(1), 1);
	assert_false(zone->over_high);
}

static void test_a_small_zone_does_not_ask_for_the_limit(void **state)
{
	struct page *page[2];

	(void)state;
	put_group("/own", 60 * MIB, 60 * MIB);
	page[0] = take(12);
	look();
	assert_int_equal(nr_total, 0);
	assert_false(reclaim_pressed);
	page[1] = take(5);
	look();
	assert_int_equal(nr_total, 1);
	assert_true(reclaim_pressed);
	give(page[0], 12);
	give(page[1], 5);
	finish();
}

/* 10 MiB are a sixth of the limit, 8 are left: 2 more and a quarter of the
 * sixth go. */
static void test_near_the_limit_what_is_free_goes(void **state)
{
	struct page *page;
	uint64_t purged;

	(void)state;
	keep_apart();
	page = take(4);
	put_group("/own", 60 * MIB, 52 * MIB);
	purged = zone->nr_purged;
	look();
	purged = zone->nr_purged - purged;
	assert_int_equal(nr_total, 1);
	assert_true(reclaim_pressed);
	assert_in_range(purged, PAGES(9) / 2, PAGES(9) / 2 + PAGES(1));
	assert_in_range(zone->nr_free_dirty, SINGLES - purged,
			SINGLES - purged + PAGES(1));
	/* The next look comes a quarter of the sixth later. */
	assert_in_range(zone->resident_limit,
			zone_resident(zone) + PAGES(2) - PAGES(1),
			zone_resident(zone) + PAGES(3) + PAGES(1));
	give(page, 4);
	free_apart();
	finish();
}

/* It comes when half of what is left of the 50 MiB less the sixth is used. */
static void test_far_from_the_limit_what_is_free_stays(void **state)
{
	struct page *page;
	size_t more;

	(void)state;
	keep_apart();
	page = take(4);
	put_group("/own", 60 * MIB, 10 * MIB);
	look();
	assert_int_equal(nr_total, 0);
	assert_false(reclaim_pressed);
	assert_true(zone->nr_free_dirty >= SINGLES);
	more = zone->resident_limit - zone_resident(zone);
	assert_in_range(more, PAGES(20) - PAGES(1), PAGES(20) + PAGES(1));
	/* Until then nobody asks what has become of it. */
	put_group("/own", 60 * MIB, 60 * MIB);
	give(page, 4);
	page = take(12);
	look();
	assert_int_equal(nr_total, 0);
	give(page, 12);
	page = take(30);
	look();
	assert_int_equal(nr_total, 1);
	give(page, 30);
	free_apart();
	finish();
}

static void test_the_clock_ends_the_pressure(void **state)
{
	struct page *page = take(20);

	(void)state;
	options.decay_ms = 100;
	put_group("/own", 60 * MIB, 59 * MIB);
	look();
	assert_true(reclaim_is_pressed());
	reclaim_tick(reclaim_due_ms);
	assert_false(reclaim_is_pressed());
	give(page, 20);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			test_a_small_zone_does_not_ask_for_the_limit, fresh),
		cmocka_unit_test_setup(test_near_the_limit_what_is_free_goes,
				       fresh),
		cmocka_unit_test_setup(
			test_far_from_the_limit_what_is_free_stays, fresh),
		cmocka_unit_test_setup(test_the_clock_ends_the_pressure,
				       fresh),
	};

	return cmocka_run_group_tests(tests, start, groups_stop);
}
