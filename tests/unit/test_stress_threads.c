/*
 * test_stress_threads - threads at work on everything at once.
 *
 * 1. Each worker allocates, grows, frees and verifies blocks of its own, and
 *    hands some over through a ring of slots, which any worker empties.
 * 2. Workers end after some steps and are replaced, so that heaps change
 *    hands; one more thread trims, reclaims and reads the figures.
 * 3. Every block is filled with bytes that follow from its address and size.
 *    Nothing may be lost: in the end all blocks are freed, and the counts
 *    say so.
 * 4. Once as the machine is, once as if each CPU had a last-level cache of its
 *    own, so that threads that move leave slabs to the others, and once with
 *    more threads than a barn has lanes.
 * 5. Made to run under ThreadSanitizer. ZBM_SEED, ZBM_SECONDS as always;
 *    with threads the seed does not repeat a run to the step.
 */
#include "world.h"

#include "malloc/introspect.h"
#include "malloc/malloc.h"
#include "malloc/stats.h"
#include "mm/vmscan.h"
#include "os/llc.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <time.h>

#include <cmocka.h>

#define FEW_WORKERS	4
#define MANY_WORKERS	(BARN_LANES + 4)	/* so heaps share lanes */
#define NR_SLOTS	256
#define NR_OWN		200	/* blocks of a worker */
#define LIFE		4000	/* steps of a worker */

struct block_head {
	size_t size;
	uint64_t check;
};

/* Blocks on their way. Exchanged with acquire and release. */
static struct block_head *ring[NR_SLOTS];
static bool stop;
static uint64_t first_seed;
static size_t nr_lives;

static uint64_t block_check(const struct block_head *block)
{
	return (uintptr_t)block * 0x9e3779b97f4a7c15UL ^ block->size;
}

static unsigned char *block_tail(struct block_head *block)
{
	return (unsigned char *)block + block->size - 1;
}

static void block_fill(struct block_head *block, size_t size)
{
	block->size = size;
	block->check = block_check(block);
	if (size > sizeof(*block))
		*block_tail(block) = (unsigned char)block->check;
}

static void block_verify(struct block_head *block)
{
	CHECK(block->check == block_check(block));
	if (block->size > sizeof(*block))
		CHECK(*block_tail(block) == (unsigned char)block->check);
}

/* Mostly small, now and then up to some MiB. */
static size_t any_size(uint64_t *seed)
{
	size_t k = world_below(seed, 1000);

	if (k < 900)
		return sizeof(struct block_head) + world_below(seed, 1000);
	if (k < 990)
		return sizeof(struct block_head) + world_below(seed, 100000);
	return sizeof(struct block_head) + world_below(seed, 3UL << 20);
}

static struct block_head *block_new(uint64_t *seed)
{
	size_t size = any_size(seed);
	struct block_head *block;

	switch (world_below(seed, 8)) {
	case 0:
		block = mem_calloc(1, size);
		CHECK(block && !block->size && !block->check);
		break;
	case 1:
		block = mem_memalign(1UL << world_below(seed, 14), size);
		break;
	default:
		block = mem_malloc(size);
	}
	CHECK(block);
	block_fill(block, size);
	return block;
}

static void block_free(struct block_head *block)
{
	block_verify(block);
	block->check = 0;
	mem_free(block);
}

static struct block_head *block_resize(struct block_head *block,
				       uint64_t *seed)
{
	size_t size = any_size(seed), old_size = block->size;
	uint64_t old_check = block->check;

	block_verify(block);
	block = mem_realloc(block, size);
	CHECK(block && block->size == old_size && block->check == old_check);
	block_fill(block, size);
	return block;
}

/* Puts the block into a slot; what was there is the caller's now. */
static struct block_head *hand_over(struct block_head *block, uint64_t *seed)
{
	struct block_head **slot = &ring[world_below(seed, NR_SLOTS)];

	/* Pairs with itself in the thread that takes the block. */
	return __atomic_exchange_n(slot, block, __ATOMIC_ACQ_REL);
}

static void worker_step(struct block_head **slot, uint64_t *seed)
{
	size_t k = world_below(seed, 16);

	if (!*slot)
		*slot = block_new(seed);
	else if (k < 2)
		*slot = block_resize(*slot, seed);
	else if (k < 8)
		*slot = hand_over(*slot, seed);
	else {
		block_free(*slot);
		*slot = NULL;
	}
	if (world_below(seed, 64) == 0)
		sched_yield();
}

