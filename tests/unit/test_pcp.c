/*
 * test_pcp - lists of free pages in front of a zone.
 */
#include "world.h"

#include "mm/hotplug.h"

#include <setjmp.h>

#include <cmocka.h>

static struct zone *zone;
static struct pcp pcp;

static int start(void **state)
{
	(void)state;
	world_start(8 * SECTION_SIZE);
	zone = world_zone();
	pcp_register(&pcp, zone);
	assert_true(zone_grow(zone, 0, MIGRATE_MOVABLE));
	assert_true(zone_grow(zone, MAX_PAGE_ORDER, MIGRATE_MOVABLE));
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	pcp_drain(&pcp, true);
	assert_int_equal(world_used(), 0);
	pcp.high = PCP_LOW_HIGH;
	return 0;
}

static void finish(void)
{
	pcp_validate(&pcp);
	page_alloc_validate();
	assert_int_equal(world_used(), pcp.count);
	assert_int_equal(pcp_count_pages(), pcp.count);
}

static uint32_t take(unsigned int order)
{
	uint32_t pfn = pcp_alloc(&pcp, order, MIGRATE_MOVABLE, false);

	assert_int_not_equal(pfn, 0);
	assert_int_equal(pfn % (1U << order), 0);
	return pfn;
}

static void test_a_refill_brings_a_batch(void **state)
{
	(void)state;
	for (unsigned int k = 0; k <= PCP_MAX_ORDER; k++) {
		uint32_t pfn = take(k);

		assert_int_equal(pcp.count,
				 max(PCP_BATCH, 1 << k) - (1 << k));
		assert_int_equal(world_used(), pcp.count + (1U << k));
		pcp_free(&pcp, pfn, k);
		finish();
		fresh(state);
	}
}

static void test_the_last_block_in_is_the_first_out(void **state)
{
	uint32_t a = take(1), b = take(1);

	(void)state;
	pcp_free(&pcp, a, 1);
	pcp_free(&pcp, b, 1);
	assert_int_equal(take(1), b);
	assert_int_equal(take(1), a);
	pcp_free(&pcp, a, 1);
	pcp_free(&pcp, b, 1);
	finish();
}

static void test_orders_and_types_have_lists_of_their_own(void **state)
{
	(void)state;
	for (unsigned int k = 0; k <= PCP_MAX_ORDER; k++) {
		for (int i = 0; i < NR_MIGRATETYPES; i++) {
			enum migratetype type = (enum migratetype)i;
			uint32_t pfn = pcp_alloc(&pcp, k, type, false);

			assert_int_not_equal(pfn, 0);
			pcp_free(&pcp, pfn, k);
			type = pageblock_migratetype(pfn);
			assert_int_equal(pcp.first[k][type], pfn);
			finish();
			fresh(state);
		}
	}
}

static void test_words_say_what_a_block_is(void **state)
{
	uint32_t pfn = take(2);
	uint64_t word;

	(void)state;
	assert_int_equal(page_word(pfn_to_page(pfn)) & 0xffffffff, 0);
	pcp_free(&pcp, pfn, 2);
	word = page_word(pfn_to_page(pfn));
	assert_int_equal(word_type(word), PAGE_PCP);
	assert_int_equal(word_order(word), 2);
	assert_true(word_state(word) & RUN_DIRTY);
	finish();
}

static void test_what_was_freed_is_dirty_what_came_clean_is_not(void **state)
{
	size_t dirty = zone->nr_free_dirty;
	uint32_t pfn = take(3);

	(void)state;
	pcp_free(&pcp, pfn, 3);
	pcp_drain(&pcp, true);
	assert_true(dirty_any(pfn, 1));
	assert_int_equal(dirty_count(pfn, 8), 8);
	/* The rest of the batch was handed to nobody. */
	assert_in_range(zone->nr_free_dirty, dirty, dirty + 8);
	finish();
}

static void test_a_full_pcp_drains_a_batch(void **state)
{
	uint32_t pfn[PCP_MAX_HIGH + PCP_BATCH + 1];
	size_t n = array_size(pfn);
	uint32_t most = 0;

	(void)state;
	for (size_t i = 0; i < n; i++)
		pfn[i] = take(0);
	assert_int_equal(pcp.high, PCP_MAX_HIGH);
	for (size_t i = 0; i < n; i++) {
		pcp_free(&pcp, pfn[i], 0);
		assert_true(pcp.count <= pcp.high);
		most = max(most, pcp.count);
	}
	assert_int_equal(most, PCP_MAX_HIGH);
	assert_true(pcp.count >= PCP_MAX_HIGH - PCP_BATCH);
	finish();
}

