/*
 * test_heap - the heaps of threads from their first call to their end, and what
 * they keep of runs.
 */
#include "bins.h"

#include "heap/thread_heap.h"
#include "mm/vmscan.h"

#include <pthread.h>
#include <sched.h>

static void test_what_nobody_takes_is_given_back(void **state)
{
	unsigned int class = size_class_of(80);
	size_t used, cached, max = size_classes[class].sheaf_max;

	(void)state;
	heap_flush();
	reclaim_caches();
	used = world_used();
	allocate(class, 0, MANY);
	assert_true(world_used() > used + MANY * 80 / PAGE_SIZE);
	release(0, MANY);
	count_calls(after);
	cached = after[class].nr_cached;
	assert_true(cached <= 2 * max);
	/* Its stacks, the barn's sheaves, a pcp full and an unused slab. */
	assert_true(world_used() < used + 32 + PCP_MAX_HIGH + 18 * max);
	heap_flush();
	reclaim_caches();
	assert_int_equal(barn_of(0, class)->nr_slabs, 0);
	finish();
}

static void test_runs_are_reused_at_once(void **state)
{
	bool dirty;
	void *p = heap_alloc_run(50, PAGE_SIZE, &dirty), *q;

	(void)state;
	assert_non_null(p);
	mem_free(p);
	q = heap_alloc_run(50, PAGE_SIZE, &dirty);
	assert_ptr_equal(p, q);
	assert_true(dirty);
	mem_free(q);
	finish();
}

static void test_cached_runs_are_bounded(void **state)
{
	struct heap *heap = thread_heap();
	size_t bytes = 0;

	(void)state;
	for (unsigned int class = NR_SMALL_CLASSES; class < NR_CLASSES; class++)
		allocate(class, (class - NR_SMALL_CLASSES) * 8,
			 (class - NR_SMALL_CLASSES + 1) * 8);
	for (unsigned int class = NR_SMALL_CLASSES; class < NR_CLASSES;
	     class++) {
		release((class - NR_SMALL_CLASSES) * 8,
			(class - NR_SMALL_CLASSES + 1) * 8);
		assert_true(heap->cached_runs <= options.cache);
	}
	for (unsigned int class = NR_SMALL_CLASSES; class < NR_CLASSES; class++)
		bytes += bin_main_count(bin_for(class)) *
			 size_classes[class].size;
	assert_int_equal(bytes, heap->cached_runs);
	heap_flush();
	assert_int_equal(heap->cached_runs, 0);
	finish();
}

/* What the thread may not cache is in the barn, from where it comes back:
 * the pages stay as they are. */
static void test_runs_beyond_the_cache_go_to_the_barn(void **state)
{
	unsigned int class = size_class_of(options.cache);
	size_t used;

	(void)state;
	heap_flush();
	reclaim_caches();
	for (int round = 0; round < 6; round++) {
		allocate(class, 0, 6);
		used = world_used();
		release(0, 6);
		assert_true(thread_heap()->cached_runs <= options.cache);
	}
	count_calls(after);
	assert_int_equal(after[class].nr_cached, bin_main_count(
						bin_for(class)));
	assert_int_equal(barn_nr_cached(barn_of(0, class)) +
			 bin_main_count(bin_for(class)), 6);
	assert_int_equal(world_used(), used);
	heap_flush();
	finish();
}

static void test_a_cache_of_nothing_caches_nothing(void **state)
{
	unsigned int class = size_class_of(1 << 20);
	size_t cache = options.cache, used;

	(void)state;
	heap_flush();
	reclaim_caches();
	used = world_used();
	options.cache = 0;
	for (int round = 0; round < 3; round++) {
		allocate(class, 0, 6);
		release(0, 6);
		assert_int_equal(world_used(), used);
	}
	options.cache = cache;
	finish();
}

static struct heap *seen_heap;

static void *use_some(void *arg)
{
	void *p[200];

	for (size_t i = 0; i < array_size(p); i++)
		p[i] = mem_malloc(i * 100);
	for (size_t i = 0; i < array_size(p); i++)
		mem_free(p[i]);
	seen_heap = thread_heap();
	return arg;
}

static void run_thread_with(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void run_thread(void *(*fn)(void *))
{
	run_thread_with(fn, NULL);
}

static void *allocate_16(void *arg)
{
	void **p = arg;

	for (int i = 0; i < 16; i++)
		p[i] = mem_malloc(8);
	return arg;
}

static void test_threads_do_not_share_lines(void **state)
{
	void *mine[16], *other[16];

	(void)state;
	allocate_16(mine);
	run_thread_with(allocate_16, other);
	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 16; k++)
			assert_int_not_equal((uintptr_t)mine[i] / 128,
					     (uintptr_t)other[k] / 128);
	for (int i = 0; i < 16; i++) {
		mem_free(mine[i]);
		mem_free(other[i]);
	}
	finish();
}

