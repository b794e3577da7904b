/*
 * test_introspect - the figures are exact: each test does something whose
 * effect is known, and looks at the difference.
 *
 * The runner itself has the system's malloc, so nothing else moves them.
 */
#include "heaps.h"

#include "malloc/introspect.h"
#include "malloc/stats.h"
#include "slab/barn_list.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NR_BLOCKS	300
#define HUGE_SIZE	(5UL << 20)	/* bytes */

static struct figures before, after;
static void *blocks[NR_BLOCKS];

static void allocate(size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		blocks[i] = mem_malloc(size);
		assert_non_null(blocks[i]);
		memset(blocks[i], 1, size);
	}
}

static void release(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		mem_free(blocks[i]);
}

static size_t moved_live(unsigned int class)
{
	return after.class[class].nr_live - before.class[class].nr_live;
}

static uint64_t moved_alloc(unsigned int class)
{
	return after.class[class].nr_alloc - before.class[class].nr_alloc;
}

static uint64_t moved_free(unsigned int class)
{
	return after.class[class].nr_free - before.class[class].nr_free;
}

/* One of each class, at the largest size that it serves. */
static void test_calls_and_live_blocks_are_exact_for_each_class(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NR_CLASSES; i++) {
		size_t size = size_classes[i].size;
		size_t n = class_is_small(i) ? NR_BLOCKS : 3;

		figures_gather(&before);
		allocate(n, size);
		figures_gather(&after);
		assert_int_equal(moved_alloc(i), n);
		assert_int_equal(moved_free(i), 0);
		assert_int_equal(moved_live(i), n);
		assert_int_equal(after.nr_alloc - before.nr_alloc, n);
		assert_int_equal(after.live_bytes - before.live_bytes,
				 n * size);
		release(0, n - 1);
		figures_gather(&after);
		assert_int_equal(moved_alloc(i), n);
		assert_int_equal(moved_free(i), n - 1);
		assert_int_equal(moved_live(i), 1);
		assert_int_equal(after.nr_live - before.nr_live, 1);
		assert_int_equal(after.live_bytes - before.live_bytes, size);
		release(n - 1, n);
		figures_validate();
	}
	heap_validate();
}

static void test_each_way_to_allocate_is_counted(void **state)
{
	unsigned int class = size_class_of(200);
	void *p, *q, *r;

	(void)state;
	figures_gather(&before);
	p = mem_calloc(10, 20);
	assert_int_equal(mem_posix_memalign(&q, 32, 200), 0);
	r = mem_realloc(NULL, 200);
	figures_gather(&after);
	assert_int_equal(moved_alloc(class), 3);
	/* It stays in its place, so this is no call. */
	assert_ptr_equal(mem_realloc(r, 190), r);
	/* It moves, so these are one of each. */
	r = mem_realloc(r, 2000);
	figures_gather(&after);
	assert_int_equal(moved_alloc(class), 3);
	assert_int_equal(moved_free(class), 1);
	assert_int_equal(moved_alloc(size_class_of(2000)), 1);
	mem_free(p);
	mem_free(q);
	mem_free(r);
	figures_gather(&after);
	assert_int_equal(moved_live(class), 0);
	assert_int_equal(after.live_bytes, before.live_bytes);
	figures_validate();
}

static void test_huge_blocks_count_as_what_they_occupy(void **state)
{
	void *p;

	(void)state;
	figures_gather(&before);
	allocate(3, HUGE_SIZE);
	p = mem_malloc(CLASS_MAX + 1);
	figures_gather(&after);
	assert_int_equal(after.huge.nr_alloc - before.huge.nr_alloc, 4);
	assert_int_equal(after.huge.nr_live - before.huge.nr_live, 4);
	assert_int_equal(after.huge.live_bytes - before.huge.live_bytes,
			 3 * HUGE_SIZE + CLASS_MAX + PAGE_SIZE);
	assert_int_equal(after.class_live_bytes, before.class_live_bytes);
	p = mem_realloc(p, 2 * HUGE_SIZE);
	assert_non_null(p);
	release(0, 2);
	figures_gather(&after);
	assert_int_equal(after.huge.nr_live - before.huge.nr_live, 2);
	assert_int_equal(after.live_bytes - before.live_bytes, 3 * HUGE_SIZE);
	release(2, 3);
	mem_free(p);
	figures_gather(&after);
	assert_int_equal(after.huge.live_bytes, before.huge.live_bytes);
	figures_validate();
}

