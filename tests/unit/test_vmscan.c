/*
 * test_vmscan - free memory goes back by the clock and in need.
 */
#include "world.h"

#include "mm/hotplug.h"
#include "mm/hugepage.h"

#include <setjmp.h>

#include <cmocka.h>

static struct zone *zone;
static struct pcp pcp;
static size_t nr_calls;		/* not counting looks: RECLAIM_STALE */
static size_t nr_looks;
static size_t nr_runs;		/* pages that RECLAIM_RUNS would free */
static struct page *cached;	/* a block that it does, or IDLE */
static enum reclaim last_how;

static void shrink(enum reclaim how)
{
	if (how == RECLAIM_STALE) {
		nr_looks++;
		return;
	}
	if ((how == RECLAIM_RUNS || how == RECLAIM_IDLE) && cached) {
		free_pages(NULL, cached, MAX_PAGE_ORDER);
		cached = NULL;
	}
	nr_calls++;
	last_how = how;
}

static size_t count(void)
{
	return nr_runs;
}

static struct shrinker shrinker = { .count = count, .shrink = shrink };

static int start(void **state)
{
	(void)state;
	world_start(16 * SECTION_SIZE);
	zone = world_zone();
	pcp_register(&pcp, zone);
	register_shrinker(&shrinker);
	options.decay_ms = 100;
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	pcp_drain(&pcp, true);
	reclaim_all();
	assert_int_equal(world_used(), 0);
	assert_int_equal(zone->nr_free_dirty, 0);
	memset(zone->low_before, 0, sizeof(zone->low_before));
	zone->low_free_dirty = 0;
	reclaim_due_ms = 0;
	nr_calls = 0;
	nr_runs = 0;
	return 0;
}

/* What is free and dirty has been so for many looks of the clock. */
static void unused_for_long(void)
{
	zone->low_free_dirty = zone->nr_free_dirty;
	zone->low_before[0] = zone->low_before[1] = zone->nr_free_dirty;
}

static void finish(void)
{
	pcp_validate(&pcp);
	page_alloc_validate();
	assert_int_equal(zone->nr_isolated, 0);
}

static void free_many(size_t n)
{
	struct page *page = alloc_pages_exact(NULL, GFP_USER, n, PAGE_SIZE);

	assert_non_null(page);
	free_pages_exact(NULL, page, n);
}

static void test_the_clock_purges_what_lay_unused(void **state)
{
	uint64_t now = 1000;
	size_t dirty;

	(void)state;
	reclaim_tick(now);
	assert_int_equal(nr_calls, 1);
	assert_int_equal(last_how, RECLAIM_IDLE);
	free_many(2000);
	/* Not yet due. */
	reclaim_tick(now + 1);
	assert_int_equal(nr_calls, 1);
	now = reclaim_due_ms;
	assert_in_range(now, 1001, 1000 + options.decay_ms);
	/* It was freed since the last three times. */
	for (size_t i = 0; i < 3; i++) {
		reclaim_tick(reclaim_due_ms);
		assert_int_equal(nr_calls, 2 + i);
		assert_int_equal(zone->nr_free_dirty, 2000);
	}
	/* Used meanwhile: only the rest is surplus. */
	free_many(512);
	reclaim_tick(reclaim_due_ms);
	dirty = zone->nr_free_dirty;
	assert_in_range(dirty, 512, 2 * 512);
	/* What was purged is no surplus twice. */
	reclaim_tick(reclaim_due_ms);
	assert_int_equal(zone->nr_free_dirty, dirty);
	/* Now all but a little. */
	for (int i = 0; i < 3; i++)
		reclaim_tick(reclaim_due_ms);
	assert_true(zone->nr_free_dirty <= PAGEBLOCK_PAGES);
	finish();
}

/* What caches give lay unused in them since the look before. */
static void test_the_clock_counts_the_time_in_caches(void **state)
{
	(void)state;
	cached = alloc_pages(NULL, GFP_USER, MAX_PAGE_ORDER);
	assert_non_null(cached);
	for (int i = 0; i < 2; i++) {
		reclaim_tick(reclaim_due_ms);
		assert_null(cached);
		assert_int_equal(zone->nr_free_dirty, SECTION_PAGES);
	}
	reclaim_tick(reclaim_due_ms);
	assert_true(zone->nr_free_dirty <= PAGEBLOCK_PAGES);
	finish();
}

