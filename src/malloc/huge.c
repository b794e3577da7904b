#include "malloc/huge.h"
#include "mm/hugepage.h"
#include "mm/page_alloc.h"
#include "mm/vmscan.h"
#include "os/os.h"

/* Smaller blocks are copied; they are here for their alignment. */
#define MOVE_MIN_PAGES	PAGEBLOCK_PAGES

/* Runs that ask for huge pages, when that many were written to the end before
 * they were freed, one after another. */
#define HUGEPAGES_MIN_PAGES	(2 * PAGEBLOCK_PAGES)
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

static struct page *huge_alloc_pages(size_t n, size_t align, int node)
{
	struct page *page = heap_alloc_pages(n, align, -1, node);

	if (page)
		return page;
	heap_flush();
	return heap_alloc_pages(n, align, -1, node);
}

/* How much of the program's large runs it writes: some pages of the run that
 * it frees tell. */
static void note_written(struct page *page, size_t n)
{
	unsigned char incore = 1;

	if (n < HUGEPAGES_MIN_PAGES || !hugepages_wanted())
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

static void ask_hugepages(struct page *page, size_t n)
{
	if (n >= HUGEPAGES_MIN_PAGES &&
	    __atomic_load_n(&nr_written, __ATOMIC_RELAXED) >= WRITTEN_ENOUGH)
		hugepages_ask(page_to_pfn(page), n);
}

void *huge_alloc_node(size_t size, size_t align, bool zero, int node)
{
	size_t n = pages_for(size);
	struct page *page;

	if (size > PTRDIFF_MAX)
		return NULL;
	page = huge_alloc_pages(n, max(align, PAGE_SIZE), node);
	if (!page)
		return NULL;
	if (zero)
		clear_pages(page, n, word_state(page_word(page)) & RUN_DIRTY);
	ask_hugepages(page, n);
	__atomic_fetch_add(&huge.nr_alloc, 1, __ATOMIC_RELAXED);
	huge_count_size(n, 0);
	return page_address(page);
}

void *huge_alloc(size_t size, size_t align, bool zero)
{
	return huge_alloc_node(size, align, zero, -1);
}

/* The pages come back as clean ones: purged, or mapped afresh when the
 * kernel would otherwise keep them as a mapping of their own. */
static bool huge_purge(struct page *page, size_t n)
{
	bool moved = word_state(page_word(page)) & RUN_MOVED;

	if (moved && remap_pages(page, n))
		return true;
	return n >= SECTION_PAGES &&
	       pages_purge(page_to_pfn(page), n);
}

void huge_free(struct page *page)
{
	size_t n = run_nr_pages(page);

	/* Locks follow, and no function of the heap comes first. */
	heap_start();
	__atomic_fetch_add(&huge.nr_free, 1, __ATOMIC_RELAXED);
	huge_count_size(0, n);
	note_written(page, n);
	if (huge_purge(page, n))
		free_clean_pages(page, n, n);
	else
		heap_free_pages(page, n);
}

static void *huge_shrink(struct page *page, size_t old_n, size_t n)
{
	run_set_nr_pages(page, n);
	free_pages_exact(NULL, page + n, old_n - n);
	huge_count_size(n, old_n);
	return page_address(page);
}

/* Another place for the block, with its page tables moved there. */
static void *huge_move(struct page *page, size_t n)
{
	size_t old_n = run_nr_pages(page);
	struct page *to;
	uint64_t word;

	if (old_n < MOVE_MIN_PAGES || os.page_size != PAGE_SIZE)
		return NULL;
	to = huge_alloc_pages(n, PAGE_SIZE, -1);
	if (!to)
		return NULL;
	if (!os_move(page_address(page), page_address(to),
		     old_n << PAGE_SHIFT)) {
		/* It may have unmapped the target before it failed; without
		 * a mapping these pages are lost. */
		if (remap_pages(to, old_n))
			free_clean_pages(to, n, 0);
		return NULL;
	}
	word = page_word(to);
	page_set_word(to, word | word_state_bits(RUN_MOVED | RUN_DIRTY));
	/* What is left at the old place reads as zero. */
	hugepages_drop(page_to_pfn(page), old_n);
	free_clean_pages(page, old_n, 0);
	huge_count_size(n, old_n);
	return page_address(to);
}

void *huge_resize(struct page *page, size_t size)
{
	size_t n = pages_for(size), old_n = run_nr_pages(page);

	/* Locks follow, and no function of the heap comes first. */
	heap_start();
	if (n == old_n)
		return page_address(page);
	if (n < old_n)
		return huge_shrink(page, old_n, n);
	if (extend_pages_exact(page, old_n, n)) {
		run_set_nr_pages(page, n);
		huge_count_size(n, old_n);
		return page_address(page);
	}
	return huge_move(page, n);
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
