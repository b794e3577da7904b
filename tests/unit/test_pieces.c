/*
 * test_pieces - where a run that grows by steps goes.
 *
 * 1. `run` lies at the start of a block of BLOCK pages; what is behind it is
 *    free, and as dirty as the test says. Behind the block lies another that is
 *    in use, and in front of it too, so that nothing merges.
 * 2. `other` is a block elsewhere, which the test frees or not.
 */
#include "pages.h"

#define BLOCK_ORDER	10U
#define BLOCK		(1UL << BLOCK_ORDER)	/* pages */
#define RUN		64UL
#define NEXT		80UL

static struct page *block[5], *run, *other;

static int get_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(block); i++) {
		block[i] = alloc_pages(NULL, GFP_USER | GFP_MOVABLE,
				       BLOCK_ORDER);
		assert_non_null(block[i]);
	}
	run = block[1];
	other = block[3];
	return 0;
}

/* What is behind the first `used` pages of the run's block; the first `dirty`
 * of it are in memory. */
static void free_behind(size_t used, size_t dirty)
{
	if (dirty)
		free_pages_exact(NULL, run + used, dirty);
	free_clean_pages(run + used + dirty, BLOCK - used - dirty, 0);
}

/* The blocks go back, but for what is free already. */
static int put_blocks(void **state)
{
	for (size_t i = 0; i < array_size(block); i++)
		if (block[i])
			free_pages_exact(NULL, block[i], BLOCK);
	memset(block, 0, sizeof(block));
	/* All of it is clean again. */
	reclaim_all();
	return finish(state);
}

static void free_other(void)
{
	free_pages_exact(NULL, other, BLOCK);
	block[3] = NULL;
}

/* Grows by a step, and gives all that it then has back. */
static struct page *grow(size_t from, size_t to_n)
{
	size_t used = world_used() - pcp.count;
	struct page *to = grow_pages_exact(&pcp, run, from, to_n);

	page_alloc_validate();
	if (!to) {
		assert_int_equal(world_used(), used);
		free_pages_exact(NULL, run, from);
	} else if (to == run) {
		assert_int_equal(world_used(), used + to_n - from);
		free_pages_exact(NULL, run, to_n);
	} else {
		assert_int_equal(world_used(), used + to_n);
		free_pages_exact(NULL, run, from);
		free_pages_exact(NULL, to, to_n);
	}
	block[1] = NULL;
	return to;
}

static void test_it_stays_where_nothing_else_is_in_memory(void **state)
{
	(void)state;
	free_behind(RUN, 0);
	assert_ptr_equal(grow(RUN, NEXT), run);
}

static void test_it_stays_where_what_is_behind_is_in_memory(void **state)
{
	(void)state;
	free_behind(RUN, BLOCK - RUN);
	free_other();
	assert_ptr_equal(grow(RUN, NEXT), run);
}

static void test_it_moves_to_what_is_in_memory(void **state)
{
	(void)state;
	free_behind(RUN, 0);
	free_other();
	assert_ptr_equal(grow(RUN, NEXT), other);
}

/* Room is for 4 * RUN pages, so 3 * RUN count. */
static void test_it_moves_when_hardly_anything_behind_is(void **state)
{
	(void)state;
	free_behind(RUN, RUN);
	free_other();
	assert_ptr_equal(grow(RUN, NEXT), other);
}

static void test_it_stays_when_more_is(void **state)
{
	(void)state;
	free_behind(RUN, RUN + 1);
	free_other();
	assert_ptr_equal(grow(RUN, NEXT), run);
}

static void test_what_is_small_stays(void **state)
{
	(void)state;
	free_behind(8, 0);
	free_other();
	assert_ptr_equal(grow(8, 10), run);
}

static void test_what_is_blocked_moves(void **state)
{
	(void)state;
	free_other();
	block[1] = NULL;
	assert_ptr_equal(grow(BLOCK / 2, BLOCK / 2 + 1), other);
	free_pages_exact(NULL, run + BLOCK / 2, BLOCK / 2);
}

static void test_blocked_and_without_room_it_is_as_it_was(void **state)
{
	(void)state;
	assert_null(grow(BLOCK / 2, BLOCK / 2 + 1));
	free_pages_exact(NULL, run + BLOCK / 2, BLOCK / 2);
}

/* The free block begins with clean pages. */
static void test_the_place_may_lie_inside_of_a_free_block(void **state)
{
	(void)state;
	free_behind(RUN, 0);
	free_clean_pages(other, BLOCK / 2, 0);
	free_pages_exact(NULL, other + BLOCK / 2, BLOCK / 2);
	block[3] = NULL;
	assert_ptr_equal(grow(RUN, NEXT), other + BLOCK / 2);
}

/* Half of the room has to be there. */
static void test_a_few_pages_in_memory_are_no_room(void **state)
{
	(void)state;
	free_behind(RUN, 0);
	free_pages_exact(NULL, other, 4 * NEXT / 2);
	free_clean_pages(other + 4 * NEXT / 2, BLOCK - 4 * NEXT / 2, 0);
	block[3] = NULL;
	assert_ptr_equal(grow(RUN, NEXT), run);
}

static void test_what_the_pcp_has_is_not_in_the_way(void **state)
{
	(void)state;
	free_pages(&pcp, run + RUN, 3);
	free_pages_exact(NULL, run + RUN + 8, BLOCK - RUN - 8);
	assert_true(pcp.count > 0);
	assert_ptr_equal(grow(RUN, NEXT), run);
	assert_int_equal(pcp.count, 0);
}

#define piece_test(f) cmocka_unit_test_setup_teardown(f, get_blocks, put_blocks)

int main(void)
{
	const struct CMUnitTest tests[] = {
		piece_test(test_it_stays_where_nothing_else_is_in_memory),
		piece_test(test_it_stays_where_what_is_behind_is_in_memory),
		piece_test(test_it_moves_to_what_is_in_memory),
		piece_test(test_it_moves_when_hardly_anything_behind_is),
		piece_test(test_it_stays_when_more_is),
		piece_test(test_what_is_small_stays),
		piece_test(test_what_is_blocked_moves),
		piece_test(test_blocked_and_without_room_it_is_as_it_was),
		piece_test(test_the_place_may_lie_inside_of_a_free_block),
		piece_test(test_a_few_pages_in_memory_are_no_room),
		piece_test(test_what_the_pcp_has_is_not_in_the_way),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