static void *thread_allocate(void *arg)
{
	allocate(NR_BLOCKS, *(size_t *)arg);
	return NULL;
}

static void test_another_thread_s_blocks_are_seen_and_may_be_freed(void **state)
{
	size_t size = 96;
	unsigned int class = size_class_of(size);
	pthread_t thread;

	(void)state;
	figures_gather(&before);
	assert_int_equal(pthread_create(&thread, NULL, thread_allocate, &size),
			 0);
	pthread_join(thread, NULL);
	figures_gather(&after);
	assert_int_equal(moved_alloc(class), NR_BLOCKS);
	assert_int_equal(moved_live(class), NR_BLOCKS);
	assert_int_equal(after.nr_heaps, before.nr_heaps + 1);
	release(0, NR_BLOCKS);
	figures_gather(&after);
	assert_int_equal(moved_free(class), NR_BLOCKS);
	assert_int_equal(moved_live(class), 0);
	figures_validate();
}

/* Objects that slabs have and nobody else: counted in the lists. */
static size_t count_in_slabs(struct barn *barn)
{
	size_t n = 0;

	for_each_partial(slab, barn)
		n += slab->nr_free;
	return n;
}

static void test_every_object_of_a_slab_is_somewhere(void **state)
{
	(void)state;
	/* Every third one stays, so that slabs are partly free. */
	allocate(NR_BLOCKS, 1000);
	for (size_t i = 0; i < NR_BLOCKS; i++)
		if (i % 3)
			mem_free(blocks[i]);
	heap_flush();
	allocate(1, 1000);
	figures_gather(&after);
	for (unsigned int i = 0; i < NR_SMALL_CLASSES; i++) {
		const struct class_figures *class = &after.class[i];

		assert_int_equal(class->nr_slabs * size_classes[i].nr_objects,
				 class->nr_live + class->nr_cached +
				 count_in_slabs(barn_of(0, i)));
	}
	release(0, 1);
	for (size_t i = 3; i < NR_BLOCKS; i += 3)
		mem_free(blocks[i]);
}

static void test_cached_objects_are_counted(void **state)
{
	unsigned int class = size_class_of(48), run = size_class_of(40000);

	(void)state;
	heap_flush();
	figures_gather(&before);
	assert_int_equal(before.class[run].nr_cached, 0);
	allocate(2, 40000);
	release(0, 2);
	allocate(1, 48);
	release(0, 1);
	figures_gather(&after);
	assert_int_equal(after.class[run].nr_cached, 2);
	assert_int_equal(after.class[run].nr_pages,
			 2 * size_classes[run].size / PAGE_SIZE);
	assert_true(after.class[class].nr_cached > 0);
	assert_int_equal(after.live_bytes, before.live_bytes);
	figures_validate();
}

static void test_trim_leaves_nothing_dirty_and_says_so(void **state)
{
	(void)state;
	allocate(NR_BLOCKS, 100000);
	figures_gather(&before);
	release(0, NR_BLOCKS);
	errno = 4242;
	assert_int_equal(mem_trim(0), 1);
	assert_int_equal(errno, 4242);
	figures_gather(&after);
	assert_int_equal(after.zones.free_dirty, 0);
	assert_int_equal(after.zones.isolated, 0);
	assert_int_equal(after.pcp_pages, 0);
	assert_int_equal(after.nr_cached, 0);
	assert_int_equal(after.zones.used, after.class_pages);
	assert_true(after.zones.nr_purged - before.zones.nr_purged >=
		    NR_BLOCKS * 100000UL / PAGE_SIZE);
	assert_int_equal(mem_trim(0), 0);
	figures_validate();
}

static void test_the_peak_stays_and_the_present_falls(void **state)
{
	(void)state;
	allocate(10, HUGE_SIZE);
	figures_gather(&before);
	release(0, 10);
	figures_gather(&after);
	assert_true(before.zones.used >= 10 * HUGE_SIZE >> PAGE_SHIFT);
	assert_true(before.zones.peak_used >= before.zones.used);
	assert_true(before.zones.managed >= before.zones.peak_used);
	assert_true(after.zones.used < before.zones.used);
	assert_int_equal(after.zones.peak_used, before.zones.peak_used);
}

