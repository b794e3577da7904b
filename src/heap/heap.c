#include "heap/heap.h"
#include "heap/thread_heap.h"
#include "base/options.h"
#include "mm/page_alloc.h"
#include "os/os.h"

/* A sheaf grows when it has run out this often: what a thread caches stays
 * in proportion to what it uses. */
#define MISSES_TO_GROW	4

/* Objects in a sheaf that is flushed as fast as it fills. */
#define SURPLUS_WANT	14

static inline void heap_tick(struct heap *heap)
{
	uint64_t now = os_now_ms();

	if (unlikely(now >= heap->due_ms))
		heap_tick_slow(heap, now);
}

static struct barn *heap_barn(const struct heap *heap, const struct bin *bin)
{
	return barn_of(heap->node, bin->class);
}

static void bin_set_main(struct heap *heap, struct bin *bin,
			 struct sheaf *sheaf, size_t count)
{
	bin_count_calls(heap, bin);
	bin->main_given = (uint16_t)count;
	bin->main_lo = sheaf ? sheaf->object : NULL;
	bin->main_top = bin->main_lo + count;
}

/* How far a sheaf may be filled. */
static size_t bin_room(const struct bin *bin, const struct sheaf *sheaf,
		       size_t count)
{
	return max((size_t)min(sheaf->capacity, bin->want), count);
}

static void bin_set_spare(struct heap *heap, struct bin *bin,
			  struct sheaf *sheaf, size_t count)
{
	bin_count_calls(heap, bin);
	bin->spare_given = (uint16_t)count;
	bin->spare = sheaf;
	bin->spare_top = sheaf ? sheaf->object + count : NULL;
	bin->spare_end = sheaf ? sheaf->object + bin_room(bin, sheaf, count) :
				 NULL;
}

static void bin_swap(struct heap *heap, struct bin *bin)
{
	struct sheaf *main = bin_main(bin), *spare = bin->spare;
	size_t main_count = bin_main_count(bin);
	size_t spare_count = bin_spare_count(bin);

	bin_set_spare(heap, bin, main, main_count);
	bin_set_main(heap, bin, spare, spare_count);
}

/* How many objects the bin's next sheaf is for. */
static void bin_want_more(struct bin *bin)
{
	if (++bin->misses < MISSES_TO_GROW)
		return;
	bin->misses = 0;
	bin->want = (uint16_t)min(bin->want * 2 + 2,
				  size_classes[bin->class].sheaf_max);
}

/* Main is empty: gives it objects. False: no memory. */
static bool bin_refill(struct heap *heap, struct bin *bin)
{
	struct barn *barn = heap_barn(heap, bin);
	struct sheaf *main = bin_main(bin), *full;
	size_t n;

	if (bin_spare_count(bin)) {
		bin_swap(heap, bin);
		return true;
	}
	full = barn_get_full(barn, main);
	if (full) {
		bin_set_main(heap, bin, full, full->nr);
		return true;
	}
	if (!main || main->capacity < bin->want) {
		bin_set_main(heap, bin, NULL, 0);
		if (main)
			sheaf_free(main);
		main = barn_get_empty(barn, bin->want);
		if (!main)
			return false;
	}
	n = barn_refill(barn, &heap->pcp, main->object,
			min(bin->want, main->capacity));
	bin_set_main(heap, bin, main, n);
	bin_want_more(bin);
	return n > 0;
}

void *heap_alloc_small(unsigned int class)
{
	struct heap *heap = heap_enter();
	struct bin *bin;
	void *p;

	if (!heap)
		return NULL;
	heap_tick(heap);
	bin = heap_bin(heap, class_bin(class));
	p = bin_pop(bin);
	if (!p && bin_refill(heap, bin))
		p = bin_pop(bin);
	/* No memory for a sheaf: one object alone. */
	if (!p && barn_refill(heap_barn(heap, bin), &heap->pcp, &p, 1)) {
		*(uint64_t *)p = 0;
		heap->nr_alloc[class]++;
	}
	heap_leave(heap);
	return p;
}

