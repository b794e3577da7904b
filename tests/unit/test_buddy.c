/*
 * test_buddy - splitting and merging, dirty memory first.
 */
#include "buddies.h"

static void test_an_empty_zone_has_nothing_to_give(void **state)
{
	(void)state;
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		for (int type = 0; type < NR_MIGRATETYPES; type++)
			assert_int_equal(alloc(k, (enum migratetype)type), 0);
	buddy_validate(zone);
}

static void test_split_leaves_one_block_of_each_smaller_order(void **state)
{
	(void)state;
	buddy_free(zone, A, SECTION_PAGES);
	assert_int_equal(blocks(MAX_PAGE_ORDER), 1);
	assert_int_equal(alloc(0, MIGRATE_MOVABLE), A);
	assert_int_equal(zone->nr_free, SECTION_PAGES - 1);
	for (unsigned int k = 0; k < MAX_PAGE_ORDER; k++) {
		assert_int_equal(blocks(k), 1);
		assert_true(is_block(A + (1U << k), k));
	}
	assert_int_equal(blocks(MAX_PAGE_ORDER), 0);
	buddy_validate(zone);
}

static void test_split_serves_each_order_aligned(void **state)
{
	(void)state;
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++) {
		uint32_t pfn;

		buddy_free(zone, A, SECTION_PAGES);
		pfn = alloc(k, MIGRATE_MOVABLE);
		assert_int_not_equal(pfn, 0);
		assert_int_equal(pfn & ((1U << k) - 1), 0);
		assert_int_equal(page_word(pfn_to_page(pfn)), 0);
		assert_int_equal(zone->nr_free, SECTION_PAGES - (1UL << k));
		assert_int_equal(pfn_to_section(pfn)->nr_free, zone->nr_free);
		buddy_validate(zone);
		take_everything(state);
	}
}

static void test_free_merges_up_to_max_order(void **state)
{
	(void)state;
	buddy_free(zone, A, SECTION_PAGES);
	assert_int_equal(alloc(0, MIGRATE_MOVABLE), A);
	buddy_free(zone, A, 1);
	assert_int_equal(all_blocks(), 1);
	assert_true(is_block(A, MAX_PAGE_ORDER));
	buddy_validate(zone);
}

static void test_pages_freed_in_any_order_merge(void **state)
{
	uint16_t pages[PAGEBLOCK_PAGES];
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < PAGEBLOCK_PAGES; i++)
		pages[i] = (uint16_t)i;
	for (size_t i = PAGEBLOCK_PAGES; i > 1; i--) {
		size_t j = world_below(&seed, i);
		uint16_t page = pages[j];

		pages[j] = pages[i - 1];
		pages[i - 1] = page;
	}
	for (size_t i = 0; i < PAGEBLOCK_PAGES; i++) {
		buddy_free(zone, A + pages[i], 1);
		if (i % 32 == 0)
			buddy_validate(zone);
	}
	assert_int_equal(all_blocks(), 1);
	assert_true(is_block(A, PAGEBLOCK_ORDER));
	buddy_validate(zone);
}

static void test_sections_stay_apart(void **state)
{
	(void)state;
	buddy_free(zone, A, SECTION_PAGES);
	buddy_free(zone, B, SECTION_PAGES);
	assert_int_equal(blocks(MAX_PAGE_ORDER), 2);
	assert_int_equal(all_blocks(), 2);
	buddy_validate(zone);
}

static void test_any_range_is_cut_into_aligned_blocks(void **state)
{
	(void)state;
	buddy_free(zone, A + 3, 14);
	assert_int_equal(all_blocks(), 4);
	assert_true(is_block(A + 3, 0));
	assert_true(is_block(A + 4, 2));
	assert_true(is_block(A + 8, 3));
	assert_true(is_block(A + 16, 0));
	buddy_validate(zone);
}

