/*
 * test_malloc - malloc, calloc and free by the book.
 */
#include "heaps.h"

#include "malloc/malloc.h"
#include "mm/vmscan.h"

#include <setjmp.h>

#include <cmocka.h>

#define NR	300

static char *p[NR];

/* Sizes around the ends of all classes. */
static size_t some_size(size_t i)
{
	return i < 2 * NR_CLASSES ? size_classes[i / 2].size + i % 2 :
				    i * 997 % 70000;
}

static bool is_zero(const char *at, size_t size)
{
	return !size || (!at[0] && !memcmp(at, at + 1, size - 1));
}

static void free_all(void)
{
	for (size_t i = 0; i < NR; i++) {
		mem_free(p[i]);
		p[i] = NULL;
	}
	assert_int_equal(errno, 77);
	heap_validate();
}

static void test_every_size_is_served_aligned_and_writable(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR; i++) {
		size_t usable;

		p[i] = mem_malloc(some_size(i));
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % MIN_ALIGN, 0);
		usable = mem_usable_size(p[i]);
		assert_true(usable >= some_size(i));
		memset(p[i], (int)i, usable);
	}
	for (size_t i = 0; i < NR; i++) {
		size_t usable = mem_usable_size(p[i]);

		assert_int_equal((unsigned char)p[i][0], i % 256);
		assert_memory_equal(p[i], p[i] + 1, usable - 1);
	}
	free_all();
}

static void test_nothing_is_a_block_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR; i++) {
		p[i] = i % 3 ? mem_malloc(0) : mem_calloc(i % 2, 0);
		assert_non_null(p[i]);
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(p[i], p[k]);
	}
	free_all();
	mem_free(NULL);
	assert_int_equal(errno, 77);
}

static void test_usable_sizes_and_good_sizes_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR; i++) {
		p[i] = mem_malloc(some_size(i));
		assert_int_equal(mem_usable_size(p[i]),
				 mem_good_size(some_size(i)));
	}
	free_all();
	assert_int_equal(mem_usable_size(NULL), 0);
	assert_int_equal(mem_good_size(CLASS_MAX + 1), CLASS_MAX + PAGE_SIZE);
	assert_int_equal(mem_good_size(SIZE_MAX), SIZE_MAX);
}

static void test_calloc_is_zero_when_memory_is_fresh_and_recycled(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < NR; i++) {
			p[i] = mem_calloc(1, some_size(i));
			assert_true(is_zero(p[i], some_size(i)));
			memset(p[i], 0xff, mem_usable_size(p[i]));
		}
		free_all();
		if (round == 1)
			reclaim_caches();
	}
}

/* What was touched of a block before is a part, little or nothing of it. */
static void test_calloc_is_zero_however_much_was_touched(void **state)
{
	const size_t size = 1 << 20, steps[] = { 4096, 65536, size };

	(void)state;
	for (size_t i = 0; i < 3 * array_size(steps); i++) {
		char *block = mem_calloc(1, size);

		for (size_t k = 0; k < size; k += 512)
			assert_int_equal(block[k], 0);
		mem_free(block);
		heap_flush();
		block = mem_malloc(size);
		for (size_t k = 0; k < size; k += steps[i / 3])
			block[k] = 1;
		mem_free(block);
	}
	heap_validate();
}

static void test_calloc_multiplies(void **state)
{
	(void)state;
	p[0] = mem_calloc(1000, 33);
	assert_true(mem_usable_size(p[0]) >= 33000);
	assert_true(is_zero(p[0], 33000));
	free_all();
}

static void check_refused(void *block)
{
	assert_null(block);
	assert_int_equal(errno, ENOMEM);
	errno = 77;
}

/* Not known to the compiler, which would warn. */
static volatile size_t most = SIZE_MAX;

static void test_too_much_is_refused(void **state)
{
	(void)state;
	check_refused(mem_malloc(most));
	check_refused(mem_malloc(most / 2));
	check_refused(mem_malloc(most / 2 + 1));
	check_refused(mem_malloc(vm.size));
	check_refused(mem_calloc(most, 2));
	check_refused(mem_calloc(most / 2, 3));
	check_refused(mem_calloc(1UL << 33, 1UL << 33));
	check_refused(mem_calloc(1, most));
	free_all();
}

static void runs_out(void)
{
	static void *block[100000];
	size_t size, n = 0;

	for (size = 10; size < 3UL << 20; size = size * 7 + 3)
		mem_free(mem_malloc(size));
	world_limit(RLIMIT_DATA, 30UL << 20);
	for (size = 3UL << 20; size > 10; size /= 7) {
		errno = 0;
		while (n < array_size(block) &&
		       (block[n] = mem_malloc(size))) {
			memset(block[n], 1, size);
			n++;
		}
		CHECK(n == array_size(block) || errno == ENOMEM);
	}
	CHECK(n > 9);
	heap_validate();
	while (n)
		mem_free(block[--n]);
	/* All sizes can be had again. */
	for (size = 10; size < 3UL << 20; size = size * 7 + 3) {
		block[0] = mem_malloc(size);
		CHECK(block[0]);
		memset(block[0], 1, size);
		mem_free(block[0]);
	}
	for (n = 0; n < 8; n++) {
		block[n] = mem_malloc(3UL << 20);
		CHECK(block[n]);
	}
	heap_validate();
}

static void test_exhaustion_is_told_and_survived(void **state)
{
	(void)state;
	assert_true(child_succeeds(runs_out));
	free_all();
}

static void test_a_block_is_decoded_by_its_start_alone(void **state)
{
	static const size_t sizes[] = { 40, 3000, 50000, 3UL << 20 };
	struct block block;

	(void)state;
	for (size_t i = 0; i < array_size(sizes); i++) {
		p[i] = mem_malloc(sizes[i]);
		assert_true(mem_block_of(p[i], &block));
		assert_int_equal(block.size, mem_good_size(sizes[i]));
		assert_false(mem_block_of(p[i] + 1, &block));
		assert_false(mem_block_of(p[i] + 16, &block));
		assert_false(mem_block_of(p[i] + block.size / 2 + 8, &block));
		mem_free(p[i]);
		assert_false(mem_block_of(p[i], &block));
		p[i] = NULL;
	}
	assert_false(mem_block_of(NULL, &block));
	assert_false(mem_block_of(&block, &block));
	free_all();
}

/* Whatever the program leaves in a block's first word, but the whole key. */
static void test_half_a_key_is_no_key(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t *word = mem_malloc(100);

		assert_non_null(word);
		*word = object_key(word) ^ 1UL << bit;
		mem_free(word);
		assert_true(object_has_key(word));
	}
	heap_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			test_every_size_is_served_aligned_and_writable, start),
		cmocka_unit_test_setup(test_nothing_is_a_block_too, start),
		cmocka_unit_test_setup(test_usable_sizes_and_good_sizes_agree,
				       start),
		cmocka_unit_test_setup(
			test_calloc_is_zero_when_memory_is_fresh_and_recycled,
			start),
		cmocka_unit_test_setup(
			test_calloc_is_zero_however_much_was_touched, start),
		cmocka_unit_test_setup(test_half_a_key_is_no_key, start),
		cmocka_unit_test_setup(test_calloc_multiplies, start),
		cmocka_unit_test_setup(test_too_much_is_refused, start),
		cmocka_unit_test_setup(test_exhaustion_is_told_and_survived,
				       start),
		cmocka_unit_test_setup(
			test_a_block_is_decoded_by_its_start_alone, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
