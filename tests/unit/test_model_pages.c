/*
 * test_model_pages - the page allocator against a model of it.
 *
 * 1. The model is a table of the runs that are out, with a mark that is
 *    written into each page, and a map of the window that says which run a
 *    page belongs to.
 * 2. Steps are random: blocks by order, exact runs with alignments, growth
 *    in place, frees of whole runs and of their ends, clean frees, clears,
 *    drains, purges and reclaim. After each burst everything is verified.
 * 3. ZBM_SEED repeats a run, ZBM_SECONDS makes it longer.
 */
#include "world.h"

#include "mm/vmscan.h"

#include <setjmp.h>
#include <time.h>

#include <cmocka.h>

#define NR_SECTIONS	6
#define NR_PAGES	(NR_SECTIONS * SECTION_PAGES)
#define NR_RUNS		400
#define MAX_USED	(2 * SECTION_PAGES)
#define BURST		200	/* steps */

struct run {
	struct page *page;	/* NULL: none */
	size_t n;
	uint64_t mark;
};

static struct run runs[NR_RUNS];
static uint16_t owner[NR_PAGES];	/* index + 1 of the page's run */
static size_t used;			/* pages */
static struct pcp pcps[2];
static uint64_t seed, first_seed;

static size_t below(size_t n)
{
	return world_below(&seed, n);
}

static struct pcp *any_pcp(void)
{
	size_t i = below(3);

	return i < 2 ? &pcps[i] : NULL;
}

static uint64_t *page_words(const struct page *page)
{
	return page_address(page);
}

/* First and last word of each page. */
static void run_write(const struct run *run, size_t from)
{
	for (size_t i = from; i < run->n; i++) {
		page_words(run->page + i)[0] = run->mark + i;
		page_words(run->page + i)[PAGE_SIZE / 8 - 1] = run->mark ^ i;
	}
}

static void run_verify(const struct run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		CHECK(page_words(run->page + i)[0] == run->mark + i);
		CHECK(page_words(run->page + i)[PAGE_SIZE / 8 - 1] ==
		      (run->mark ^ i));
	}
}

/* The pages belonged to nobody, and do now. */
static void model_take(struct run *run, size_t from)
{
	uint32_t pfn = page_to_pfn(run->page);

	CHECK(pfn >= PAGEBLOCK_PAGES && pfn + run->n <= vm.nr_pages);
	for (size_t i = from; i < run->n; i++) {
		CHECK(owner[pfn + i] == 0);
		owner[pfn + i] = (uint16_t)(run - runs + 1);
	}
	used += run->n - from;
}

static void model_give(struct run *run, size_t from)
{
	uint32_t pfn = page_to_pfn(run->page);

	for (size_t i = from; i < run->n; i++) {
		CHECK(owner[pfn + i] == (uint16_t)(run - runs + 1));
		owner[pfn + i] = 0;
	}
	used -= run->n - from;
	run->n = from;
}

/* Pages that are said to be clean are zero. */
static void verify_clean(struct page *page, size_t n)
{
	uint32_t pfn = page_to_pfn(page);

	if (word_state(page_word(page)) & RUN_DIRTY)
		return;
	for (size_t i = 0; i < n; i++) {
		const uint64_t *words = page_words(page + i);

		CHECK(dirty_any(pfn + i, 1) ||
		      (!words[0] && !words[PAGE_SIZE / 8 - 1]));
	}
}

static void maybe_clear(struct run *run)
{
	if (below(4))
		return;
	clear_pages(run->page, run->n,
		    word_state(page_word(run->page)) & RUN_DIRTY, false);
	for (size_t i = 0; i < run->n; i++) {
		CHECK(!page_words(run->page + i)[0]);
		CHECK(!page_words(run->page + i)[PAGE_SIZE / 8 - 1]);
	}
}

static void run_new(struct run *run, struct page *page, size_t n)
{
	run->page = page;
	if (!page)
		return;
	run->n = n;
	run->mark = world_random(&seed);
	model_take(run, 0);
	verify_clean(page, n);
	maybe_clear(run);
	run_write(run, 0);
}

/* Mostly small. */
static size_t any_n(void)
{
	return 1 + below(1UL << below(below(40) ? 7 : 16));
}

static gfp_t any_gfp(void)
{
	static const gfp_t types[] = { 0, GFP_RECLAIMABLE, GFP_MOVABLE };
	gfp_t gfp = types[below(3)];

	if (below(8))
		gfp |= GFP_WAIT;
	if (below(8) == 0)
		gfp |= GFP_COLD;
	return gfp;
}

static void step_alloc(struct run *run)
{
	unsigned int order = (unsigned int)below(below(40) ? 7 :
							     NR_PAGE_ORDERS);

	if (used + (1UL << order) > MAX_USED)
		return;
	run_new(run, alloc_pages(any_pcp(), any_gfp(), order), 1UL << order);
	CHECK(!run->page ||
	      page_to_pfn(run->page) % (1U << order) == 0);
}