static void test_a_buddy_of_another_order_is_left_alone(void **state)
{
	(void)state;
	buddy_free(zone, A + 2, 2);
	buddy_free(zone, A, 1);
	assert_true(is_block(A, 0));
	assert_true(is_block(A + 2, 1));
	assert_int_equal(all_blocks(), 2);
	buddy_validate(zone);
}

/* A block on a pcp list has the order in its word, too. */
static void test_a_buddy_that_is_not_free_is_left_alone(void **state)
{
	static const enum page_type types[] = { PAGE_PCP, PAGE_ISOLATED,
						PAGE_SLAB, PAGE_RUN };

	(void)state;
	for (size_t i = 0; i < array_size(types); i++) {
		page_set_word(pfn_to_page(A + 1),
			      word_make_free(types[i], 0, 0, 0));
		buddy_free(zone, A, 1);
		assert_int_equal(all_blocks(), 1);
		assert_true(is_block(A, 0));
		buddy_validate(zone);
		buddy_take(zone, A);
		page_set_word(pfn_to_page(A + 1), 0);
	}
}

/* The buddy of the last block would lie behind the window. */
static void test_the_end_of_the_window_is_respected(void **state)
{
	(void)state;
	buddy_free(zone, LAST, LAST_N);
	assert_int_equal(all_blocks(), 2);
	assert_true(is_block(LAST, PAGEBLOCK_ORDER + 1));
	assert_true(is_block(LAST + 2 * PAGEBLOCK_PAGES, PAGEBLOCK_ORDER));
	buddy_validate(zone);
}

static void test_dirty_blocks_are_handed_out_first(void **state)
{
	uint32_t pfn;

	(void)state;
	/* Eight blocks that cannot merge, every other one dirty. */
	for (uint32_t i = 0; i < 8; i++) {
		if (i % 2)
			dirty_set(A + i * 16 + 5, 1);
		buddy_free(zone, A + i * 16, 8);
	}
	assert_int_equal(zone->nr_free_dirty, 4);
	for (size_t i = 0; i < 8; i++) {
		pfn = alloc(3, MIGRATE_MOVABLE);
		assert_int_equal(dirty_any(pfn, 8), i < 4);
		buddy_validate(zone);
	}
}

static void test_cold_requests_get_clean_blocks(void **state)
{
	uint32_t pfn;

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		if (i % 2)
			dirty_set(A + i * 16, 8);
		buddy_free(zone, A + i * 16, 8);
	}
	for (size_t i = 0; i < 8; i++) {
		pfn = buddy_alloc(zone, 3, MIGRATE_MOVABLE, true);
		assert_int_equal(dirty_any(pfn, 8), i >= 4);
	}
	buddy_validate(zone);
}

static void test_dirty_pages_are_counted(void **state)
{
	(void)state;
	dirty_set(A + 100, 50);
	buddy_free(zone, A, 1024);
	assert_int_equal(zone->nr_free_dirty, 50);
	zone->low_free_dirty = zone->nr_free_dirty;

	/* Only what an allocation takes away lowers the low mark. */
	assert_int_equal(alloc(7, MIGRATE_MOVABLE), A);
	assert_int_equal(zone->nr_free_dirty, 22);
	assert_int_equal(zone->low_free_dirty, 22);
	buddy_free(zone, A, 128);
	assert_int_equal(zone->nr_free_dirty, 50);
	assert_int_equal(zone->low_free_dirty, 22);
	buddy_validate(zone);
}