/*
 * Nobody takes what this thread frees: it holds on to less. A program that
 * frees everything and then rests should not pin a page by each object that
 * lies in a stack.
 */
static void bin_flush_surplus(struct heap *heap, struct bin *bin)
{
	struct sheaf *main = bin_main(bin), *spare = bin->spare;
	size_t n = bin_main_count(bin);
	bool untouched = n && n == bin->main_given;

	bin->want = max(bin->want / 2,
			min(SURPLUS_WANT, size_classes[bin->class].sheaf_max));
	bin_set_spare(heap, bin, spare, 0);
	barn_flush(&heap->pcp, spare->object, spare->nr);
	if (untouched) {
		bin_set_main(heap, bin, main, 0);
		barn_flush(&heap->pcp, main->object, n);
	}
}

/* Spare is full: makes room in it. False: no memory for a sheaf. */
static bool bin_make_room(struct heap *heap, struct bin *bin)
{
	struct barn *barn = heap_barn(heap, bin);
	struct sheaf *spare = bin->spare;
	size_t n;

	if (spare && bin->main_lo && bin_main_count(bin) == 0) {
		bin_swap(heap, bin);
		return true;
	}
	if (!spare) {
		bin_set_spare(heap, bin, barn_get_empty(barn, bin->want), 0);
		return bin->spare;
	}
	n = bin_spare_count(bin);
	spare->nr = (uint16_t)n;
	/* First it leaves the bin: a child of fork must not find it twice. */
	bin_set_spare(heap, bin, NULL, 0);
	if (barn_put_full(barn, spare)) {
		bin_want_more(bin);
		bin_set_spare(heap, bin, barn_get_empty(barn, bin->want), 0);
		return bin->spare;
	}
	bin_set_spare(heap, bin, spare, n);
	bin_flush_surplus(heap, bin);
	return true;
}

void heap_free_small(uint64_t word, void *p)
{
	unsigned int class = (unsigned int)word_class(word);
	struct heap *heap = heap_enter();
	struct bin *bin = heap_bin(heap, class_bin(class));

	heap_tick(heap);
	*(uint64_t *)p = object_key(p);
	if (word_node(word) == heap->node &&
	    (bin->spare_top != bin->spare_end || bin_make_room(heap, bin))) {
		*bin->spare_top++ = p;
	} else {
		barn_flush(&heap->pcp, &p, 1);
		heap->nr_free[class]++;
	}
	heap_leave(heap);
}

static void bin_flush(struct heap *heap, struct bin *bin)
{
	struct sheaf *main = bin_main(bin), *spare = bin->spare;
	size_t n = bin_main_count(bin);

	if (n && class_is_small(bin->class)) {
		bin_set_main(heap, bin, main, 0);
		barn_flush(&heap->pcp, main->object, n);
	} else if (n) {
		bin->main_top = bin->main_lo;
		heap->cached_runs -= n * size_classes[bin->class].size;
		barn_flush_runs(&heap->pcp, main->object, n);
	}
	n = bin_spare_count(bin);
	if (n) {
		bin_set_spare(heap, bin, spare, 0);
		barn_flush(&heap->pcp, spare->object, n);
	}
}

void heap_flush_bins(struct heap *heap, bool all)
{
	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		struct bin *bin = heap_bin(heap, class_bin(class));
		uint32_t place = (uint32_t)((uintptr_t)bin->main_top * 31 +
					    (uintptr_t)bin->spare_top);

		if (!all && heap->seen[class] != place) {
			heap->seen[class] = place;
			continue;
		}
		bin_flush(heap, bin);
	}
}

