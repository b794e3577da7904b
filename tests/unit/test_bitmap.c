/*
 * test_bitmap - ranges of bits, compared with an array of bool.
 */
#include "base/bitmap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BITS	200

static uint64_t map[BITMAP_WORDS(BITS) + 1];
static bool model[BITS];

static int start(void **state)
{
	(void)state;
	memset(map, 0, sizeof(map));
	memset(model, 0, sizeof(model));
	map[BITMAP_WORDS(BITS)] = 0x1234;
	return 0;
}

static void compare(void)
{
	for (size_t i = 0; i < BITS; i++)
		assert_int_equal(bitmap_test(map, i), model[i]);
	assert_int_equal(map[BITMAP_WORDS(BITS)], 0x1234);
}

static void set_model(size_t from, size_t n, bool value)
{
	for (size_t i = from; i < from + n; i++)
		model[i] = value;
}

static size_t count_model(size_t from, size_t n)
{
	size_t count = 0;

	for (size_t i = from; i < from + n; i++)
		count += model[i];
	return count;
}

static void test_a_mask_stays_in_its_word(void **state)
{
	(void)state;
	assert_int_equal(bitmap_mask(0, 64), ~0UL);
	assert_int_equal(bitmap_mask(3, 2), 0x18);
	assert_int_equal(bitmap_mask(63, 1), 1UL << 63);
	assert_int_equal(bitmap_mask(64 + 5, 1), 0x20);
	assert_int_equal(bitmap_mask(7, 0), 0);
}

static void test_every_range_is_set_cleared_and_counted(void **state)
{
	(void)state;
	for (size_t from = 0; from < BITS; from++) {
		for (size_t n = 0; n <= BITS - from; n += 1 + n / 7) {
			bitmap_set_range(map, from, n);
			set_model(from, n, true);
			compare();
			assert_int_equal(bitmap_count_range(map, 0, BITS), n);
			assert_int_equal(bitmap_any_in_range(map, from, n),
					 n > 0);
			assert_false(bitmap_any_in_range(map, 0, from));
			assert_false(bitmap_any_in_range(map, from + n,
							 BITS - from - n));
			bitmap_clear_range(map, from, n);
			set_model(from, n, false);
			assert_int_equal(bitmap_count_range(map, 0, BITS), 0);
		}
	}
	compare();
}

static void test_ranges_over_ranges(void **state)
{
	(void)state;
	bitmap_set_range(map, 10, 150);
	set_model(10, 150, true);
	bitmap_clear_range(map, 60, 70);
	set_model(60, 70, false);
	bitmap_set_range(map, 64, 1);
	set_model(64, 1, true);
	compare();
	for (size_t from = 0; from < BITS; from += 3)
		for (size_t n = 0; n <= BITS - from; n += 5) {
			size_t count = count_model(from, n);

			assert_int_equal(bitmap_count_range(map, from, n),
					 count);
			assert_int_equal(bitmap_any_in_range(map, from, n),
					 count > 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_mask_stays_in_its_word, start),
		cmocka_unit_test_setup(
			test_every_range_is_set_cleared_and_counted, start),
		cmocka_unit_test_setup(test_ranges_over_ranges, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
