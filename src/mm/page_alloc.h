/*
 * page_alloc - pages from the zoned buddy allocator.
 *
 * 1. A request walks the zonelist of its node. A zone serves it from the
 *    caller's pcp (small orders of the pcp's zone), from its free areas, or
 *    by growing; only then the next zone is asked.
 *    A zone that is full (zonelist.h) is passed over.
 * 2. When all zones refuse, caches are reclaimed and every pcp is drained,
 *    and the walk is repeated, heedless of what the system has left: once, or
 *    a few times while enough is free but scattered, and other threads may be
 *    about to free what lies between.
 * 3. What is handed out has the word 0 in its first page, but for RUN_DIRTY
 *    in its high half: all pages may hold old data. Without it the dirty
 *    bits say which do.
 * 4. `pcp` may be NULL. Pages that are given back count as dirty.
 */
#ifndef ZBM_PAGE_ALLOC_H
#define ZBM_PAGE_ALLOC_H

#include "mm/memmap.h"
#include "mm/pcp.h"
#include "os/thread.h"

/* What one request carries along its way. */
struct alloc_context {
	struct pcp *pcp;
	struct zonelist *zonelist;
	enum zone_type high_zoneidx;	/* the highest zone that may serve */
	enum migratetype migratetype;
	int wanted;			/* node */
	size_t n;			/* pages that are wanted */
	size_t keep;			/* of each block; the rest goes back */
	bool reclaims;			/* where more has become resident */
	bool pressed;			/* no node has room to spare */
};

/* 2^order pages, naturally aligned, of the pcp's node or near it; NULL when
 * refused. */
struct page *alloc_pages(struct pcp *pcp, gfp_t gfp, unsigned int order);
struct page *alloc_pages_node(struct pcp *pcp, gfp_t gfp, unsigned int order,
			      int node);
void free_pages(struct pcp *pcp, struct page *page, unsigned int order);

/* n pages at a multiple of `align` bytes (a power of two, at least a page);
 * what the power of two has more goes back at once. */
struct page *alloc_pages_exact(struct pcp *pcp, gfp_t gfp, size_t n,
			       size_t align);
struct page *alloc_pages_exact_node(struct pcp *pcp, gfp_t gfp, size_t n,
				    size_t align, int node);
void free_pages_exact(struct pcp *pcp, struct page *page, size_t n);

/* What lies behind the first n of old_n pages, and was just allocated by a
 * zone, goes back as dirty as it is. */
void trim_pages_exact(struct page *page, size_t old_n, size_t n);

/* n pages that read as zero and are not resident; `purged` of them because
 * they were given back to the kernel just now. */
void free_clean_pages(struct page *page, size_t n, size_t purged);

/* So many pages there, which have an owner, went back to the kernel. */
void note_pages_purged(uint32_t pfn, size_t n);

/* Zeros what may not be zero of the n pages. `dirty`: all of them, else those
 * with dirty bits. `written`: they will all be written, and stay in memory.
 * The caller owns the pages. */
void clear_pages(struct page *page, size_t n, bool dirty, bool written);

/*
 * A cached run is whosoever's sheaf it lies in; but reclaim purges it where
 * it lies. run_claim takes it out of the cache, and waits while that goes
 * on; afterwards RUN_DIRTY says whether it may not be zero.
 * run_purge_cached purges it unless it is somebody's already; pages purged.
 */
void run_wait(struct page *page);
size_t run_purge_cached(struct page *page);

static force_inline void run_claim(struct page *page)
{
	const uint64_t cached = word_state_bits(RUN_CACHED);
	uint64_t word = page_word(page);

	ASSERT(word & cached);
	/* Nobody else purges it then. A locked instruction would take as long
	 * as a quarter of the pair of calls. */
	if (thread_is_alone()) {
		__atomic_store_n(&page->word, word & ~cached,
				 __ATOMIC_RELAXED);
		return;
	}
	__atomic_fetch_and(&page->word, ~cached, __ATOMIC_ACQUIRE);
	/* From here on nobody sets it. Pairs with the release in
	 * run_purge_cached. */
	if (unlikely(word_state(__atomic_load_n(&page->word,
						__ATOMIC_ACQUIRE)) & RUN_BUSY))
		run_wait(page);
}

/* Aborts when something is wrong in any zone. Slow. */
void page_alloc_validate(void);

#endif
