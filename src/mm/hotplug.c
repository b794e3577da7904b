#include "mm/hotplug.h"
#include "mm/buddy.h"
#include "mm/hugepage.h"
#include "mm/meta.h"
#include "os/os.h"

/* Metadata that comes with this much memory: 128 bytes for 8 KiB of the
 * smallest objects. */
#define META_PER_MEMORY	64	/* bytes */

/* And what heaps and sheaves need besides. */
#define META_SLACK	(64UL << 10)	/* bytes */

struct lock hotplug_lock = LOCK_INITIALIZER(LOCK_HOTPLUG);
uint32_t nr_online_sections;

static size_t section_room(uint32_t index)
{
	return section_nr_pages(index) - section_at(index)->online;
}

/* Where their pages come from when they are touched. */
static void sections_place(const struct zone *zone, uint32_t first,
			   uint32_t count)
{
	size_t start = (size_t)first << SECTION_ORDER;
	size_t end = min((size_t)(first + count) << SECTION_ORDER,
			 vm.nr_pages);

	topology_place(pfn_to_address(start), (end - start) << PAGE_SHIFT,
		       zone->placement, zone->node);
}

void sections_place_all(void)
{
	uint32_t first = 0, i;

	for (i = 1; i <= nr_online_sections; i++) {
		if (i < nr_online_sections &&
		    section_at(i)->zone == section_at(first)->zone)
			continue;
		sections_place(section_at(first)->zone, first, i - first);
		first = i;
	}
}

/* Gives the next untouched section to the zone. */
static bool section_open(struct zone *zone, uint32_t index)
{
	struct section *section = section_at(index);

	ASSERT(index == nr_online_sections);
	if (index >= vm.nr_sections || !memmap_online_section(index))
		return false;
	/* Relaxed: who holds the zone's lock may look at what comes behind its
	 * own sections (pieces.c); no page is free there as yet. */
	__atomic_store_n(&section->zone, zone, __ATOMIC_RELAXED);
	memset(section->migratetype, MIGRATE_MOVABLE,
	       sizeof(section->migratetype));
	/* What is never used counts as handed out. */
	section->online = index ? 0 : FIRST_PFN;
	nr_online_sections++;
	return true;
}

static bool section_open_placed(struct zone *zone, uint32_t index)
{
	if (!section_open(zone, index))
		return false;
	sections_place(zone, index, 1);
	return true;
}

/* Pages online. Under the hotplug lock, without which no zone has more. */
static size_t zones_managed(void)
{
	const struct zone *zone;
	size_t n = 0;

	for_each_zone(zone)
		n += zone->managed;
	return n;
}

