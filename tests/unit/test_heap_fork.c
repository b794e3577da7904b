/*
 * test_heap_fork - what the child of a process with threads finds, and a
 * thread that there is no memory to make a heap for.
 */
#include "heaps.h"

#include "heap/thread_heap.h"
#include "malloc/malloc.h"
#include "mm/vmscan.h"

#include <pthread.h>
#include <setjmp.h>

#include <cmocka.h>

#define SIZE	96	/* bytes */
#define COUNT	200	/* objects */

static pthread_barrier_t barrier;
static struct heap *other;	/* the resting thread's heap */
static void *kept[COUNT], *freed[COUNT], *few[3];
static void (*in_child)(void);

/* Has objects in its stacks, and some that live. */
static void take_and_free(void)
{
	for (size_t i = 0; i < COUNT; i++) {
		kept[i] = mem_malloc(SIZE);
		freed[i] = mem_malloc(SIZE);
		CHECK(kept[i] && freed[i]);
		memset(kept[i], 0x42, SIZE);
	}
	for (size_t i = 0; i < COUNT; i++)
		mem_free(freed[i]);
	for (size_t i = 0; i < array_size(few); i++)
		few[i] = mem_malloc(3000);
	mem_free(mem_malloc(64 << 10));
	other = thread_heap();
}

static void free_the_rest(void)
{
	for (size_t i = 0; i < COUNT; i++)
		mem_free(kept[i]);
	for (size_t i = 0; i < array_size(few); i++)
		mem_free(few[i]);
}

static void *rest(void *arg)
{
	take_and_free();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	free_the_rest();
	return arg;
}

static void *end(void *arg)
{
	take_and_free();
	return arg;
}

/* Runs `in_child` in a child that was forked beside the resting thread. */
static void with_a_lost_thread(void (*fn)(void))
{
	pthread_t thread;
	bool ok;

	in_child = fn;
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, rest, NULL), 0);
	pthread_barrier_wait(&barrier);
	ok = child_succeeds(fn);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
	assert_true(ok);
	heap_validate();
}

static void check_kept(void)
{
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < SIZE; k++)
			CHECK(((unsigned char *)kept[i])[k] == 0x42);
}

/* Nothing that lives is handed out, nothing twice. */
static void check_no_object_is_handed_out_twice(void)
{
	static char *p[4 * COUNT];

	for (size_t i = 0; i < array_size(p); i++) {
		p[i] = mem_malloc(SIZE);
		CHECK(p[i]);
		memset(p[i], (int)i, SIZE);
	}
	check_kept();
	for (size_t i = 0; i < array_size(p); i++) {
		CHECK(p[i][0] == (char)i && p[i][SIZE - 1] == (char)i);
		mem_free(p[i]);
	}
	heap_validate();
}

static size_t other_count(void)
{
	unsigned int class = size_class_of(SIZE);
	struct bin *giver = heap_bin(other, class_bin(class));
	struct bin *taker = heap_bin(other, class_free_bin(class));

	return bin_main_count(giver) + bin_spare_count(giver) +
		bin_main_count(taker) + bin_spare_count(taker);
}

static void adopts(void)
{
	unsigned int class = size_class_of(SIZE);
	struct heap_counts counts;
	size_t n = other_count();

	CHECK(other->state == HEAP_ORPHAN);
	CHECK(n > 0);
	reclaim_caches();
	CHECK(other->state == HEAP_FREE);
	CHECK(other_count() == 0);
	heap_count(class, &counts);
	CHECK(counts.nr_cached == 0);
	CHECK(counts.nr_alloc - counts.nr_free >= COUNT);
	CHECK(barn_of(0, class)->nr_slabs * size_classes[class].nr_objects <
	      2UL * COUNT + size_classes[class].nr_objects);
	heap_validate();
	check_no_object_is_handed_out_twice();
	for (size_t i = 0; i < COUNT; i++)
		mem_free(kept[i]);
	reclaim_caches();
	heap_flush();
	reclaim_caches();
	/* What lay in its stacks is lost, and nothing else. */
	CHECK(barn_of(0, class)->nr_slabs <= n);
	heap_validate();
}

static void test_the_child_adopts_the_heap_of_a_lost_thread(void **state)
{
	(void)state;
	with_a_lost_thread(adopts);
}

/* As fork may copy a stack that moves: an object twice, some that live or lie
 * in a surviving bin, and what was never an object. */
static void adopts_a_torn_stack(void)
{
	struct bin *bin = heap_bin(other, class_free_bin(size_class_of(SIZE)));
	void **top = bin->top;
	size_t n = bin_main_count(bin);
	void *own = mem_malloc(SIZE);

	CHECK(n >= 6 && own);
	mem_free(own);
	top[-1] = own;
	top[-3] = kept[0];
	top[-4] = (char *)kept[1] + 16;
	top[-5] = (void *)(uintptr_t)0x1234567890;
	top[-6] = pfn_to_address(vm.nr_pages - 1);
	reclaim_caches();
	CHECK(other_count() == 0);
	heap_validate();
	check_no_object_is_handed_out_twice();
}

