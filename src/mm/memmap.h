/*
 * memmap - the window, the map of its pages and the table of its sections.
 *
 * 1. One contiguous range is all memory that is ever handed out, and nothing
 *    else of the process lies inside (but for rule 5): "is this pointer ours"
 *    is one subtraction and one compare.
 * 2. mem_map has a struct page for each page of the window. All of it, and of
 *    the table of sections, may be read at any time; the entries of a section
 *    become writable when the section is first used. What was never written
 *    reads as PAGE_NONE. The table lies before the map, the first section last.
 * 3. The window's base is aligned (vm.base_align, at least 2 MiB), so that
 *    blocks are aligned addresses up to that; in a window of 1 GiB and more
 *    those of every order.
 * 4. Window, table and map are one reservation, in this order. If that is as
 *    large as it may be, WINDOW_MAX_SIZE, the map is long enough for all of
 *    it: then the page that lies n pages before the end has its entry n
 *    entries before the end, and one address leads from a pointer to what the
 *    map says of it. `free` loads no more than that (vm.map_end).
 * 5. Where address space is limited, window and tables are apart, and of the
 *    window only [mapped_start, mapped_end) is reserved, as far as it was
 *    needed: what is reserved counts against the limit, and the program has
 *    mappings of its own. The window lies where the kernel puts nothing unless
 *    it is told to. If somebody did, it ends there: nothing is mapped over.
 * 6. What a process touches first lies in two GiB: the first metadata and the
 *    first pages, the first section and the first part of the map. Each further
 *    one takes 5 us when a process starts, forks or ends. So the largest window
 *    begins in the middle of a GiB, and metadata have room before it.
 */
#ifndef ZBM_MEMMAP_H
#define ZBM_MEMMAP_H

#include "mm/mmzone.h"

struct vm {
	uintptr_t base;		/* of the window; 0 before memmap_init */
	size_t size;		/* bytes; 0 before memmap_init */
	struct page *mem_map;
	struct section *sections;	/* the first; the next lies before it */
	uint32_t nr_sections;
	size_t nr_pages;
	size_t base_align;	/* bytes, a power of two */
	char *tables;		/* sections and map, reserved */
	size_t tables_size;	/* bytes */
	size_t front_size;	/* bytes before the base, reserved: rule 6 */
	struct page *map_end;	/* rule 4; else NO_MAP_END */
	/* rule 5; pfns. The end moves under the hotplug lock */
	size_t mapped_start, mapped_end;
};

extern struct vm vm;

/* The first section starts behind a pageblock and a half that are never used:
 * pfn 0 ends lists, and a small negative offset from the first object is
 * caught. The half keeps a huge page, which a system may give to everybody,
 * from the first MiB: the smallest process would be 2 MiB larger. */
#define FIRST_PFN	(PAGEBLOCK_PAGES + PAGEBLOCK_PAGES / 2)

/* Reserves; false when not even the smallest window can be had. */
bool memmap_init(size_t wanted);

/* Makes the entries of a section writable; false when refused. */
bool memmap_online_section(uint32_t index);

/* Makes n pages writable; false when refused. Under the hotplug lock. */
bool memmap_commit_pages(size_t pfn, size_t n);

/* Pages of the section; only the window's last one can be short. */
static inline size_t section_nr_pages(uint32_t index)
{
	size_t start = (size_t)index << SECTION_ORDER;

	return min(SECTION_PAGES, vm.nr_pages - start);
}

/* Nothing lies within WINDOW_MAX_SIZE before it, whatever a program takes for
 * a pointer: no memory of Linux, no small number, positive or negative. */
#define NO_MAP_END	((struct page *)0x9000000000000000)

/* Rule 5. */
static inline bool vm_is_reserved_late(void)
{
	return vm.mapped_start != 0;
}

static inline bool vm_contains(const void *p)
{
	return (uintptr_t)p - vm.base < vm.size;
}

/* Where the entry of the pointer's page is, counted from map_end. */
static force_inline ptrdiff_t map_place(const struct page *map_end,
					const void *p)
{
	return (ptrdiff_t)((uintptr_t)p - (uintptr_t)map_end) >> PAGE_SHIFT;
}