static void test_mallinfo2_adds_up(void **state)
{
	struct mallinfo2 first, second;

	(void)state;
	mem_trim(0);
	first = mem_mallinfo2();
	assert_int_equal(first.keepcost, 0);
	assert_int_equal(first.smblks, 0);
	allocate(NR_BLOCKS - 2, 500);
	blocks[NR_BLOCKS - 2] = mem_malloc(HUGE_SIZE);
	blocks[NR_BLOCKS - 1] = mem_malloc(50000);
	second = mem_mallinfo2();
	assert_int_equal(second.uordblks - first.uordblks,
			 (NR_BLOCKS - 2) * 512UL + mem_good_size(50000));
	assert_int_equal(second.hblks - first.hblks, 1);
	assert_int_equal(second.hblkhd - first.hblkhd, HUGE_SIZE);
	assert_int_equal(second.arena, second.uordblks + second.fordblks);
	assert_true(second.fsmblks <= second.fordblks);
	assert_true(second.fordblks < 4UL << 20);
	assert_true(second.usmblks >= second.uordblks + second.hblkhd);
	release(0, NR_BLOCKS);
	second = mem_mallinfo2();
	assert_int_equal(second.uordblks, first.uordblks);
	assert_int_equal(second.hblkhd, first.hblkhd);
	assert_int_equal(second.arena, second.uordblks + second.fordblks);
	assert_true(second.keepcost >= HUGE_SIZE);
	assert_true(second.smblks > 0);
	assert_true(second.ordblks > 0);
}

static void test_mallopt_answers_as_glibc_does(void **state)
{
	static const int known[] = {
		M_MXFAST, M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD,
		M_MMAP_MAX, M_CHECK_ACTION, M_PERTURB, M_ARENA_TEST,
		M_ARENA_MAX,
	};

	(void)state;
	for (size_t i = 0; i < array_size(known); i++)
		assert_int_equal(mem_mallopt(known[i], 100), 1);
	/* Others are not told from these; only this value is looked at. */
	assert_int_equal(mem_mallopt(0, 100), 1);
	assert_int_equal(mem_mallopt(1000, 100), 1);
	assert_int_equal(mem_mallopt(-1000, -1), 1);
	assert_int_equal(mem_mallopt(M_MXFAST, 0), 1);
	assert_int_equal(mem_mallopt(M_MXFAST, 160), 1);
	assert_int_equal(mem_mallopt(M_MXFAST, 161), 0);
	assert_int_equal(mem_mallopt(M_MXFAST, -1), 0);
}

static int stop;

static void *thread_work(void *arg)
{
	void *mine[50] = { NULL };
	size_t i = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		i = i * 5 + 1;
		mem_free(mine[i % 50]);
		mine[i % 50] = mem_malloc(i * 37 % 70000);
	}
	for (i = 0; i < 50; i++)
		mem_free(mine[i]);
	return arg;
}

/* The figures move, but zones are read under their lock, and the books
 * balance again as soon as the threads rest. */
static void test_looking_while_others_work_is_safe(void **state)
{
	struct zone_figures zone;
	FILE *stream = fopen("/dev/null", "w");
	pthread_t threads[2];
	char buf[4096];

	(void)state;
	figures_gather(&before);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_work,
						NULL), 0);
	for (int i = 0; i < 200; i++) {
		figures_of_zone(&zone, zones);
		assert_int_equal(zone.managed, zone.used + zone.free +
				 zone.isolated);
		assert_true(zone.free_dirty <= zone.free);
		stats_print(-1, buf, sizeof(buf));
		assert_int_equal(mem_info(0, stream), 0);
		mem_mallinfo2();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	fclose(stream);
	figures_gather(&after);
	assert_int_equal(after.live_bytes, before.live_bytes);
	assert_int_equal(after.nr_alloc - after.nr_free,
			 before.nr_alloc - before.nr_free);
	figures_validate();
	heap_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_calls_and_live_blocks_are_exact_for_each_class),
		cmocka_unit_test(test_each_way_to_allocate_is_counted),
		cmocka_unit_test(test_huge_blocks_count_as_what_they_occupy),
		cmocka_unit_test(
			test_another_thread_s_blocks_are_seen_and_may_be_freed),
		cmocka_unit_test(test_every_object_of_a_slab_is_somewhere),
		cmocka_unit_test(test_cached_objects_are_counted),
		cmocka_unit_test(test_trim_leaves_nothing_dirty_and_says_so),
		cmocka_unit_test(test_the_peak_stays_and_the_present_falls),
		cmocka_unit_test(test_mallinfo2_adds_up),
		cmocka_unit_test(test_mallopt_answers_as_glibc_does),
		cmocka_unit_test(test_looking_while_others_work_is_safe),
	};

	return cmocka_run_group_tests(tests, start_counting, NULL);
}
