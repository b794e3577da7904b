/*
 * test_migrate - memory moves to the pages that will be written, without a
 * copy and without loss; what cannot be moved stays.
 */
#include "world.h"

#include "mm/buddy.h"
#include "mm/migrate.h"

#include <pthread.h>
#include <setjmp.h>

#include <cmocka.h>

#define BLOCKS(n)	((n) * PAGEBLOCK_PAGES)

static struct zone *zone;

static int start(void **state)
{
	(void)state;
	world_start(96 * SECTION_SIZE);
	zone = world_zone();
	return 0;
}

static void finish(void)
{
	reclaim_all();
	assert_int_equal(world_used(), 0);
	assert_int_equal(zone->nr_isolated, 0);
	page_alloc_validate();
}

/* A number in each page, by which it is known wherever it goes. */
static void number_pages(uint32_t pfn, size_t n, size_t first)
{
	for (size_t i = 0; i < n; i++)
		*(size_t *)pfn_to_address(pfn + i) = first + i;
}

static bool are_numbered(uint32_t pfn, size_t n, size_t first)
{
	for (size_t i = 0; i < n; i++)
		if (*(size_t *)pfn_to_address(pfn + i) != first + i)
			return false;
	return true;
}

static uint32_t take(size_t n)
{
	struct page *page = alloc_pages_exact(NULL, GFP_USER, n,
					      PAGEBLOCK_SIZE);

	assert_non_null(page);
	return page_to_pfn(page);
}

static void give(uint32_t pfn, size_t n)
{
	free_pages_exact(NULL, pfn_to_page(pfn), n);
}

/* A clean run of n pages, and as many that lie free and dirty. */
struct pair {
	uint32_t run, from;
	size_t n;
};

static struct pair begin(size_t n)
{
	struct pair pair = { .n = n };

	pair.run = take(n);
	pair.from = take(n);
	number_pages(pair.from, n, 1000);
	give(pair.from, n);
	return pair;
}

static void end(const struct pair *pair)
{
	give(pair->run, pair->n);
	finish();
}

static void test_a_run_takes_what_lies_free(void **state)
{
	struct pair pair = begin(BLOCKS(4));
	uint64_t migrated = zone->nr_migrated;

	(void)state;
	assert_int_equal(zone->nr_free_dirty, pair.n);
	assert_true(migrate_free_pages(pair.run, pair.n));
	assert_true(are_numbered(pair.run, pair.n, 1000));
	assert_int_equal(world_resident(pair.run, pair.n), pair.n);
	assert_int_equal(world_resident(pair.from, pair.n), 0);
	assert_int_equal(zone->nr_free_dirty, 0);
	assert_int_equal(dirty_count(pair.run, pair.n), pair.n);
	assert_int_equal(zone->nr_migrated - migrated, pair.n);
	page_alloc_validate();
	/* Whoever takes it next finds zeros. */
	assert_int_equal(take(pair.n), pair.from);
	assert_int_equal(*(size_t *)pfn_to_address(pair.from), 0);
	number_pages(pair.from, pair.n, 5);
	assert_true(are_numbered(pair.run, pair.n, 1000));
	give(pair.from, pair.n);
	end(&pair);
}

static void test_of_a_run_that_is_longer_a_part_is_filled(void **state)
{
	uint32_t run = take(BLOCKS(6));
	struct pair pair = begin(BLOCKS(2));

	(void)state;
	assert_true(migrate_free_pages(run, BLOCKS(6)));
	assert_true(are_numbered(run, BLOCKS(2), 1000));
	assert_int_equal(world_resident(run, BLOCKS(6)), BLOCKS(2));
	give(run, BLOCKS(6));
	end(&pair);
}

static void test_several_blocks_fill_one_run(void **state)
{
	uint32_t run = take(BLOCKS(4)), from[4], wall[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		from[i] = take(BLOCKS(1));
		wall[i] = take(BLOCKS(1));
		number_pages(from[i], BLOCKS(1), 1000);
	}
	for (size_t i = 0; i < 4; i++)
		give(from[i], BLOCKS(1));
	assert_true(migrate_free_pages(run, BLOCKS(4)));
	for (size_t i = 0; i < 4; i++) {
		assert_true(are_numbered(run + BLOCKS(i), BLOCKS(1), 1000));
		assert_int_equal(world_resident(from[i], BLOCKS(1)), 0);
		give(wall[i], BLOCKS(1));
	}
	give(run, BLOCKS(4));
	finish();
}