/* False: there is none. The window's first page, which is never used, counts
 * as having none: so the limit is one that x86-64 compares with at once. */
static force_inline bool map_has_place(ptrdiff_t place)
{
	return (size_t)place > -(WINDOW_MAX_SIZE >> PAGE_SHIFT);
}

static inline struct page *pfn_to_page(uint32_t pfn)
{
	return &vm.mem_map[pfn];
}

static inline uint32_t page_to_pfn(const struct page *page)
{
	return (uint32_t)(page - vm.mem_map);
}

static inline void *pfn_to_address(size_t pfn)
{
	return (void *)(vm.base + (pfn << PAGE_SHIFT));
}

/* `p` lies in the window. */
static inline uint32_t address_to_pfn(const void *p)
{
	return (uint32_t)(((uintptr_t)p - vm.base) >> PAGE_SHIFT);
}

static inline struct page *address_to_page(const void *p)
{
	return pfn_to_page(address_to_pfn(p));
}

static inline void *page_address(const struct page *page)
{
	return pfn_to_address(page_to_pfn(page));
}

static inline struct section *section_at(size_t index)
{
	return &vm.sections[-(ptrdiff_t)index];
}

static inline struct section *pfn_to_section(size_t pfn)
{
	return section_at(pfn >> SECTION_ORDER);
}

/* Where the section that `pfn` lies in ends, or the range if it is before. */
static inline size_t section_part_end(size_t pfn, size_t end)
{
	return min(end, (pfn | (SECTION_PAGES - 1)) + 1);
}

/* The first so many of the pages from `at` on lie in one section. */
#define for_each_section_part(at, n, pfn, end) \
	for (size_t at = (pfn), n; at < (end) && \
	     (n = section_part_end(at, (end)) - at, true); at += n)

/* The pageblocks of one section that have pages of [pfn, end), by bit. */
static inline uint32_t section_pageblocks(size_t pfn, size_t end)
{
	size_t first = pfn >> PAGEBLOCK_ORDER;
	size_t n = ((end - 1) >> PAGEBLOCK_ORDER) - first + 1;

	return (uint32_t)(((1UL << n) - 1) <<
			  (first & (SECTION_PAGEBLOCKS - 1)));
}

static inline struct page_link *pfn_link(uint32_t pfn)
{
	return &pfn_to_section(pfn)->link[pfn & (SECTION_PAGES - 1)];
}

static inline struct page_link *page_link(const struct page *page)
{
	return pfn_link(page_to_pfn(page));
}

/* Of a run, by its first page. */
static inline size_t run_nr_pages(const struct page *page)
{
	return page_link(page)->nr_pages;
}

static inline void run_set_nr_pages(struct page *page, size_t n)
{
	page_link(page)->nr_pages = (uint32_t)n;
}

static inline struct zone *page_zone(const struct page *page)
{
	return pfn_to_section(page_to_pfn(page))->zone;
}

static inline uint8_t *pageblock_type(uint32_t pfn)
{
	return &pfn_to_section(pfn)->migratetype[pfn >> PAGEBLOCK_ORDER &
						 (SECTION_PAGEBLOCKS - 1)];
}

/* Relaxed: who does not hold the zone's lock has a hint. */
static inline enum migratetype pageblock_migratetype(uint32_t pfn)
{
	return (enum migratetype)__atomic_load_n(pageblock_type(pfn),
						 __ATOMIC_RELAXED);
}

/* Under the zone's lock. */
static inline void pageblock_set_migratetype(uint32_t pfn,
					     enum migratetype type)
{
	__atomic_store_n(pageblock_type(pfn), (uint8_t)type, __ATOMIC_RELAXED);
}

/*
 * The dirty bits of [pfn, pfn + n), which may span sections. The caller
 * holds the zone lock, or owns the pages and only reads.
 */
void dirty_set(size_t pfn, size_t n);
void dirty_clear(size_t pfn, size_t n);
size_t dirty_count(size_t pfn, size_t n);
bool dirty_any(size_t pfn, size_t n);

#endif
