/*
 * free - decoding a pointer is checking it.
 *
 * 1. The page's word says what lies there: an object of a slab, if the pointer
 *    is to the start of one and its key says that it is the program's; a run,
 *    if the pointer is to its start and no stack holds it; nobody's else.
 * 2. Inline (heap.h) only objects are freed, and measured. Here come runs, what
 *    that refused, and NULL.
 * 3. What is in no page of ours is another allocator's, and passed on
 *    (malloc/foreign); if it is nobody's there, it is a fault.
 */
#include "malloc/foreign.h"
#include "malloc/huge.h"
#include "mm/vmscan.h"

bool mem_block_of(const void *p, struct block *block)
{
	unsigned int class;
	uint64_t word;

	if (!vm_contains(p))
		return false;
	block->page = address_to_page(p);
	block->word = word = page_word(block->page);
	switch (word_type(word)) {
	case PAGE_SLAB:
		if (word_is_asleep(word))
			return false;
		class = bin_class(word & PAGE_BIN_MASK);
		block->size = size_classes[class].size;
		return slab_is_object(class, p) && !object_has_key(p);
	case PAGE_RUN:
		block->size = run_nr_pages(block->page) << PAGE_SHIFT;
		return p == page_address(block->page) &&
		       !(word_state(word) & RUN_CACHED);
	default:
		return false;
	}
}

/* A run goes to the thread's bin; false: that is not what it takes. */
static inline bool free_run_on(struct page *page, void *p)
{
	uint64_t word = page_word(page);

	return word_is_class_run(word, p, RUN_CACHED | RUN_GROWN) &&
	       heap_push_run(thread_heap(), page, p, word);
}

static inline bool free_run_fast(void *p)
{
	struct page *end = thread_fast.map_end;
	ptrdiff_t place = map_place(end, p);

	return likely(map_has_place(place)) && free_run_on(&end[place], p);
}

/* In a window that has no map_end: the same, for objects and runs. */
static bool free_in_small_window(void *p)
{
	struct page *page;

	if (!thread_heap() || !vm_contains(p))
		return false;
	page = address_to_page(p);
	return heap_free_on(page, p) || free_run_on(page, p);
}

static cold_path void free_other(void *p)
{
	if (vm_contains(p) || !foreign_free(p))
		fault_bad_pointer("free", p);
}

/* On its own, so that what comes before needs no registers saved. */
static never_inline void free_decoded(void *p)
{
	struct block block;

	if (unlikely(vm.map_end == NO_MAP_END) && free_in_small_window(p))
		return;
	if (unlikely(!mem_block_of(p, &block)))
		free_other(p);
	else if (word_type(block.word) == PAGE_SLAB)
		heap_free_small(block.word, p);
	else if (word_class(block.word) < 0)
		huge_free(block.page);
	else
		heap_free_run(p);
	reclaim_at_fall();
}

hot_path void mem_free_slow(void *p)
{
	if (p && !free_run_fast(p))
		free_decoded(p);
}

size_t mem_usable_size_slow(void *p)
{
	struct block block;
	size_t size;

	if (!p)
		return 0;
	if (likely(mem_block_of(p, &block)))
		return block.size;
	if (vm_contains(p) || !foreign_usable_size(p, &size))
		fault_bad_pointer("malloc_usable_size", p);
	return size;
}
