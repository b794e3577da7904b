#include "mm/page_alloc.h"
#include "mm/buddy.h"
#include "mm/hotplug.h"
#include "mm/hugepage.h"
#include "mm/vmscan.h"
#include "mm/zonelist.h"
#include "os/os.h"
#include "os/topology.h"

#include <sched.h>

/* Zeros of this many pages on are cheaper from the kernel than written:
 * above it the dirty pages are purged instead. */
#define CLEAR_BY_PURGE	(8 * PAGEBLOCK_PAGES)

/* Runs of at least this many pages are pieced together before the zone grows;
 * smaller ones find their place in any block. */
#define PIECED_MIN	64

/* From this many pages on it pays to ask which are in memory: it takes 2 us
 * for 1 MiB, zeros 50. */
#define CLEAR_ASK	32

static struct page *rmqueue_pcplist(struct pcp *pcp, unsigned int order,
				    const struct alloc_context *ac, bool cold)
{
	uint32_t pfn = pcp_alloc(pcp, order, ac->migratetype, cold);

	return pfn ? pfn_to_page(pfn) : NULL;
}

static struct page *rmqueue_buddy(struct zone *zone, unsigned int order,
				  const struct alloc_context *ac, bool cold)
{
	uint32_t pfn;

	lock_acquire(&zone->lock);
	pfn = buddy_alloc(zone, order, ac->migratetype, cold);
	if (pfn)
		zone_note_alloc(zone, 1UL << order);
	lock_release(&zone->lock);
	return pfn ? pfn_to_page(pfn) : NULL;
}

static struct page *rmqueue(struct zone *zone, unsigned int order, gfp_t gfp,
			    const struct alloc_context *ac)
{
	bool cold = gfp & GFP_COLD;

	if (order <= PCP_MAX_ORDER && ac->pcp && ac->pcp->zone == zone)
		return rmqueue_pcplist(ac->pcp, order, ac, cold);
	return rmqueue_buddy(zone, order, ac, cold);
}

static bool zone_suits(const struct zone *zone, const struct alloc_context *ac)
{
	return zone->type <= ac->high_zoneidx &&
	       ac->nodemask >> zone->node & 1;
}

/* A zone that is out of free blocks grows before the next one is asked:
 * local memory that is not yet there is better than remote memory. */
static struct page *rmqueue_or_grow(struct zone *zone, unsigned int order,
				    gfp_t gfp, const struct alloc_context *ac)
{
	struct page *page = rmqueue(zone, order, gfp, ac);

	if (!(gfp & GFP_WAIT))
		return page;
	if (!page && reclaim_scattered(zone))
		page = rmqueue(zone, order, gfp, ac);
	while (!page && zone_grow(zone, order, ac->migratetype))
		page = rmqueue(zone, order, gfp, ac);
	reclaim_at_high(zone);
	return page;
}

static struct page *get_page_from_freelist(gfp_t gfp, unsigned int order,
					   const struct alloc_context *ac)
{
	struct zone *const *zone = ac->zonelist->zone;
	struct page *page;

	for (; *zone; zone++) {
		if (!zone_suits(*zone, ac))
			continue;
		page = rmqueue_or_grow(*zone, order, gfp, ac);
		if (page)
			return page;
	}
	return NULL;
}

static cold_path struct page *alloc_pages_slowpath(gfp_t gfp,
		unsigned int order, const struct alloc_context *ac)
{
	if (!(gfp & GFP_WAIT) || gfp & GFP_NORETRY)
		return NULL;
	reclaim_caches();
	return get_page_from_freelist(gfp, order, ac);
}

static void prepare_alloc_pages(struct alloc_context *ac, struct pcp *pcp,
				gfp_t gfp, int node, uint64_t nodemask)
{
	*ac = (struct alloc_context){
		.pcp = pcp,
		.zonelist = node_zonelist(node, gfp),
		.nodemask = nodemask,
		.high_zoneidx = gfp_zone(gfp),
		.migratetype = gfp_migratetype(gfp),
	};
}

struct page *alloc_pages_nodemask(struct pcp *pcp, gfp_t gfp,
				  unsigned int order, int node,
				  uint64_t nodemask)
{
	struct alloc_context ac;
	struct page *page;

	ASSERT(order <= MAX_PAGE_ORDER);
	prepare_alloc_pages(&ac, pcp, gfp, node, nodemask);
	page = get_page_from_freelist(gfp, order, &ac);
	if (unlikely(!page))
		page = alloc_pages_slowpath(gfp, order, &ac);
	return page;
}

static int pcp_node(const struct pcp *pcp)
{
	return pcp ? pcp->zone->node : topology_current_node();
}

