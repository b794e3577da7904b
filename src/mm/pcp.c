#include "mm/pcp.h"
#include "mm/buddy.h"
#include "mm/hugepage.h"

static struct {
	struct lock lock;
	struct pcp *first;
} registry = { .lock = LOCK_INITIALIZER(LOCK_PCPS) };

#define for_each_pcp(pcp) \
	for (struct pcp *pcp = registry.first; pcp; pcp = pcp->next)

void pcp_register(struct pcp *pcp, struct zone *zone)
{
	*pcp = (struct pcp){ .zone = zone, .high = PCP_LOW_HIGH };
	lock_init(&pcp->lock, LOCK_PCP);
	lock_acquire(&registry.lock);
	pcp->next = registry.first;
	registry.first = pcp;
	lock_release(&registry.lock);
}

static void pcp_push(struct pcp *pcp, uint32_t pfn, unsigned int order,
		     enum migratetype type, uint32_t dirty)
{
	struct page *page = pfn_to_page(pfn);

	page_set_word(page, word_make_free(PAGE_PCP, pcp->zone->node, order,
					    type) |
			    word_state_bits(dirty));
	page_link(page)->next = pcp->first[order][type];
	pcp->first[order][type] = pfn;
	/* Relaxed: pcp_count_pages reads it without the lock. */
	__atomic_store_n(&pcp->count, pcp->count + (1U << order),
			 __ATOMIC_RELAXED);
}

static uint32_t pcp_pop(struct pcp *pcp, unsigned int order,
			enum migratetype type)
{
	uint32_t pfn = pcp->first[order][type];

	ASSERT(word_type(page_word(pfn_to_page(pfn))) == PAGE_PCP);
	pcp->first[order][type] = pfn_link(pfn)->next;
	__atomic_store_n(&pcp->count, pcp->count - (1U << order),
			 __ATOMIC_RELAXED);
	return pfn;
}

static bool opens_hugepage(uint32_t pfn, unsigned int order)
{
	return hugepages_suit_slabs() && buddy_opens_pageblock(pfn, order) &&
	       hugepages_may_ask(PAGEBLOCK_PAGES);
}

static void pcp_refill(struct pcp *pcp, unsigned int order,
		       enum migratetype type, bool cold)
{
	unsigned int n = max(PCP_BATCH >> order, 1);
	struct zone *zone = pcp->zone;
	uint32_t opened = 0;
	bool grown;

	lock_acquire(&zone->lock);
	/* Slabs of small objects may open huge pages. */
	grown = type == MIGRATE_RECLAIMABLE &&
		zone_resident(zone) >= HUGEPAGES_GROWN;
	for (; n; n--) {
		uint32_t pfn = buddy_alloc(zone, order, type, cold);

		if (!pfn)
			break;
		if (grown && opens_hugepage(pfn, order)) {
			buddy_dirty_pageblock(zone, pfn, order);
			opened = pfn;
		}
		pcp_push(pcp, pfn, order, type, 0);
		zone_note_alloc(zone, 1UL << order);
	}
	lock_release(&zone->lock);
	if (grown)
		hugepages_learn();
	if (unlikely(opened)) {
		hugepages_ask(opened, PAGEBLOCK_PAGES);
		hugepages_touch(opened);
	}
}

uint32_t pcp_alloc(struct pcp *pcp, unsigned int order, enum migratetype type,
		   bool cold)
{
	uint32_t pfn = 0;

	ASSERT(order <= PCP_MAX_ORDER && type < NR_MIGRATETYPES);
	lock_acquire(&pcp->lock);
	if (!pcp->first[order][type]) {
		pcp_refill(pcp, order, type, cold);
		pcp->high = min(pcp->high * 2, (uint32_t)PCP_MAX_HIGH);
	}
	if (pcp->first[order][type]) {
		pfn = pcp_pop(pcp, order, type);
		pcp->low_count = min(pcp->low_count, pcp->count);
		page_set_word(pfn_to_page(pfn),
			      word_state_bits(word_state(page_word(
						pfn_to_page(pfn)))));
	}
	lock_release(&pcp->lock);
	return pfn;
}

/* Down to `target` pages, the largest orders first. */
static void pcp_drain_to(struct pcp *pcp, uint32_t target)
{
	struct zone *zone = pcp->zone;

	lock_assert_held(&pcp->lock);
	if (pcp->count <= target)
		return;
	lock_acquire(&zone->lock);
	for (int k = PCP_MAX_ORDER; k >= 0; k--) {
		for (int type = 0; type < NR_MIGRATETYPES; type++) {
			unsigned int order = (unsigned int)k;
			enum migratetype mt = (enum migratetype)type;

			while (pcp->first[k][type] && pcp->count > target) {
				uint32_t pfn = pcp_pop(pcp, order, mt);
				struct page *page = pfn_to_page(pfn);

				if (word_state(page_word(page)) & RUN_DIRTY)
					dirty_set(pfn, 1UL << order);
				page_set_word(page, 0);
				buddy_free(zone, pfn, 1UL << order);
				zone_note_free(zone, 1UL << order);
			}
		}
	}
	lock_release(&zone->lock);
}

void pcp_free(struct pcp *pcp, uint32_t pfn, unsigned int order)
{
	ASSERT(order <= PCP_MAX_ORDER);
	lock_acquire(&pcp->lock);
	pcp_push(pcp, pfn, order, pageblock_migratetype(pfn), RUN_DIRTY);
	if (pcp->count > pcp->high)
		pcp_drain_to(pcp, pcp->high - PCP_BATCH);
	lock_release(&pcp->lock);
}

void pcp_drain(struct pcp *pcp, bool all)
{
	lock_acquire(&pcp->lock);
	if (all) {
		pcp_drain_to(pcp, 0);
	} else if (pcp->low_count) {
		pcp_drain_to(pcp, pcp->count - pcp->low_count);
		pcp->high = max(pcp->high / 2, (uint32_t)PCP_LOW_HIGH);
	}
	pcp->low_count = pcp->count;
	lock_release(&pcp->lock);
}

void pcp_drain_each(bool all)
{
	lock_acquire(&registry.lock);
	for_each_pcp(pcp)
		pcp_drain(pcp, all);
	lock_release(&registry.lock);
}

size_t pcp_count_pages(void)
{
	size_t n = 0;

	lock_acquire(&registry.lock);
	for_each_pcp(pcp)
		n += __atomic_load_n(&pcp->count, __ATOMIC_RELAXED);
	lock_release(&registry.lock);
	return n;
}

bool pcp_fork_list(lock_fork_fn *lock_fork)
{
	return lock_fork(&registry.lock);
}

bool pcp_fork(lock_fork_fn *lock_fork)
{
	for_each_pcp(pcp)
		if (!lock_fork(&pcp->lock))
			return false;
	return true;
}

void pcp_validate(struct pcp *pcp)
{
	uint32_t count = 0;

	lock_acquire(&pcp->lock);
	for (unsigned int k = 0; k < PCP_NR_ORDERS; k++) {
		for (int type = 0; type < NR_MIGRATETYPES; type++) {
			uint32_t pfn = pcp->first[k][type];

			for (; pfn; pfn = pfn_link(pfn)->next) {
				uint64_t word = page_word(pfn_to_page(pfn));

				CHECK(word_type(word) == PAGE_PCP);
				CHECK(word_order(word) == k);
				CHECK(page_zone(pfn_to_page(pfn)) ==
				      pcp->zone);
				count += 1U << k;
			}
		}
	}
	CHECK(count == pcp->count);
	lock_release(&pcp->lock);
}
