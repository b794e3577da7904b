/*
 * test_heap_surplus - how much a thread caches, and when it frees more than it
 * allocates: what its barn keeps of that, and what not.
 */
#include "heaps.h"

#include "heap/thread_heap.h"
#include "malloc/malloc.h"
#include "slab/barn_list.h"

#include <setjmp.h>

#include <cmocka.h>

#define MANY	100000	/* objects */
#define ROUND	20000	/* objects */
#define FEW	4000	/* objects */
#define SIZE	48	/* bytes */

static void *objects[MANY];

static struct barn *barn(void)
{
	return heap_barn(thread_heap(),
			 heap_bin(thread_heap(),
				  class_bin(size_class_of(SIZE))));
}

static void allocate(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		objects[i] = mem_malloc(SIZE);
		assert_non_null(objects[i]);
	}
}

/* Of the objects so many, the others stay. */
static void release_some_in_any_order(size_t n, size_t all)
{
	uint64_t seed = 5;

	for (; n; n--) {
		size_t i = world_below(&seed, all);

		mem_free(objects[i]);
		objects[i] = objects[--all];
	}
}

static void release_in_any_order(size_t n)
{
	release_some_in_any_order(n, n);
}

/* When all else of many slabs is free, sheaves do not hold them, although some
 * have been of use. */
static void test_few_objects_do_not_hold_many_slabs(void **state)
{
	size_t most;

	(void)state;
	for (int round = 0; round < 8; round++) {
		allocate(FEW);
		release_in_any_order(FEW);
	}
	assert_true(barn_nr_cached(barn()) >= FEW / 2);
	allocate(MANY);
	most = barn()->nr_slabs;
	assert_true(most * size_classes[size_class_of(SIZE)].nr_objects >=
		    MANY);
	release_in_any_order(MANY);
	assert_true(barn()->nr_slabs < most / 4);
	assert_true(barn_nr_cached(barn()) < 1000);
	heap_validate();
}

/* Objects that come back again and again need no slab in the end. */
static void test_what_comes_back_stays_in_sheaves(void **state)
{
	(void)state;
	for (int round = 0; round < 12; round++) {
		allocate(ROUND);
		release_in_any_order(ROUND);
	}
	assert_true(barn_nr_taken(barn()) >= ROUND);
	assert_true(barn_nr_cached(barn()) >= ROUND - 1000);
	heap_validate();
}

static size_t nr_steps_to_other_pages(size_t n)
{
	size_t steps = 0;

	for (size_t i = 1; i < n; i++)
		steps += (uintptr_t)objects[i] / PAGE_SIZE !=
			 (uintptr_t)objects[i - 1] / PAGE_SIZE;
	return steps;
}

/* What was freed all over more than a CPU's cache is handed out in a row,
 * although sheaves of it are wanted again and again. */
static void test_what_lies_all_over_comes_back_in_a_row(void **state)
{
	(void)state;
	allocate(MANY);
	for (int round = 0; round < 8; round++) {
		release_some_in_any_order(MANY / 2, MANY);
		memmove(objects + MANY / 2, objects,
			MANY / 2 * sizeof(objects[0]));
		allocate(MANY / 2);
	}
	assert_true(nr_steps_to_other_pages(MANY / 2) < MANY / 2 / 10);
	release_in_any_order(MANY);
	heap_validate();
}

/* A thread takes of slabs at most a quarter of what it has, but for a few. */
static void test_what_is_cached_is_in_proportion_to_what_is_used(void **state)
{
	unsigned int class = size_class_of(224);
	struct bin *bin = heap_bin(thread_heap(), class_bin(class));

	(void)state;
	heap_flush();
	reclaim_caches();
	for (size_t i = 0; i < FEW; i++) {
		size_t spare = bin_spare_count(bin);

		objects[i] = mem_malloc(224);
		assert_non_null(objects[i]);
		assert_true(bin_main_count(bin) + spare <=
			    max(i / 4, (size_t)SHEAF_MIN_CAPACITY));
	}
	release_in_any_order(FEW);
	heap_validate();
}

/* Each object that a thread has when it rests may pin a page. */
static void test_a_bin_that_was_emptied_wants_few_bytes(void **state)
{
	unsigned int class = size_class_of(1024);
	struct bin *bin = heap_bin(thread_heap(), class_bin(class));

	(void)state;
	for (size_t i = 0; i < FEW; i++) {
		objects[i] = mem_malloc(1024);
		assert_non_null(objects[i]);
	}
	assert_int_equal(bin->want, size_classes[class].sheaf_max);
	release_in_any_order(FEW);
	assert_int_equal(bin->want, 8);
	assert_true(bin_main_count(bin) <= 8);
	assert_true(bin_spare_count(bin) <= 8);
	heap_validate();
}

/* Of large objects: it may rest then, and what lies in its barn others can
 * take, or give back. */
static void test_a_thread_that_only_frees_keeps_one_stack(void **state)
{
	static const size_t sizes[] = { 768, 2048, 12288 };

	(void)state;
	for (size_t k = 0; k < array_size(sizes); k++) {
		unsigned int class = size_class_of(sizes[k]);
		struct bin *bin = heap_bin(thread_heap(), class_bin(class));

		heap_flush();
		for (size_t i = 0; i < FEW; i++) {
			objects[i] = mem_malloc(sizes[k]);
			assert_non_null(objects[i]);
		}
		for (size_t i = 0; i < FEW; i++) {
			mem_free(objects[i]);
			if (i >= 2U * SHEAF_MAX_OBJECTS)
				assert_int_equal(bin_spare_count(bin), 0);
		}
	}
	heap_validate();
}

/* Of more than a CPU's cache; of less it is kept, as in the second test. */
static void test_what_is_dropped_at_a_stroke_goes_to_its_slabs(void **state)
{
	size_t before;

	(void)state;
	heap_flush();
	reclaim_caches();
	allocate(MANY);
	before = barn_nr_taken(barn());
	for (size_t i = 0; i < MANY / 2; i++)
		mem_free(objects[i]);
	/* Two sheaves in the stacks, and one that was full at first. */
	assert_true(barn_nr_taken(barn()) <= before - MANY / 2 + 3 * 120);
	assert_true(barn_nr_cached(barn()) <= 120);
	for (size_t i = MANY / 2; i < MANY; i++)
		mem_free(objects[i]);
	heap_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_objects_do_not_hold_many_slabs),
		cmocka_unit_test(test_what_comes_back_stays_in_sheaves),
		cmocka_unit_test(test_what_lies_all_over_comes_back_in_a_row),
		cmocka_unit_test(
			test_what_is_cached_is_in_proportion_to_what_is_used),
		cmocka_unit_test(test_a_bin_that_was_emptied_wants_few_bytes),
		cmocka_unit_test(test_a_thread_that_only_frees_keeps_one_stack),
		cmocka_unit_test(
			test_what_is_dropped_at_a_stroke_goes_to_its_slabs),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
