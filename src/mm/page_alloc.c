#include "mm/page_alloc.h"
#include "mm/buddy.h"
#include "mm/hotplug.h"
#include "mm/hugepage.h"
#include "mm/pieces.h"
#include "mm/vmscan.h"
#include "mm/zonelist.h"
#include "os/os.h"
#include "os/topology.h"

/* Runs of at least this many pages are pieced together before the zone grows;
 * smaller ones find their place in any block. */
#define PIECED_MIN	64

/* What is free may lie between blocks that other threads are about to free. */
#define RECLAIM_TRIES	16

static struct page *rmqueue_pcplist(struct pcp *pcp, unsigned int order,
				    const struct alloc_context *ac, bool cold)
{
	uint32_t pfn = pcp_alloc(pcp, order, ac->migratetype, cold);

	return pfn ? pfn_to_page(pfn) : NULL;
}

static struct page *rmqueue_buddy(struct zone *zone, unsigned int order,
				  const struct alloc_context *ac, bool cold)
{
	size_t block = 1UL << order, n = min(ac->keep, block), low;
	uint32_t pfn;

	lock_acquire(&zone->lock);
	low = zone->low_free_dirty;
	pfn = buddy_alloc(zone, order, ac->migratetype, cold);
	if (pfn && n < block)
		buddy_free(zone, pfn + (uint32_t)n, block - n);
	if (pfn)
		zone_note_taken(zone, n, low);
	lock_release(&zone->lock);
	return pfn ? pfn_to_page(pfn) : NULL;
}

static bool is_served_by_pcp(const struct zone *zone, unsigned int order,
			     const struct alloc_context *ac)
{
	return order <= PCP_MAX_ORDER && ac->pcp && ac->pcp->zone == zone;
}

static struct page *rmqueue(struct zone *zone, unsigned int order, gfp_t gfp,
			    const struct alloc_context *ac)
{
	bool cold = gfp & GFP_COLD;

	if (is_served_by_pcp(zone, order, ac))
		return rmqueue_pcplist(ac->pcp, order, ac, cold);
	return rmqueue_buddy(zone, order, ac, cold);
}

static bool zone_suits(struct zone *zone, const struct alloc_context *ac)
{
	return zone->type <= ac->high_zoneidx &&
	       !zone_is_full(zone, ac->n, ac->pressed);
}

static void zone_settle(struct zone *zone, const struct alloc_context *ac)
{
	if (ac->reclaims)
		reclaim_at_high(zone);
}

/* A zone that is out of free blocks grows before the next one is asked:
 * local memory that is not yet there is better than remote memory. */
static struct page *rmqueue_grow(struct zone *zone, unsigned int order,
				 gfp_t gfp, const struct alloc_context *ac)
{
	struct page *page = NULL;

	if (reclaim_runs(zone))
		page = rmqueue(zone, order, gfp, ac);
	if (!page && reclaim_scattered(zone))
		page = rmqueue(zone, order, gfp, ac);
	while (!page && zone_grow(zone, order, ac->migratetype))
		page = rmqueue(zone, order, gfp, ac);
	return page;
}

static struct page *rmqueue_or_grow(struct zone *zone, unsigned int order,
				    gfp_t gfp, const struct alloc_context *ac)
{
	struct page *page = rmqueue(zone, order, gfp, ac);

	if (!(gfp & GFP_WAIT))
		return page;
	if (!page)
		page = rmqueue_grow(zone, order, gfp, ac);
	zone_settle(zone, ac);
	return page;
}

static struct page *walk_zonelist(gfp_t gfp, unsigned int order,
				  const struct alloc_context *ac)
{
	struct zone *const *at = ac->zonelist->zone, *zone;
	struct page *page;

	for (; (zone = zonelist_zone(at)); at++) {
		if (!zone_suits(zone, ac))
			continue;
		page = rmqueue_or_grow(zone, order, gfp, ac);
		if (page) {
			numa_count(zone, ac->wanted, ac->n);
			return page;
		}
	}
	return NULL;
}

static struct page *get_page_from_freelist(gfp_t gfp, unsigned int order,
					   const struct alloc_context *ac)
{
	struct page *page;
	uint32_t seq;

	do {
		seq = zonelist_begin();
		page = walk_zonelist(gfp, order, ac);
	} while (unlikely(!page) && zonelist_retry(seq));
	return page;
}

