/*
 * test_huge - blocks of any number of pages: they grow in their place, or
 * their page tables move.
 */
#include "huges.h"

static void test_sizes_are_rounded_to_pages(void **state)
{
	static const size_t sizes[] = { CLASS_MAX + 1, 5 * MIB, 7 * MIB + 1,
					64 * MIB, 64 * MIB + 1, 150 * MIB };

	(void)state;
	for (size_t i = 0; i < array_size(sizes); i++) {
		size_t used = world_used(), size = sizes[i];
		char *p = huge_alloc(size, PAGE_SIZE, false);

		assert_non_null(p);
		size = align_up(size, PAGE_SIZE);
		assert_int_equal(mem_usable_size(p), size);
		assert_true(world_used() <= used + (size >> PAGE_SHIFT) + 64);
		p[0] = p[size - 1] = 1;
		huge_count(&after);
		assert_int_equal(after.live_bytes, before.live_bytes + size);
		mem_free(p);
	}
	finish();
}

static void test_what_is_too_large_is_refused(void **state)
{
	(void)state;
	assert_null(huge_alloc(SIZE_MAX, PAGE_SIZE, false));
	assert_null(huge_alloc(PTRDIFF_MAX, PAGE_SIZE, false));
	assert_null(huge_alloc(vm.size, PAGE_SIZE, true));
	finish();
}

static void test_zeroed_blocks_cost_nothing_until_touched(void **state)
{
	char *p = huge_alloc(100 * MIB, PAGE_SIZE, true);

	(void)state;
	assert_non_null(p);
	assert_int_equal(resident(p, 100 * MIB), 0);
	assert_true(pages_are_zero(p, 100 * MIB));
	mem_free(p);
	/* Used memory is zeroed. */
	p = huge_alloc(10 * MIB, PAGE_SIZE, false);
	memset(p, 7, 10 * MIB);
	mem_free(p);
	p = huge_alloc(10 * MIB, PAGE_SIZE, true);
	for (size_t i = 0; i < 10 * MIB; i++)
		if (p[i])
			fail();
	mem_free(p);
	finish();
}

static void test_a_block_grows_in_its_place(void **state)
{
	char *p = huge_alloc(5 * MIB, PAGE_SIZE, false);

	(void)state;
	number_pages(p, 5 * MIB, 5);
	/* Of the rest of the block of eight that it was cut from. */
	assert_ptr_equal(mem_realloc(p, 6 * MIB), p);
	assert_int_equal(mem_usable_size(p), 6 * MIB);
	assert_true(pages_are_numbered(p, 5 * MIB, 5));
	number_pages(p, 6 * MIB, 5);
	mem_free(p);
	finish();
}

static void test_a_block_shrinks_in_its_place(void **state)
{
	char *p = huge_alloc(40 * MIB, PAGE_SIZE, false);
	size_t used = world_used();

	(void)state;
	number_pages(p, 40 * MIB, 5);
	assert_ptr_equal(mem_realloc(p, 10 * MIB), p);
	assert_int_equal(mem_usable_size(p), 10 * MIB);
	assert_true(world_used() <= used - (29 * MIB >> PAGE_SHIFT));
	assert_true(pages_are_numbered(p, 10 * MIB, 5));
	/* And grows into what it left. */
	assert_ptr_equal(mem_realloc(p, 30 * MIB), p);
	assert_true(pages_are_numbered(p, 10 * MIB, 5));
	mem_free(p);
	finish();
}

static void test_a_block_that_must_move_keeps_its_pages(void **state)
{
	char *p = huge_alloc(8 * MIB, PAGE_SIZE, false), *wall, *q;

	(void)state;
	wall = pfn_to_address(address_to_pfn(p) + 2048);
	number_pages(p, 8 * MIB, 9);
	/* Whatever lies behind it is in use. */
	while (extend_pages_exact(pfn_to_page(address_to_pfn(p)), 2048, 2049))
		page_set_word(pfn_to_page(address_to_pfn(wall)), 1);
	q = mem_realloc(p, 70 * MIB);
	assert_non_null(q);
	assert_ptr_not_equal(q, p);
	assert_true(pages_are_numbered(q, 8 * MIB, 9));
	assert_int_equal(mem_usable_size(q), 70 * MIB);
	number_pages(q, 70 * MIB, 11);
	assert_true(pages_are_numbered(q, 70 * MIB, 11));
	if (os.refused[OS_REFUSED_MOVE] == refused_before) {
		/* What it left is zero and not resident. */
		assert_int_equal(resident(p, 8 * MIB), 0);
		assert_true(pages_have_moved(address_to_pfn(q), 2048));
	}
	mem_free(q);
	if (page_word(pfn_to_page(address_to_pfn(wall))) == 1)
		free_pages_exact(NULL, pfn_to_page(address_to_pfn(wall)), 1);
	finish();
}

