/*
 * test_size_class - every size has the smallest class that holds it.
 */
#include "slab/size_class.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int start(void **state)
{
	(void)state;
	size_class_init();
	return 0;
}

static void test_every_size_has_the_smallest_class_that_holds_it(void **state)
{
	unsigned int class = 0;
	size_t wrong = 0;

	(void)state;
	for (size_t size = 0; size <= CLASS_MAX; size++) {
		while (size_classes[class].size < size)
			class++;
		wrong += size_class_of(size) != class;
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(class, NR_CLASSES - 1);
}

static void test_classes_rise_and_lose_at_most_a_fifth(void **state)
{
	(void)state;
	assert_int_equal(size_classes[0].size, MIN_ALIGN);
	assert_int_equal(size_classes[NR_CLASSES - 1].size, CLASS_MAX);
	for (unsigned int i = 1; i < NR_CLASSES; i++) {
		size_t before = size_classes[i - 1].size;
		size_t size = size_classes[i].size;

		assert_true(size > before);
		assert_int_equal(size % MIN_ALIGN, 0);
		if (before >= 128)
			assert_true((size - before - 1) * 5 < size);
		else
			assert_int_equal(size - before, MIN_ALIGN);
	}
}

static void test_bulky_classes_are_above_512_bytes(void **state)
{
	(void)state;
	assert_int_equal(size_classes[FIRST_BULKY_CLASS - 1].size, 512);
	assert_int_equal(size_classes[NR_SMALL_CLASSES - 1].size, SMALL_MAX);
}

static void test_the_table_of_small_sizes_agrees(void **state)
{
	(void)state;
	for (size_t size = 0; size <= LOOKUP_MAX; size++) {
		size_t bin = size_class_bins[(size + MIN_ALIGN - 1) /
					     MIN_ALIGN];

		assert_int_equal(bin, class_bin(size_class_of(size)));
		assert_int_equal((bin >> BIN_SHIFT) - 1, size_class_of(size));
		assert_true(bin > 0);
	}
}

static void test_small_classes_end_below_16_kib(void **state)
{
	(void)state;
	assert_int_equal(size_classes[NR_SMALL_CLASSES - 1].size, SMALL_MAX);
	for (unsigned int i = 0; i < NR_CLASSES; i++) {
		assert_int_equal(class_is_small(i),
				 size_classes[i].size <= SMALL_MAX);
		assert_int_equal(size_classes[i].nr_objects > 0,
				 class_is_small(i));
		if (!class_is_small(i))
			assert_int_equal(size_classes[i].size % PAGE_SIZE, 0);
	}
}

static void test_slabs_are_well_filled(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NR_SMALL_CLASSES; i++) {
		size_t bytes = PAGE_SIZE << size_classes[i].slab_order;
		size_t used = (size_t)size_classes[i].nr_objects *
			      size_classes[i].size;

		assert_in_range(size_classes[i].nr_objects, 1,
				SLAB_MAX_OBJECTS);
		assert_true(size_classes[i].slab_order <= SLAB_MAX_ORDER);
		assert_true(used <= bytes);
		/* At most an eighth is lost, even where objects are large. */
		assert_true((bytes - used) * 8 <= bytes);
	}
}

/* For every offset of every slab, and beyond. */
static void test_the_magic_tells_multiples(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NR_CLASSES; i++) {
		uint64_t magic = size_classes[i].magic;
		size_t size = size_classes[i].size, wrong = 0;
		size_t end = PAGE_SIZE << SLAB_MAX_ORDER;

		for (size_t at = 0; at < end; at++)
			wrong += is_multiple(at, magic) != (at % size == 0);
		assert_int_equal(wrong, 0);
		/* As far as it is promised. */
		for (size_t at = size; at < 1UL << 30; at += at / 3) {
			size_t multiple = at / size * size;

			assert_true(is_multiple(multiple, magic));
			assert_false(is_multiple(multiple + 1, magic));
			assert_false(is_multiple(multiple - 1, magic));
		}
	}
}

/* The largest power of two that all objects of the class are aligned to. */
static size_t class_align(unsigned int class)
{
	size_t size = size_classes[class].size;

	return class_is_small(class) ? size & -size : PAGE_SIZE;
}

static void test_the_alignment_of_a_class_is_that_of_its_objects(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NR_SMALL_CLASSES; i++) {
		size_t align = class_align(i);

		assert_true(is_pow2(align) && align >= MIN_ALIGN);
		for (size_t k = 0; k < size_classes[i].nr_objects; k++)
			assert_int_equal(k * size_classes[i].size % align, 0);
		assert_int_not_equal(size_classes[i].size % (2 * align), 0);
	}
	for (unsigned int i = NR_SMALL_CLASSES; i < NR_CLASSES; i++)
		assert_int_equal(class_align(i), PAGE_SIZE);
}

/* What aligned.c relies on: no smaller class is large and aligned enough. */
static void test_a_multiple_of_an_alignment_has_an_aligned_class(void **state)
{
	(void)state;
	for (size_t align = MIN_ALIGN; align <= PAGE_SIZE; align *= 2) {
		for (size_t size = align; size <= SMALL_MAX; size += align) {
			unsigned int class = size_class_of(size);

			assert_true(class_align(class) >= align);
			while (class-- &&
			       size_classes[class].size > size - align)
				assert_true(class_align(class) < align);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_every_size_has_the_smallest_class_that_holds_it),
		cmocka_unit_test(test_classes_rise_and_lose_at_most_a_fifth),
		cmocka_unit_test(test_bulky_classes_are_above_512_bytes),
		cmocka_unit_test(test_the_table_of_small_sizes_agrees),
		cmocka_unit_test(test_small_classes_end_below_16_kib),
		cmocka_unit_test(test_slabs_are_well_filled),
		cmocka_unit_test(test_the_magic_tells_multiples),
		cmocka_unit_test(
			test_the_alignment_of_a_class_is_that_of_its_objects),
		cmocka_unit_test(
			test_a_multiple_of_an_alignment_has_an_aligned_class),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