/* Some zone has so many pages free, if not together, and they may come
 * together without this thread. */
static bool should_reclaim_retry(const struct alloc_context *ac)
{
	struct zone *const *at = ac->zonelist->zone, *zone;
	bool enough = false;

	if (thread_is_alone())
		return false;
	for (; !enough && (zone = zonelist_zone(at)); at++) {
		lock_acquire(&zone->lock);
		enough = zone->nr_free >= ac->n;
		lock_release(&zone->lock);
	}
	return enough;
}

/* Before a request that failed is repeated; `tries` says how often it was.
 * False: it need not be. */
static bool reclaim_for_retry(struct alloc_context *ac, unsigned int tries)
{
	if (tries >= RECLAIM_TRIES || (tries && !should_reclaim_retry(ac)))
		return false;
	if (tries)
		lock_yield();
	ac->pressed = true;
	reclaim_caches();
	return true;
}

static bool gfp_may_retry(gfp_t gfp)
{
	return gfp & GFP_WAIT && !(gfp & GFP_NORETRY);
}

static cold_path struct page *alloc_pages_slowpath(gfp_t gfp,
		unsigned int order, struct alloc_context *ac)
{
	struct page *page = NULL;

	for (unsigned int tries = 0;
	     !page && reclaim_for_retry(ac, tries); tries++)
		page = get_page_from_freelist(gfp, order, ac);
	return page;
}

static void prepare_alloc_pages(struct alloc_context *ac, struct pcp *pcp,
				gfp_t gfp, size_t n, int node)
{
	*ac = (struct alloc_context){
		.pcp = pcp,
		.zonelist = node_zonelist(node, gfp),
		.high_zoneidx = gfp_zone(gfp),
		.migratetype = gfp_migratetype(gfp),
		.wanted = pcp ? pcp->zone->node : node,
		.n = n,
		.keep = SIZE_MAX,
		.reclaims = !(gfp & GFP_NORECLAIM),
		/* To who names a node it is the kernel's affair what it has
		 * left there. */
		.pressed = !pcp && gfp & GFP_THISNODE,
	};
}

static struct page *alloc_pages_context(struct alloc_context *ac, gfp_t gfp,
					unsigned int order)
{
	struct page *page = get_page_from_freelist(gfp, order, ac);

	if (!page && unlikely(gfp_may_retry(gfp)))
		page = alloc_pages_slowpath(gfp, order, ac);
	return page;
}

struct page *alloc_pages_node(struct pcp *pcp, gfp_t gfp, unsigned int order,
			      int node)
{
	struct alloc_context ac;

	ASSERT(order <= MAX_PAGE_ORDER);
	prepare_alloc_pages(&ac, pcp, gfp, 1UL << order, node);
	return alloc_pages_context(&ac, gfp, order);
}

static int pcp_node(const struct pcp *pcp)
{
	return pcp ? pcp->zone->node : topology_current_node();
}

struct page *alloc_pages(struct pcp *pcp, gfp_t gfp, unsigned int order)
{
	return alloc_pages_node(pcp, gfp, order, pcp_node(pcp));
}

/* Gives pages that an owner had straight to the free areas. */
static void free_pages_to_zone(uint32_t pfn, size_t n)
{
	struct zone *zone = pfn_to_section(pfn)->zone;

	lock_acquire(&zone->lock);
	dirty_set(pfn, n);
	zone_free_contig(zone, pfn, n);
	zone_note_free(zone, n);
	lock_release(&zone->lock);
}

void free_clean_pages(struct page *page, size_t n, size_t purged)
{
	uint32_t pfn = page_to_pfn(page);
	struct zone *zone = page_zone(page);

	page_set_word(page, 0);
	lock_acquire(&zone->lock);
	dirty_clear(pfn, n);
	zone_free_contig(zone, pfn, n);
	zone_note_free(zone, n);
	zone->nr_purged += purged;
	lock_release(&zone->lock);
}