static void test_growth_by_steps_keeps_everything(void **state)
{
	char *p = mem_malloc(1), *walls[40];
	size_t size = 1, n = 0;

	(void)state;
	*p = 77;
	/* With other blocks in between, so that it moves now and then. */
	while (size < 150 * MIB) {
		size_t old = size;

		size = size * 3 / 2 + 1;
		p = mem_realloc(p, size);
		assert_non_null(p);
		assert_int_equal(p[0], 77);
		if (old >= 2 * PAGE_SIZE)
			assert_true(pages_are_numbered(
				p + PAGE_SIZE,
				align_down(old, PAGE_SIZE) - PAGE_SIZE, 3));
		if (size >= 2 * PAGE_SIZE)
			number_pages(p + PAGE_SIZE,
				     align_down(size, PAGE_SIZE) - PAGE_SIZE,
				     3);
		if (size > CLASS_MAX)
			walls[n++] = mem_malloc(CLASS_MAX + 1);
	}
	mem_free(p);
	while (n)
		mem_free(walls[--n]);
	finish();
}

static void test_large_blocks_are_purged_when_they_are_freed(void **state)
{
	char *p = huge_alloc(80 * MIB, PAGE_SIZE, false);
	size_t dirty = world_zone()->nr_free_dirty;

	(void)state;
	number_pages(p, 80 * MIB, 1);
	assert_int_equal(resident(p, 80 * MIB), 80 * MIB);
	mem_free(p);
	assert_int_equal(resident(p, 80 * MIB), 0);
	assert_int_equal(world_zone()->nr_free_dirty, dirty);
	/* Smaller ones wait for the next request. */
	p = huge_alloc(8 * MIB, PAGE_SIZE, false);
	number_pages(p, 8 * MIB, 1);
	mem_free(p);
	assert_true(world_zone()->nr_free_dirty >= dirty + 2048);
	mem_trim(0);
	assert_int_equal(resident(p, 8 * MIB), 0);
	finish();
}

static size_t nr_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[512];
	size_t n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		n++;
	fclose(file);
	return n;
}

/* So many at most, whatever moves. */
static void test_moves_leave_few_mappings_behind(void **state)
{
	enum { N = MOVED_MAX / 3 };
	size_t mappings = nr_mappings();
	char *p[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		p[i] = mem_malloc(5 * MIB);
		*(size_t *)(void *)p[i] = i;
	}
	for (size_t i = 0; i < N; i++) {
		p[i] = mem_realloc(p[i], 9 * MIB);
		assert_int_equal(*(size_t *)(void *)p[i], i);
	}
	if (!os.refused[OS_REFUSED_MOVE])
		assert_true(migrate_is_crowded());
	for (size_t i = 0; i < N; i++)
		mem_free(p[i]);
	assert_false(migrate_is_crowded());
	assert_true(nr_mappings() <= mappings + MOVED_MAX + 40);
	finish();
}

static void test_a_block_becomes_small_and_huge_again(void **state)
{
	char *p = mem_malloc(10 * MIB);

	(void)state;
	number_pages(p, 10 * MIB, 1);
	p = mem_realloc(p, MIB);
	assert_true(pages_are_numbered(p, MIB, 1));
	assert_int_equal(mem_usable_size(p), MIB);
	p = mem_realloc(p, 100);
	assert_int_equal(*(uint64_t *)(void *)p, 1);
	p = mem_realloc(p, 10 * MIB);
	assert_int_equal(*(uint64_t *)(void *)p, 1);
	mem_free(p);
	finish();
}

static void fails_to_grow(void)
{
	char *p = mem_malloc(8 * MIB), *q;

	CHECK(p);
	number_pages(p, 8 * MIB, 1);
	world_limit(RLIMIT_DATA, 4 * MIB);
	errno = 0;
	q = mem_realloc(p, 500 * MIB);
	CHECK(!q && errno == ENOMEM);
	CHECK(pages_are_numbered(p, 8 * MIB, 1));
	CHECK(mem_usable_size(p) == 8 * MIB);
	CHECK(!mem_realloc(p, PTRDIFF_MAX));
	CHECK(!mem_realloc(p, SIZE_MAX));
	CHECK(pages_are_numbered(p, 8 * MIB, 1));
	mem_free(p);
	heap_validate();
}

static void test_a_block_that_cannot_grow_is_as_it_was(void **state)
{
	(void)state;
	assert_true(child_succeeds(fails_to_grow));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sizes_are_rounded_to_pages, begin),
		cmocka_unit_test_setup(test_what_is_too_large_is_refused,
				       begin),
		cmocka_unit_test_setup(
			test_zeroed_blocks_cost_nothing_until_touched, begin),
		cmocka_unit_test_setup(test_a_block_grows_in_its_place, begin),
		cmocka_unit_test_setup(test_a_block_shrinks_in_its_place,
				       begin),
		cmocka_unit_test_setup(
			test_a_block_that_must_move_keeps_its_pages, begin),
		cmocka_unit_test_setup(test_growth_by_steps_keeps_everything,
				       begin),
		cmocka_unit_test_setup(
			test_large_blocks_are_purged_when_they_are_freed,
			begin),
		cmocka_unit_test_setup(
			test_a_block_becomes_small_and_huge_again, begin),
		cmocka_unit_test_setup(
			test_a_block_that_cannot_grow_is_as_it_was, begin),
		/* It leaves much address space committed. */
		cmocka_unit_test_setup(test_moves_leave_few_mappings_behind,
				       begin),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