struct page *alloc_pages(struct pcp *pcp, gfp_t gfp, unsigned int order)
{
	return alloc_pages_nodemask(pcp, gfp, order, pcp_node(pcp), ~0UL);
}

/* Gives pages that an owner had straight to the free areas. */
static void free_pages_to_zone(uint32_t pfn, size_t n)
{
	struct zone *zone = pfn_to_section(pfn)->zone;

	lock_acquire(&zone->lock);
	dirty_set(pfn, n);
	zone_free_contig(zone, pfn, n);
	zone->nr_freed += n;
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
	zone->nr_freed += n;
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

/* The pages [from, from + n) of a block that was just allocated go back.
 * Their dirty bits still hold, unless the block says otherwise. */
static void give_back(struct page *page, size_t from, size_t n)
{
	uint32_t pfn = page_to_pfn(page) + (uint32_t)from;
	struct zone *zone = page_zone(page);

	if (!n)
		return;
	lock_acquire(&zone->lock);
	if (word_state(page_word(page)) & RUN_DIRTY)
		dirty_set(pfn, n);
	zone_free_contig(zone, pfn, n);
	zone->nr_freed += n;
	lock_release(&zone->lock);
}

static uint32_t rmqueue_contig(struct zonelist *zonelist, size_t n)
{
	uint32_t pfn = 0;

	for (struct zone **zone = zonelist->zone; *zone && !pfn; zone++) {
		pfn = zone_alloc_contig(*zone, n);
		reclaim_at_high(*zone);
	}
	return pfn;
}

/* More than a section, or more aligned than a block can be. */
static struct page *alloc_contig_pages(struct pcp *pcp, gfp_t gfp, size_t n,
				       size_t align)
{
	size_t slack = (align >> PAGE_SHIFT) - 1;
	struct zonelist *zonelist = node_zonelist(pcp_node(pcp), gfp);
	size_t total = n + slack, skip;
	struct page *page;
	uint32_t pfn;

	if (total > vm.nr_pages)
		return NULL;
	pfn = rmqueue_contig(zonelist, total);
	if (!pfn) {
		reclaim_caches();
		pfn = rmqueue_contig(zonelist, total);
	}
	if (!pfn)
		return NULL;
	page = pfn_to_page(pfn);
	skip = (align_up((uintptr_t)page_address(page), align) -
		(uintptr_t)page_address(page)) >> PAGE_SHIFT;
	give_back(page, skip + n, total - skip - n);
	give_back(page, 0, skip);
	return page + skip;
}

/* The free pages that stand from `pfn` on, at most `want`; in blocks. */
static size_t free_pages_at(const struct zone *zone, size_t pfn, size_t want)
{
	size_t n = 0;

	while (n < want && pfn + n < vm.nr_pages &&
	       pfn_to_section(pfn + n)->zone == zone &&
	       buddy_is_free(pfn_to_page((uint32_t)(pfn + n))))
		n += 1UL << word_order(page_word(
				pfn_to_page((uint32_t)(pfn + n))));
	return n;
}

static bool take_pages_at(struct zone *zone, uint32_t pfn, size_t want)
{
	size_t n = 0;

	if (free_pages_at(zone, pfn, want) < want)
		return false;
	while (n < want)
		n += 1UL << buddy_take(zone, pfn + (uint32_t)n);
	if (n > want)
		zone_free_contig(zone, pfn + (uint32_t)want, n - want);
	zone_note_alloc(zone, want);
	return true;
}

/* n pages behind each other, the first of them in a block of the order. */
static uint32_t take_pieces(struct zone *zone, unsigned int order, size_t n)
{
	uint32_t pfn = 0;

	for (int type = 0; type < MIGRATE_PCPTYPES && !pfn; type++) {
		pfn = zone->free_area[order].list[type].first;
		while (pfn && !take_pages_at(zone, pfn, n))
			pfn = pfn_link(pfn)->next;
	}
	return pfn;
}

/* n pages that stand behind each other in blocks that are smaller. */
static struct page *alloc_pages_pieced(struct pcp *pcp, gfp_t gfp, size_t n)
{
	struct zone **zone = node_zonelist(pcp_node(pcp), gfp)->zone;
	unsigned int half = log2_ceil(n) - 1;
	uint32_t pfn = 0;

	for (; *zone && !pfn; zone++) {
		lock_acquire(&(*zone)->lock);
		pfn = take_pieces(*zone, half, n);
		if (!pfn && half)
			pfn = take_pieces(*zone, half - 1, n);
		lock_release(&(*zone)->lock);
	}
	return pfn ? pfn_to_page(pfn) : NULL;
}

/* n pages cut from a block of the order. */
static struct page *alloc_pages_cut(struct pcp *pcp, gfp_t gfp, size_t n,
				    unsigned int order)
{
	struct page *page = alloc_pages(pcp, gfp, order);

	if (page)
		give_back(page, n, (1UL << order) - n);
	return page;
}

/* A large run from the free areas as they are: pieced together, which leaves
 * alone what was never used; else cut from a block of the order. */
static struct page *alloc_pages_there(struct pcp *pcp, gfp_t gfp, size_t n,
				      unsigned int order)
{
	struct page *page = alloc_pages_pieced(pcp, gfp, n);

	if (!page)
		page = alloc_pages_cut(pcp, gfp & ~GFP_WAIT, n, order);
	if (page && gfp & GFP_WAIT)
		reclaim_at_high(page_zone(page));
	return page;
}

struct page *alloc_pages_exact(struct pcp *pcp, gfp_t gfp, size_t n,
			       size_t align)
{
	size_t block = max(n, align >> PAGE_SHIFT);
	struct page *page = NULL;
	unsigned int order;

	ASSERT(n > 0 && is_pow2(align) && align >= PAGE_SIZE);
	if (n > vm.nr_pages)
		return NULL;
	if (block > SECTION_PAGES || align > vm.base_align)
		return alloc_contig_pages(pcp, gfp, n, align);
	order = log2_ceil(block);
	if (n >= PIECED_MIN && align == PAGE_SIZE)
		page = alloc_pages_there(pcp, gfp, n, order);
	if (!page)
		page = alloc_pages_cut(pcp, gfp, n, order);
	if (!page && align == PAGE_SIZE && n > 1)
		page = alloc_pages_pieced(pcp, gfp, n);
	return page;
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

bool extend_pages_exact(struct page *page, size_t old_n, size_t new_n)
{
	uint32_t end = page_to_pfn(page) + (uint32_t)old_n;
	struct zone *zone = page_zone(page);
	size_t want = new_n - old_n, have;
	bool done;

	ASSERT(new_n > old_n);
	if (end + want > vm.nr_pages)
		return false;
	lock_acquire(&zone->lock);
	done = take_pages_at(zone, end, want);
	have = done ? 0 : free_pages_at(zone, end, want);
	lock_release(&zone->lock);
	if (done)
		return true;
	if (!section_grow_at(zone, end + (uint32_t)have, want - have))
		return false;
	lock_acquire(&zone->lock);
	done = take_pages_at(zone, end, want);
	lock_release(&zone->lock);
	return done;
}

bool remap_pages(struct page *page, size_t n)
{
	if (!os_remap(page_address(page), n << PAGE_SHIFT))
		return false;
	memmap_advise_hugepage(page_to_pfn(page), n);
	return true;
}

/* Most of the pages are not in memory: the program never touched them. */
static bool mostly_absent(const void *start, size_t n)
{
	unsigned char resident[CLEAR_BY_PURGE];
	size_t count = 0;

	if (n < CLEAR_ASK || !os_incore(start, n << PAGE_SHIFT, resident))
		return false;
	for (size_t i = 0; i < n; i++)
		count += resident[i] & 1;
	return count <= n / 4;
}

static void clear_range(uint32_t pfn, size_t n)
{
	void *start = pfn_to_address(pfn);

	if ((n >= CLEAR_BY_PURGE || mostly_absent(start, n)) &&
	    pages_purge(pfn, n))
		return;
	memset(start, 0, n << PAGE_SHIFT);
}

void clear_pages(struct page *page, size_t n, bool dirty)
{
	size_t pfn = page_to_pfn(page), end = pfn + n, run;

	if (dirty) {
		clear_range((uint32_t)pfn, n);
		return;
	}
	while (pfn < end) {
		size_t step = min(end - pfn,
				  64 - pfn % 64);

		if (!dirty_any(pfn, step)) {
			pfn += step;
			continue;
		}
		for (run = 0; pfn + run < end && dirty_any(pfn + run, 1); )
			run++;
		if (run)
			clear_range((uint32_t)pfn, run);
		pfn += max(run, 1UL);
	}
}

cold_path void run_wait(struct page *page)
{
	/* Pairs with the release in run_purge_cached. */
	while (word_state(__atomic_load_n(&page->word, __ATOMIC_ACQUIRE)) &
	       RUN_BUSY)
		sched_yield();
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
	 * heap_push_run. */
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
	return purged ? n : 0;
}

bool page_alloc_init(void)
{
	return node_online(0);
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
