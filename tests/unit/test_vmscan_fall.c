/*
 * test_vmscan_fall - who has freed nearly all gives it back at once, and who
 * needs it again soon keeps it.
 */
#include "world.h"

#include "base/options.h"
#include "mm/page_isolation.h"
#include "mm/vmscan.h"
#include "os/os.h"

#include <pthread.h>
#include <setjmp.h>

#include <cmocka.h>

#define BLOCK_ORDER	6
#define BLOCK_PAGES	(1UL << BLOCK_ORDER)
#define NR_BLOCKS	32

static struct zone *zone;
static struct page *block[NR_BLOCKS];

/* Pages that a cache holds, until it is told to empty itself. */
static struct page *cached;
static int nr_shrinks, nr_run_shrinks;

static size_t count_runs(void)
{
	return 0;
}

static void shrink(enum reclaim how)
{
	nr_shrinks += reclaim_is_total(how);
	nr_run_shrinks += how == RECLAIM_RUNS;
	if (reclaim_is_total(how) && cached) {
		free_pages(NULL, cached, BLOCK_ORDER);
		cached = NULL;
	}
}

static struct shrinker shrinker = { .count = count_runs, .shrink = shrink };

static int start_all(void **state)
{
	(void)state;
	world_start(16 * SECTION_SIZE);
	zone = world_zone();
	register_shrinker(&shrinker);
	return 0;
}

static struct page *take(void)
{
	struct page *page = alloc_pages(NULL, GFP_USER, BLOCK_ORDER);

	assert_non_null(page);
	memset(page_address(page), 1, PAGE_SIZE << BLOCK_ORDER);
	return page;
}

static void give(struct page *page)
{
	free_pages(NULL, page, BLOCK_ORDER);
	reclaim_at_fall();
}

static void fill(int from, int to)
{
	for (int i = from; i < to; i++)
		block[i] = take();
}

static void drop(int from, int to)
{
	for (int i = from; i < to; i++)
		give(block[i]);
}

/* Each test begins with an empty zone and no fall in mind. */
static int start(void **state)
{
	(void)state;
	options.decay_ms = 1000;
	reclaim_all();
	zone->resident_high = zone->resident_seen = PAGEBLOCK_PAGES;
	zone->rise_used = 0;
	lock_acquire(&reclaim_lock);
	zone_note_rise(zone);
	lock_release(&reclaim_lock);
	zone->fall_used = 0;
	zone->was_empty = false;
	zone->rise_ms = 1;	/* long ago */
	nr_shrinks = 0;
	reclaim_fault_ns = 1000;	/* under a sanitizer it may be 20,000 */
	/* What the last fall has taken is forgotten after that. */
	usleep(300000);
	return 0;
}

static void test_nearly_all_that_is_freed_goes_back(void **state)
{
	(void)state;
	fill(0, NR_BLOCKS);
	drop(0, NR_BLOCKS / 4);
	assert_true(zone->nr_free_dirty >= NR_BLOCKS / 4 * BLOCK_PAGES);
	drop(NR_BLOCKS / 4, NR_BLOCKS - 1);
	assert_true(zone_resident(zone) < NR_BLOCKS / 4 * BLOCK_PAGES);
	give(block[NR_BLOCKS - 1]);
	assert_true(nr_shrinks >= 2);
	assert_int_equal(zone->nr_isolated, 0);
}

static void test_what_caches_hold_is_no_use(void **state)
{
	(void)state;
	fill(0, NR_BLOCKS);
	cached = block[0];
	drop(1, NR_BLOCKS);
	assert_null(cached);
	assert_true(zone_resident(zone) <= 2 * BLOCK_PAGES);
}

static void test_half_that_is_freed_stays(void **state)
{
	uint64_t purged;

	(void)state;
	fill(0, NR_BLOCKS);
	purged = zone->nr_purged;
	drop(0, NR_BLOCKS / 2);
	assert_int_equal(zone->nr_purged, purged);
	assert_true(nr_shrinks >= 1);
	drop(NR_BLOCKS / 2, NR_BLOCKS);
}

