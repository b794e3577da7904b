/*
 * test_barn_reclaim - what barns give back when reclaim comes by.
 *
 * Each test ends with empty barns and no page in use.
 */
#include "barns.h"

static size_t resident(void)
{
	return world_resident(0, section_at(0)->online);
}

/* All but each 256th of 4096 objects of 64 bytes are free. */
static void test_the_sweep_frees_pages_of_slabs_in_use(void **state)
{
	struct barn *barn = barn_for(64);
	size_t before, slabs;

	(void)state;
	refill(barn, 0, MANY);
	slabs = barn->nr_slabs;
	for (size_t i = 0; i < MANY; i++)
		if (i % 256)
			flush(i, i + 1);
	assert_in_range(barn->nr_slabs, MANY / 256, slabs);
	before = resident();
	barn_shrink_all(RECLAIM_ALL);
	validate();
	assert_true(before - resident() >= MANY / 256);
	/* What the sweep left alone is as it was, the rest can be had. */
	for (size_t i = 0; i < MANY; i += 256)
		assert_int_equal(*(uint32_t *)objects[i], 0x3c3c3c3c);
	for (size_t i = 0; i < MANY; i += 256)
		refill(barn, i + 1, i + 256);
	validate();
	flush(0, MANY);
	finish();
}

static void test_the_idle_sweep_takes_what_did_not_change(void **state)
{
	struct barn *barn = barn_for(512);
	size_t n = size_classes[barn->class].nr_objects, before;

	(void)state;
	refill(barn, 0, n);
	flush(1, n);
	before = resident();
	barn_shrink_all(RECLAIM_IDLE);
	assert_int_equal(resident(), before);
	refill(barn, 1, 2);
	barn_shrink_all(RECLAIM_IDLE);
	assert_int_equal(resident(), before);
	barn_shrink_all(RECLAIM_IDLE);
	assert_true(resident() < before);
	validate();
	flush(0, 2);
	finish();
}

/* Where the kernel may have given a huge page: it is not split for a few
 * objects, but when a quarter of the barn's is free. */
static void test_a_huge_page_is_not_split_for_a_few_objects(void **state)
{
	struct barn *barn = barn_for(512);
	size_t n = size_classes[barn->class].nr_objects, before;
	struct section *section;

	(void)state;
	refill(barn, 0, 8 * n);
	section = world_ask_hugepages(address_to_pfn(objects[0]), 1);
	flush(0, n / 2);
	before = resident();
	for (int i = 0; i < 3; i++)
		barn_shrink_all(RECLAIM_IDLE);
	assert_int_equal(resident(), before);
	assert_int_not_equal(section->hugepages, 0);
	for (size_t i = 1; i < 4; i++)
		flush(i * n + 1, (i + 1) * n);
	for (int i = 0; i < 3; i++)
		barn_shrink_all(RECLAIM_IDLE);
	assert_true(resident() < before);
	assert_int_equal(section->hugepages, 0);
	flush(n / 2, n + 1);
	flush(2 * n, 2 * n + 1);
	flush(3 * n, 3 * n + 1);
	flush(4 * n, 8 * n);
	world_drop_hugepages(section);
	finish();
}

static void test_reclaim_of_caches_empties_full_sheaves(void **state)
{
	struct barn *barn = busy_barn_for(128);

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_true(put_full(barn, 0, full_sheaf(barn, 62)));
	/* The first visit only looks, the second takes what lay unused. */
	barn_shrink_all(RECLAIM_IDLE);
	assert_int_equal(barn_lane(barn, 0)->nr_full, 4);
	barn_flush(&pcp, barn_lane(barn, 0)->full->object, 0);
	assert_true(put_full(barn, 0, barn_get_full(barn, 0, NULL)));
	barn_shrink_all(RECLAIM_IDLE);
	assert_int_equal(barn_lane(barn, 0)->nr_full, 1);
	validate();
	barn_shrink_all(RECLAIM_CACHES);
	assert_int_equal(barn_lane(barn, 0)->nr_full, 0);
	assert_int_equal(barn->nr_slabs, 0);
	finish();
}

static void test_reclaim_of_runs_leaves_small_objects(void **state)
{
	struct barn *small = busy_barn_for(128), *runs = barn_for(1UL << 20);
	struct sheaf *sheaf = sheaf_alloc(2);

	(void)state;
	assert_true(put_full(small, 0, full_sheaf(small, 62)));
	sheaf->nr = 2;
	for (size_t i = 0; i < 2; i++) {
		struct page *page = alloc_pages(&pcp, GFP_USER, 8);

		run_set_nr_pages(page, 256);
		page_set_word(page, word_make_run(0, runs->class, RUN_CACHED));
		sheaf->object[i] = page_address(page);
	}
	assert_true(put_full(runs, 0, sheaf));
	assert_int_equal(barn_count_runs(), 512);
	barn_shrink_all(RECLAIM_RUNS);
	assert_int_equal(barn_count_runs(), 0);
	assert_int_equal(barn_lane(runs, 0)->nr_full, 0);
	assert_int_equal(barn_lane(small, 0)->nr_full, 1);
	barn_shrink_all(RECLAIM_CACHES);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_sweep_frees_pages_of_slabs_in_use),
		cmocka_unit_test(
			test_the_idle_sweep_takes_what_did_not_change),
		cmocka_unit_test(
			test_a_huge_page_is_not_split_for_a_few_objects),
		cmocka_unit_test(test_reclaim_of_caches_empties_full_sheaves),
		cmocka_unit_test(test_reclaim_of_runs_leaves_small_objects),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
