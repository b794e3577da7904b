/*
 * test_realloc - contents survive every change of size.
 */
#include "heaps.h"

#include "malloc/introspect.h"
#include "malloc/malloc.h"

#include <setjmp.h>

#include <cmocka.h>

static const size_t sizes[] = {
	0, 1, 16, 17, 100, 128, 129, 1000, 1024, 1025, 4096, 5000, 14336,
	14337, 40000, 65536, 1UL << 20, CLASS_MAX, CLASS_MAX + 1, 5UL << 20,
	70UL << 20,
};

/* Not known to the compiler, which would warn. */
static volatile size_t most = SIZE_MAX;

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 12));
}

/* Of large blocks, each 61st byte. */
static size_t step_of(size_t size)
{
	return size > 100000 ? 61 : 1;
}

static void fill(unsigned char *p, size_t size)
{
	for (size_t i = 0; i < size; i += step_of(size))
		p[i] = byte_at(i);
}

static bool is_filled(const unsigned char *p, size_t n, size_t size)
{
	for (size_t i = 0; i < n; i += step_of(size))
		if (p[i] != byte_at(i))
			return false;
	return true;
}

static void test_contents_survive_every_transition(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(sizes); i++) {
		for (size_t k = 1; k < array_size(sizes); k++) {
			unsigned char *p = mem_malloc(sizes[i]);

			assert_non_null(p);
			fill(p, sizes[i]);
			p = mem_realloc(p, sizes[k]);
			assert_non_null(p);
			assert_true(mem_usable_size(p) >= sizes[k]);
			assert_int_equal((uintptr_t)p % MIN_ALIGN, 0);
			assert_true(is_filled(p, min(sizes[i], sizes[k]),
					      sizes[i]));
			p[sizes[k] - 1] = 1;
			mem_free(p);
		}
	}
	assert_int_equal(errno, 77);
	heap_validate();
}

static void test_null_is_allocated_and_nothing_frees(void **state)
{
	char *p = mem_realloc(NULL, 100);
	struct block block;

	(void)state;
	assert_non_null(p);
	assert_null(mem_realloc(p, 0));
	assert_false(mem_block_of(p, &block));
	p = mem_realloc(NULL, 0);
	assert_non_null(p);
	mem_free(p);
	assert_int_equal(errno, 77);
	heap_validate();
}

static void test_a_block_stays_while_it_fits_and_is_half_used(void **state)
{
	char *p = mem_malloc(1000), *q;

	(void)state;
	assert_ptr_equal(mem_realloc(p, 1024), p);
	assert_ptr_equal(mem_realloc(p, 600), p);
	assert_ptr_equal(mem_realloc(p, 512), p);
	q = mem_realloc(p, 100);
	assert_ptr_not_equal(q, p);
	assert_int_equal(mem_usable_size(q), 112);
	mem_free(q);
	heap_validate();
}

static void test_a_run_grows_into_free_pages_behind_it(void **state)
{
	size_t moves = 0, last = CLASS_MAX / 2;
	unsigned char *p = NULL, *q;

	(void)state;
	for (size_t size = 20000; size <= last; size += 4096, p = q) {
		q = mem_realloc(p, size);
		assert_non_null(q);
		moves += q != p;
		assert_true(mem_usable_size(q) >= size);
		if (p)
			assert_true(is_filled(q, size - 4096, last));
		fill(q, size);
	}
	/* Once or twice pieces of other tests lie in the way. */
	assert_true(moves < 4);
	mem_free(p);
	heap_validate();
}

/* Where it lay the next one finds room. */
static void test_a_run_that_has_grown_is_not_cached(void **state)
{
	void *p = mem_malloc(100000), *q;
	size_t used;

	(void)state;
	for (size_t size = 100000; size < 1 << 20; size += 50000) {
		q = mem_realloc(p, size);
		assert_non_null(q);
		p = q;
	}
	used = world_used();
	mem_free(p);
	assert_true(world_used() <= used - 200);
	p = mem_malloc(1 << 20);
	used = world_used();
	mem_free(p);
	assert_int_equal(world_used(), used);
	heap_validate();
}

/* What is behind it goes to the zone, and the run with it when it is freed. */
static void test_a_run_that_is_much_smaller_gives_back_its_end(void **state)
{
	static const size_t from[] = { 256UL << 10, 1UL << 20, CLASS_MAX,
				       CLASS_MAX + (1UL << 20) };

	(void)state;
	for (size_t i = 0; i < array_size(from); i++) {
		size_t size = from[i] / 2 + 5000, used, before = world_used();
		unsigned char *p = mem_malloc(from[i]);

		assert_non_null(p);
		fill(p, size);
		used = world_used();
		assert_ptr_equal(mem_realloc(p, size), p);
		assert_int_equal(mem_usable_size(p),
				 align_up(size, PAGE_SIZE));
		assert_true(world_used() <= used - from[i] / 4 / PAGE_SIZE);
		assert_true(is_filled(p, from[i] / 2, size));
		/* Then little more, and as much as before. */
		assert_ptr_equal(mem_realloc(p, size - 5000), p);
		p = mem_realloc(p, from[i]);
		assert_true(is_filled(p, from[i] / 2, size));
		mem_free(p);
		mem_trim(0);
		assert_true(world_used() <= before);
	}
	assert_int_equal(errno, 77);
	heap_validate();
	figures_validate();
}

/* 16 pages at least, and a quarter. */
static void test_a_run_that_is_little_smaller_stays_as_it_is(void **state)
{
	void *p = mem_malloc(100000), *q = mem_malloc(1 << 20);
	size_t size = mem_usable_size(p);

	(void)state;
	assert_ptr_equal(mem_realloc(p, size - (50UL << 10)), p);
	assert_int_equal(mem_usable_size(p), size);
	assert_ptr_equal(mem_realloc(q, (1 << 20) - (250UL << 10)), q);
	assert_int_equal(mem_usable_size(q), 1 << 20);
	mem_free(p);
	mem_free(q);
	heap_validate();
	figures_validate();
}

static void check_refused(char *p, void *q)
{
	assert_null(q);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(p[0], 42);
	assert_true(mem_usable_size(p) >= 100);
	errno = 77;
}

static void test_a_failure_leaves_the_block(void **state)
{
	char *p = mem_malloc(100);

	(void)state;
	p[0] = 42;
	check_refused(p, mem_realloc(p, most));
	check_refused(p, mem_realloc(p, most / 2 + 1));
	check_refused(p, mem_realloc(p, vm.size));
	mem_free(p);
	heap_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_contents_survive_every_transition,
				       start),
		cmocka_unit_test_setup(
			test_null_is_allocated_and_nothing_frees, start),
		cmocka_unit_test_setup(
			test_a_block_stays_while_it_fits_and_is_half_used,
			start),
		cmocka_unit_test_setup(
			test_a_run_grows_into_free_pages_behind_it, start),
		cmocka_unit_test(test_a_run_that_has_grown_is_not_cached),
		cmocka_unit_test_setup(
			test_a_run_that_is_much_smaller_gives_back_its_end,
			start),
		cmocka_unit_test_setup(
			test_a_run_that_is_little_smaller_stays_as_it_is,
			start),
		cmocka_unit_test_setup(test_a_failure_leaves_the_block, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
