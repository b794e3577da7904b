#include "heap/heap.h"
#include "heap/thread_heap.h"
#include "base/options.h"
#include "os/llc.h"
#include "os/os.h"

/* Slow paths between two looks at the clock, which costs as much as they. */
#define TICK_PERIOD	8

/* Objects in a sheaf that is flushed as fast as it fills. */
#define SURPLUS_WANT	16

/* Slow paths between two looks at whose objects a bin reuses. Odd, for most
 * programs repeat themselves after an even number. */
#define FOREIGN_PERIOD	17

static inline struct heap *heap_tick(struct heap *heap)
{
	uint64_t now;

	if (likely(++heap->ticks % TICK_PERIOD))
		return heap;
	now = os_now_ms();
	if (unlikely(topology.max_nodes > 1 || llc_is_divided()))
		heap = heap_follow(heap, now);
	if (unlikely(now >= heap->due_ms))
		heap_tick_slow(heap, now);
	return heap;
}

/* Where pages are asked for, it is worth a look each time. */
static inline struct heap *heap_tick_pages(struct heap *heap)
{
	if (unlikely(topology.max_nodes > 1))
		heap->ticks |= TICK_PERIOD - 1;
	return heap_tick(heap);
}

static struct barn *heap_barn(const struct heap *heap, const struct bin *bin)
{
	return &heap->barns->barn[bin->class];
}

static void bin_set_main(struct heap *heap, struct bin *bin,
			 struct sheaf *sheaf, size_t count)
{
	bin_count_calls(heap, bin);
	bin->main_given = (uint16_t)count;
	bin_point_main(bin, sheaf, count);
}

/* Main is empty, and there is a spare: each takes the other's place. Counts
 * as the two above do, without asking. */
static inline void bin_swap(struct heap *heap, struct bin *bin)
{
	struct sheaf *main = bin_main(bin);
	size_t n = bin_spare_count(bin);

	ASSERT(bin_main_count(bin) == 0 && bin->spare);
	heap->nr_alloc[bin->class] += bin->main_given;
	heap->nr_free[bin->class] += n - bin->spare_given;
	bin->main_lo = bin->spare->object;
	bin->main_top = bin->spare_top;
	bin->main_given = (uint16_t)n;
	bin->spare = main;
	bin->spare_top = main ? main->object : NULL;
	bin->spare_end = main ? main->object + bin_room(bin, main, 0) : NULL;
	bin->spare_given = 0;
}

static inline size_t heap_refill(struct heap *heap, struct bin *bin,
				 void **out, size_t n)
{
	if (likely(topology.max_nodes == 1))
		return barn_refill(heap_barn(heap, bin), heap->number,
				   &heap->pcp, GFP_USER, out, n);
	return heap_refill_near(heap, &heap->pcp, heap_refill_node(heap),
				heap_barn(heap, bin), out, n);
}

/*
 * Main is what this thread has freed. Objects of slabs that serve another heap
 * go home, now and then: a piece of a line that others write to would be handed
 * out here again and again.
 */
static never_inline void bin_send_home(struct heap *heap, struct bin *bin)
{
	void **at = bin->main_lo, **top = bin->main_top;
	void *away[SHEAF_MAX_OBJECTS];
	size_t n = 0;

	for (void **object = at; object < top; object++)
		if (barn_is_foreign(*object, heap->number))
			away[n++] = *object;
		else
			*at++ = *object;
	bin->main_top = at;
	bin->main_given -= (uint16_t)n;
	barn_flush(&heap->pcp, away, n);
}

static bool bin_look_is_due(const struct heap *heap, const struct bin *bin)
{
	return unlikely(heap->ticks % FOREIGN_PERIOD == 0) &&
	       class_group(bin->class) > 1 &&
	       __atomic_load_n(&registry.nr_heaps, __ATOMIC_RELAXED) > 1;
}

/* The empty spare has become too small for what the bin wants. */
static void bin_fit_spare(struct heap *heap, struct bin *bin)
{
	struct sheaf *old = bin->spare, *fit;

	if (!old || old->capacity >= bin->want)
		return;
	fit = barn_get_empty(heap_barn(heap, bin), heap->number, bin->want);
	if (!fit)
		return;
	bin_set_spare(heap, bin, fit, 0);
	sheaf_free(old);
}