/* Room in a run bin's main; false: the run goes to the page allocator. */
static bool run_bin_make_room(struct heap *heap, struct bin *bin)
{
	struct sheaf *main = bin_main(bin);
	struct barn *barn = heap_barn(heap, bin);
	size_t n = bin_main_count(bin), size = size_classes[bin->class].size;
	size_t half = n - n / 2;

	if (heap->cached_runs + size > options.cache)
		return false;
	if (main && n < main->capacity)
		return true;
	if (main) {
		main->nr = (uint16_t)n;
		bin->main_lo = bin->main_top = NULL;
		if (!barn_put_full(barn, main)) {
			bin->main_lo = main->object;
			bin->main_top = main->object + n;
			/* The coldest ones lie at the bottom. */
			barn_flush_runs(&heap->pcp, main->object, half);
			memmove(main->object, main->object + half,
				(n - half) * sizeof(void *));
			bin->main_top -= half;
			heap->cached_runs -= half * size;
			return true;
		}
		heap->cached_runs -= n * size;
	}
	main = barn_get_empty(barn, size_classes[bin->class].sheaf_max);
	bin->main_lo = bin->main_top = main ? main->object : NULL;
	return main;
}

static struct page *alloc_run_pages(struct heap *heap, size_t n, size_t align,
				    int class)
{
	struct page *page = alloc_pages_exact(&heap->pcp,
					      GFP_USER | GFP_MOVABLE, n,
					      align);

	if (!page)
		return NULL;
	page->nr_pages = (uint32_t)n;
	page_set_word(page, word_make(PAGE_RUN, page_zone(page)->node,
				      (unsigned int)(class + 1),
				      word_high(page_word(page))));
	return page;
}

struct page *heap_alloc_pages(size_t n, size_t align, int class)
{
	struct heap *heap = heap_enter();
	struct page *page;

	if (!heap)
		return NULL;
	heap_tick(heap);
	page = alloc_run_pages(heap, n, align, class);
	heap_leave(heap);
	return page;
}

void heap_free_pages(struct page *page, size_t n)
{
	struct heap *heap = heap_enter();

	heap_tick(heap);
	free_pages_exact(&heap->pcp, page, n);
	heap_leave(heap);
}

/* The top of main, filled from the barn if it is empty; NULL: none there. */
static struct page *run_bin_pop(struct heap *heap, struct bin *bin)
{
	struct sheaf *full;
	struct page *page;

	if (!bin_main_count(bin)) {
		full = barn_get_full(heap_barn(heap, bin), bin_main(bin));
		if (!full)
			return NULL;
		bin->main_lo = full->object;
		bin->main_top = bin->main_lo + full->nr;
		heap->cached_runs += full->nr * size_classes[bin->class].size;
	}
	page = pfn_to_page(address_to_pfn(*--bin->main_top));
	heap->cached_runs -= size_classes[bin->class].size;
	return page;
}

void *heap_alloc_run(unsigned int class, bool *dirty)
{
	struct heap *heap = heap_enter();
	struct page *page;
	uint64_t word;

	if (!heap)
		return NULL;
	heap_tick(heap);
	page = run_bin_pop(heap, heap_bin(heap, class_bin(class)));
	if (page) {
		word = page_word(page);
		ASSERT(word_high(word) & RUN_CACHED);
		page_set_word(page, word & ~((uint64_t)RUN_CACHED <<
					     PAGE_HIGH_SHIFT));
	} else {
		page = alloc_run_pages(heap,
				       size_classes[class].size >> PAGE_SHIFT,
				       PAGE_SIZE, (int)class);
	}
	if (page) {
		heap->nr_alloc[class]++;
		*dirty = word_high(page_word(page)) & RUN_DIRTY;
	}
	heap_leave(heap);
	return page ? page_address(page) : NULL;
}

void heap_free_run(struct page *page)
{
	uint64_t word = page_word(page);
	unsigned int class = (unsigned int)word_class(word);
	struct heap *heap = heap_enter();
	struct bin *bin = heap_bin(heap, class_bin(class));

	heap_tick(heap);
	heap->nr_free[class]++;
	if (word_node(word) == heap->node && run_bin_make_room(heap, bin)) {
		page_set_word(page, word | (uint64_t)(RUN_CACHED | RUN_DIRTY)
					   << PAGE_HIGH_SHIFT);
		*bin->main_top++ = page_address(page);
		heap->cached_runs += size_classes[class].size;
	} else {
		free_pages_exact(&heap->pcp, page, page->nr_pages);
	}
	heap_leave(heap);
}