static void test_the_first_block_of_a_clean_pageblock_opens_it(void **state)
{
	(void)state;
	buddy_free(zone, A, PAGEBLOCK_PAGES);
	assert_int_equal(alloc(3, MIGRATE_MOVABLE), A);
	assert_true(buddy_opens_pageblock(A, 3));
	assert_int_equal(zone->nr_free_dirty, 0);
	buddy_dirty_pageblock(zone, A, 3);
	assert_int_equal(zone->nr_free_dirty, PAGEBLOCK_PAGES - 8);
	assert_int_equal(dirty_count(A, PAGEBLOCK_PAGES), PAGEBLOCK_PAGES);
	buddy_validate(zone);
	assert_false(buddy_opens_pageblock(A, 3));
	dirty_clear(A, PAGEBLOCK_PAGES);
	zone->nr_free_dirty = 0;
	/* More is handed out: its first block is no longer the only one. */
	assert_int_equal(alloc(3, MIGRATE_MOVABLE), A + 8);
	assert_false(buddy_opens_pageblock(A + 8, 3));
	assert_false(buddy_opens_pageblock(A, 3));
	/* It is free as a whole again, but not clean. */
	buddy_free(zone, A + 8, 8);
	dirty_set(A, 8);
	buddy_free(zone, A, 8);
	assert_int_equal(alloc(3, MIGRATE_MOVABLE), A);
	assert_false(buddy_opens_pageblock(A, 3));
	buddy_validate(zone);
}
static void test_take_removes_just_that_block(void **state)
{
	(void)state;
	buddy_free(zone, A, 8);
	buddy_free(zone, A + 16, 16);
	buddy_free(zone, A + 64, 8);
	assert_int_equal(buddy_take(zone, A + 16), 4);
	assert_false(buddy_is_free(pfn_to_page(A + 16)));
	assert_true(is_block(A, 3));
	assert_true(is_block(A + 64, 3));
	assert_int_equal(zone->nr_free, 16);
	assert_int_equal(blocks(4), 0);
	buddy_validate(zone);
}

static void test_a_section_is_taken_whole(void **state)
{
	(void)state;
	buddy_free(zone, A, SECTION_PAGES);
	buddy_free(zone, LAST, LAST_N);
	buddy_take_section(zone, LAST >> SECTION_ORDER);
	assert_int_equal(zone->nr_free, SECTION_PAGES);
	assert_int_equal(section_at(LAST >> SECTION_ORDER)->nr_free, 0);
	buddy_take_section(zone, A >> SECTION_ORDER);
	assert_int_equal(zone->nr_free, 0);
	assert_int_equal(all_blocks(), 0);
	buddy_validate(zone);
}

static void break_the_order(void)
{
	buddy_free(zone, A, 4);
	page_set_word(pfn_to_page(A),
		      word_make_free(PAGE_BUDDY, 0, 3, MIGRATE_MOVABLE));
	buddy_validate(zone);
}

static void break_the_merging(void)
{
	buddy_free(zone, A, 1);
	buddy_free(zone, A + 2, 1);
	buddy_take(zone, A + 2);
	zone->nr_free++;
	buddy_validate(zone);
}

static void break_the_dirty_count(void)
{
	buddy_free(zone, A, 4);
	dirty_set(A, 1);
	buddy_validate(zone);
}

static void test_validate_notices_what_is_broken(void **state)
{
	(void)state;
	assert_true(child_dies(break_the_order, "buddy.c"));
	assert_true(child_dies(break_the_merging, "nr_free"));
	assert_true(child_dies(break_the_dirty_count, "dirty"));
	buddy_validate(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_empty_zone_has_nothing_to_give),
		TEST(test_split_leaves_one_block_of_each_smaller_order),
		TEST(test_split_serves_each_order_aligned),
		TEST(test_free_merges_up_to_max_order),
		TEST(test_pages_freed_in_any_order_merge),
		TEST(test_sections_stay_apart),
		TEST(test_any_range_is_cut_into_aligned_blocks),
		TEST(test_a_buddy_of_another_order_is_left_alone),
		TEST(test_a_buddy_that_is_not_free_is_left_alone),
		TEST(test_the_end_of_the_window_is_respected),
		TEST(test_dirty_blocks_are_handed_out_first),
		TEST(test_cold_requests_get_clean_blocks),
		TEST(test_dirty_pages_are_counted),
		TEST(test_the_first_block_of_a_clean_pageblock_opens_it),
		TEST(test_take_removes_just_that_block),
		TEST(test_a_section_is_taken_whole),
		TEST(test_validate_notices_what_is_broken),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