static void test_objects_of_a_lost_thread_are_not_believed(void **state)
{
	(void)state;
	with_a_lost_thread(adopts_a_torn_stack);
}

/* Its mallocs were not yet counted. */
static void frees_what_it_had(void)
{
	for (size_t i = 0; i < array_size(few); i++)
		mem_free(few[i]);
	reclaim_caches();
	heap_flush();
	heap_validate();
}

static void test_calls_of_a_lost_thread_may_be_lost(void **state)
{
	(void)state;
	with_a_lost_thread(frees_what_it_had);
}

static void adopts_a_torn_bin(void)
{
	struct bin *bin = heap_bin(other, class_bin(size_class_of(SIZE)));

	bin->top = bin->lo + 10000;
	bin->spare = (struct sheaf *)(void *)&barrier;
	reclaim_caches();
	CHECK(other_count() == 0);
	heap_validate();
	check_no_object_is_handed_out_twice();
}

static void test_a_stack_of_a_lost_thread_is_not_believed(void **state)
{
	(void)state;
	with_a_lost_thread(adopts_a_torn_bin);
}

static void has_all_that_was_left(void)
{
	unsigned int class = size_class_of(SIZE);

	CHECK(other->state == HEAP_FREE);
	CHECK(!registry.lost);
	reclaim_caches();
	CHECK(other_count() == 0);
	check_no_object_is_handed_out_twice();
	free_the_rest();
	heap_flush();
	reclaim_caches();
	CHECK(barn_of(0, class)->nr_slabs == 0);
	heap_validate();
}

static void test_a_thread_that_was_gone_loses_nothing(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, end, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(child_succeeds(has_all_that_was_left));
	free_the_rest();
	heap_validate();
}

/* Such a child cannot have a thread under ThreadSanitizer: its only one does
 * as if it were new. */
static void reuses_the_heap(void)
{
	thread_heap()->owner = 1;
	thread_set_heap(NULL);
	mem_free(mem_malloc(1));
	CHECK(thread_heap() == other);
	CHECK(other->state == HEAP_OWNED);
	CHECK(other->owner == lock_self());
	check_no_object_is_handed_out_twice();
}

static void test_a_new_thread_has_the_heap_of_a_lost_one(void **state)
{
	(void)state;
	/* TSan cannot start threads in the child of a process that had some. */
	if (TSAN_ZBM)
		skip();
	with_a_lost_thread(reuses_the_heap);
}

static void keeps_its_own(void)
{
	struct heap *heap = thread_heap();

	CHECK(heap && heap->state == HEAP_OWNED);
	CHECK(heap->owner == lock_self());
	mem_free(mem_malloc(1));
	CHECK(thread_heap() == heap);
}

static void test_the_thread_that_forked_keeps_its_heap(void **state)
{
	(void)state;
	mem_free(mem_malloc(1));
	with_a_lost_thread(keeps_its_own);
}

static void *poor_thread(void *arg)
{
	char *p[40];

	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < array_size(p); i++) {
		p[i] = mem_malloc(SIZE);
		CHECK(p[i]);
		memset(p[i], (int)i, SIZE);
	}
	CHECK(!thread_heap());
	for (size_t i = 0; i < array_size(p); i++) {
		CHECK(p[i][0] == (char)i && p[i][SIZE - 1] == (char)i);
		mem_free(p[i]);
	}
	return arg;
}

/* All of the committed metadata is used, and no more can be had; but a slab
 * has objects left. */
static void has_no_memory_for_a_heap(void)
{
	void *p[50];
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(pthread_create(&thread, NULL, poor_thread, NULL) == 0);
	pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < array_size(p); i++)
		p[i] = mem_malloc(SIZE);
	for (size_t i = 0; i < array_size(p); i++)
		mem_free(p[i]);
	heap_flush();
	p[0] = mem_malloc(SIZE);
	world_limit(RLIMIT_DATA, 0);
	for (size_t size = HEAP_SIZE; size >= META_UNIT; size /= 2)
		while (meta_alloc(size))
			;
	pthread_barrier_wait(&barrier);
	CHECK(pthread_join(thread, NULL) == 0);
	heap_validate();
}

static void test_a_thread_without_a_heap_uses_the_shared_one(void **state)
{
	(void)state;
	assert_true(child_succeeds(has_no_memory_for_a_heap));
	heap_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: no heap waits for a thread yet. */
		cmocka_unit_test(
			test_a_thread_without_a_heap_uses_the_shared_one),
		cmocka_unit_test(
			test_the_child_adopts_the_heap_of_a_lost_thread),
		cmocka_unit_test(
			test_objects_of_a_lost_thread_are_not_believed),
		cmocka_unit_test(test_a_stack_of_a_lost_thread_is_not_believed),
		cmocka_unit_test(test_calls_of_a_lost_thread_may_be_lost),
		cmocka_unit_test(test_a_thread_that_was_gone_loses_nothing),
		cmocka_unit_test(test_a_new_thread_has_the_heap_of_a_lost_one),
		cmocka_unit_test(test_the_thread_that_forked_keeps_its_heap),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
