/*
 * test_barn - slabs come and go with their objects.
 *
 * Each test ends with empty barns and no page in use.
 */
#include "barns.h"

static void test_refill_makes_slabs_as_needed(void **state)
{
	struct barn *barn = barn_for(1024);
	size_t per_slab = size_classes[barn->class].nr_objects;

	(void)state;
	refill(barn, 0, 1);
	assert_int_equal(barn->nr_slabs, 1);
	assert_int_equal(barn->nr_partial, 1);
	assert_int_equal(barn->nr_unused, 0);
	refill(barn, 1, per_slab);
	assert_int_equal(barn->nr_slabs, 1);
	assert_int_equal(barn->nr_partial, 0);
	refill(barn, per_slab, 3 * per_slab + 1);
	assert_int_equal(barn->nr_slabs, 4);
	assert_int_equal(barn->nr_partial, 1);
	for (size_t i = 0; i < 3 * per_slab + 1; i++)
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(objects[i], objects[k]);
	flush(0, 3 * per_slab + 1);
	finish();
}

static void test_an_unused_slab_is_kept_and_the_next_released(void **state)
{
	struct barn *barn = barn_for(2048);
	size_t n = size_classes[barn->class].nr_objects;

	(void)state;
	refill(barn, 0, 3 * n);
	assert_int_equal(barn->nr_slabs, 3);
	flush(0, n);
	assert_int_equal(barn->nr_unused, 1);
	assert_int_equal(barn->nr_slabs, 3);
	validate();
	flush(n, 2 * n);
	assert_int_equal(barn->nr_unused, 1);
	assert_int_equal(barn->nr_slabs, 2);
	validate();
	flush(2 * n, 3 * n);
	assert_int_equal(barn->nr_slabs, 1);
	validate();
	/* And that one serves the next request. */
	refill(barn, 0, 1);
	assert_int_equal(barn->nr_slabs, 1);
	assert_int_equal(barn->nr_unused, 0);
	flush(0, 1);
	finish();
}

static void test_a_slab_that_was_full_serves_again(void **state)
{
	struct barn *barn = barn_for(512);
	size_t n = size_classes[barn->class].nr_objects;
	void *p;

	(void)state;
	refill(barn, 0, n);
	assert_int_equal(barn->nr_partial, 0);
	p = objects[n / 2];
	flush(n / 2, n / 2 + 1);
	assert_int_equal(barn->nr_partial, 1);
	refill(barn, n / 2, n / 2 + 1);
	assert_ptr_equal(objects[n / 2], p);
	assert_int_equal(barn->nr_partial, 0);
	flush(0, n);
	finish();
}

/* Of which slab the n-th refill is, each time for another heap of two. */
static uint64_t slab_word(struct barn *barn, size_t n)
{
	assert_int_equal(barn_refill(barn, n % 2, &pcp, GFP_USER, objects + n,
				     1), 1);
	return page_word(address_to_page(objects[n])) & ~PAGE_BIN_MASK;
}

/* Up to 1 KiB; of larger objects neighbours do no harm. */
static void test_each_heap_has_slabs_of_its_own(void **state)
{
	static const size_t sizes[] = { 48, 160, 512, 1024, 1280 };

	(void)state;
	for (size_t i = 0; i < array_size(sizes); i++) {
		struct barn *barn = barn_for(sizes[i]);
		uint64_t first = slab_word(barn, 0);
		uint64_t second = slab_word(barn, 1);

		assert_int_equal(first != second, sizes[i] <= 1024);
		assert_int_equal(slab_word(barn, 2), first);
		assert_int_equal(slab_word(barn, 3), second);
		flush(0, 4);
	}
	finish();
}

/* What a heap had of its slabs at once since the last look is left to it, and
 * then no more. */
static void test_a_heap_finds_its_slabs_when_it_comes_back(void **state)
{
	struct barn *barn = barn_for(64);
	size_t n = size_classes[barn->class].nr_objects;

	(void)state;
	refill(barn, 0, 2 * n);
	flush(1, n);
	flush(n + 1, 2 * n);
	assert_int_equal(barn->nr_slabs, 2);
	slab_word(barn, 3);
	assert_int_equal(barn->nr_slabs, 3);
	flush(3, 4);
	refill(barn, 1, n);
	refill(barn, n + 1, 2 * n);
	assert_int_equal(barn->nr_slabs, 3);
	flush(1, n);
	flush(n + 1, 2 * n);
	barn_shrink_all(RECLAIM_IDLE);
	assert_int_equal(barn->nr_slabs, 2);
	slab_word(barn, 3);
	assert_int_equal(barn->nr_slabs, 2);
	flush(0, 1);
	flush(n, n + 1);
	flush(3, 4);
	finish();
}

static void test_flush_sorts_objects_of_all_classes(void **state)
{
	uint64_t seed = 3;
	size_t n = 0;

	(void)state;
	for (unsigned int class = 0; class < NR_SMALL_CLASSES; class++) {
		refill(barn_of(0, class), n, n + 20);
		n += 20;
	}
	for (size_t i = n; i > 1; i--) {
		size_t j = world_below(&seed, i);
		void *p = objects[j];

		objects[j] = objects[i - 1];
		objects[i - 1] = p;
	}
	flush(0, n / 2);
	validate();
	flush(n / 2, n);
	for (unsigned int class = 0; class < NR_SMALL_CLASSES; class++)
		assert_in_range(barn_of(0, class)->nr_slabs, 0, 1);
	finish();
}

static void flush_twice(void)
{
	refill(barn_for(96), 0, 8);
	objects[8] = objects[3];
	flush(0, 9);
}

static void flush_what_is_no_object(void)
{
	struct page *page = alloc_pages(&pcp, GFP_USER, 0);

	objects[0] = page_address(page);
	barn_flush(&pcp, objects, 1);
}

static void test_flush_aborts_on_what_is_free_already(void **state)
{
	(void)state;
	assert_true(child_dies(flush_twice, "double free of"));
	assert_true(child_dies(flush_what_is_no_object, "not allocated"));
	finish();
}

static void test_runs_go_back_to_the_zone(void **state)
{
	unsigned int class = size_class_of(64 << 10);
	size_t used = world_used();

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		struct page *page = alloc_pages_exact(&pcp, GFP_USER, 16,
						      PAGE_SIZE);

		run_set_nr_pages(page, 16);
		page_set_word(page, word_make_run(0, (int)class, RUN_CACHED));
		objects[i] = page_address(page);
	}
	barn_flush_runs(&pcp, objects, 10);
	pcp_drain(&pcp, true);
	assert_int_equal(world_used(), used);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refill_makes_slabs_as_needed),
		cmocka_unit_test(
			test_an_unused_slab_is_kept_and_the_next_released),
		cmocka_unit_test(test_a_slab_that_was_full_serves_again),
		cmocka_unit_test(test_each_heap_has_slabs_of_its_own),
		cmocka_unit_test(
			test_a_heap_finds_its_slabs_when_it_comes_back),
		cmocka_unit_test(test_flush_sorts_objects_of_all_classes),
		cmocka_unit_test(test_flush_aborts_on_what_is_free_already),
		cmocka_unit_test(test_runs_go_back_to_the_zone),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
