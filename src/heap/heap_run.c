/*
 * heap_run - the bins of run classes, and pages for what has no class.
 *
 * 1. What a thread may not cache (option cache), and what its bin has no room
 *    for, goes to the barn as far as that takes it; the rest to the zones,
 *    and all of it where memory is short.
 * 2. A run that has grown is not cached: its pages go to the zone.
 * 3. A cached run's word says so. It is pushed and claimed by atomic
 *    operations on that word, for others may purge it meanwhile (page_alloc).
 */
#include "heap/thread_heap.h"
#include "mm/pieces.h"

/* Main is full, or the thread caches more than it may: hands it to the barn,
 * or its colder half to the pages. */
static void run_bin_make_room(struct heap *heap, struct bin *bin)
{
	struct sheaf *main = bin_main(bin), *empty;
	struct barn *barn = heap_barn(heap, bin);
	size_t n = bin_main_count(bin), size = size_classes[bin->class].size;
	size_t half = n - n / 2, want = size_classes[bin->class].sheaf_max;

	if (main) {
		main->nr = (uint16_t)n;
		if (!barn_put_full(barn, heap->number, main, want, &empty)) {
			barn_flush_runs(&heap->pcp, main->object, half);
			memmove(main->object, main->object + half,
				(n - half) * sizeof(void *));
			bin_point_main(bin, main, n - half);
			heap->cached_runs -= half * size;
			return;
		}
		heap->cached_runs -= n * size;
	} else {
		empty = barn_get_empty(barn, heap->number, want);
	}
	bin_point_main(bin, empty, 0);
}

#define GFP_RUN	(GFP_USER | GFP_HIGHMEM | GFP_MOVABLE)

static struct page *run_init(struct page *page, size_t n, int class)
{
	if (!page)
		return NULL;
	run_set_nr_pages(page, n);
	page_set_word(page, word_make_run(page_zone(page)->node, class,
					  word_state(page_word(page))));
	return page;
}

static struct page *alloc_run_pages(struct heap *heap, gfp_t gfp, size_t n,
				    size_t align, int class)
{
	return run_init(alloc_pages_exact_node(&heap->pcp, GFP_RUN | gfp, n,
					       align, heap->near), n, class);
}

/* The node was named, and it is no one else's that is wanted. */
static struct page *alloc_run_pages_of(gfp_t gfp, size_t n, size_t align,
				       int class, int node)
{
	struct page *page;

	gfp |= GFP_USER | GFP_MOVABLE;
	page = alloc_pages_exact_node(NULL, gfp | GFP_THISNODE | GFP_NORETRY,
				      n, align, node);
	if (!page)
		page = alloc_pages_exact_node(NULL, gfp, n, align, node);
	return run_init(page, n, class);
}

struct page *heap_alloc_pages(gfp_t gfp, size_t n, size_t align, int class,
			      int node)
{
	struct heap *heap = heap_enter();
	struct page *page;

	if (!heap)
		return NULL;
	heap = heap_tick_pages(heap);
	page = node < 0 ? alloc_run_pages(heap, gfp, n, align, class) :
			  alloc_run_pages_of(gfp, n, align, class, node);
	if (page && class >= 0)
		heap->nr_alloc[class]++;
	heap_leave(heap);
	return page;
}

void heap_free_pages(struct page *page, size_t n)
{
	struct heap *heap = heap_tick(heap_enter());

	free_pages_exact(&heap->pcp, page, n);
	heap_leave(heap);
}

/* Main is empty: a full sheaf of the barn's takes its place. */
static void run_bin_refill(struct heap *heap, struct bin *bin)
{
	struct sheaf *full = barn_get_full(heap_barn(heap, bin), heap->number,
					   bin_main(bin));

	if (!full)
		return;
	bin_point_main(bin, full, full->nr);
	heap->cached_runs += full->nr * size_classes[bin->class].size;
}

void *heap_alloc_run(unsigned int class, size_t align, bool *dirty)
{
	struct heap *heap = heap_enter();
	void *p = NULL;
	struct bin *bin;
	struct page *page;

	if (!heap)
		return NULL;
	heap = heap_tick_pages(heap);
	bin = heap_bin(heap, class_bin(class));
	if (!bin_main_count(bin))
		run_bin_refill(heap, bin);
	/* Most runs of a power of two pages are as aligned as they are long. */
	if (bin_main_count(bin) && (uintptr_t)bin->top[-1] % align == 0)
		p = heap_pop_run(heap, class);
	if (!p) {
		page = alloc_run_pages(heap, 0,
				       size_classes[class].size >> PAGE_SHIFT,
				       align, (int)class);
		p = page ? page_address(page) : NULL;
		heap->nr_alloc[class] += p != NULL;
	}
	heap_leave(heap);
	if (p)
		*dirty = word_state(page_word(address_to_page(p))) & RUN_DIRTY;
	return p;
}

/* It will not be wanted again as long as it is now, but where it lies the next
 * one finds room. */
static void run_set_grown(struct page *page, size_t n)
{
	if (n >= GROW_MIN_PAGES)
		page_set_word(page, page_word(page) |
				    word_state_bits(RUN_GROWN));
}

struct page *heap_grow_run(struct page *page, unsigned int class)
{
	size_t n = size_classes[class].size >> PAGE_SHIFT;
	uint64_t word = page_word(page);
	struct heap *heap = heap_tick_pages(heap_enter());
	struct page *to = run_init(
		grow_pages_exact(&heap->pcp, page, run_nr_pages(page), n), n,
		(int)class);

	if (to) {
		heap->nr_alloc[class]++;
		heap->nr_free[word_class(word)] += to == page;
		run_set_grown(to, n);
	}
	heap_leave(heap);
	return to;
}

/* More than the thread may cache: goes on to the barn with what lies in the
 * bin. False: nobody may keep it. */
static bool run_bin_pass_on(struct heap *heap, struct bin *bin,
			    struct page *page, void *p, uint64_t word)
{
	if (!options.cache || reclaim_is_pressed() ||
	    !run_bin_has_room(heap, bin, word))
		return false;
	run_bin_push(heap, bin, page, p, word);
	run_bin_make_room(heap, bin);
	return true;
}

/* False: it goes back to its zone. */
static bool run_bin_take(struct heap *heap, struct bin *bin, struct page *page,
			 void *p, uint64_t word)
{
	if (word_state(word) & RUN_GROWN)
		return false;
	if (bin->top == bin->end)
		run_bin_make_room(heap, bin);
	return heap_push_run(heap, page, p, word) ||
	       run_bin_pass_on(heap, bin, page, p, word);
}

void heap_free_run(void *p)
{
	struct page *page = address_to_page(p);
	uint64_t word = page_word(page);
	unsigned int class = (unsigned int)word_class(word);
	struct heap *heap = heap_tick(heap_enter());

	if (!run_bin_take(heap, heap_bin(heap, class_bin(class)), page, p,
			  word)) {
		heap->nr_free[class]++;
		free_pages_exact(&heap->pcp, page, run_nr_pages(page));
	}
	heap_leave(heap);
}
