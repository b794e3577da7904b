/*
 * test_heap_node - heaps of several nodes, on a machine that need not have
 * them: objects that are freed elsewhere go home, and full nodes spill.
 */
#include "heaps.h"

#include "heap/thread_heap.h"
#include "malloc/malloc.h"
#include "mm/vmscan.h"
#include "mm/zonelist.h"

#include <pthread.h>
#include <setjmp.h>

#include <cmocka.h>

#define NR_NODES	4
#define SIZE		96	/* bytes */
#define MANY		5000	/* objects */

static void *objects[MANY], *alien;

/* As if the kernel had told of nodes, all equally far from each other. */
static int start_nodes(void **state)
{
	os_init();
	options_set_defaults(&options);
	options.numa = NUMA_OFF;
	topology_init();
	options.numa = NUMA_LOCAL_FIRST;
	topology.nr_nodes = topology.max_nodes = NR_NODES;
	topology.allowed = (1UL << NR_NODES) - 1;
	for (int from = 0; from < NR_NODES; from++) {
		topology.node[from].id = from;
		topology.node[from].has_cpu = true;
		memset(topology.node[from].distance, REMOTE_DISTANCE,
		       MAX_NUMNODES);
		topology.node[from].distance[from] = LOCAL_DISTANCE;
	}
	options.decay_ms = 0;
	return start(state);
}

static int node_of(const void *p)
{
	return word_node(page_word(pfn_to_page(address_to_pfn(p))));
}

static struct zone *zone_of(int node)
{
	return &nodes[node]->zone[ZONE_NORMAL];
}

static size_t nr_live(unsigned int class)
{
	struct heap_counts counts;

	heap_count(class, &counts);
	return counts.nr_alloc - counts.nr_free;
}

/* The calling thread is of the node from now on. */
static void run_on(int node)
{
	struct heap *heap = thread_heap();

	thread_set_heap(heap_take(node));
	CHECK(thread_heap());
	/* It has been away for so long that nobody looks any more. */
	thread_heap()->away = 1000;
	if (heap)
		heap_leave_behind(heap);
	CHECK(thread_heap()->node == node);
}

/* Everything is where it was before the first test. */
static void finish(void)
{
	run_on(0);
	heap_flush();
	reclaim_caches();
	heap_validate();
	for (int node = 0; node < NR_NODES; node++)
		CHECK(zone_used(zone_of(node)) == 0);
}

static void test_each_node_has_its_own_memory(void **state)
{
	static const size_t sizes[] = { 16, 600, 5000, 20000, 300000 };

	(void)state;
	for (int node = NR_NODES - 1; node >= 0; node--) {
		run_on(node);
		for (size_t i = 0; i < array_size(sizes); i++) {
			objects[i] = mem_malloc(sizes[i]);
			assert_int_equal(node_of(objects[i]), node);
			assert_ptr_equal(page_zone(pfn_to_page(
					 address_to_pfn(objects[i]))),
					 zone_of(node));
		}
		for (size_t i = 0; i < array_size(sizes); i++)
			mem_free(objects[i]);
	}
	finish();
}

static void test_what_is_freed_elsewhere_goes_home(void **state)
{
	unsigned int class = size_class_of(SIZE);
	struct barn *home = barn_of(2, class);

	(void)state;
	run_on(2);
	for (size_t i = 0; i < MANY; i++)
		objects[i] = mem_malloc(SIZE);
	assert_int_equal(nr_live(class), MANY);
	run_on(1);
	for (size_t i = 0; i < MANY; i++) {
		void *mine;

		mem_free(objects[i]);
		/* It is not handed out here. */
		mine = mem_malloc(SIZE);
		assert_int_equal(node_of(mine), 1);
		mem_free(mine);
	}
	assert_int_equal(nr_live(class), 0);
	assert_true(barn_nr_cached(home) > 0);
	for_each_lane(lane, home)
		for (struct sheaf *s = lane->full; s; s = s->next)
			for (size_t i = 0; i < s->nr; i++)
				assert_int_equal(node_of(s->object[i]), 2);
	/* But there. */
	run_on(2);
	objects[0] = mem_malloc(SIZE);
	assert_int_equal(node_of(objects[0]), 2);
	mem_free(objects[0]);
	finish();
}