/* Lowest on top: what is allocated in a row lies in a row, upwards. Parsing
 * into trees takes a tenth less. */
static void stack_reverse(void **object, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		void *lower = object[i];

		object[i] = object[n - 1 - i];
		object[n - 1 - i] = lower;
	}
}

/* Both stacks are empty: gives main objects. False: no memory. */
static bool bin_refill(struct heap *heap, struct bin *bin)
{
	struct barn *barn = heap_barn(heap, bin);
	struct sheaf *main = bin_main(bin), *full;
	size_t n;

	full = barn_get_full(barn, heap->number, main);
	if (full) {
		bin_set_main(heap, bin, full, full->nr);
		return true;
	}
	if (!main || main->capacity < bin->want) {
		bin_set_main(heap, bin, NULL, 0);
		if (main)
			sheaf_free(main);
		main = barn_get_empty(barn, heap->number, bin->want);
		if (!main)
			return false;
	}
	n = heap_refill(heap, bin, main->object,
			min(bin->want, main->capacity));
	stack_reverse(main->object, n);
	bin_set_main(heap, bin, main, n);
	bin_want_more(bin);
	return n > 0;
}

/* NULL: the bin is empty. */
static void *bin_pop_checked(struct bin *bin)
{
	void *p = bin_pop(bin);

	if (unlikely(!p && bin_main_count(bin)))
		fault_write_after_free(bin->main_top[-1]);
	return p;
}

void *heap_alloc_small(unsigned int class)
{
	struct heap *heap = heap_enter();
	struct bin *bin;
	void *p;

	if (!heap)
		return NULL;
	heap = heap_tick(heap);
	bin = heap_bin(heap, class_bin(class));
	if (bin_main_count(bin) == 0 && bin_spare_count(bin)) {
		bin_swap(heap, bin);
		if (bin_look_is_due(heap, bin))
			bin_send_home(heap, bin);
		bin_want_more(bin);
		bin_fit_spare(heap, bin);
	}
	p = bin_pop_checked(bin);
	if (unlikely(!p) && bin_refill(heap, bin))
		p = bin_pop_checked(bin);
	/* No memory for a sheaf: one object alone. */
	if (!p && heap_refill(heap, bin, &p, 1)) {
		*(uint64_t *)p = 0;
		heap->nr_alloc[class]++;
	}
	heap_leave(heap);
	return p;
}