static void *worker(void *arg)
{
	struct block_head *own[NR_OWN] = { NULL };
	uint64_t seed = first_seed ^ (uintptr_t)arg;

	for (int i = 0; i < LIFE; i++)
		worker_step(&own[world_below(&seed, NR_OWN)], &seed);
	for (size_t i = 0; i < NR_OWN; i++)
		if (own[i])
			block_free(own[i]);
	return NULL;
}

static void validate_class(unsigned int class)
{
	for_each_barn(barn)
		if (barn->class == class)
			barn_validate(barn);
}

static void keeper_step(uint64_t *seed, int null_fd)
{
	static struct figures figures;
	char text[512];

	switch (world_below(seed, 8)) {
	case 0:
		mem_trim(0);
		break;
	case 1:
		reclaim_caches();
		break;
	case 2:
		figures_gather(&figures);
		break;
	case 3:
		stats_print(null_fd, text, sizeof(text));
		break;
	case 4:
		page_alloc_validate();
		break;
	case 5:
		validate_class((unsigned int)world_below(seed, NR_CLASSES));
		break;
	default:
		reclaim_tick(os_now_ms());
	}
	if (world_below(seed, 4))
		sched_yield();
	else
		usleep((useconds_t)world_below(seed, 2000));
}

static void *keeper(void *arg)
{
	uint64_t seed = first_seed;
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	CHECK(null_fd >= 0 && heap_start());
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		keeper_step(&seed, null_fd);
	close(null_fd);
	return arg;
}

static void start_worker(pthread_t *thread)
{
	nr_lives++;
	CHECK(pthread_create(thread, NULL, worker, (void *)nr_lives) == 0);
}

static void empty_ring(void)
{
	for (size_t i = 0; i < NR_SLOTS; i++) {
		if (ring[i])
			block_free(ring[i]);
		ring[i] = NULL;
	}
}

static void work_until(time_t end, size_t nr_workers)
{
	pthread_t workers[MANY_WORKERS];

	for (size_t i = 0; i < nr_workers; i++)
		start_worker(&workers[i]);
	for (size_t i = 0; time(NULL) < end; i = (i + 1) % nr_workers) {
		pthread_join(workers[i], NULL);
		start_worker(&workers[i]);
	}
	for (size_t i = 0; i < nr_workers; i++)
		pthread_join(workers[i], NULL);
}

static void run_threads(size_t nr_workers)
{
	struct figures figures;
	pthread_t keeper_thread;

	fprintf(stderr, "ZBM_SEED=%lu\n", first_seed);
	stop = false;
	CHECK(pthread_create(&keeper_thread, NULL, keeper, NULL) == 0);
	work_until(time(NULL) + (time_t)world_number("ZBM_SECONDS", 3),
		   nr_workers);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(keeper_thread, NULL);
	empty_ring();

	fprintf(stderr, "%zu threads\n", nr_lives);
	heap_validate();
	figures_validate();
	figures_gather(&figures);
	assert_int_equal(figures.nr_live, 0);
	assert_int_equal(figures.live_bytes, 0);
	assert_int_equal(figures.nr_alloc, figures.nr_free);
	/* Heaps were handed on, not made anew. */
	assert_in_range(figures.nr_heaps, 2, nr_workers + 4);
	mem_trim(0);
	assert_int_equal(world_zone()->nr_free_dirty, 0);
	heap_validate();
}

static void test_nothing_is_lost_between_threads(void **state)
{
	(void)state;
	run_threads(FEW_WORKERS);
}

static void test_nothing_is_lost_between_caches(void **state)
{
	(void)state;
	for (size_t cpu = 0; cpu < LLC_CPUS; cpu++)
		llc.of_cpu[cpu] = (uint8_t)(1 + cpu % 4);
	__atomic_store_n(&llc.nr, 4, __ATOMIC_RELEASE);
	run_threads(FEW_WORKERS);
	assert_non_null(barn_set_next(barn_sets(0)));
}

/* The last: it leaves more heaps than the others have threads. */
static void test_nothing_is_lost_between_many_threads(void **state)
{
	(void)state;
	__atomic_store_n(&llc.nr, 1, __ATOMIC_RELEASE);
	run_threads(MANY_WORKERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost_between_threads),
		cmocka_unit_test(test_nothing_is_lost_between_caches),
		cmocka_unit_test(test_nothing_is_lost_between_many_threads),
	};

	setenv("ZBMALLOC_OPTIONS", "decay_ms=10", 0);
	first_seed = world_number("ZBM_SEED", (uint64_t)time(NULL) << 20 ^
					      (uint64_t)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
