/*
 * test_model_heap - all ways to allocate against a model of them.
 *
 * 1. The model is a table of the live blocks, with a mark that is written
 *    over each, and a map of where blocks lie in units of 16 bytes, so that
 *    no two of them overlap.
 * 2. Steps are random: each call that allocates, grows or frees, over all
 *    sizes and alignments; then trims, flushes, and another thread's frees.
 *    After each burst every block and every structure is verified.
 * 3. ZBM_SEED repeats a run, ZBM_SECONDS makes it longer.
 */
#include "world.h"

#include "malloc/huge.h"
#include "malloc/introspect.h"
#include "malloc/malloc.h"
#include "mm/vmscan.h"

#include <pthread.h>
#include <setjmp.h>
#include <time.h>

#include <cmocka.h>

#define NR_BLOCKS	3000
#define MAX_BYTES	(160UL << 20)	/* live, in all */
#define BURST		4000		/* steps */

struct live {
	unsigned char *p;	/* NULL: none */
	size_t size;		/* what was asked for */
	size_t usable;
	unsigned char mark;
};

static struct live lives[NR_BLOCKS];
static uint16_t *owner;		/* index + 1 of the block of 16 bytes */
static size_t live_bytes;
static uint64_t seed, first_seed;

static size_t below(size_t n)
{
	return world_below(&seed, n);
}

/* All sizes, small ones most often; near classes' ends, too. */
static size_t any_size(void)
{
	size_t size = below(1UL << below(below(16) ? 13 :
					 below(8) ? 20 : 25));

	if (below(4) == 0 && size <= CLASS_MAX)
		size = size_classes[size_class_of(size)].size - below(2) +
		       below(2);
	return size;
}

static void map_set(const struct live *live, uint16_t from, uint16_t to)
{
	size_t at = ((uintptr_t)live->p - vm.base) / MIN_ALIGN;
	size_t n = live->usable / MIN_ALIGN;

	CHECK(vm_contains(live->p));
	for (; n; n--, at++) {
		CHECK(owner[at] == from);
		owner[at] = to;
	}
}

static uint16_t live_name(const struct live *live)
{
	return (uint16_t)(live - lives + 1);
}

/* All of a small block; of larger ones the ends and each page's start. */
static void live_write(const struct live *live)
{
	size_t n = live->usable;

	if (n <= 8192) {
		memset(live->p, live->mark, n);
		return;
	}
	for (size_t i = 0; i < n; i += PAGE_SIZE)
		memset(live->p + i, live->mark, 16);
	memset(live->p + n - 16, live->mark, 16);
}

static void verify_bytes(const unsigned char *p, unsigned char mark, size_t n)
{
	CHECK(p[0] == mark && !memcmp(p, p + 1, n - 1));
}

/* Of the first `n` bytes, what live_write wrote for `usable` of them. */
static void verify_part(const unsigned char *p, unsigned char mark, size_t n,
			size_t usable)
{
	if (!n)
		return;
	if (usable <= 8192) {
		verify_bytes(p, mark, n);
		return;
	}
	for (size_t i = 0; i < n; i += PAGE_SIZE)
		verify_bytes(p + i, mark, min(n - i, 16UL));
	if (n == usable)
		verify_bytes(p + n - 16, mark, 16);
}

static void live_verify(const struct live *live)
{
	verify_part(live->p, live->mark, live->usable, live->usable);
}

static void live_new(struct live *live, void *p, size_t align, size_t size)
{
	if (!p)
		return;
	CHECK((uintptr_t)p % max(align, (size_t)MIN_ALIGN) == 0);
	live->p = p;
	live->size = size;
	live->usable = mem_usable_size(p);
	live->mark = (unsigned char)world_random(&seed);
	CHECK(live->usable >= max(size, 1UL) && live->usable % MIN_ALIGN == 0);
	map_set(live, 0, live_name(live));
	live_write(live);
	live_bytes += live->usable;
}

static void live_gone(struct live *live)
{
	map_set(live, live_name(live), 0);
	live_bytes -= live->usable;
	live->p = NULL;
}

static void step_calloc(struct live *live, size_t size)
{
	size_t n = below(8) ? 1 : size / 8;
	size_t each = n ? size / n : 0;
	unsigned char *p = mem_calloc(n, each);

	size = n * each;
	if (p && size)
		CHECK(p[0] == 0 && !memcmp(p, p + 1, size - 1));
	live_new(live, p, 1, size);
}

