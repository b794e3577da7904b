#include "mm/memmap.h"
#include "base/bitmap.h"
#include "base/options.h"
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

static bool memmap_reserve(size_t window)
{
	/* The slack for alignment must not eat a small address space. */
	size_t align = min(max((1UL << log2_floor(window)) / 16,
			       PAGEBLOCK_SIZE), MAX_ALIGN);
	size_t pages = memmap_pages_size(window);
	size_t tables = pages + memmap_sections_size(window);
	bool whole = window == WINDOW_MAX_SIZE;
	size_t all = whole ? window : window + tables;
	char *base = os_reserve(all, align, false), *end = base + all;

	if (!base)
		return false;
	if (!os_make_readable(end - tables, tables)) {
		os_release(base, all);
		return false;
	}
	if (whole)
		window = align_down(window - tables, SECTION_SIZE);
	vm = (struct vm){
		.base = (uintptr_t)base,
		.size = window,
		.mem_map = (void *)(end - pages),
		.sections = (void *)(end - tables),
		.nr_sections = (uint32_t)((window + SECTION_SIZE - 1) /
					  SECTION_SIZE),
		.nr_pages = window >> PAGE_SHIFT,
		.base_align = align,
		.map_size = tables,
		.map_end = whole ? (void *)end : NO_MAP_END,
	};
	return true;
}

/*
 * Under RLIMIT_AS the window must leave room for what the program maps
 * itself, and for the alignment that the reservation cuts off again.
 */
static size_t memmap_window(size_t wanted)
{
	size_t left = os_address_space_left();
	size_t window = wanted ? wanted : WINDOW_MAX_SIZE;

	window = min(window, WINDOW_MAX_SIZE);
	if (left != SIZE_MAX)
		window = min(window, left / 4 * 3);
	return max(align_down(window, PAGEBLOCK_SIZE), WINDOW_MIN_SIZE);
}

bool memmap_init(size_t wanted)
{
	size_t window = memmap_window(wanted);

	while (!memmap_reserve(window)) {
		if (window == WINDOW_MIN_SIZE)
			return false;
		window = max(align_down(window / 2, PAGEBLOCK_SIZE),
			     WINDOW_MIN_SIZE);
	}
	return true;
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

	return memmap_commit(&vm.sections[index],
			     offsetof(struct section, link[n])) &&
	       memmap_commit(pfn_to_page(index << SECTION_ORDER),
			     n * sizeof(struct page));
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
