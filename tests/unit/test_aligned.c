/*
 * test_aligned - every alignment up to 1 GiB, and those that are none.
 */
#include "heaps.h"

#include "malloc/malloc.h"

#include <setjmp.h>

#include <cmocka.h>

/* Not known to the compiler, which would warn. */
static volatile size_t most = SIZE_MAX;

static void check(char *p, size_t align, size_t size)
{
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % align, 0);
	assert_int_equal((uintptr_t)p % MIN_ALIGN, 0);
	assert_true(mem_usable_size(p) >= size);
	if (size) {
		p[0] = 1;
		p[size - 1] = 2;
		p[mem_usable_size(p) - 1] = 3;
	}
}

static void test_every_alignment_with_every_size(void **state)
{
	static const size_t sizes[] = { 0, 1, 17, 100, 1000, 4096, 5000,
					14336, 20000, 100000, 3UL << 20 };
	char *p[array_size(sizes)], *q[array_size(sizes)];

	(void)state;
	for (size_t align = 1; align <= MAX_ALIGN; align *= 2) {
		for (size_t i = 0; i < array_size(sizes); i++) {
			p[i] = mem_memalign(align, sizes[i]);
			check(p[i], align, sizes[i]);
			q[i] = mem_aligned_alloc(align, sizes[i]);
			check(q[i], align, sizes[i]);
			if (align > MAX_ALIGN / 8)
				continue;
			mem_free(p[i]);
			check(p[i] = mem_memalign(align, sizes[i]), align,
			      sizes[i]);
		}
		for (size_t i = 0; i < array_size(sizes); i++) {
			mem_free(p[i]);
			mem_free(q[i]);
		}
	}
	assert_int_equal(errno, 77);
	heap_validate();
}

static void test_small_alignments_waste_little(void **state)
{
	(void)state;
	for (size_t align = 16; align <= 2048; align *= 2) {
		for (size_t size = 1; size <= 8192; size += 1 + size / 5) {
			void *p = mem_memalign(align, size);
			size_t usable = mem_usable_size(p);

			check(p, align, size);
			assert_true(usable <= 2 * max(align, size));
			mem_free(p);
		}
	}
	heap_validate();
}

/* What was freed last is handed out again if it is aligned enough. */
static void test_aligned_runs_come_from_the_bins(void **state)
{
	char *low, *high, *p;

	(void)state;
	for (size_t align = 32UL << 10; align <= 1UL << 20; align *= 2) {
		low = mem_memalign(align, align);
		high = mem_memalign(align, align);
		check(low, align, align);
		check(high, align, align);
		mem_free(high);
		assert_ptr_equal(p = mem_memalign(align, align), high);
		mem_free(p);
		mem_free(low);
	}
	heap_validate();
}

/* What grew in its place may start anywhere. */
static void test_runs_that_are_not_aligned_enough_stay(void **state)
{
	enum { NR = 16, SIZE = 16384 };
	char *p[NR], *aligned;
	size_t nr_tried = 0;

	(void)state;
	for (size_t i = 0; i < NR; i++)
		p[i] = mem_malloc(SIZE);
	for (size_t i = 0; i < NR; i += 2)
		mem_free(p[i]);
	mem_trim(0);
	for (size_t i = 1; i < NR; i += 2) {
		p[i] = mem_realloc(p[i], 2 * SIZE);
		if ((uintptr_t)p[i] % (2 * SIZE) == 0)
			continue;
		nr_tried++;
		mem_free(p[i]);
		aligned = mem_memalign(2 * SIZE, 2 * SIZE);
		check(aligned, 2 * SIZE, 2 * SIZE);
		p[i] = aligned;
	}
	assert_true(nr_tried > 0);
	for (size_t i = 1; i < NR; i += 2)
		mem_free(p[i]);
	heap_validate();
}

static void test_what_is_no_power_of_two_is_invalid(void **state)
{
	static const size_t aligns[] = { 0, 3, 24, 100, 4097 };
	void *p = &p;

	(void)state;
	for (size_t i = 0; i < array_size(aligns); i++) {
		errno = 0;
		assert_null(mem_aligned_alloc(aligns[i], 10));
		assert_int_equal(errno, EINVAL);
		errno = 77;
		assert_int_equal(mem_posix_memalign(&p, aligns[i], 10),
				 EINVAL);
		assert_int_equal(errno, 77);
		assert_ptr_equal(p, &p);
	}
	heap_validate();
}