static void step_aligned(struct live *live, size_t size)
{
	size_t align = 1UL << below(below(8) ? 13 : 26);
	void *p = NULL;

	switch (below(5)) {
	case 0:
		p = mem_memalign(align, size);
		break;
	case 1:
		align = max(align, sizeof(void *));
		CHECK(mem_posix_memalign(&p, align, size) == (p ? 0 : ENOMEM));
		break;
	case 2:
		p = mem_aligned_alloc(align, size);
		break;
	case 3:
		align = PAGE_SIZE;
		p = mem_valloc(size);
		break;
	default:
		align = PAGE_SIZE;
		size = max(align_up(size, PAGE_SIZE), PAGE_SIZE);
		p = mem_pvalloc(size - below(PAGE_SIZE));
	}
	live_new(live, p, align, size);
}

static void step_alloc(struct live *live)
{
	size_t size = any_size();

	if (live_bytes + size > MAX_BYTES)
		return;
	switch (below(6)) {
	case 0:
		step_calloc(live, size);
		break;
	case 1:
		step_aligned(live, size);
		break;
	case 2:
		live_new(live, mem_realloc(NULL, size), 1, size);
		break;
	default:
		live_new(live, mem_malloc(size), 1, size);
	}
}

static void step_realloc(struct live *live)
{
	size_t size = any_size(), kept;
	struct live old = *live;
	void *p;

	if (below(2))
		size = live->size + below(live->size / 2 + 64);
	if (live_bytes + size > MAX_BYTES)
		return;
	p = mem_realloc(live->p, size);
	if (!p && size)
		return;
	live_gone(live);
	if (!p)
		return;
	kept = min(min(old.size, old.usable), mem_usable_size(p));
	verify_part(p, old.mark, min(kept, size), old.usable);
	live_new(live, p, 1, size);
}

static void *free_elsewhere(void *arg)
{
	mem_free(arg);
	return NULL;
}

static void step_free(struct live *live)
{
	unsigned char *p = live->p;
	pthread_t thread;

	live_verify(live);
	live_gone(live);
	if (below(500) == 0 &&
	    pthread_create(&thread, NULL, free_elsewhere, p) == 0)
		pthread_join(thread, NULL);
	else
		mem_free(p);
}

static void step_reclaim(void)
{
	switch (below(5)) {
	case 0:
		mem_trim(0);
		break;
	case 1:
		heap_flush();
		break;
	case 2:
		reclaim_caches();
		break;
	default:
		reclaim_tick(reclaim_due_ms);
	}
}

static void step(void)
{
	struct live *live = &lives[below(NR_BLOCKS)];

	if (below(1000) == 0)
		step_reclaim();
	else if (!live->p)
		step_alloc(live);
	else if (below(4) == 0)
		step_realloc(live);
	else
		step_free(live);
}

static void validate(void)
{
	struct figures figures;
	size_t n = 0;

	heap_validate();
	figures_validate();
	for (size_t i = 0; i < NR_BLOCKS; i++) {
		if (!lives[i].p)
			continue;
		live_verify(&lives[i]);
		n++;
	}
	figures_gather(&figures);
	CHECK(figures.nr_live == n);
	CHECK(figures.live_bytes == live_bytes);
}

/* The model wants fewer blocks at times, so that memory comes back. */
static void thin_out(void)
{
	for (size_t i = 0; i < NR_BLOCKS; i++)
		if (lives[i].p && below(8))
			step_free(&lives[i]);
}

static void model_run(void)
{
	time_t end;
	size_t n = 0;

	CHECK(heap_start());
	owner = calloc(vm.size / MIN_ALIGN, sizeof(*owner));
	CHECK(owner);
	end = time(NULL) + (time_t)world_number("ZBM_SECONDS", 5);
	do {
		for (int i = 0; i < BURST; i++, n++)
			step();
		validate();
		if (below(10) == 0)
			thin_out();
	} while (time(NULL) < end);
	for (size_t i = 0; i < NR_BLOCKS; i++)
		if (lives[i].p)
			step_free(&lives[i]);
	validate();
	mem_trim(0);
	validate();
	CHECK(world_zone()->nr_free_dirty == 0);
	fprintf(stderr, "%zu steps\n", n);
}

/* In a child, so that the seed is told when it dies. */
static void test_blocks_are_handed_out_as_the_model_says(void **state)
{
	struct capture capture;
	int status;

	(void)state;
	fprintf(stderr, "ZBM_SEED=%lu\n", first_seed);
	status = child_run(&capture, model_run);
	fprintf(stderr, "%s", capture.text);
	if (status)
		fprintf(stderr, "failed: repeat with ZBM_SEED=%lu\n",
			first_seed);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_are_handed_out_as_the_model_says),
	};

	setenv("ZBMALLOC_OPTIONS", "window=1G,decay_ms=20", 0);
	first_seed = seed = world_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