static void test_the_clock_leaves_what_is_used_by_turns(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++) {
		if (i % 3 == 0)
			free_many(2000);
		reclaim_tick(reclaim_due_ms);
		assert_int_equal(zone->nr_free_dirty, 2000);
	}
	finish();
}

static void test_without_decay_the_clock_does_nothing(void **state)
{
	size_t decay = options.decay_ms;

	(void)state;
	options.decay_ms = 0;
	free_many(1000);
	for (uint64_t now = 0; now < 10000; now += 1000)
		reclaim_tick(now);
	options.decay_ms = decay;
	assert_int_equal(nr_calls, 0);
	assert_int_equal(zone->nr_free_dirty, 1000);
	finish();
}

static void test_a_trim_gives_everything_back(void **state)
{
	struct page *page = alloc_pages(&pcp, GFP_USER, 3);

	(void)state;
	memset(page_address(page), 1, PAGE_SIZE << 3);
	free_pages(&pcp, page, 3);
	free_many(3000);
	assert_int_equal(reclaim_all(), 3000 + 8);
	assert_int_equal(last_how, RECLAIM_ALL);
	assert_int_equal(pcp.count, 0);
	assert_int_equal(zone->nr_free_dirty, 0);
	assert_int_equal(reclaim_all(), 0);
	finish();
}

static void test_reclaim_of_caches_calls_shrinkers_alone(void **state)
{
	uint64_t purges = os.nr_purges;

	(void)state;
	free_pages(&pcp, alloc_pages(&pcp, GFP_USER, 0), 0);
	reclaim_caches();
	assert_int_equal(nr_calls, 1);
	assert_int_equal(last_how, RECLAIM_CACHES);
	assert_int_equal(pcp.count, 0);
	assert_int_equal(os.nr_purges, purges);
	finish();
}

static void test_a_scattered_zone_empties_the_caches_once(void **state)
{
	static struct page *page[64];
	size_t n = 0;

	(void)state;
	while (n < 8) {
		page[n] = alloc_pages(NULL, GFP_USER, PAGEBLOCK_ORDER + 2);
		assert_non_null(page[n++]);
	}
	while ((page[n] = alloc_pages(NULL, 0, MAX_PAGE_ORDER)))
		n++;
	zone->scattered_freed = zone->nr_freed;
	/* Nothing was freed since. */
	assert_false(reclaim_scattered(zone));
	assert_int_equal(nr_calls, 0);
	for (size_t i = 0; i < n; i++)
		free_pages_exact(NULL, page[i], (i < 8 ? 2048 : SECTION_PAGES)
						- 1);
	assert_true(reclaim_scattered(zone));
	assert_int_equal(nr_calls, 1);
	assert_int_equal(last_how, RECLAIM_CACHES);
	assert_false(reclaim_scattered(zone));
	for (size_t i = 0; i < n; i++)
		free_pages_exact(NULL, page[i] +
				 (i < 8 ? 2048 : SECTION_PAGES) - 1, 1);
	finish();
}

static void test_cached_runs_go_before_a_zone_grows(void **state)
{
	static struct page *page[64];
	struct page *kept, *served;
	size_t n = 0, managed;

	(void)state;
	page[n++] = alloc_pages(NULL, GFP_USER, MAX_PAGE_ORDER);
	while ((page[n] = alloc_pages(NULL, 0, MAX_PAGE_ORDER)))
		n++;
	managed = zone->managed;
	kept = cached = page[--n];
	nr_runs = managed / 8 - 1;
	assert_false(reclaim_runs(zone));
	assert_ptr_equal(cached, kept);
	nr_runs++;
	served = alloc_pages(NULL, GFP_USER, MAX_PAGE_ORDER);
	assert_ptr_equal(served, kept);
	assert_int_equal(zone->managed, managed);
	free_pages(NULL, served, MAX_PAGE_ORDER);
	while (n)
		free_pages(NULL, page[--n], MAX_PAGE_ORDER);
	finish();
}