static void test_high_grows_with_refills_and_falls_when_idle(void **state)
{
	uint32_t pfn[3 * PCP_BATCH];

	(void)state;
	assert_int_equal(pcp.high, PCP_LOW_HIGH);
	for (size_t i = 0; i < array_size(pfn); i++)
		pfn[i] = take(0);
	assert_int_equal(pcp.high, PCP_MAX_HIGH);
	for (size_t i = 0; i < array_size(pfn); i++)
		pcp_free(&pcp, pfn[i], 0);
	pcp_drain(&pcp, false);
	pcp_drain(&pcp, false);
	assert_int_equal(pcp.high, PCP_LOW_HIGH);
	finish();
}

static void test_an_idle_drain_takes_what_lay_unused(void **state)
{
	uint32_t pfn[20];

	(void)state;
	for (size_t i = 0; i < 20; i++)
		pfn[i] = take(0);
	for (size_t i = 0; i < 20; i++)
		pcp_free(&pcp, pfn[i], 0);
	pcp_drain(&pcp, true);
	pfn[0] = take(0);
	pcp_free(&pcp, pfn[0], 0);
	pcp_drain(&pcp, false);
	assert_int_equal(pcp.count, PCP_BATCH);
	/* Since then 5 of the 32 were needed. */
	for (size_t i = 0; i < 5; i++)
		pfn[i] = take(0);
	for (size_t i = 0; i < 5; i++)
		pcp_free(&pcp, pfn[i], 0);
	pcp_drain(&pcp, false);
	assert_int_equal(pcp.count, 5);
	pcp_drain(&pcp, false);
	assert_int_equal(pcp.count, 0);
	finish();
}

static void test_all_pcps_can_be_drained(void **state)
{
	static struct pcp other;

	(void)state;
	pcp_register(&other, zone);
	pcp_free(&pcp, take(0), 0);
	pcp_free(&other, pcp_alloc(&other, 4, MIGRATE_MOVABLE, false), 4);
	assert_int_equal(pcp_count_pages(), pcp.count + other.count);
	assert_true(other.count >= 16);
	pcp_drain_each(true);
	assert_int_equal(pcp.count + other.count, 0);
	pcp_validate(&other);
	finish();
}

static void test_an_empty_zone_gives_nothing(void **state)
{
	static struct page *pages[64];
	size_t n = 0;

	(void)state;
	while ((pages[n] = alloc_pages(NULL, 0, MAX_PAGE_ORDER)))
		n++;
	for (unsigned int k = 0; k < MAX_PAGE_ORDER; k++)
		while (alloc_pages(NULL, 0, k))
			;
	assert_int_equal(pcp_alloc(&pcp, 0, MIGRATE_MOVABLE, false), 0);
	assert_int_equal(pcp.count, 0);
	/* A block smaller than a batch is all that there is. */
	free_pages(NULL, pages[0] + 3, 0);
	assert_int_equal(take(0), page_to_pfn(pages[0]) + 3);
	assert_int_equal(pcp_alloc(&pcp, 0, MIGRATE_MOVABLE, false), 0);
	pcp_validate(&pcp);
	page_alloc_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_refill_brings_a_batch, fresh),
		cmocka_unit_test_setup(test_the_last_block_in_is_the_first_out,
				       fresh),
		cmocka_unit_test_setup(
			test_orders_and_types_have_lists_of_their_own, fresh),
		cmocka_unit_test_setup(test_words_say_what_a_block_is, fresh),
		cmocka_unit_test_setup(
			test_what_was_freed_is_dirty_what_came_clean_is_not,
			fresh),
		cmocka_unit_test_setup(test_a_full_pcp_drains_a_batch, fresh),
		cmocka_unit_test_setup(
			test_high_grows_with_refills_and_falls_when_idle,
			fresh),
		cmocka_unit_test_setup(
			test_an_idle_drain_takes_what_lay_unused, fresh),
		cmocka_unit_test_setup(test_all_pcps_can_be_drained, fresh),
		cmocka_unit_test_setup(test_an_empty_zone_gives_nothing,
				       fresh),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
