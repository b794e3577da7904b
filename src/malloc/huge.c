#include "malloc/huge.h"
#include "heap/thread_heap.h"
#include "mm/hugepage.h"
#include "mm/migrate.h"
#include "mm/page_alloc.h"
#include "mm/pieces.h"
#include "mm/vmscan.h"
#include "os/os.h"

/* Smaller blocks are copied; they are here for their alignment. */
#define MOVE_MIN_PAGES	PAGEBLOCK_PAGES

/* Such runs will be written, when that many were before they were freed, one
 * after another. */
#define WRITTEN_MIN_PAGES	(2 * PAGEBLOCK_PAGES)
#define WRITTEN_ENOUGH		4
#define NR_SAMPLES		8	/* pages of a run that are looked at */
#define UNWRITTEN_PAUSE		16	/* runs; a look is a system call */

static struct huge_counts huge;
static long nr_written;		/* runs, since one was not; below 0: as many
				 * more are not looked at */

static size_t pages_for(size_t size)
{
	return max((size + PAGE_SIZE - 1) >> PAGE_SHIFT, 1UL);
}

static void huge_count_size(size_t add, size_t sub)
{
	__atomic_fetch_add(&huge.live_bytes, (add - sub) << PAGE_SHIFT,
			   __ATOMIC_RELAXED);
}

/* How much of the program's large runs it writes: some pages of the run that
 * it frees tell. */
static void note_written(struct page *page, size_t n)
{
	unsigned char incore = 1;

	if (n < WRITTEN_MIN_PAGES)
		return;
	/* Relaxed: a hint. */
	if (__atomic_fetch_add(&nr_written, 1, __ATOMIC_RELAXED) < 0)
		return;
	for (size_t i = 0; i < NR_SAMPLES && incore & 1; i++)
		if (!os_incore(page_address(page + (n - 1) * i /
					    (NR_SAMPLES - 1)),
			       PAGE_SIZE, &incore))
			incore = 0;
	if (!(incore & 1))
		__atomic_store_n(&nr_written, -UNWRITTEN_PAUSE,
				 __ATOMIC_RELAXED);
}

static bool will_be_written(size_t n)
{
	return n >= WRITTEN_MIN_PAGES &&
	       __atomic_load_n(&nr_written, __ATOMIC_RELAXED) >=
		       WRITTEN_ENOUGH;
}

/* A run that will be written has whole pageblocks while it is filled. */
static size_t pages_to_fill(size_t n)
{
	return will_be_written(n) ? align_up(n, PAGEBLOCK_PAGES) : n;
}

/* The pages behind the first `old_n` of n are new to the run. If they will be
 * written they bring what memory is free elsewhere. False: some of them are
 * lost, and the others with them. */
static bool huge_fill(struct page *page, size_t old_n, size_t n)
{
	return !will_be_written(n) ||
	       migrate_free_pages(page_to_pfn(page) + (uint32_t)old_n,
				  n - old_n);
}

/* n pages for a run whose first `old_n` come from elsewhere, the others filled;
 * NULL without memory. */
static struct page *huge_alloc_pages(size_t old_n, size_t n, size_t align,
				     int node)
{
	struct page *page;
	size_t room;

	/* After some are lost nothing is filled any more. */
	do {
		room = pages_to_fill(n);
		page = heap_alloc_pages(GFP_NORECLAIM, room, align, -1, node);
		if (!page) {
			heap_flush();
			room = n;
			page = heap_alloc_pages(GFP_NORECLAIM, n, align, -1,
						node);
		}
	} while (page && !huge_fill(page, old_n, room));
	if (!page)
		return NULL;
	run_set_nr_pages(page, n);
	trim_pages_exact(page, room, n);
	return page;
}

/* Whole pageblocks: others could not be moved when they are free. The first
 * one that brings no memory tells about the others. */
static void huge_ask(uint32_t pfn, size_t old_n, size_t n)
{
	size_t start = align_up(pfn, PAGEBLOCK_PAGES);
	size_t end = align_down((size_t)pfn + n, PAGEBLOCK_PAGES);
	size_t at = align_up(pfn + old_n, PAGEBLOCK_PAGES);
	size_t clean = n - old_n - dirty_count(pfn + old_n, n - old_n);

	if (start >= end || !hugepages_may_ask(clean))
		return;
	while (at < end && dirty_any(at, PAGEBLOCK_PAGES))
		at += PAGEBLOCK_PAGES;
	if (at < end) {
		hugepages_ask((uint32_t)at, PAGEBLOCK_PAGES);
		if (!hugepages_touch((uint32_t)at))
			return;
	}
	hugepages_ask((uint32_t)start, end - start);
}

/* It is known now what memory they bring. */
static void huge_settle(struct page *page, size_t old_n, size_t n)
{
	if (will_be_written(n))
		huge_ask(page_to_pfn(page), old_n, n);
	reclaim_at_high(page_zone(page));
}

void *huge_alloc_node(size_t size, size_t align, bool zero, int node)
{
	size_t n = pages_for(size);
	struct page *page;

	if (size > PTRDIFF_MAX)
		return NULL;
	page = huge_alloc_pages(0, n, max(align, PAGE_SIZE), node);
	if (!page)
		return NULL;
	if (zero)
		clear_pages(page, n, word_state(page_word(page)) & RUN_DIRTY,
			    will_be_written(n));
	huge_settle(page, 0, n);
	__atomic_fetch_add(&huge.nr_alloc, 1, __ATOMIC_RELAXED);
	huge_count_size(n, 0);
	return page_address(page);
}