void *heap_alloc_small_node(unsigned int class, int node)
{
	struct heap *heap = heap_enter();
	struct barn *barn;
	void *p = NULL;

	if (!heap)
		return NULL;
	heap = heap_tick_pages(heap);
	barn = barn_of(node, class);
	if (barn_refill(barn, heap->number, NULL, GFP_USER | GFP_NORETRY, &p,
			1) ||
	    heap_refill_near(heap, NULL, node, barn, &p, 1)) {
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

	bin->want = max(align_down(bin->want / 2, class_group(bin->class)),
			(size_t)min(SURPLUS_WANT,
				    size_classes[bin->class].sheaf_max));
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

	if (spare && bin_main(bin) && bin_main_count(bin) == 0) {
		bin_swap(heap, bin);
		return true;
	}
	if (spare) {
		spare->nr = (uint16_t)bin_spare_count(bin);
		if (!barn_put_full(barn, heap->number, spare)) {
			bin_flush_surplus(heap, bin);
			return true;
		}
		bin_want_more(bin);
	}
	spare = barn_get_empty(barn, heap->number, bin->want);
	bin_set_spare(heap, bin, spare, 0);
	return spare;
}

void heap_free_small(uint64_t word, void *p)
{
	struct heap *heap = heap_tick(heap_enter());
	struct bin *bin = heap_bin(heap, word & PAGE_BIN_MASK);

	*(uint64_t *)p = object_key(p);
	if (word_node(word) != heap->node) {
		heap_free_alien(heap, word, p);
	} else if (bin->spare_top != bin->spare_end ||
		   bin_make_room(heap, bin)) {
		*bin->spare_top++ = p;
	} else {
		barn_flush(&heap->pcp, &p, 1);
		heap->nr_free[bin->class]++;
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
	heap_flush_alien(heap);
}

/* Main of a run bin; NULL for none. */
static void run_bin_set(struct bin *bin, struct sheaf *sheaf, size_t count)
{
	bin_point_main(bin, sheaf, count);
	bin->spare_end = sheaf ? sheaf->object + min(sheaf->capacity,
				 size_classes[bin->class].sheaf_max) :
				 bin->main_top;
}

/* Main is full: hands it to the barn, or its colder half to the pages. */
static void run_bin_make_room(struct heap *heap, struct bin *bin)
{
	struct sheaf *main = bin_main(bin);
	struct barn *barn = heap_barn(heap, bin);
	size_t n = bin_main_count(bin), size = size_classes[bin->class].size;
	size_t half = n - n / 2;

	if (main) {
		main->nr = (uint16_t)n;
		if (!barn_put_full(barn, heap->number, main)) {
			barn_flush_runs(&heap->pcp, main->object, half);
			memmove(main->object, main->object + half,
				(n - half) * sizeof(void *));
			run_bin_set(bin, main, n - half);
			heap->cached_runs -= half * size;
			return;
		}
		heap->cached_runs -= n * size;
	}
	run_bin_set(bin, barn_get_empty(barn, heap->number,
					size_classes[bin->class].sheaf_max), 0);
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

static struct page *alloc_run_pages(struct heap *heap, size_t n, size_t align,
				    int class)
{
	return run_init(alloc_pages_exact_node(&heap->pcp, GFP_RUN, n, align,
					       heap->near), n, class);
}

/* The node was named, and it is no one else's that is wanted. */
static struct page *alloc_run_pages_of(size_t n, size_t align, int class,
				       int node)
{
	gfp_t gfp = GFP_USER | GFP_MOVABLE;
	struct page *page;

	page = alloc_pages_exact_node(NULL, gfp | GFP_THISNODE | GFP_NORETRY,
				      n, align, node);
	if (!page)
		page = alloc_pages_exact_node(NULL, gfp, n, align, node);
	return run_init(page, n, class);
}

struct page *heap_alloc_pages(size_t n, size_t align, int class, int node)
{
	struct heap *heap = heap_enter();
	struct page *page;

	if (!heap)
		return NULL;
	heap = heap_tick_pages(heap);
	page = node < 0 ? alloc_run_pages(heap, n, align, class) :
			  alloc_run_pages_of(n, align, class, node);
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
	run_bin_set(bin, full, full->nr);
	heap->cached_runs += full->nr * size_classes[bin->class].size;
}

void *heap_alloc_run(unsigned int class, bool *dirty)
{
	struct heap *heap = heap_enter();
	struct bin *bin;
	struct page *page;

	if (!heap)
		return NULL;
	heap = heap_tick_pages(heap);
	bin = heap_bin(heap, class_bin(class));
	if (!bin_main_count(bin))
		run_bin_refill(heap, bin);
	page = heap_pop_run(heap, class);
	if (!page) {
		page = alloc_run_pages(heap,
				       size_classes[class].size >> PAGE_SHIFT,
				       PAGE_SIZE, (int)class);
		heap->nr_alloc[class] += page != NULL;
	}
	heap_leave(heap);
	if (!page)
		return NULL;
	*dirty = word_state(page_word(page)) & RUN_DIRTY;
	return page_address(page);
}

bool heap_grow_run(struct page *page, unsigned int class)
{
	size_t n = size_classes[class].size >> PAGE_SHIFT;
	uint64_t word = page_word(page);
	struct heap *heap = heap_enter();
	bool grown = extend_pages_exact(page, run_nr_pages(page), n);

	if (grown) {
		run_set_nr_pages(page, n);
		page_set_word(page, word_make_run(word_node(word), (int)class,
						  word_state(word)));
		heap->nr_free[word_class(word)]++;
		heap->nr_alloc[class]++;
	}
	heap_leave(heap);
	return grown;
}

void heap_free_run(struct page *page)
{
	uint64_t word = page_word(page);
	unsigned int class = (unsigned int)word_class(word);
	struct heap *heap = heap_tick(heap_enter());
	struct bin *bin = heap_bin(heap, class_bin(class));

	if (bin->main_top == bin->spare_end)
		run_bin_make_room(heap, bin);
	if (!heap_push_run(heap, page, word)) {
		heap->nr_free[class]++;
		free_pages_exact(&heap->pcp, page, run_nr_pages(page));
	}
	heap_leave(heap);
}
