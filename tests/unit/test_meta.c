/*
 * test_meta - the allocator's own memory.
 */
#include "world.h"

#include <setjmp.h>

#include <cmocka.h>

static int start(void **state)
{
	(void)state;
	os_init();
	assert_true(meta_init(1UL << 30, NULL, 0));
	return 0;
}

static bool is_zero(const char *p, size_t size)
{
	return !p[0] && !memcmp(p, p + 1, size - 1);
}

static void test_each_size_comes_zeroed_and_apart(void **state)
{
	static const size_t sizes[] = { 1, 64, 65, 128, 500, 4096, 5000,
					META_MAX_SIZE };
	char *p[array_size(sizes)];

	(void)state;
	for (size_t i = 0; i < array_size(sizes); i++) {
		size_t size = META_UNIT << meta_order(sizes[i]);

		p[i] = meta_alloc(sizes[i]);
		assert_non_null(p[i]);
		assert_true(size >= sizes[i]);
		assert_int_equal((uintptr_t)p[i] % min(size, PAGE_SIZE), 0);
		assert_true(is_zero(p[i], size));
		memset(p[i], (int)i + 1, size);
	}
	for (size_t i = 0; i < array_size(sizes); i++) {
		size_t size = META_UNIT << meta_order(sizes[i]);

		assert_int_equal(p[i][0], i + 1);
		assert_memory_equal(p[i], p[i] + 1, size - 1);
		meta_free(p[i], sizes[i]);
	}
}

static void test_large_sheaves_begin_at_no_start_of_a_page(void **state)
{
	char *p[9];

	(void)state;
	for (size_t i = 0; i < array_size(p); i++) {
		p[i] = meta_alloc(META_SKEWED);
		assert_int_equal((uintptr_t)p[i] % META_SKEWED,
				 META_SKEWED / 2);
		memset(p[i], 1, META_SKEWED);
	}
	for (size_t i = 0; i < array_size(p); i++)
		meta_free(p[i], META_SKEWED);
}

static void test_orders_are_powers_of_two_from_a_unit(void **state)
{
	(void)state;
	assert_int_equal(meta_order(1), 0);
	for (size_t size = 1; size <= META_MAX_SIZE; size += 1 + size / 9) {
		size_t got = (size_t)META_UNIT << meta_order(size);

		assert_true(got >= size);
		assert_true(got == META_UNIT || got / 2 < size);
	}
	assert_int_equal(meta_order(META_MAX_SIZE), META_ORDERS - 1);
}

static void test_what_was_freed_is_used_again_and_zero(void **state)
{
	char *p = meta_alloc(300);
	size_t used = meta.used;

	(void)state;
	memset(p, 0x99, 512);
	meta_free(p, 300);
	assert_ptr_equal(meta_alloc(512), p);
	assert_true(is_zero(p, 512));
	assert_int_equal(meta.used, used);
	/* Another size does not get it. */
	meta_free(p, 512);
	assert_ptr_not_equal(meta_alloc(256), p);
	assert_ptr_equal(meta_alloc(257), p);
}

static void test_live_bytes_are_counted(void **state)
{
	size_t before = meta.in_use;
	void *p = meta_alloc(64), *q = meta_alloc(100);

	(void)state;
	assert_int_equal(meta.in_use, before + 64 + 128);
	meta_free(p, 64);
	assert_int_equal(meta.in_use, before + 128);
	meta_free(q, 100);
	assert_int_equal(meta.in_use, before);
}

static void test_handles_name_objects(void **state)
{
	void *p = meta_alloc(64), *q = meta_alloc(8192);

	(void)state;
	assert_int_not_equal(meta_handle(p), 0);
	assert_int_not_equal(meta_handle(p), meta_handle(q));
	assert_ptr_equal(meta_pointer(meta_handle(p)), p);
	assert_ptr_equal(meta_pointer(meta_handle(q)), q);
	meta_free(p, 64);
	meta_free(q, 8192);
}