/* Commits [pfn, pfn + n), of which `more` are not yet a zone's. */
static bool pages_commit(size_t pfn, size_t n, size_t more)
{
	size_t mapped = vm.mapped_end, meta_size;
	bool done;

	if (align_up(pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES <= pfn + n)
		hugepages_decide();
	done = memmap_commit_pages(pfn, n);
	/* What was mapped just now was not told, committed or not. */
	if (unlikely(mapped < vm.mapped_end))
		hugepages_advise(mapped, vm.mapped_end - mapped);
	/* Pages without descriptors for their slabs would be of no use; for
	 * pages that are refused, descriptors. Huge blocks need none: there
	 * may be more of them than descriptors. */
	meta_size = META_SLACK + ((zones_managed() + more) << PAGE_SHIFT) /
				 META_PER_MEMORY;
	return done && meta_reserve(min(meta_size, meta.size));
}

/* They are the zone's from now on; nobody has them yet. */
static void section_account(struct zone *zone, uint32_t index, size_t n)
{
	lock_assert_held(&zone->lock);
	section_at(index)->online += (uint32_t)n;
	zone->managed += n;
	zone->nr_grown += n;
}

/* Commits n more pages and frees them as blocks of the migrate type. */
static bool section_grow(struct zone *zone, uint32_t index, size_t n,
			 enum migratetype type)
{
	uint32_t start = (index << SECTION_ORDER) + section_at(index)->online;

	if (!pages_commit(start, n, n))
		return false;
	lock_acquire(&zone->lock);
	section_account(zone, index, n);
	for (uint32_t pfn = start; pfn < start + n; pfn += PAGEBLOCK_PAGES)
		pageblock_set_migratetype(pfn, type);
	/* Written before it is read: one page fault, not two. */
	page_set_word(pfn_to_page(start), 0);
	buddy_free(zone, start, n);
	lock_release(&zone->lock);
	return true;
}

/* How many pages the section must grow to hold an aligned block of the
 * order; 0: it cannot. */
static size_t section_need(uint32_t index, unsigned int order)
{
	size_t online = section_at(index)->online;
	size_t end = align_up(online, 1UL << order) + (1UL << order);

	if (end > section_nr_pages(index))
		return 0;
	return align_up(end, PAGEBLOCK_PAGES) - online;
}

/* The zone's first section that can grow by such a block, else a new one. */
static uint32_t zone_section_to_grow(struct zone *zone, unsigned int order)
{
	uint32_t index = zone->first_partial;

	for (; index < nr_online_sections; index++) {
		if (section_at(index)->zone != zone ||
		    section_room(index) == 0) {
			zone->first_partial += index == zone->first_partial;
			continue;
		}
		if (section_need(index, order))
			return index;
	}
	/* The first one has not room for a block of its own size. */
	for (; section_open_placed(zone, index); index++)
		if (section_need(index, order))
			return index;
	return UINT32_MAX;
}

static bool zone_has_block(struct zone *zone, unsigned int order)
{
	bool found = false;

	lock_acquire(&zone->lock);
	for (; order < NR_PAGE_ORDERS && !found; order++)
		found = zone->free_area[order].nr_free > 0;
	lock_release(&zone->lock);
	return found;
}

static bool zone_grow_locked(struct zone *zone, unsigned int order,
			     enum migratetype type)
{
	uint32_t index = zone_section_to_grow(zone, order);
	size_t need, chunk;

	if (index == UINT32_MAX)
		return false;
	need = section_need(index, order);
	if (!need)
		return false;
	chunk = need + align_down(zone->managed / 8, PAGEBLOCK_PAGES);
	chunk = min(chunk, section_room(index));
	return section_grow(zone, index, chunk, type) ||
	       (chunk > need && section_grow(zone, index, need, type));
}

bool zone_grow(struct zone *zone, unsigned int order, enum migratetype type)
{
	bool grown;

	lock_acquire(&hotplug_lock);
	/* Somebody else may have grown it while we waited. */
	grown = zone_has_block(zone, order) ||
		zone_grow_locked(zone, order, type);
	lock_release(&hotplug_lock);
	return grown;
}

static bool section_grow_at_locked(struct zone *zone, uint32_t pfn, size_t n)
{
	uint32_t index = pfn >> SECTION_ORDER;

	n = align_up(pfn + n, PAGEBLOCK_PAGES) - pfn;
	if (index == nr_online_sections && !section_open_placed(zone, index))
		return false;
	return index < nr_online_sections &&
	       section_at(index)->zone == zone &&
	       (index << SECTION_ORDER) + section_at(index)->online == pfn &&
	       section_room(index) >= n &&
	       section_grow(zone, index, n, MIGRATE_MOVABLE);
}

bool section_grow_at(struct zone *zone, uint32_t pfn, size_t n)
{
	bool grown;

	lock_acquire(&hotplug_lock);
	grown = section_grow_at_locked(zone, pfn, n);
	lock_release(&hotplug_lock);
	return grown;
}

/* The pages of the free block that ends before the page, above `start`. */
static size_t free_block_before(uint32_t start, uint32_t pfn)
{
	for (unsigned int k = 0; pfn > start && k < NR_PAGE_ORDERS &&
	     !(pfn & ((1U << k) - 1)); k++) {
		const struct page *page = pfn_to_page(pfn - (1U << k));

		if (buddy_is_free(page) && word_order(page_word(page)) == k)
			return 1UL << k;
	}
	return 0;
}

/* How many are free from the section's online end back, in whole blocks: n, or
 * all there are. */
static size_t section_free_at_end(struct zone *zone, uint32_t index,
				  uint32_t end, size_t n)
{
	size_t have = 0, step = 1;

	lock_acquire(&zone->lock);
	while (have < n && step) {
		step = free_block_before(index << SECTION_ORDER,
					 end - (uint32_t)have);
		have += step;
	}
	lock_release(&zone->lock);
	return have;
}

/* The section has room for n pages from its online end on, if need be with the
 * next one, if that is nobody's. */
static bool section_holds(uint32_t index, uint32_t end, size_t n)
{
	return n <= section_room(index) ||
	       (index + 1 == nr_online_sections && end + n <= vm.nr_pages);
}

static bool section_grow_past(struct zone *zone, uint32_t index, uint32_t end,
			      size_t n)
{
	size_t here = min(n, section_room(index)), there = n - here;
	uint32_t next = (index + 1) << SECTION_ORDER;

	return (!here || section_grow_at_locked(zone, end, here)) &&
	       (!there || section_grow_at_locked(zone, next, there));
}

/* What is refused is not asked of the next section: it would be opened for
 * nothing, at each request. */
static uint32_t zone_grow_run_locked(struct zone *zone, size_t n)
{
	uint32_t index = zone->first_partial, last = nr_online_sections, end;
	size_t have, need;

	for (; index <= last; index++) {
		if (index == last && !section_open_placed(zone, index))
			break;
		if (section_at(index)->zone != zone)
			continue;
		end = (index << SECTION_ORDER) + section_at(index)->online;
		have = section_free_at_end(zone, index, end, n);
		need = n - min(have, n);
		if (section_holds(index, end, need))
			return section_grow_past(zone, index, end, need) ?
			       end - (uint32_t)have : 0;
	}
	return 0;
}

uint32_t zone_grow_run(struct zone *zone, size_t n)
{
	uint32_t pfn;

	lock_acquire(&hotplug_lock);
	pfn = zone_grow_run_locked(zone, n);
	lock_release(&hotplug_lock);
	return pfn;
}

/* All that is online of the section is free, or nothing is online. Section 0
 * has pages that are never free. */
static bool section_is_free(const struct zone *zone, uint32_t index)
{
	const struct section *section = section_at(index);

	if (index >= nr_online_sections)
		return true;
	return section->zone == zone && section->nr_free == section->online;
}

static uint32_t sections_of(size_t n)
{
	return (uint32_t)((n + SECTION_PAGES - 1) >> SECTION_ORDER);
}

/* The first of n neighbouring free sections; UINT32_MAX: none. With `whole`,
 * of such as need no commit. */
static uint32_t find_free_sections(const struct zone *zone, uint32_t n,
				   bool whole)
{
	uint32_t end = whole ? nr_online_sections : vm.nr_sections, run = 0;

	for (uint32_t i = 0; i < end; i++) {
		bool good = section_is_free(zone, i) &&
			    (!whole || section_room(i) == 0);

		run = good ? run + 1 : 0;
		if (run == n)
			return i + 1 - n;
		/* From the frontier on all are free. */
		if (i >= nr_online_sections && i + 1 - run + n > end)
			break;
	}
	return UINT32_MAX;
}

/* The window's last section may be short. */
static bool contig_fits(uint32_t first, size_t n)
{
	return first != UINT32_MAX &&
	       n <= vm.nr_pages - ((size_t)first << SECTION_ORDER);
}

/* Takes neighbouring free sections off the free areas, so many that they have
 * n pages; the first one. */
static uint32_t contig_take(struct zone *zone, size_t n, bool whole)
{
	uint32_t first, count = sections_of(n);

	lock_acquire(&zone->lock);
	first = find_free_sections(zone, count, whole);
	/* If these reach beyond the window's end, there are no others. */
	if (!contig_fits(first, n))
		first = UINT32_MAX;
	else
		for (uint32_t i = first;
		     i < first + count && i < nr_online_sections; i++)
			buddy_take_section(zone, i);
	lock_release(&zone->lock);
	return first;
}

/* The first n pages from the section on are committed, all with one call: the
 * kernel refuses a mapping as a whole, and section by section a request that
 * cannot be met would take what the system had left for everybody. */
static bool contig_commit(struct zone *zone, uint32_t first, uint32_t count,
			  size_t n)
{
	uint32_t opened = max(first, nr_online_sections);
	bool done = true;
	size_t online = 0;

	n = align_up(n, PAGEBLOCK_PAGES);
	for (uint32_t i = first; i < first + count && i < nr_online_sections;
	     i++)
		online += min((size_t)section_at(i)->online,
			      n - ((size_t)(i - first) << SECTION_ORDER));
	if (online < n &&
	    !pages_commit((size_t)first << SECTION_ORDER, n, n - online))
		return false;
	while (done && nr_online_sections < first + count)
		done = section_open(zone, nr_online_sections);
	if (opened < nr_online_sections)
		sections_place(zone, opened, nr_online_sections - opened);
	return done;
}

/* The n pages are the caller's; the rest of the last section is free. */
static void contig_claim(struct zone *zone, uint32_t first, uint32_t count,
			 size_t n)
{
	lock_acquire(&zone->lock);
	for (uint32_t i = first; i < first + count; i++) {
		struct section *section = section_at(i);
		size_t left = n - ((size_t)(i - first) << SECTION_ORDER);
		size_t want = min(align_up(left, PAGEBLOCK_PAGES),
				  section_nr_pages(i));

		if (section->online < want)
			section_account(zone, i, want - section->online);
		if (section->online > left)
			buddy_free(zone,
				   (i << SECTION_ORDER) + (uint32_t)left,
				   section->online - left);
	}
	zone_note_alloc(zone, n);
	lock_release(&zone->lock);
}

/* Refused: what was taken goes back. */
static void contig_put_back(struct zone *zone, uint32_t first, uint32_t count)
{
	lock_acquire(&zone->lock);
	for (uint32_t i = first; i < first + count && i < nr_online_sections;
	     i++)
		if (section_at(i)->online)
			buddy_free(zone, i << SECTION_ORDER,
				   section_at(i)->online);
	lock_release(&zone->lock);
}

static uint32_t alloc_contig_locked(struct zone *zone, size_t n, bool whole)
{
	uint32_t first = contig_take(zone, n, whole);
	uint32_t count = sections_of(n);

	if (first == UINT32_MAX)
		return 0;
	if (!contig_commit(zone, first, count, n)) {
		contig_put_back(zone, first, count);
		return 0;
	}
	contig_claim(zone, first, count, n);
	return first << SECTION_ORDER;
}

uint32_t zone_alloc_contig(struct zone *zone, size_t n)
{
	uint32_t pfn = 0;

	lock_acquire(&hotplug_lock);
	/* Sections are opened in a row, and the first is never whole. */
	if (nr_online_sections || section_open_placed(zone, 0)) {
		pfn = alloc_contig_locked(zone, n, false);
		/* Where the system commits no more, what it has committed. */
		if (!pfn)
			pfn = alloc_contig_locked(zone, n, true);
	}
	lock_release(&hotplug_lock);
	return pfn;
}

void zone_free_contig(struct zone *zone, uint32_t pfn, size_t n)
{
	lock_assert_held(&zone->lock);
	while (n) {
		size_t room = SECTION_PAGES - (pfn & (SECTION_PAGES - 1));
		size_t step = min(n, room);

		buddy_free(zone, pfn, step);
		pfn += (uint32_t)step;
		n -= step;
	}
}