void free_pages(struct pcp *pcp, struct page *page, unsigned int order)
{
	uint32_t pfn = page_to_pfn(page);

	ASSERT(order <= MAX_PAGE_ORDER);
	page_set_word(page, 0);
	if (order <= PCP_MAX_ORDER && pcp && pcp->zone == page_zone(page))
		pcp_free(pcp, pfn, order);
	else
		free_pages_to_zone(pfn, 1UL << order);
}

/* Pages that were just allocated go back: nobody has freed them. Their dirty
 * bits still hold, or all of them are `dirty`. */
static void give_back(uint32_t pfn, size_t n, bool dirty)
{
	struct zone *zone;

	if (!n)
		return;
	zone = pfn_to_section(pfn)->zone;
	lock_acquire(&zone->lock);
	if (dirty)
		dirty_set(pfn, n);
	zone_free_contig(zone, pfn, n);
	zone->nr_alloc -= n;
	lock_release(&zone->lock);
}

static bool page_is_dirty(const struct page *page)
{
	return word_state(page_word(page)) & RUN_DIRTY;
}

/* n pages by `take`, of the first zone that may serve, or of any. */
static struct page *rmqueue_run(const struct alloc_context *ac, size_t n,
				uint32_t (*take)(struct zone *zone, size_t n),
				bool any)
{
	struct zone *const *at = ac->zonelist->zone, *zone;
	uint32_t pfn = 0;

	for (; !pfn && (zone = zonelist_zone(at)); at++) {
		if (!zone_suits(zone, ac))
			continue;
		pfn = take(zone, n);
		if (pfn)
			numa_count(zone, ac->wanted, ac->n);
		else if (!any)
			break;
		zone_settle(zone, ac);
	}
	return pfn ? pfn_to_page(pfn) : NULL;
}

/* n pages cut from a block of the order. */
static struct page *alloc_pages_cut(struct alloc_context *ac, gfp_t gfp,
				    unsigned int order, size_t n)
{
	struct page *page;

	ac->keep = n;
	page = alloc_pages_context(ac, gfp, order);
	ac->keep = SIZE_MAX;
	if (page && is_served_by_pcp(page_zone(page), order, ac))
		give_back(page_to_pfn(page) + (uint32_t)n, (1UL << order) - n,
			  page_is_dirty(page));
	return page;
}

/* n pages at any place. */
static struct page *alloc_pages_anywhere(struct alloc_context *ac, gfp_t gfp,
					 size_t n)
{
	struct page *page = NULL;

	/* Of what is there: it leaves alone what was never used. */
	if (n >= PIECED_MIN)
		page = rmqueue_run(ac, n, zone_alloc_pieced_soon, false);
	/* Not a block of the next order, of which the rest would be reserved
	 * for what may never come. */
	if (!page && n >= PIECED_MIN && !is_pow2(n) && vm_is_reserved_late() &&
	    gfp & GFP_WAIT)
		page = rmqueue_run(ac, n, zone_grow_pieced, false);
	if (!page)
		page = alloc_pages_cut(ac, gfp, log2_ceil(n), n);
	if (!page && n > 1)
		page = rmqueue_run(ac, n, zone_alloc_pieced, true);
	if (!page && n > 1 && gfp & GFP_WAIT)
		page = rmqueue_run(ac, n, zone_grow_pieced, true);
	return page;
}

static struct page *alloc_pages_contig(struct alloc_context *ac, gfp_t gfp,
				       size_t n)
{
	struct page *page;

	if (n > vm.nr_pages)
		return NULL;
	page = rmqueue_run(ac, n, zone_alloc_contig, true);
	for (unsigned int tries = 0; !page && gfp_may_retry(gfp) &&
	     reclaim_for_retry(ac, tries); tries++)
		page = rmqueue_run(ac, n, zone_alloc_contig, true);
	return page;
}

/* More than a section, or more aligned than a block can be: an aligned place is
 * found in so many pages more. */
