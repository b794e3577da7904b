/*
 * test_page_retry - a request that finds enough free, but not together, waits
 * a little for other threads.
 *
 * 1. The window is used up by pairs of pageblocks; of some the upper half is
 *    free again, so that a pair can only be had when a lower half is freed.
 * 2. That is done by a shrinker, at one of the times that reclaim calls it, as
 *    another thread might do it just then.
 */
#include "pages.h"
#include "mm/vmscan.h"

#include <pthread.h>

#define PAIR_ORDER	(PAGEBLOCK_ORDER + 1)
#define NEVER		0

static struct page *pair[WINDOW / PAGEBLOCK_SIZE / 2], *single;
static size_t nr_pairs;
static struct page *held;
static unsigned int nr_looks, frees_at;

static void look(enum reclaim how)
{
	if (how == RECLAIM_CACHES && ++nr_looks == frees_at)
		free_pages(NULL, held, PAGEBLOCK_ORDER);
}

static struct shrinker shrinker = { .shrink = look };

/* At that look the lower half of the pair is freed. */
static struct page *ask_for_a_pair(unsigned int when, struct page *lower)
{
	nr_looks = 0;
	frees_at = when;
	held = lower;
	return alloc_pages(NULL, GFP_USER, PAIR_ORDER);
}

static void free_upper(struct page *lower)
{
	free_pages(NULL, lower + PAGEBLOCK_PAGES, PAGEBLOCK_ORDER);
}

static int use_up(void **state)
{
	start(state);
	register_shrinker(&shrinker);
	while ((pair[nr_pairs] = alloc_pages(NULL, GFP_USER, PAIR_ORDER)))
		nr_pairs++;
	single = alloc_pages(NULL, GFP_USER, PAGEBLOCK_ORDER);
	assert_true(zone->nr_free < PAGEBLOCK_PAGES);
	free_upper(pair[1]);
	free_upper(pair[3]);
	return 0;
}

static int free_all(void **state)
{
	for (size_t i = 0; i < nr_pairs; i++)
		if (pair[i])
			free_pages(NULL, pair[i],
				   i == 1 || i == 3 ? PAGEBLOCK_ORDER :
							 PAIR_ORDER);
	if (single)
		free_pages(NULL, single, PAGEBLOCK_ORDER);
	return finish(state);
}

static void test_alone_there_is_nobody_to_wait_for(void **state)
{
	(void)state;
	if (!thread_is_alone())
		skip();
	assert_null(ask_for_a_pair(2, pair[1]));
	assert_int_equal(nr_looks, 1);
}

static pthread_barrier_t barrier;
static pthread_t thread;

static void *rest(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&barrier);
	return NULL;
}

static int start_other(void **state)
{
	(void)state;
	pthread_barrier_init(&barrier, NULL, 2);
	return pthread_create(&thread, NULL, rest, NULL);
}

static int end_other(void **state)
{
	(void)state;
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	return pthread_barrier_destroy(&barrier);
}

static void test_what_others_free_is_waited_for(void **state)
{
	(void)state;
	assert_ptr_equal(ask_for_a_pair(3, pair[1]), pair[1]);
	assert_int_equal(nr_looks, 3);
	free_upper(pair[1]);
	/* But not for ever. */
	assert_null(ask_for_a_pair(NEVER, NULL));
	assert_in_range(nr_looks, 4, 100);
}

/* Frees all of two neighbouring sections but for one pageblock. */
static struct page *free_sections(uint32_t index)
{
	struct page *last = NULL;

	for (size_t i = 0; i < nr_pairs; i++) {
		if (!pair[i] ||
		    (page_to_pfn(pair[i]) >> SECTION_ORDER) - index > 1)
			continue;
		if (last)
			free_pages(NULL, pair[i], PAIR_ORDER);
		else
			free_upper(last = pair[i]);
		pair[i] = NULL;
	}
	return last;
}

static void test_more_than_a_section_is_waited_for_as_well(void **state)
{
	struct page *page;

	(void)state;
	held = free_sections(WINDOW / SECTION_SIZE / 2);
	assert_non_null(held);
	nr_looks = 0;
	frees_at = 3;
	page = alloc_pages_exact(NULL, GFP_USER, SECTION_PAGES + 1, PAGE_SIZE);
	assert_non_null(page);
	assert_int_equal(nr_looks, 3);
	free_pages_exact(NULL, page, SECTION_PAGES + 1);
}

static void test_too_little_is_refused_at_once(void **state)
{
	struct page *page = alloc_pages(NULL, GFP_USER, PAGEBLOCK_ORDER);

	(void)state;
	assert_non_null(page);
	assert_null(ask_for_a_pair(2, pair[1]));
	assert_int_equal(nr_looks, 1);
	free_pages(NULL, page, PAGEBLOCK_ORDER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone_there_is_nobody_to_wait_for),
		cmocka_unit_test_setup_teardown(
			test_what_others_free_is_waited_for,
			start_other, end_other),
		cmocka_unit_test_setup_teardown(
			test_too_little_is_refused_at_once,
			start_other, end_other),
		cmocka_unit_test_setup_teardown(
			test_more_than_a_section_is_waited_for_as_well,
			start_other, end_other),
	};

	return cmocka_run_group_tests(tests, use_up, free_all);
}
