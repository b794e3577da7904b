#include "mm/memmap.h"
#include "base/bitmap.h"
#include "base/options.h"
#include "mm/meta.h"
#include "os/os.h"

struct vm vm;

static size_t memmap_pages_size(size_t window)
{
	return align_up((window >> PAGE_SHIFT) * sizeof(struct page),
			SECTION_PAGES * sizeof(struct page));
}

static size_t memmap_sections_size(size_t window)
{
	return align_up((window + SECTION_SIZE - 1) / SECTION_SIZE *
			sizeof(struct section), 1UL << 16);
}

/* What an extension leaves of the limit, bytes: a stack may have to grow. */
#define CUSHION_MAX	(512UL << 10)

/* Of the tables, `pages` bytes at the end are the map. */
static void memmap_set(char *base, size_t window, char *tables, size_t size,
		       size_t pages)
{
	char *mem_map = tables + size - pages;

	vm = (struct vm){
		.base = (uintptr_t)base,
		.size = window,
		.mem_map = (void *)mem_map,
		.sections = (struct section *)(void *)mem_map - 1,
		.nr_sections = (uint32_t)((window + SECTION_SIZE - 1) /
					  SECTION_SIZE),
		.nr_pages = window >> PAGE_SHIFT,
		.tables = tables,
		.tables_size = size,
		.map_end = NO_MAP_END,
		.mapped_end = window >> PAGE_SHIFT,
	};
}

/* The largest window, with its tables. Rules 4 and 6. */
static bool memmap_reserve_whole(void)
{
	size_t pages = memmap_pages_size(WINDOW_MAX_SIZE);
	size_t tables = pages + memmap_sections_size(WINDOW_MAX_SIZE);
	size_t front = META_MAX_TOTAL + MAX_ALIGN / 2;
	char *base = os_reserve(front + WINDOW_MAX_SIZE, MAX_ALIGN, false);
	char *end = base + front + WINDOW_MAX_SIZE;

	if (!base)
		return false;
	if (!os_make_readable(end - tables, tables)) {
		os_release(base, front + WINDOW_MAX_SIZE);
		return false;
	}
	memmap_set(base + front,
		   align_down(WINDOW_MAX_SIZE - tables, SECTION_SIZE),
		   end - tables, tables, pages);
	vm.base_align = MAX_ALIGN / 2;
	vm.front_size = front;
	vm.map_end = (void *)end;
	return true;
}

static bool memmap_reserve(size_t window)
{
	/* The slack for alignment must not eat a small address space. */
	size_t align = min(max((1UL << log2_floor(window)) / 16,
			       PAGEBLOCK_SIZE), MAX_ALIGN);
	size_t tables = memmap_pages_size(window) +
			memmap_sections_size(window);
	char *base;

	if (window == WINDOW_MAX_SIZE)
		return memmap_reserve_whole();
	base = os_reserve(window + tables, align, false);
	if (!base)
		return false;
	if (!os_make_readable(base + window, tables)) {
		os_release(base, window + tables);
		return false;
	}
	memmap_set(base, window, base + window, tables,
		   memmap_pages_size(window));
	vm.base_align = align;
	return true;
}

static bool memmap_reserve_some(size_t window)
{
	window = max(align_down(window, PAGEBLOCK_SIZE), WINDOW_MIN_SIZE);
	while (!memmap_reserve(window)) {
		if (window == WINDOW_MIN_SIZE)
			return false;
		window = max(align_down(window / 2, PAGEBLOCK_SIZE),
			     WINDOW_MIN_SIZE);
	}
	return true;
}

/* Reserves the window up to the page `end`. */
static cold_path bool memmap_extend(size_t end)
{
	char *from = pfn_to_address(vm.mapped_end);
	size_t size = (end - vm.mapped_end) << PAGE_SHIFT;
	size_t cushion = min(align_down(vm.size / 64, os.page_size),
			     CUSHION_MAX);

	if (!os_reserve_at(from, size + cushion))
		return false;
	os_release(from + size, cushion);
	vm.mapped_end = end;
	return true;
}

/*
 * Where the kernel maps nothing of its own accord, but TiB away. It goes down
 * from the end of a process's addresses, or up from their third or fourth part;
 * programs lie at the start, or from the two thirds on. So there is room behind
 * the middle, or, if it goes up, before it. Where in that room is as random as
 * the address that the kernel chose for the tables.
 */
static char *window_place(const char *tables, size_t window)
{
	uintptr_t at = (uintptr_t)tables, top = 1UL << log2_floor(at);
	uintptr_t room = at & (top / 2) ? top : top + top / 2;

	if (window > top / 8)
		return NULL;
	return (char *)align_down(room + (at & (top / 8 - 1)), MAX_ALIGN);
}

/* Rule 5. */
static bool memmap_reserve_late(size_t window)
{
	char *tables, *base;
	size_t size;

	window = max(align_down(window, PAGEBLOCK_SIZE), WINDOW_MIN_SIZE);
	size = memmap_pages_size(window) + memmap_sections_size(window);
	tables = os_reserve(size, os.page_size, true);
	if (!tables)
		return false;
	base = window_place(tables, window);
	if (base) {
		memmap_set(base, window, tables, size,
			   memmap_pages_size(window));
		vm.base_align = MAX_ALIGN;
		vm.mapped_start = vm.mapped_end = FIRST_PFN;
		if (memmap_extend(align_up(FIRST_PFN + 1, PAGEBLOCK_PAGES)))
			return true;
	}
	vm = (struct vm){ 0 };
	os_release(tables, size);
	return false;
}