static struct page *alloc_pages_slack(struct alloc_context *ac, gfp_t gfp,
				      size_t align)
{
	size_t n = ac->n, total = n + (align >> PAGE_SHIFT) - 1, skip;
	struct page *page = NULL;
	uint32_t pfn;
	bool dirty;

	/* Whole sections come last: the first is never free, and a small
	 * window has no other. */
	if (total <= SECTION_PAGES)
		page = alloc_pages_anywhere(ac, gfp, total);
	if (!page)
		page = alloc_pages_contig(ac, gfp, total);
	if (!page)
		return NULL;
	skip = (align_up((uintptr_t)page_address(page), align) -
		(uintptr_t)page_address(page)) >> PAGE_SHIFT;
	pfn = page_to_pfn(page);
	dirty = page_is_dirty(page);
	give_back(pfn + (uint32_t)(skip + n), total - skip - n, dirty);
	give_back(pfn, skip, dirty);
	return page + skip;
}

struct page *alloc_pages_exact_node(struct pcp *pcp, gfp_t gfp, size_t n,
				    size_t align, int node)
{
	size_t block = max(n, align >> PAGE_SHIFT);
	struct alloc_context ac;
	struct page *page;

	ASSERT(n > 0 && is_pow2(align) && align >= PAGE_SIZE);
	if (n > vm.nr_pages)
		return NULL;
	prepare_alloc_pages(&ac, pcp, gfp, n, node);
	if (block > SECTION_PAGES || align > vm.base_align)
		return alloc_pages_slack(&ac, gfp, align);
	if (align == PAGE_SIZE)
		return alloc_pages_anywhere(&ac, gfp, n);
	page = alloc_pages_cut(&ac, gfp, log2_ceil(block), n);
	/* No whole block, but perhaps pages that lie in several. */
	if (!page && n > 1)
		page = alloc_pages_slack(&ac, gfp, align);
	return page;
}

struct page *alloc_pages_exact(struct pcp *pcp, gfp_t gfp, size_t n,
			       size_t align)
{
	return alloc_pages_exact_node(pcp, gfp, n, align, pcp_node(pcp));
}

void trim_pages_exact(struct page *page, size_t old_n, size_t n)
{
	give_back(page_to_pfn(page) + (uint32_t)n, old_n - n, false);
}

void free_pages_exact(struct pcp *pcp, struct page *page, size_t n)
{
	if (is_pow2(n) && n <= 1UL << PCP_MAX_ORDER &&
	    page_to_pfn(page) % n == 0) {
		free_pages(pcp, page, log2_floor(n));
		return;
	}
	page_set_word(page, 0);
	free_pages_to_zone(page_to_pfn(page), n);
}

cold_path void note_pages_purged(uint32_t pfn, size_t n)
{
	struct zone *zone = pfn_to_section(pfn)->zone;

	lock_acquire(&zone->lock);
	zone->nr_purged += n;
	lock_release(&zone->lock);
}

cold_path void run_wait(struct page *page)
{
	/* Pairs with the release in run_purge_cached. */
	while (word_state(__atomic_load_n(&page->word, __ATOMIC_ACQUIRE)) &
	       RUN_BUSY)
		lock_yield();
}

size_t run_purge_cached(struct page *page)
{
	const uint64_t busy = word_state_bits(RUN_BUSY);
	const uint64_t dirty = word_state_bits(RUN_DIRTY);
	uint64_t word = page_word(page);
	bool purged;
	size_t n;

	if (word_type(word) != PAGE_RUN ||
	    (word_state(word) & (RUN_CACHED | RUN_DIRTY | RUN_BUSY)) !=
	    (RUN_CACHED | RUN_DIRTY))
		return 0;
	/* Fails if it was claimed meanwhile. Pairs with the release in
	 * run_bin_push. */
	if (!__atomic_compare_exchange_n(&page->word, &word, word | busy,
					 false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return 0;
	/* Ours until the bit is clear: now its length holds. */
	n = run_nr_pages(page);
	purged = pages_purge(page_to_pfn(page), n);
	/* Pairs with the acquire in run_claim and run_wait. */
	__atomic_fetch_and(&page->word, ~(purged ? busy | dirty : busy),
			   __ATOMIC_RELEASE);
	if (!purged)
		return 0;
	note_pages_purged(page_to_pfn(page), n);
	return n;
}

void page_alloc_validate(void)
{
	struct zone *zone;

	for_each_zone(zone) {
		lock_acquire(&zone->lock);
		buddy_validate(zone);
		lock_release(&zone->lock);
	}
}