/* The ends of the run, and what it has of its own. */
static void test_what_the_run_has_stays(void **state)
{
	struct pair pair = begin(BLOCKS(4));
	uint32_t own = pair.run + BLOCKS(2) + 7;

	(void)state;
	number_pages(pair.run, 1, 1);
	number_pages(pair.run + BLOCKS(4) - 1, 1, 2);
	number_pages(own, 1, 3);
	lock_acquire(&zone->lock);
	dirty_set(own, 1);
	lock_release(&zone->lock);
	assert_true(migrate_free_pages(pair.run + 1, pair.n - 2));
	assert_true(are_numbered(pair.run, 1, 1));
	assert_true(are_numbered(pair.run + BLOCKS(4) - 1, 1, 2));
	assert_true(are_numbered(own, 1, 3));
	/* The second pageblock alone is clean and whole. */
	assert_true(are_numbered(pair.run + BLOCKS(1), BLOCKS(1), 1000));
	assert_int_equal(zone->nr_free_dirty, BLOCKS(3));
	end(&pair);
}

static void test_pageblocks_that_are_dirty_in_part_stay(void **state)
{
	struct pair pair = begin(BLOCKS(2));

	(void)state;
	assert_int_equal(take(BLOCKS(2)), pair.from);
	os_purge(pfn_to_address(pair.from), PAGE_SIZE);
	free_clean_pages(pfn_to_page(pair.from), 1, 1);
	give(pair.from + 1, BLOCKS(2) - 1);
	assert_true(migrate_free_pages(pair.run, pair.n));
	assert_int_equal(world_resident(pair.run, pair.n), BLOCKS(1));
	assert_int_equal(zone->nr_free_dirty, BLOCKS(1) - 1);
	end(&pair);
}

static void *migrate_beside(void *arg)
{
	struct pair *pair = arg;

	return migrate_free_pages(pair->run, pair->n) ? pair : NULL;
}

static void test_nothing_moves_while_others_reclaim(void **state)
{
	struct pair pair = begin(BLOCKS(2));
	pthread_t thread;
	void *done;

	(void)state;
	lock_acquire(&reclaim_lock);
	assert_int_equal(pthread_create(&thread, NULL, migrate_beside, &pair),
			 0);
	assert_int_equal(pthread_join(thread, &done), 0);
	lock_release(&reclaim_lock);
	assert_ptr_equal(done, &pair);
	assert_int_equal(world_resident(pair.run, pair.n), 0);
	assert_int_equal(zone->nr_free_dirty, pair.n);
	end(&pair);
}

static void test_so_many_mappings_and_no_more(void **state)
{
	/* Dirty pages, as far as anybody knows. */
	uint32_t run = take(BLOCKS(MOVED_MAX)), from = take(BLOCKS(MOVED_MAX));
	struct pair pair;

	(void)state;
	give(from, BLOCKS(MOVED_MAX));
	assert_false(migrate_is_crowded());
	assert_true(migrate_free_pages(run, BLOCKS(MOVED_MAX)));
	assert_true(migrate_is_crowded());
	assert_true(pages_have_moved(run, BLOCKS(MOVED_MAX)));
	assert_false(pages_have_moved(from, BLOCKS(MOVED_MAX)));
	pair = begin(BLOCKS(1));
	assert_true(migrate_free_pages(pair.run, pair.n));
	assert_int_equal(world_resident(pair.run, pair.n), 0);
	/* Until some are one mapping again. */
	assert_int_equal(pages_remap(run, BLOCKS(MOVED_MAX)), MIGRATE_DONE);
	assert_false(pages_have_moved(run, BLOCKS(MOVED_MAX)));
	assert_false(migrate_is_crowded());
	assert_true(migrate_free_pages(pair.run, pair.n));
	assert_true(are_numbered(pair.run, pair.n, 1000));
	give(run, BLOCKS(MOVED_MAX));
	end(&pair);
}

static void test_remapped_pages_are_zero(void **state)
{
	uint32_t pfn = take(BLOCKS(2));

	(void)state;
	number_pages(pfn, BLOCKS(2), 1);
	assert_int_equal(pages_remap(pfn + 1, BLOCKS(2) - 2), MIGRATE_DONE);
	assert_true(are_numbered(pfn, 1, 1));
	assert_true(are_numbered(pfn + BLOCKS(2) - 1, 1, BLOCKS(2)));
	for (size_t i = 1; i < BLOCKS(2) - 1; i++)
		assert_int_equal(*(size_t *)pfn_to_address(pfn + i), 0);
	give(pfn, BLOCKS(2));
	finish();
}