static void step_alloc_exact(struct run *run)
{
	size_t n = any_n(), align = PAGE_SIZE;

	if (below(4) == 0)
		align <<= below(16);
	if (used + n > MAX_USED)
		return;
	run_new(run, alloc_pages_exact(any_pcp(), any_gfp(), n, align), n);
	CHECK(!run->page || (uintptr_t)page_address(run->page) % align == 0);
}

static void step_free(struct run *run)
{
	run_verify(run);
	if (below(6) == 0 && os_purge(page_address(run->page),
				      run->n << PAGE_SHIFT))
		free_clean_pages(run->page, run->n, run->n);
	else if (is_pow2(run->n) && run->n <= SECTION_PAGES && below(2) &&
		 page_to_pfn(run->page) % run->n == 0)
		free_pages(any_pcp(), run->page, log2_floor(run->n));
	else
		free_pages_exact(any_pcp(), run->page, run->n);
	model_give(run, 0);
	run->page = NULL;
}

static void step_shrink(struct run *run)
{
	size_t n = 1 + below(run->n), old_n = run->n;

	if (n == old_n)
		return;
	free_pages_exact(any_pcp(), run->page + n, old_n - n);
	model_give(run, n);
}

static void step_extend(struct run *run)
{
	size_t n = run->n + any_n(), old_n = run->n;

	if (used + n - old_n > MAX_USED ||
	    !extend_pages_exact(run->page, old_n, n))
		return;
	run->n = n;
	model_take(run, old_n);
	run_write(run, old_n);
}

/* As realloc does. */
static void step_grow(struct run *run)
{
	size_t n = run->n + any_n(), old_n = run->n;
	struct page *old = run->page, *to;

	if (used + n > MAX_USED)
		return;
	to = grow_pages_exact(&pcps[0], old, old_n, n);
	if (to == old) {
		run->n = n;
		model_take(run, old_n);
		run_write(run, old_n);
	} else if (to) {
		for (size_t i = 0; i < n; i++)
			CHECK(owner[page_to_pfn(to) + i] == 0);
		model_give(run, 0);
		free_pages_exact(any_pcp(), old, old_n);
		run_new(run, to, n);
	}
}

static void step_reclaim(void)
{
	switch (below(5)) {
	case 0:
		pcp_drain(&pcps[0], true);
		break;
	case 1:
		pcp_drain_each(false);
		break;
	case 2:
		world_purge(below(5000), (unsigned int)below(10));
		break;
	case 3:
		reclaim_tick(reclaim_due_ms);
		break;
	default:
		reclaim_all();
	}
}

static void step(void)
{
	struct run *run = &runs[below(NR_RUNS)];

	if (below(64) == 0) {
		step_reclaim();
	} else if (!run->page) {
		if (below(2))
			step_alloc(run);
		else
			step_alloc_exact(run);
	} else {
		run_verify(run);
		switch (below(8)) {
		case 0:
			step_shrink(run);
			break;
		case 1:
			step_extend(run);
			break;
		case 2:
			step_grow(run);
			break;
		default:
			step_free(run);
		}
	}
}

static void validate(void)
{
	struct zone *zone = world_zone();

	pcp_validate(&pcps[0]);
	pcp_validate(&pcps[1]);
	page_alloc_validate();
	CHECK(zone_used(zone) == used + pcp_count_pages());
	CHECK(zone->nr_isolated == 0);
	for (size_t i = 0; i < NR_RUNS; i++)
		if (runs[i].page)
			run_verify(&runs[i]);
}

static void model_run(void)
{
	time_t end = time(NULL) + (time_t)world_number("ZBM_SECONDS", 5);
	size_t n = 0;

	do {
		for (int i = 0; i < BURST; i++, n++)
			step();
		validate();
	} while (time(NULL) < end);
	for (size_t i = 0; i < NR_RUNS; i++)
		if (runs[i].page)
			step_free(&runs[i]);
	validate();
	pcp_drain_each(true);
	CHECK(world_used() == 0);
	reclaim_all();
	CHECK(world_zone()->nr_free_dirty == 0);
	fprintf(stderr, "%zu steps\n", n);
}

/* In a child, so that the seed is told when it dies. */
static void test_pages_are_handed_out_as_the_model_says(void **state)
{
	struct capture capture;
	int status = child_run(&capture, model_run);

	(void)state;
	fprintf(stderr, "%s", capture.text);
	if (status)
		fprintf(stderr, "failed: repeat with ZBM_SEED=%lu\n",
			first_seed);
	assert_int_equal(status, 0);
}

static int start(void **state)
{
	(void)state;
	world_start(NR_SECTIONS * SECTION_SIZE);
	pcp_register(&pcps[0], world_zone());
	pcp_register(&pcps[1], world_zone());
	first_seed = seed = world_seed();
	fprintf(stderr, "ZBM_SEED=%lu\n", first_seed);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_are_handed_out_as_the_model_says),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
