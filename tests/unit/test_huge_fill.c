/*
 * test_huge_fill - large blocks of a program that writes all of them take
 * memory that is free elsewhere.
 */
#include "huges.h"

/* The zone has grown, so that blocks have room behind them. */
static int start_grown(void **state)
{
	int failed = start(state);

	mem_free(mem_malloc(150 * MIB));
	return failed;
}

/* A program that writes all of its large blocks; none of them is free and
 * dirty. */
static int begin_written(void **state)
{
	int failed = begin(state);

	for (int i = 0; i < 30; i++) {
		char *p = mem_malloc(9 * MIB);

		number_pages(p, 9 * MIB, 1);
		mem_free(p);
	}
	mem_trim(0);
	return failed;
}

/* 20 MiB are free and dirty, in two places. */
static void *free_two_places(void)
{
	char *p = mem_malloc(10 * MIB), *wall = mem_malloc(3 * MIB);
	char *q = mem_malloc(10 * MIB);

	number_pages(p, 10 * MIB, 1);
	number_pages(q, 10 * MIB, 1);
	mem_free(p);
	mem_free(q);
	return wall;
}

/* Reclaim looks as soon as more is resident than now. */
static void watch_resident(void)
{
	struct zone *zone = world_zone();

	lock_acquire(&zone->lock);
	zone->resident_high = zone->resident_seen = zone_resident(zone);
	lock_release(&zone->lock);
}

/* So much of the block has come from elsewhere, and little more is there;
 * where the kernel moves nothing it may be less. */
static void assert_brings(const char *p, size_t size, size_t least, size_t most)
{
	if (os.refused[OS_REFUSED_MOVE] == refused_before)
		assert_in_range(resident(p, size), least, most);
}

static void test_written_blocks_take_what_was_freed(void **state)
{
	uint64_t purged;
	char *wall, *p;

	(void)state;
	wall = free_two_places();
	purged = world_zone()->nr_purged;
	watch_resident();
	p = mem_malloc(40 * MIB);
	assert_brings(p, 40 * MIB, 20 * MIB, 24 * MIB);
	number_pages(p, 40 * MIB, 7);
	assert_int_equal(world_zone()->nr_purged, purged);
	assert_true(pages_are_numbered(p, 40 * MIB, 7));
	mem_free(p);
	mem_free(wall);
	finish();
}

/* Its end is a part of a pageblock, and brings memory as the others do; what
 * the pageblock has more is free. */
static void test_the_end_of_a_block_takes_what_was_freed(void **state)
{
	size_t size = 15 * MIB + 5 * PAGE_SIZE, used;
	char *wall, *p;

	(void)state;
	wall = free_two_places();
	used = world_used();
	watch_resident();
	p = mem_malloc(size);
	assert_int_equal(mem_usable_size(p), size);
	assert_int_equal(world_used() - used, size >> PAGE_SHIFT);
	assert_brings(p, size, size, size);
	number_pages(p, size, 1);
	mem_free(p);
	mem_free(wall);
	finish();
}

static void test_blocks_that_grow_take_what_was_freed(void **state)
{
	char *wall, *p;

	(void)state;
	p = mem_malloc(33 * MIB);
	number_pages(p, 33 * MIB, 3);
	wall = free_two_places();
	p = mem_realloc(p, 60 * MIB);
	assert_true(pages_are_numbered(p, 33 * MIB, 3));
	/* It may have moved to where some of it lay. */
	assert_brings(p, 60 * MIB, 33 * MIB + 8 * MIB, 33 * MIB + 20 * MIB);
	mem_free(p);
	mem_free(wall);
	finish();
}

/* A block of 33 MiB with room behind it; 20 MiB before it are free and dirty,
 * and end at the wall. */
static char *block_with_room(char **wall)
{
	char *hole = mem_malloc(20 * MIB), *p;

	*wall = mem_malloc(3 * MIB);
	p = mem_malloc(33 * MIB);
	number_pages(hole, 20 * MIB, 1);
	number_pages(p, 33 * MIB, 3);
	mem_free(hole);
	return p;
}

static void test_a_block_that_grows_in_its_place_does_so_too(void **state)
{
	char *wall, *p = block_with_room(&wall);

	(void)state;
	assert_ptr_equal(mem_realloc(p, 60 * MIB), p);
	assert_true(pages_are_numbered(p, 33 * MIB, 3));
	assert_brings(p, 60 * MIB, 33 * MIB + 16 * MIB, 33 * MIB + 22 * MIB);
	mem_free(p);
	mem_free(wall);
	finish();
}

/* Its end, too, and the next growth finds the rest of the pageblock. */
static void test_the_end_that_grows_takes_what_was_freed(void **state)
{
	size_t size = 35 * MIB + 5 * PAGE_SIZE, used;
	char *wall, *p = block_with_room(&wall);

	(void)state;
	used = world_used();
	assert_ptr_equal(mem_realloc(p, size), p);
	assert_int_equal(world_used() - used,
			 (size - 33 * MIB) >> PAGE_SHIFT);
	/* But for the pageblock in which it ended. */
	assert_brings(p, size, size - MIB, size - MIB);
	assert_ptr_equal(mem_realloc(p, 36 * MIB), p);
	assert_brings(p, 36 * MIB, 35 * MIB, 35 * MIB);
	assert_true(pages_are_numbered(p, 33 * MIB, 3));
	mem_free(p);
	mem_free(wall);
	finish();
}

static void test_zeroed_blocks_that_will_be_written_stay(void **state)
{
	size_t purged;
	char *p;

	(void)state;
	p = mem_malloc(40 * MIB);
	number_pages(p, 40 * MIB, 1);
	mem_free(p);
	purged = world_zone()->nr_purged;
	p = mem_calloc(40 * MIB, 1);
	assert_int_equal(resident(p, 40 * MIB), 40 * MIB);
	assert_true(pages_are_zero(p, 40 * MIB));
	assert_int_equal(world_zone()->nr_purged, purged);
	mem_free(p);
	/* And others are as zero. */
	mem_free(free_two_places());
	p = mem_calloc(60 * MIB, 1);
	assert_true(pages_are_zero(p, 60 * MIB));
	mem_free(p);
	finish();
}

static void test_zeroed_blocks_take_what_was_freed(void **state)
{
	char *wall, *p;

	(void)state;
	wall = free_two_places();
	p = mem_calloc(40 * MIB, 1);
	assert_brings(p, 40 * MIB, 20 * MIB, 24 * MIB);
	assert_true(pages_are_zero(p, 40 * MIB));
	mem_free(p);
	mem_free(wall);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			test_written_blocks_take_what_was_freed,
			begin_written),
		cmocka_unit_test_setup(
			test_the_end_of_a_block_takes_what_was_freed,
			begin_written),
		cmocka_unit_test_setup(
			test_blocks_that_grow_take_what_was_freed,
			begin_written),
		cmocka_unit_test_setup(
			test_a_block_that_grows_in_its_place_does_so_too,
			begin_written),
		cmocka_unit_test_setup(
			test_the_end_that_grows_takes_what_was_freed,
			begin_written),
		cmocka_unit_test_setup(
			test_zeroed_blocks_that_will_be_written_stay,
			begin_written),
		cmocka_unit_test_setup(
			test_zeroed_blocks_take_what_was_freed,
			begin_written),
	};

	return cmocka_run_group_tests(tests, start_grown, NULL);
}