/* The second time comes too soon after the first. */
static void test_who_breathes_is_left_alone(void **state)
{
	uint64_t purged;

	(void)state;
	fill(0, NR_BLOCKS);
	drop(2, NR_BLOCKS);
	purged = zone->nr_purged;
	assert_true(purged > 0);
	for (int i = 0; i < 3; i++) {
		fill(2, NR_BLOCKS);
		drop(2, NR_BLOCKS);
	}
	assert_true(zone->nr_free_dirty >=
		    (NR_BLOCKS - 4) * BLOCK_PAGES / 2);
	drop(0, 2);
}

/* The kernel has hardly made the pages. */
static void test_what_was_had_for_a_moment_stays(void **state)
{
	uint64_t purged = zone->nr_purged;

	(void)state;
	reclaim_fault_ns = UINT64_MAX >> 20;
	fill(0, NR_BLOCKS);
	drop(2, NR_BLOCKS);
	assert_int_equal(zone->nr_purged, purged);
	assert_int_equal(nr_shrinks, 0);
	/* From when all of it is in use again. */
	fill(2, NR_BLOCKS);
	assert_in_range(zone->rise_ms, 2, os_now_ms());
	reclaim_fault_ns = 1000;
	zone->rise_ms = 1;
	drop(0, NR_BLOCKS);
	assert_true(zone->nr_purged > purged);
}

/* A dip in what is in use is no fall: all of it was had before. */
static void test_who_rises_from_half_has_had_it_all_along(void **state)
{
	(void)state;
	fill(0, NR_BLOCKS);
	drop(NR_BLOCKS / 2, NR_BLOCKS);
	assert_int_not_equal(zone->rise_used, SIZE_MAX);
	fill(NR_BLOCKS / 2, NR_BLOCKS);
	assert_int_equal(zone->rise_used, SIZE_MAX);
	assert_int_equal(zone->rise_ms, 1);
	drop(0, NR_BLOCKS);
}

static void *rest(void *arg)
{
	pthread_barrier_t *barrier = arg;

	pthread_barrier_wait(barrier);
	return NULL;
}

/* Of what others may have cached runs alone are taken. */
static void test_with_threads_small_objects_stay_cached(void **state)
{
	pthread_barrier_t barrier;
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, rest, &barrier), 0);
	nr_run_shrinks = 0;
	fill(0, NR_BLOCKS);
	drop(0, NR_BLOCKS);
	assert_true(zone_resident(zone) < NR_BLOCKS / 4 * BLOCK_PAGES);
	assert_true(nr_run_shrinks >= 1);
	assert_int_equal(nr_shrinks, 0);
	assert_false(reclaim_is_pressed());
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
}

static void test_without_decay_nothing_goes(void **state)
{
	uint64_t purged;

	(void)state;
	options.decay_ms = 0;
	fill(0, NR_BLOCKS);
	purged = zone->nr_purged;
	drop(0, NR_BLOCKS);
	assert_int_equal(zone->nr_purged, purged);
	assert_int_equal(nr_shrinks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nearly_all_that_is_freed_goes_back,
				       start),
		cmocka_unit_test_setup(test_what_caches_hold_is_no_use, start),
		cmocka_unit_test_setup(test_half_that_is_freed_stays, start),
		cmocka_unit_test_setup(test_who_breathes_is_left_alone, start),
		cmocka_unit_test_setup(test_what_was_had_for_a_moment_stays,
				       start),
		cmocka_unit_test_setup(
			test_who_rises_from_half_has_had_it_all_along, start),
		cmocka_unit_test_setup(
			test_with_threads_small_objects_stay_cached, start),
		cmocka_unit_test_setup(test_without_decay_nothing_goes, start),
	};

	return cmocka_run_group_tests(tests, start_all, NULL);
}