static void test_a_failing_request_empties_the_caches(void **state)
{
	(void)state;
	assert_null(alloc_pages_exact(&pcp, GFP_USER, vm.nr_pages, PAGE_SIZE));
	assert_true(nr_calls >= 1);
	assert_int_equal(last_how, RECLAIM_CACHES);
	nr_calls = 0;
	assert_null(alloc_pages(&pcp, GFP_USER | GFP_NORETRY | GFP_DMA, 0));
	assert_int_equal(nr_calls, 0);
	finish();
}

static void test_much_resident_memory_makes_the_zone_look(void **state)
{
	struct page *page;

	(void)state;
	free_pages(NULL, alloc_pages(NULL, GFP_USER, 8), 8);
	zone->resident_high = 100;
	zone->over_high = false;
	nr_looks = 0;
	/* A request that may not wait leaves it to the next. */
	page = alloc_pages(NULL, 0, 8);
	assert_non_null(page);
	free_pages(NULL, page, 8);
	assert_true(zone->over_high);
	assert_int_equal(nr_looks, 0);
	free_pages(NULL, alloc_pages(NULL, GFP_USER, 0), 0);
	assert_false(zone->over_high);
	assert_true(zone->resident_high > 256);
	assert_int_equal(nr_looks, 1);
	finish();
}

/* Blocks of one page and more lie free and dirty between used ones. */
static struct page *between[32];

static void free_between(void)
{
	zone->resident_high = SIZE_MAX;
	zone->over_high = false;
	for (size_t i = 0; i < array_size(between); i++) {
		between[i] = alloc_pages(NULL, GFP_USER, 6);
		assert_non_null(between[i]);
		free_pages_exact(NULL, between[i], 63);
	}
	assert_true(zone->nr_free_dirty >= array_size(between) * 63);
}

static void finish_between(void)
{
	for (size_t i = 0; i < array_size(between); i++)
		free_pages_exact(NULL, between[i] + 63, 1);
	finish();
}

/* So much becomes resident that was not. */
#define NEW_ORDER	(PAGEBLOCK_ORDER + 2)
#define NEW_PAGES	(1UL << NEW_ORDER)

static void touch_new_pages(void)
{
	free_pages(NULL, alloc_pages(NULL, GFP_USER, NEW_ORDER), NEW_ORDER);
}

/* The large ones go. */
static void test_dirty_memory_goes_in_exchange_for_new(void **state)
{
	size_t resident;

	(void)state;
	free_between();
	resident = zone_resident(zone);
	zone->resident_seen = resident;
	zone->resident_high = resident + PAGEBLOCK_PAGES;
	touch_new_pages();
	assert_true(zone_resident(zone) < resident + NEW_PAGES / 2);
	finish_between();
}

/* A zone that had as much in use a moment ago may have it again, until the
 * clock has looked three times. */
static void test_below_the_last_peak_nothing_goes(void **state)
{
	size_t resident;

	(void)state;
	free_between();
	resident = zone_resident(zone);
	zone->peak_recent = resident + NEW_PAGES;
	reclaim_tick(1000);
	reclaim_tick(reclaim_due_ms);
	touch_new_pages();
	assert_int_equal(zone_resident(zone), resident + NEW_PAGES);
	assert_true(zone->resident_high > resident + NEW_PAGES);
	lock_acquire(&reclaim_lock);
	zone_purge(zone, SIZE_MAX, NEW_ORDER);
	lock_release(&reclaim_lock);
	reclaim_tick(reclaim_due_ms);
	assert_true(zone->resident_high < resident + NEW_PAGES);
	finish_between();
}

/* What became resident since the last look is none the less new. */
static void test_the_clock_makes_nothing_old(void **state)
{
	size_t seen;

	(void)state;
	free_between();
	seen = zone_resident(zone);
	zone->resident_seen = seen;
	touch_new_pages();
	reclaim_tick(1000);
	assert_in_range(zone->resident_seen, seen, seen + 64);
	assert_true(zone->resident_high < seen + NEW_PAGES);
	finish_between();
}