static void test_a_thread_s_end_leaves_nothing_behind(void **state)
{
	struct heap *heap;
	size_t nr_heaps;

	(void)state;
	count_calls(before);
	run_thread(use_some);
	reclaim_caches();
	heap = seen_heap;
	nr_heaps = registry.nr_heaps;
	assert_int_equal(heap->state, HEAP_FREE);
	assert_int_equal(heap->pcp.count, 0);
	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		struct bin *bin = heap_bin(heap, class_bin(class));
		struct bin *taker = heap_bin(heap, class_free_bin(class));

		assert_int_equal(bin_main_count(bin), 0);
		assert_int_equal(bin_main_count(taker), 0);
		assert_int_equal(bin_spare_count(taker), 0);
	}
	assert_int_equal(heap->cached_runs, 0);
	count_calls(after);
	for (unsigned int class = 0; class < NR_CLASSES; class++)
		assert_int_equal(live(after, class), live(before, class));

	/* The next thread has the same heap. */
	for (int i = 0; i < 20; i++) {
		run_thread(use_some);
		assert_ptr_equal(seen_heap, heap);
	}
	assert_int_equal(registry.nr_heaps, nr_heaps);
	finish();
}

static void *leave_one(void *arg)
{
	mem_free(mem_malloc(48));
	seen_heap = thread_heap();
	*(size_t *)arg = (size_t)bin_main_count(
		heap_bin(thread_heap(), class_free_bin(size_class_of(48))));
	return arg;
}

static void *look_for_one(void *arg)
{
	struct heap *heap = heap_enter();

	*(size_t *)arg = (size_t)bin_main_count(
		heap_bin(heap, class_free_bin(size_class_of(48))));
	seen_heap = heap;
	return arg;
}

/* Without a reclaim between them. */
static void test_the_next_thread_does_not_go_on_with_its_objects(void **state)
{
	size_t left = 0, found = 1;
	struct heap *heap;

	(void)state;
	count_calls(before);
	run_thread_with(leave_one, &left);
	heap = seen_heap;
	run_thread_with(look_for_one, &found);
	assert_ptr_equal(seen_heap, heap);
	assert_true(left > 0);
	assert_int_equal(found, 0);
	finish();
}

static void *free_all(void *arg)
{
	release(0, 5000);
	return arg;
}

static void test_what_another_thread_freed_is_there_for_all(void **state)
{
	unsigned int class = size_class_of(208);
	size_t used = world_used(), once = (5000 * 224 >> PAGE_SHIFT) + 32;

	(void)state;
	count_calls(before);
	for (int round = 0; round < 5; round++) {
		allocate(class, 0, 5000);
		run_thread(free_all);
	}
	assert_true(world_used() <= used + once + PCP_MAX_HIGH);
	count_calls(after);
	assert_int_equal(live(after, class), live(before, class));
	finish();
}

static pthread_key_t key;
static struct heap *heap_in_destructor;
static void *from_destructor;

static void destructor(void *value)
{
	heap_in_destructor = thread_heap();
	mem_free(value);
	from_destructor = mem_malloc(500);
	memset(from_destructor, 1, 500);
	mem_free(mem_malloc(100 << 10));
	mem_free(mem_malloc(5 << 20));
}

static void *set_the_key(void *arg)
{
	pthread_setspecific(key, mem_malloc(300));
	return arg;
}

/* Where destructors tell of a thread's end, its heap has gone by then. */
static void test_destructors_of_keys_are_served(void **state)
{
	(void)state;
	count_calls(before);
	assert_int_equal(pthread_key_create(&key, destructor), 0);
	run_thread(set_the_key);
	assert_true(thread_marks_work() ? heap_in_destructor != NULL :
					  heap_in_destructor == NULL);
	assert_non_null(from_destructor);
	count_calls(after);
	assert_int_equal(live(after, size_class_of(500)),
			 live(before, size_class_of(500)) + 1);
	assert_int_equal(live(after, size_class_of(300)),
			 live(before, size_class_of(300)));
	mem_free(from_destructor);
	pthread_key_delete(key);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_nobody_takes_is_given_back),
		cmocka_unit_test(test_runs_are_reused_at_once),
		cmocka_unit_test(test_cached_runs_are_bounded),
		cmocka_unit_test(test_runs_beyond_the_cache_go_to_the_barn),
		cmocka_unit_test(test_a_cache_of_nothing_caches_nothing),
		cmocka_unit_test(test_threads_do_not_share_lines),
		cmocka_unit_test(test_a_thread_s_end_leaves_nothing_behind),
		cmocka_unit_test(
			test_the_next_thread_does_not_go_on_with_its_objects),
		cmocka_unit_test(
			test_what_another_thread_freed_is_there_for_all),
		cmocka_unit_test(test_destructors_of_keys_are_served),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
