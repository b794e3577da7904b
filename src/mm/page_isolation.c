#include "mm/page_isolation.h"
#include "mm/buddy.h"

#define LOOK	16	/* blocks of a list, for one that suits */

struct lock reclaim_lock = LOCK_INITIALIZER(LOCK_RECLAIM);

/* Dirty blocks stand in front. */
static uint32_t first_block(const struct free_list *list, unsigned int order,
			    const struct isolation *isolation)
{
	uint32_t pfn = list->first;

	for (int i = 0; i < LOOK && pfn && dirty_any(pfn, 1UL << order); i++) {
		if (isolation->suits(pfn, order))
			return pfn;
		pfn = pfn_link(pfn)->next;
	}
	return 0;
}

static uint32_t find_block(struct zone *zone, const struct isolation *isolation)
{
	for (int k = (int)isolation->max_order; k >= (int)isolation->min_order;
	     k--) {
		for (int type = 0; type < NR_MIGRATETYPES; type++) {
			uint32_t pfn = first_block(
				&zone->free_area[k].list[type],
				(unsigned int)k, isolation);

			if (pfn)
				return pfn;
		}
	}
	return 0;
}

uint32_t isolate_block(struct zone *zone, const struct isolation *isolation,
		       unsigned int *order)
{
	uint32_t pfn;

	lock_assert_held(&reclaim_lock);
	lock_assert_held(&zone->lock);
	pfn = find_block(zone, isolation);
	if (!pfn)
		return 0;
	*order = buddy_take(zone, pfn);
	zone->nr_isolated += 1UL << *order;
	page_set_word(pfn_to_page(pfn),
		      word_make_free(PAGE_ISOLATED, zone->node, *order,
				     MIGRATE_ISOLATE));
	return pfn;
}

void putback_block(struct zone *zone, uint32_t pfn, unsigned int order)
{
	page_set_word(pfn_to_page(pfn), 0);
	zone->nr_isolated -= 1UL << order;
	buddy_free(zone, pfn, 1UL << order);
}

void set_aside(struct set_aside *blocks, uint32_t pfn)
{
	pfn_link(pfn)->next = blocks->first;
	blocks->first = pfn;
	blocks->nr++;
}

void putback_set_aside(struct zone *zone, struct set_aside *blocks)
{
	uint32_t pfn = blocks->first, next;

	for (; pfn; pfn = next) {
		next = pfn_link(pfn)->next;
		putback_block(zone, pfn,
			      word_order(page_word(pfn_to_page(pfn))));
	}
}