/*
 * Under RLIMIT_AS. Memory is bound to nodes by the section, so a machine that
 * has some needs all of the window: it takes half, for the program may map as
 * much as it allocates. TSan wants all memory in places of its own.
 */
static cold_path bool memmap_init_limited(size_t window, size_t left)
{
	bool late = topology.max_nodes <= 1 && !TSAN_ZBM &&
		    memmap_reserve_late(min(window, left));

	return late || memmap_reserve_some(min(window, left / 2));
}

bool memmap_init(size_t wanted)
{
	size_t left = os_address_space_left();
	size_t window = min(wanted ? wanted : WINDOW_MAX_SIZE,
			    WINDOW_MAX_SIZE);

	/* All that there can be, and as much again. */
	if (left / 2 < WINDOW_MAX_SIZE)
		return memmap_init_limited(window, left);
	return memmap_reserve_some(window);
}

bool memmap_commit_pages(size_t pfn, size_t n)
{
	if (unlikely(pfn + n > vm.mapped_end) && !memmap_extend(pfn + n))
		return false;
	return os_commit(pfn_to_address(pfn), n << PAGE_SHIFT);
}

static bool memmap_commit(void *from, size_t size)
{
	uintptr_t start = align_down((uintptr_t)from, os.page_size);
	uintptr_t end = align_up((uintptr_t)from + size, os.page_size);

	return os_commit((void *)start, end - start);
}

bool memmap_online_section(uint32_t index)
{
	size_t n = section_nr_pages(index);
	struct section *section = section_at(index);
	struct page *map = pfn_to_page(index << SECTION_ORDER);

	/* These are neighbours. */
	if (!index)
		return memmap_commit(section, (size_t)((char *)(map + n) -
						       (char *)section));
	return memmap_commit(section, offsetof(struct section, link[n])) &&
	       memmap_commit(map, n * sizeof(struct page));
}

/* The part of [pfn, pfn + n) that lies in the pageblock of `pfn`. */
#define dirty_for_each_block(pfn, n, block, start, step) \
	for (; (n) && ((start) = (pfn) & (PAGEBLOCK_PAGES - 1), \
		       (step) = min((n), PAGEBLOCK_PAGES - (start)), \
		       (block) = pfn_to_pageblock(pfn), true); \
	     (pfn) += (step), (n) -= (step))

static struct pageblock *pfn_to_pageblock(size_t pfn)
{
	return &pfn_to_section(pfn)->pageblock[pfn >> PAGEBLOCK_ORDER &
					       (SECTION_PAGEBLOCKS - 1)];
}

static size_t pageblock_nr_dirty(const struct pageblock *block)
{
	return __atomic_load_n(&block->nr_dirty, __ATOMIC_RELAXED);
}

/* Of the n pages from `start` on. An owner reads the bits of its pages without
 * the lock: those of others, which may change, only add to nr_dirty. */
static size_t pageblock_count(const struct pageblock *block, size_t start,
			      size_t n)
{
	size_t all = pageblock_nr_dirty(block);

	if (all == 0 || n == PAGEBLOCK_PAGES)
		return all;
	return all == PAGEBLOCK_PAGES ? n :
		bitmap_count_range(block->dirty, start, n);
}

static void pageblock_add_dirty(struct pageblock *block, size_t n)
{
	__atomic_store_n(&block->nr_dirty,
			 (uint16_t)(pageblock_nr_dirty(block) + n),
			 __ATOMIC_RELAXED);
}

void dirty_set(size_t pfn, size_t n)
{
	struct pageblock *block;
	size_t start, step, clean;

	dirty_for_each_block(pfn, n, block, start, step) {
		clean = step - pageblock_count(block, start, step);
		if (!clean)
			continue;
		pageblock_add_dirty(block, clean);
		bitmap_set_range(block->dirty, start, step);
	}
}

void dirty_clear(size_t pfn, size_t n)
{
	struct pageblock *block;
	size_t start, step, dirty;

	dirty_for_each_block(pfn, n, block, start, step) {
		dirty = pageblock_count(block, start, step);
		if (!dirty)
			continue;
		bitmap_clear_range(block->dirty, start, step);
		pageblock_add_dirty(block, -dirty);
	}
}

size_t dirty_count(size_t pfn, size_t n)
{
	struct pageblock *block;
	size_t start, step, count = 0;

	dirty_for_each_block(pfn, n, block, start, step)
		count += pageblock_count(block, start, step);
	return count;
}

bool dirty_any(size_t pfn, size_t n)
{
	struct pageblock *block;
	size_t start, step, all;

	dirty_for_each_block(pfn, n, block, start, step) {
		all = pageblock_nr_dirty(block);
		if (all && (all == PAGEBLOCK_PAGES || step == PAGEBLOCK_PAGES ||
			    bitmap_any_in_range(block->dirty, start, step)))
			return true;
	}
	return false;
}