/* Blocks of 63 pages lie free and dirty where the kernel may have given huge
 * pages. */
static struct page *part[PAGEBLOCK_PAGES / 64];

static struct section *free_parts(void)
{
	struct section *section;

	zone->resident_high = SIZE_MAX;
	zone->over_high = false;
	for (size_t i = 0; i < array_size(part); i++) {
		part[i] = alloc_pages(NULL, GFP_USER, 6);
		assert_non_null(part[i]);
	}
	section = world_ask_hugepages(page_to_pfn(part[0]),
				      array_size(part) * 64);
	for (size_t i = 0; i < array_size(part); i++)
		free_pages_exact(NULL, part[i], 63);
	assert_true(zone->nr_free_dirty >= array_size(part) * 63);
	return section;
}

static void finish_parts(struct section *section)
{
	world_drop_hugepages(section);
	for (size_t i = 0; i < array_size(part); i++)
		free_pages_exact(NULL, part[i] + 63, 1);
	finish();
}

static void test_parts_of_huge_pages_do_not_go_in_exchange(void **state)
{
	struct section *section = free_parts();
	size_t dirty = zone->nr_free_dirty;

	(void)state;
	zone->resident_seen = zone_resident(zone);
	zone->resident_high = zone_resident(zone) + 1;
	free_clean_pages(alloc_pages(NULL, GFP_USER, 8), 256, 0);
	assert_int_equal(zone->nr_free_dirty, dirty);
	assert_int_not_equal(section->hugepages, 0);
	finish_parts(section);
}

/* Slabs may be filling one: it stays until the zone has stopped to grow. Then
 * an eighth of what asks for huge pages stays. */
static void test_a_growing_zone_keeps_parts_of_huge_pages(void **state)
{
	struct section *section = free_parts();
	size_t dirty = zone->nr_free_dirty, kept = zone->nr_asking / 8;

	(void)state;
	hugepages_dear_ns = UINT64_MAX;
	hugepages_learn();
	assert_int_equal(hugepages_suit_slabs(), hugepages_wanted());
	unused_for_long();
	zone->peak_used += HUGEPAGES_GROWN;
	reclaim_tick(1000);
	if (hugepages_wanted())
		assert_int_equal(zone->nr_free_dirty, dirty);
	reclaim_tick(reclaim_due_ms);
	assert_in_range(zone->nr_free_dirty, kept - 32, kept + 64);
	zone->peak_used -= HUGEPAGES_GROWN;
	finish_parts(section);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_the_clock_counts_the_time_in_caches,
				       fresh),
		cmocka_unit_test_setup(
			test_the_clock_leaves_what_is_used_by_turns, fresh),
		cmocka_unit_test_setup(test_the_clock_purges_what_lay_unused,
				       fresh),
		cmocka_unit_test_setup(
			test_without_decay_the_clock_does_nothing, fresh),
		cmocka_unit_test_setup(test_a_trim_gives_everything_back,
				       fresh),
		cmocka_unit_test_setup(
			test_reclaim_of_caches_calls_shrinkers_alone, fresh),
		cmocka_unit_test_setup(
			test_a_scattered_zone_empties_the_caches_once, fresh),
		cmocka_unit_test_setup(
			test_cached_runs_go_before_a_zone_grows, fresh),
		cmocka_unit_test_setup(
			test_a_failing_request_empties_the_caches, fresh),
		cmocka_unit_test_setup(
			test_much_resident_memory_makes_the_zone_look, fresh),
		cmocka_unit_test_setup(
			test_dirty_memory_goes_in_exchange_for_new, fresh),
		cmocka_unit_test_setup(test_below_the_last_peak_nothing_goes,
				       fresh),
		cmocka_unit_test_setup(test_the_clock_makes_nothing_old, fresh),
		cmocka_unit_test_setup(
			test_parts_of_huge_pages_do_not_go_in_exchange,
			fresh),
		cmocka_unit_test_setup(
			test_a_growing_zone_keeps_parts_of_huge_pages, fresh),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