static void lies_in_the_room(void)
{
	size_t room = META_MAX_TOTAL;
	char *start = os_reserve(room, os.page_size, false), *p, *before = NULL;

	CHECK(start);
	meta = (struct meta){ .lock = LOCK_INITIALIZER(LOCK_META) };
	CHECK(meta_init(1UL << 43, start + room, room));
	CHECK(meta.end == start + room && meta.size < room);
	for (size_t size = META_UNIT; size <= META_MAX_SIZE; size *= 2) {
		p = meta_alloc(size);
		CHECK(p && p >= start && p + size <= (before ? before :
						      start + room));
		CHECK(meta_contains(p) && meta_contains(p + size - 1));
		CHECK(meta_pointer(meta_handle(p)) == p);
		memset(p, 1, size);
		before = p;
	}
	CHECK(!meta_contains(meta.end) && !meta_contains(start));
}

static void has_too_little_room(void)
{
	char *start = os_reserve(1UL << 20, os.page_size, false);

	CHECK(start);
	meta = (struct meta){ .lock = LOCK_INITIALIZER(LOCK_META) };
	CHECK(meta_init(1UL << 30, start + (1UL << 20), 1UL << 20));
	CHECK(meta.size == (1UL << 30) / 32);
	CHECK(meta.end <= start || meta.end - meta.size >= start + (1UL << 20));
	CHECK(meta_alloc(META_UNIT));
}

static void test_it_lies_where_there_is_room(void **state)
{
	(void)state;
	assert_true(child_succeeds(lies_in_the_room));
	assert_true(child_succeeds(has_too_little_room));
}

static void test_a_reserve_commits_ahead(void **state)
{
	size_t used = meta.used, commits;

	(void)state;
	assert_true(meta_reserve(used + (3 << 20)));
	assert_int_equal(meta.used, used);
	assert_true(meta.committed >= used + (3 << 20));
	commits = os.nr_commits;
	assert_non_null(meta_alloc(META_MAX_SIZE));
	assert_non_null(meta_alloc(META_MAX_SIZE));
	assert_int_equal(os.nr_commits, commits);
	/* More is there than all that was asked for so far: nothing to do. */
	assert_true(meta_reserve(meta.used));
	assert_int_equal(os.nr_commits, commits);
	assert_false(meta_reserve(meta.size + 1));
	assert_false(meta_reserve(SIZE_MAX / 2));
}

static void runs_out(void)
{
	size_t n = 0, committed;
	void *p;

	while ((p = meta_alloc(META_MAX_SIZE)))
		n++;
	CHECK(n >= (meta.size >> 20) / 2);
	committed = meta.committed;
	CHECK(committed <= meta.size);
	/* What is small may still fit, and refusals stay refusals. */
	while (meta_alloc(META_UNIT))
		;
	CHECK(!meta_alloc(META_UNIT));
	CHECK(!meta_alloc(META_MAX_SIZE));
	p = meta_pointer(1);
	CHECK(p);
}

static void test_the_reservation_ends_with_refusals(void **state)
{
	(void)state;
	assert_true(child_succeeds(runs_out));
}

static void is_refused(void)
{
	size_t committed = meta.committed, in_use;
	void *first = meta_alloc(4096);

	CHECK(first);
	world_limit(RLIMIT_DATA, 0);
	errno = 77;
	while (meta_alloc(4096))
		;
	CHECK(errno == 77);
	CHECK(meta.committed <= committed + (1 << 20));
	CHECK(!meta_reserve(meta.committed + 1));
	in_use = meta.in_use;
	CHECK(!meta_alloc(4096));
	CHECK(meta.in_use == in_use);
	meta_free(first, 4096);
	CHECK(meta_alloc(4096) == first);
}

static void test_commit_refusals_are_survived(void **state)
{
	(void)state;
	assert_true(child_succeeds(is_refused));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_size_comes_zeroed_and_apart),
		cmocka_unit_test(
			test_large_sheaves_begin_at_no_start_of_a_page),
		cmocka_unit_test(test_orders_are_powers_of_two_from_a_unit),
		cmocka_unit_test(test_what_was_freed_is_used_again_and_zero),
		cmocka_unit_test(test_live_bytes_are_counted),
		cmocka_unit_test(test_handles_name_objects),
		cmocka_unit_test(test_it_lies_where_there_is_room),
		cmocka_unit_test(test_a_reserve_commits_ahead),
		cmocka_unit_test(test_the_reservation_ends_with_refusals),
		cmocka_unit_test(test_commit_refusals_are_survived),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
