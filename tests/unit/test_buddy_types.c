/*
 * test_buddy_types - each migrate type has its pageblocks, and whose are taken
 * when it has none.
 */
#include "buddies.h"

static void test_a_type_is_served_from_its_own_blocks(void **state)
{
	uint32_t block[NR_MIGRATETYPES];

	(void)state;
	for (int i = 0; i < NR_MIGRATETYPES; i++) {
		/* Pageblocks that are no buddies. */
		block[i] = A + (uint32_t)(2 * i) * PAGEBLOCK_PAGES;
		pageblock_set_migratetype(block[i], (enum migratetype)i);
		buddy_free(zone, block[i], PAGEBLOCK_PAGES);
	}
	zone->nr_fallback = 0;
	for (int i = 0; i < NR_MIGRATETYPES; i++) {
		uint32_t pfn = alloc(0, (enum migratetype)i);

		assert_int_equal(align_down(pfn, PAGEBLOCK_PAGES), block[i]);
		assert_int_equal(pageblock_migratetype(pfn), i);
	}
	assert_int_equal(zone->nr_fallback, 0);
	buddy_validate(zone);
}

static void test_fallback_takes_the_largest_block(void **state)
{
	(void)state;
	buddy_free(zone, A, 8);
	buddy_free(zone, A + 64, 64);
	buddy_free(zone, A + 256, 16);
	assert_int_equal(alloc(0, MIGRATE_UNMOVABLE), A + 64);
	assert_int_equal(zone->nr_free, 8 + 63 + 16);
	buddy_validate(zone);
}

static void test_fallback_robs_the_type_that_it_hurts_least(void **state)
{
	static const enum migratetype first[NR_MIGRATETYPES] = {
		[MIGRATE_UNMOVABLE] = MIGRATE_RECLAIMABLE,
		[MIGRATE_RECLAIMABLE] = MIGRATE_UNMOVABLE,
		[MIGRATE_MOVABLE] = MIGRATE_RECLAIMABLE,
	};

	(void)state;
	for (int type = 0; type < NR_MIGRATETYPES; type++) {
		for (int i = 0; i < NR_MIGRATETYPES; i++) {
			uint32_t pfn = A + (uint32_t)i * PAGEBLOCK_PAGES;

			pageblock_set_migratetype(pfn, (enum migratetype)i);
			if (i != type)
				buddy_free(zone, pfn, 16);
		}
		assert_int_equal(alloc(2, (enum migratetype)type),
				 A + first[type] * PAGEBLOCK_PAGES);
		buddy_validate(zone);
		take_everything(state);
	}
}

static void test_fallback_claims_a_pageblock_that_is_half_free(void **state)
{
	uint64_t before = zone->nr_fallback;
	uint32_t pfn;

	(void)state;
	buddy_free(zone, A, 1);
	buddy_free(zone, A + 2, 2);
	buddy_free(zone, A + 256, 253);
	pfn = alloc(0, MIGRATE_UNMOVABLE);
	assert_int_equal(zone->nr_fallback, before + 1);
	assert_int_equal(pageblock_migratetype(A), MIGRATE_UNMOVABLE);
	assert_in_range(pfn, A, A + PAGEBLOCK_PAGES - 1);
	assert_int_equal(zone->nr_free, 255);
	/* All that is left is of the type now: no more fallback. */
	for (size_t i = 0; i < 255; i++)
		assert_int_not_equal(alloc(0, MIGRATE_UNMOVABLE), 0);
	assert_int_equal(zone->nr_fallback, before + 1);
	buddy_validate(zone);
}

static void test_fallback_only_borrows_from_a_fuller_pageblock(void **state)
{
	(void)state;
	buddy_free(zone, A, 128);
	buddy_free(zone, A + 256, 127);
	assert_int_equal(alloc(7, MIGRATE_UNMOVABLE), A);
	assert_int_equal(pageblock_migratetype(A), MIGRATE_MOVABLE);
	for (unsigned int k = 0; k < NR_PAGE_ORDERS; k++)
		assert_int_equal(zone->free_area[k]
				 .list[MIGRATE_UNMOVABLE].first, 0);
	/* It comes back to the pageblock's own type. */
	buddy_free(zone, A, 128);
	assert_int_equal(zone->free_area[7].list[MIGRATE_MOVABLE].first, A);
	buddy_validate(zone);
}

static void test_fallback_claims_all_pageblocks_of_a_large_block(void **state)
{
	(void)state;
	buddy_free(zone, A, 4 * PAGEBLOCK_PAGES);
	assert_int_equal(alloc(0, MIGRATE_RECLAIMABLE), A);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(pageblock_migratetype(A + i *
						       PAGEBLOCK_PAGES),
				 MIGRATE_RECLAIMABLE);
	assert_int_equal(pageblock_migratetype(A + 4 * PAGEBLOCK_PAGES),
			 MIGRATE_MOVABLE);
	buddy_validate(zone);
}

static void test_a_merged_block_has_one_type(void **state)
{
	uint32_t second = A + PAGEBLOCK_PAGES;

	(void)state;
	pageblock_set_migratetype(A, MIGRATE_UNMOVABLE);
	pageblock_set_migratetype(second, MIGRATE_RECLAIMABLE);
	buddy_free(zone, second, PAGEBLOCK_PAGES);
	assert_int_equal(pageblock_migratetype(second), MIGRATE_RECLAIMABLE);
	buddy_free(zone, A, PAGEBLOCK_PAGES);
	assert_true(is_block(A, PAGEBLOCK_ORDER + 1));
	assert_int_equal(pageblock_migratetype(A), MIGRATE_UNMOVABLE);
	assert_int_equal(pageblock_migratetype(second), MIGRATE_UNMOVABLE);
	buddy_validate(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_type_is_served_from_its_own_blocks),
		TEST(test_fallback_takes_the_largest_block),
		TEST(test_fallback_robs_the_type_that_it_hurts_least),
		TEST(test_fallback_claims_a_pageblock_that_is_half_free),
		TEST(test_fallback_only_borrows_from_a_fuller_pageblock),
		TEST(test_fallback_claims_all_pageblocks_of_a_large_block),
		TEST(test_a_merged_block_has_one_type),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