/* Before this thread has anything of that node, and later. */
static void test_what_is_of_another_node_has_its_size_here(void **state)
{
	static const size_t sizes[] = { 1, 100, 640, 3000, 20000, 300000 };

	(void)state;
	for (size_t i = 0; i < 2 * array_size(sizes); i++) {
		size_t size = sizes[i % array_size(sizes)];
		unsigned char *p, *q;

		run_on(2);
		p = mem_malloc(size);
		memset(p, 77, size);
		run_on(1);
		assert_in_range(mem_usable_size(p), size, 2 * size + 16);
		q = mem_realloc(p, 3 * size);
		assert_true(mem_usable_size(q) >= 3 * size);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(q[k], 77);
		mem_free(q);
	}
	finish();
}

static void test_runs_and_huge_blocks_go_home(void **state)
{
	(void)state;
	for (size_t size = 16384; size <= 4UL << 20; size *= 4) {
		run_on(3);
		objects[0] = mem_malloc(size);
		assert_int_equal(node_of(objects[0]), 3);
		run_on(0);
		mem_free(objects[0]);
		assert_int_equal(zone_used(zone_of(3)), 0);
		objects[0] = mem_malloc(size);
		assert_int_equal(node_of(objects[0]), 0);
		mem_free(objects[0]);
	}
	finish();
}

static void free_twice(void)
{
	mem_free(alien);
	mem_free(alien);
}

static void free_inside(void)
{
	mem_free((char *)alien + 16);
}

static void test_wrong_frees_of_other_nodes_are_found(void **state)
{
	(void)state;
	run_on(1);
	objects[0] = alien = mem_malloc(SIZE);
	objects[1] = mem_malloc(SIZE);
	run_on(0);
	assert_true(child_dies(free_twice, "double free"));
	assert_true(child_dies(free_inside, "free"));
	/* Also where there is room in a sheaf for it. */
	mem_free(objects[1]);
	assert_true(child_dies(free_twice, "double free"));
	assert_true(child_dies(free_inside, "free"));
	mem_free(alien);
	finish();
}

static void test_a_full_node_spills_and_is_returned_to(void **state)
{
	size_t before, i;

	(void)state;
	run_on(1);
	before = zone_used(zone_of(1));
	zone_of(1)->limit = before + 64;
	for (i = 0; i < MANY; i++) {
		objects[i] = mem_malloc(SIZE);
		assert_non_null(objects[i]);
		if (node_of(objects[i]) != 1)
			break;
	}
	/* 64 pages, but for what a pcp took in a batch. */
	assert_true(i < MANY && i > 10 * PAGE_SIZE / SIZE);
	assert_int_equal(node_of(objects[i]), 2);
	assert_true(zone_used(zone_of(1)) <= before + 64 + PCP_BATCH);
	for (size_t k = i + 1; k < MANY; k++) {
		objects[k] = mem_malloc(SIZE);
		assert_int_equal(node_of(objects[k]), 2);
	}
	alien = mem_malloc(300000);
	assert_int_equal(node_of(alien), 2);
	mem_free(alien);
	for (size_t k = 0; k < MANY; k++)
		mem_free(objects[k]);
	heap_flush();
	/* What went to its slabs there does not come from elsewhere. */
	objects[0] = mem_malloc(SIZE);
	assert_int_equal(node_of(objects[0]), 1);
	mem_free(objects[0]);
	zone_of(1)->limit = SIZE_MAX;
	finish();
}

static void test_all_nodes_full_is_no_memory(void **state)
{
	(void)state;
	run_on(0);
	heap_flush();
	reclaim_caches();
	for (int node = 0; node < NR_NODES; node++)
		zone_of(node)->limit = zone_used(zone_of(node)) + 300;
	errno = 0;
	assert_null(mem_malloc(2UL << 20));
	assert_int_equal(errno, ENOMEM);
	errno = 77;
	objects[0] = mem_malloc(256 * PAGE_SIZE);
	assert_non_null(objects[0]);
	objects[1] = mem_malloc(256 * PAGE_SIZE);
	assert_non_null(objects[1]);
	assert_int_not_equal(node_of(objects[0]), node_of(objects[1]));
	mem_free(objects[0]);
	mem_free(objects[1]);
	for (int node = 0; node < NR_NODES; node++)
		zone_of(node)->limit = SIZE_MAX;
	finish();
}

