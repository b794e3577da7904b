/*
 * test_heap_foreign - what a thread frees of another's slabs is not what it
 * is given for ever.
 */
#include "heaps.h"

#include "heap/thread_heap.h"
#include "malloc/malloc.h"

#include <pthread.h>
#include <setjmp.h>

#include <cmocka.h>

#define SIZE	16	/* bytes: four in a line */
#define DEALT	32	/* objects from the first thread to the second */
#define LIVE	4	/* objects of a turn */
#define TURNS	10000

static void *dealt[DEALT];
static size_t nr_foreign[2];	/* of those given in each half of the turns */

static bool is_dealt(const void *p)
{
	for (size_t i = 0; i < DEALT; i++)
		if (dealt[i] == p)
			return true;
	return false;
}

static void take_turn(size_t *foreign)
{
	void *mine[LIVE];

	for (size_t i = 0; i < LIVE; i++) {
		mine[i] = mem_malloc(SIZE);
		*foreign += is_dealt(mine[i]);
	}
	for (size_t i = 0; i < LIVE; i++)
		mem_free(mine[i]);
}

static void *use_dealt(void *unused)
{
	/* Slabs of its own first. */
	take_turn(&(size_t){ 0 });
	for (size_t i = 0; i < DEALT; i++)
		mem_free(dealt[i]);
	for (size_t i = 0; i < TURNS; i++)
		take_turn(&nr_foreign[i >= TURNS / 2]);
	return unused;
}

static void test_foreign_objects_go_home(void **state)
{
	static void *many[16384];
	size_t found = 0;
	pthread_t thread;

	(void)state;
	for (size_t i = 0; i < DEALT; i++)
		dealt[i] = mem_malloc(SIZE);
	assert_int_equal(pthread_create(&thread, NULL, use_dealt, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* At first they were handed out again. */
	assert_true(nr_foreign[0] > 0);
	assert_int_equal(nr_foreign[1], 0);
	heap_validate();
	/* Home is where they are to be had, but for what lies in the lane of
	 * the thread, where others leave it for a while. */
	reclaim_caches();
	for (size_t i = 0; i < array_size(many); i++)
		many[i] = mem_malloc(SIZE);
	for (size_t i = 0; i < array_size(many); i++) {
		found += is_dealt(many[i]);
		mem_free(many[i]);
	}
	assert_int_equal(found, DEALT);
	heap_validate();
}

static void *others[1024];
static pthread_barrier_t barrier;

static void *allocate_and_wait(void *unused)
{
	for (size_t i = 0; i < array_size(others); i++)
		others[i] = mem_malloc(SIZE);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return unused;
}

/* How many of its objects lie in slabs that serve another. */
static void *count_foreign(void *argument)
{
	void *mine[512];
	size_t *foreign = argument;

	for (size_t i = 0; i < array_size(mine); i++) {
		mine[i] = mem_malloc(SIZE);
		*foreign += barn_is_foreign(mine[i], thread_heap()->number);
	}
	for (size_t i = 0; i < array_size(mine); i++)
		mem_free(mine[i]);
	return NULL;
}

/* Nor is what a third thread has freed whole sheaves of. */
static void test_foreign_sheaves_go_home(void **state)
{
	unsigned int class = size_class_of(SIZE);
	pthread_t thread[2];
	size_t foreign = 0;

	(void)state;
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread[0], NULL, allocate_and_wait, NULL);
	pthread_barrier_wait(&barrier);
	/* This one comes for none, so others may have them. */
	reclaim_caches();
	for (size_t i = 0; i < array_size(others); i++)
		mem_free(others[i]);
	assert_true(barn_nr_cached(barn_of(0, class)) > 0);
	pthread_create(&thread[1], NULL, count_foreign, &foreign);
	pthread_join(thread[1], NULL);
	assert_int_equal(foreign, 0);
	pthread_barrier_wait(&barrier);
	pthread_join(thread[0], NULL);
	pthread_barrier_destroy(&barrier);
	reclaim_caches();
	heap_validate();
}

static void test_counts_are_right(void **state)
{
	unsigned int class = size_class_of(SIZE);
	struct heap_counts counts;

	(void)state;
	heap_flush();
	heap_count(class, &counts);
	assert_int_equal(counts.nr_alloc, counts.nr_free);
	assert_int_equal(counts.nr_cached, 0);
	for_each_barn(barn)
		if (barn->class == class)
			assert_true(barn_nr_cached(barn) * SIZE < 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreign_objects_go_home),
		cmocka_unit_test(test_foreign_sheaves_go_home),
		cmocka_unit_test(test_counts_are_right),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