/* As in glibc. */
static void test_memalign_rounds_up_to_a_power_of_two(void **state)
{
	static const size_t aligns[][2] = {
		{ 0, 1 }, { 3, 4 }, { 24, 32 }, { 48, 64 }, { 100, 128 },
		{ 4097, 8192 }, { 6144, 8192 }, { 3UL << 20, 4UL << 20 },
	};
	static const size_t sizes[] = { 0, 10, 1000, 20000, 5UL << 20 };

	(void)state;
	for (size_t i = 0; i < array_size(aligns); i++) {
		for (size_t k = 0; k < array_size(sizes); k++) {
			void *p = mem_memalign(aligns[i][0], sizes[k]);

			check(p, aligns[i][1], sizes[k]);
			mem_free(p);
		}
	}
	assert_int_equal(errno, 77);
	errno = 0;
	assert_null(mem_memalign(most / 2 + 2, 10));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(mem_memalign(most, 10));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(mem_memalign(most / 2, 10));
	assert_int_equal(errno, ENOMEM);
	heap_validate();
}

static void test_posix_memalign_returns_its_errors(void **state)
{
	void *p = &p;

	(void)state;
	/* Less than a pointer's size is none, there. */
	assert_int_equal(mem_posix_memalign(&p, 4, 10), EINVAL);
	assert_int_equal(mem_posix_memalign(&p, 16, most), ENOMEM);
	assert_int_equal(mem_posix_memalign(&p, 1 << 20, most / 2), ENOMEM);
	assert_int_equal(mem_posix_memalign(&p, 8192, vm.size), ENOMEM);
	assert_ptr_equal(p, &p);
	assert_int_equal(mem_posix_memalign(&p, sizeof(void *), 10), 0);
	check(p, sizeof(void *), 10);
	mem_free(p);
	assert_int_equal(mem_posix_memalign(&p, 256, 0), 0);
	check(p, 256, 0);
	mem_free(p);
	assert_int_equal(errno, 77);
	heap_validate();
}

static void test_too_much_is_refused(void **state)
{
	static const size_t aligns[] = { 1, 64, 4096, 1 << 20, MAX_ALIGN };

	(void)state;
	for (size_t i = 0; i < array_size(aligns); i++) {
		errno = 0;
		assert_null(mem_memalign(aligns[i], most));
		assert_int_equal(errno, ENOMEM);
		errno = 0;
		assert_null(mem_memalign(aligns[i], most / 2 - 5000));
		assert_int_equal(errno, ENOMEM);
	}
	errno = 0;
	assert_null(mem_memalign(1UL << 62, 1));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(mem_valloc(most));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(mem_pvalloc(most - 10));
	assert_int_equal(errno, ENOMEM);
	heap_validate();
}

static void test_valloc_and_pvalloc_are_pages(void **state)
{
	char *p = mem_valloc(100), *q = mem_pvalloc(100), *r = mem_pvalloc(0);

	(void)state;
	check(p, os.page_size, 100);
	check(q, os.page_size, os.page_size);
	check(r, os.page_size, os.page_size);
	mem_free(p);
	mem_free(q);
	mem_free(r);
	p = mem_pvalloc(3 * os.page_size + 1);
	check(p, os.page_size, 4 * os.page_size);
	mem_free(p);
	assert_int_equal(errno, 77);
	heap_validate();
}

static void test_aligned_blocks_can_be_resized(void **state)
{
	(void)state;
	for (size_t align = 64; align <= 64UL << 20; align *= 8) {
		char *p = mem_memalign(align, 3000);

		assert_non_null(p);
		memset(p, 0x21, 3000);
		p = mem_realloc(p, 9000);
		assert_non_null(p);
		assert_int_equal(p[0], 0x21);
		assert_memory_equal(p, p + 1, 2999);
		p = mem_realloc(p, 4UL << 20);
		assert_memory_equal(p, p + 1, 2999);
		p = mem_realloc(p, 100);
		assert_memory_equal(p, p + 1, 99);
		mem_free(p);
	}
	heap_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_every_alignment_with_every_size,
				       start),
		cmocka_unit_test_setup(test_small_alignments_waste_little,
				       start),
		cmocka_unit_test_setup(test_aligned_runs_come_from_the_bins,
				       start),
		cmocka_unit_test_setup(
			test_runs_that_are_not_aligned_enough_stay, start),
		cmocka_unit_test_setup(test_what_is_no_power_of_two_is_invalid,
				       start),
		cmocka_unit_test_setup(
			test_memalign_rounds_up_to_a_power_of_two, start),
		cmocka_unit_test_setup(test_posix_memalign_returns_its_errors,
				       start),
		cmocka_unit_test_setup(test_too_much_is_refused, start),
		cmocka_unit_test_setup(test_valloc_and_pvalloc_are_pages,
				       start),
		cmocka_unit_test_setup(test_aligned_blocks_can_be_resized,
				       start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