void *huge_alloc(size_t size, size_t align, bool zero)
{
	return huge_alloc_node(size, align, zero, -1);
}

/* The pages are to come back as clean ones: purged, or mapped afresh when the
 * kernel has mappings of their own for some. */
static enum migrate huge_purge(struct page *page, size_t n)
{
	uint32_t pfn = page_to_pfn(page);
	bool large = n >= SECTION_PAGES;
	enum migrate done = MIGRATE_REFUSED;

	if ((large || migrate_is_crowded()) && pages_have_moved(pfn, n))
		done = pages_remap(pfn, n);
	if (done == MIGRATE_REFUSED && large && pages_purge(pfn, n))
		done = MIGRATE_DONE;
	return done;
}

void huge_free(struct page *page)
{
	size_t n = run_nr_pages(page);
	enum migrate done;

	/* Locks follow, and no function of the heap comes first. */
	heap_start();
	__atomic_fetch_add(&huge.nr_free, 1, __ATOMIC_RELAXED);
	huge_count_size(0, n);
	note_written(page, n);
	done = huge_purge(page, n);
	if (done == MIGRATE_DONE)
		free_clean_pages(page, n, n);
	else if (done == MIGRATE_REFUSED)
		heap_free_pages(page, n);
	else
		page_set_word(page, 0);
}

static void *huge_shrink(struct page *page, size_t old_n, size_t n)
{
	run_set_nr_pages(page, n);
	free_pages_exact(NULL, page + n, old_n - n);
	huge_count_size(n, old_n);
	return page_address(page);
}

/* The block has n pages now; its address. */
static void *huge_grown(struct page *page, size_t old_n, size_t n)
{
	huge_settle(page, old_n, n);
	run_set_nr_pages(page, n);
	huge_count_size(n, old_n);
	return page_address(page);
}

/* The pages behind the block, filled; NULL: some of these are not free, or
 * *lost. */
static void *huge_extend(struct page *page, size_t old_n, size_t n, bool *lost)
{
	size_t room = pages_to_fill(n);

	if (!extend_pages_exact(page, old_n, room)) {
		room = n;
		if (!extend_pages_exact(page, old_n, n))
			return NULL;
	}
	*lost = !huge_fill(page, old_n, room);
	if (*lost)
		return NULL;
	trim_pages_exact(page, room, n);
	return huge_grown(page, old_n, n);
}

/* Another place for the block, with its page tables moved there: in its own
 * zone, for memory and policy move with them. */
static void *huge_move(struct page *page, size_t n)
{
	struct zone *zone = page_zone(page);
	size_t old_n = run_nr_pages(page);
	enum migrate done = MIGRATE_REFUSED;
	struct page *to;

	if (old_n < MOVE_MIN_PAGES || os.page_size != PAGE_SIZE ||
	    migrate_is_refused())
		return NULL;
	to = huge_alloc_pages(old_n, n, PAGE_SIZE,
			      topology.max_nodes > 1 ? zone->node : -1);
	if (!to)
		return NULL;
	if (page_zone(to) == zone)
		done = migrate_pages(page_to_pfn(page), page_to_pfn(to),
				     old_n);
	if (done != MIGRATE_DONE) {
		if (done != MIGRATE_LOST)
			free_pages_exact(NULL, to, n);
		return NULL;
	}
	page_set_word(to, page_word(to) | word_state_bits(RUN_DIRTY));
	free_clean_pages(page, old_n, 0);
	return huge_grown(to, old_n, n);
}

/* From now on the run of a class is of none: it counts here. */
static void huge_take_over(struct page *page)
{
	uint64_t word = page_word(page);
	struct heap *heap = heap_enter();

	heap->nr_free[word_class(word)]++;
	heap_leave(heap);
	page_set_word(page, word_make_run(page_zone(page)->node, -1,
					  word_state(word) & RUN_DIRTY));
	__atomic_fetch_add(&huge.nr_alloc, 1, __ATOMIC_RELAXED);
	huge_count_size(run_nr_pages(page), 0);
}

void huge_trim(struct page *page, size_t size)
{
	size_t n = pages_for(size), old_n = run_nr_pages(page);

	if (n >= old_n)
		return;
	/* Locks follow, and no function of the heap comes first. */
	heap_start();
	if (word_class(page_word(page)) >= 0)
		huge_take_over(page);
	huge_shrink(page, old_n, n);
}

void *huge_resize(struct page *page, size_t size)
{
	size_t n = pages_for(size), old_n = run_nr_pages(page);
	bool lost = false;
	void *grown;

	/* Locks follow, and no function of the heap comes first. */
	heap_start();
	if (n == old_n)
		return page_address(page);
	if (n < old_n)
		return huge_shrink(page, old_n, n);
	grown = huge_extend(page, old_n, n, &lost);
	return grown || lost ? grown : huge_move(page, n);
}

void huge_count(struct huge_counts *counts)
{
	/* In this order: a free that comes between cannot exceed. */
	counts->nr_free = __atomic_load_n(&huge.nr_free, __ATOMIC_ACQUIRE);
	counts->nr_alloc = __atomic_load_n(&huge.nr_alloc, __ATOMIC_RELAXED);
	counts->live_bytes = __atomic_load_n(&huge.live_bytes,
					     __ATOMIC_RELAXED);
	counts->nr_live = counts->nr_alloc - counts->nr_free;
}
