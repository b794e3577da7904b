/*
 * test_mlock - which pages are handed out, for these are brought in. The rest
 * of mm/mlock is the whole process's: tests/hard/locked.
 */
#include "hotplugs.h"

#include "mm/mlock.h"

static size_t count_in_use(void)
{
	size_t pfn = 0, n, count = 0;

	lock_acquire(&hotplug_lock);
	while ((n = pages_in_use(&pfn))) {
		CHECK(pfn >> SECTION_ORDER == (pfn + n - 1) >> SECTION_ORDER);
		count += n;
		pfn += n;
	}
	lock_release(&hotplug_lock);
	return count;
}

static void tells_what_is_in_use(void)
{
	struct page *page;
	size_t pfn = 0;
	uint32_t contig;

	CHECK(count_in_use() == 0);
	CHECK(zone_grow(zone, 3, MIGRATE_MOVABLE));
	CHECK(count_in_use() == 0);
	page = alloc_pages(NULL, 0, 3);
	CHECK(page && count_in_use() == 8);
	lock_acquire(&hotplug_lock);
	CHECK(pages_in_use(&pfn) == 8 && pfn == page_to_pfn(page));
	lock_release(&hotplug_lock);
	contig = zone_alloc_contig(zone, 2 * SECTION_PAGES + 5);
	CHECK(contig);
	CHECK(count_in_use() == 8 + 2 * SECTION_PAGES + 5);
	free_pages(NULL, page, 3);
	CHECK(count_in_use() == 2 * SECTION_PAGES + 5);
	lock_acquire(&zone->lock);
	zone_free_contig(zone, contig, 2 * SECTION_PAGES + 5);
	lock_release(&zone->lock);
	CHECK(count_in_use() == 0);
}

static void test_what_is_in_use_is_found(void **state)
{
	(void)state;
	assert_true(child_succeeds(tells_what_is_in_use));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_in_use_is_found),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