/* As many mappings as a process may have. */
static void use_up_mappings(void)
{
	int prot = PROT_NONE;

	while (mmap(NULL, PAGE_SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) != MAP_FAILED)
		prot ^= PROT_READ;
}

static void migrates_without_mappings(void)
{
	struct pair pair = begin(BLOCKS(2));

	use_up_mappings();
	CHECK(migrate_free_pages(pair.run, pair.n));
	CHECK(os.refused[OS_REFUSED_MOVE] == 1);
	/* All is as it was, and it is not tried again. */
	CHECK(world_resident(pair.from, pair.n) == pair.n);
	CHECK(zone->nr_free_dirty == pair.n);
	number_pages(pair.run, pair.n, 7);
	CHECK(are_numbered(pair.run, pair.n, 7));
	CHECK(migrate_free_pages(pair.run, pair.n));
	CHECK(os.refused[OS_REFUSED_MOVE] == 1);
	page_alloc_validate();
}

static void test_a_refusal_is_survived(void **state)
{
	(void)state;
	assert_true(child_succeeds(migrates_without_mappings));
}

/* A page that the program has excluded from forks is a mapping of its own: with
 * what lies beside it in its pageblock it is copied, and the rest moves. */
static void test_what_lies_in_several_mappings_is_copied(void **state)
{
	size_t n = BLOCKS(8), odd[] = { 3, BLOCKS(3) + 7, BLOCKS(6) };
	uint32_t from = take(n), to = take(n);
	uint64_t migrated = zone->nr_migrated;

	(void)state;
	number_pages(from, n, 1000);
	for (size_t i = 0; i < array_size(odd); i++)
		assert_int_equal(madvise(pfn_to_address(from + odd[i]),
					 PAGE_SIZE, MADV_DONTFORK), 0);
	assert_int_equal(migrate_pages(from, to, n), MIGRATE_DONE);
	assert_true(are_numbered(to, n, 1000));
	assert_int_equal(world_resident(from, n), 0);
	assert_in_range(zone->nr_migrated - migrated, BLOCKS(1), n - 3);
	free_clean_pages(pfn_to_page(from), n, 0);
	give(to, n);
	finish();
}

/* What cannot be moved stays, and what lies behind it is found. */
static void test_what_lies_in_several_mappings_is_passed_over(void **state)
{
	uint32_t run = take(BLOCKS(1)), from[3], wall[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		from[i] = take(BLOCKS(1));
		wall[i] = take(BLOCKS(1));
		number_pages(from[i], BLOCKS(1), 1000 * i);
		if (i != 1)
			assert_int_equal(madvise(pfn_to_address(from[i] + 7),
						 PAGE_SIZE, MADV_DONTFORK), 0);
	}
	for (size_t i = 0; i < 3; i++)
		give(from[i], BLOCKS(1));
	assert_true(migrate_free_pages(run, BLOCKS(1)));
	assert_true(are_numbered(run, BLOCKS(1), 1000));
	assert_int_equal(zone->nr_free_dirty, BLOCKS(2));
	assert_int_equal(zone->nr_isolated, 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(madvise(pfn_to_address(from[i] + 7),
					 PAGE_SIZE, MADV_DOFORK), 0);
		give(wall[i], BLOCKS(1));
	}
	give(run, BLOCKS(1));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_run_takes_what_lies_free),
		cmocka_unit_test(
			test_of_a_run_that_is_longer_a_part_is_filled),
		cmocka_unit_test(test_several_blocks_fill_one_run),
		cmocka_unit_test(test_what_the_run_has_stays),
		cmocka_unit_test(test_pageblocks_that_are_dirty_in_part_stay),
		cmocka_unit_test(
			test_what_lies_in_several_mappings_is_copied),
		cmocka_unit_test(
			test_what_lies_in_several_mappings_is_passed_over),
		cmocka_unit_test(test_nothing_moves_while_others_reclaim),
		cmocka_unit_test(test_so_many_mappings_and_no_more),
		cmocka_unit_test(test_remapped_pages_are_zero),
		cmocka_unit_test(test_a_refusal_is_survived),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