static void test_interleaving_takes_nodes_in_turn(void **state)
{
	size_t count[NR_NODES] = { 0 };

	(void)state;
	run_on(0);
	heap_flush();
	options.numa = NUMA_INTERLEAVED;
	for (size_t i = 0; i < MANY; i++) {
		objects[i] = mem_malloc(SIZE);
		count[node_of(objects[i])]++;
	}
	for (int node = 0; node < NR_NODES; node++)
		assert_in_range(count[node], MANY / NR_NODES / 2,
				MANY / NR_NODES * 2);
	options.numa = NUMA_LOCAL_FIRST;
	for (size_t i = 0; i < MANY; i++)
		mem_free(objects[i]);
	finish();
}

static void check_child(void)
{
	unsigned int class = size_class_of(SIZE);
	struct heap *heap = registry.heaps;
	struct bin *bin;

	while (heap && heap->state != HEAP_ORPHAN)
		heap = heap->next;
	CHECK(heap && heap->alien);
	CHECK(heap_node_bin(heap, 0, class_free_bin(class))->want);
	heap_adopt(heap);
	CHECK(!heap->alien);
	for (int node = 0; node < NR_NODES; node++) {
		bin = heap_node_bin(heap, node, class_free_bin(class));
		CHECK(!bin->spare && !bin_main_count(bin));
		CHECK(node == heap->node || !bin->want);
	}
	for (size_t i = 0; i < MANY; i++)
		mem_free(mem_malloc(SIZE));
	heap_flush();
}

static pthread_barrier_t barrier;

static void *rest_with_aliens(void *arg)
{
	run_on(1);
	for (size_t i = 0; i < 10; i++)
		mem_free(objects[i]);
	CHECK(thread_heap()->alien & 1);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	heap_leave_behind(thread_heap());
	thread_set_heap(NULL);
	return arg;
}

static void test_a_child_has_no_part_in_lost_sheaves(void **state)
{
	pthread_t thread;

	(void)state;
	run_on(0);
	for (size_t i = 0; i < 10; i++)
		objects[i] = mem_malloc(SIZE);
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, rest_with_aliens,
					NULL), 0);
	pthread_barrier_wait(&barrier);
	assert_true(child_succeeds(check_child));
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	finish();
}

/* Objects change hands between the threads of all nodes. */
#define NR_SLOTS	2000
#define NR_STEPS	40000

static void *slots[NR_SLOTS];

static void *exchange(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	run_on((int)(seed % NR_NODES));
	for (size_t i = 0; i < NR_STEPS; i++) {
		size_t size = 1 + world_below(&seed, 700);
		char *p = mem_malloc(size);

		CHECK(p);
		p[0] = p[size - 1] = (char)size;
		p = __atomic_exchange_n(&slots[world_below(&seed, NR_SLOTS)],
					p, __ATOMIC_ACQ_REL);
		mem_free(p);
		if (i % 5000 == 0)
			run_on((int)world_below(&seed, NR_NODES));
	}
	heap_leave_behind(thread_heap());
	thread_set_heap(NULL);
	return NULL;
}

static void test_threads_of_all_nodes_exchange_objects(void **state)
{
	pthread_t thread[NR_NODES];

	(void)state;
	for (uintptr_t i = 0; i < NR_NODES; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, exchange,
						(void *)i), 0);
	for (size_t i = 0; i < NR_NODES; i++)
		pthread_join(thread[i], NULL);
	run_on(0);
	for (size_t i = 0; i < NR_SLOTS; i++)
		mem_free(slots[i]);
	for (unsigned int class = 0; class < NR_CLASSES; class++)
		assert_int_equal(nr_live(class), 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_node_has_its_own_memory),
		cmocka_unit_test(test_what_is_freed_elsewhere_goes_home),
		cmocka_unit_test(
			test_what_is_of_another_node_has_its_size_here),
		cmocka_unit_test(test_runs_and_huge_blocks_go_home),
		cmocka_unit_test(test_wrong_frees_of_other_nodes_are_found),
		cmocka_unit_test(test_a_full_node_spills_and_is_returned_to),
		cmocka_unit_test(test_all_nodes_full_is_no_memory),
		cmocka_unit_test(test_interleaving_takes_nodes_in_turn),
		cmocka_unit_test(test_a_child_has_no_part_in_lost_sheaves),
		cmocka_unit_test(test_threads_of_all_nodes_exchange_objects),
	};

	return cmocka_run_group_tests(tests, start_nodes, NULL);
}
