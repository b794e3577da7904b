#include "heap/thread_heap.h"

/* What a bin wants that has been emptied: so many bytes of objects, and so
 * many objects at most when it is flushed as fast as it fills, or was at a
 * stroke. */
#define EMPTIED_BYTES	8192UL
#define SURPLUS_WANT	16
#define DROPPED_WANT	64

/* Bytes of objects that a thread hands to itself in turn; twice as many of
 * those that share lines. */
#define ROUND_BYTES	8192UL

/* Slow paths between two looks at whose objects a bin reuses. Odd, for most
 * programs repeat themselves after an even number. */
#define FOREIGN_PERIOD	17

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
	       class_is_dense(bin->class) &&
	       nr_heaps() > 1;
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

/*
 * Main has just been swapped in, and had `before` objects the last time. A
 * thread that allocates and frees in turn swaps each time all objects have been
 * through its hands: the more there are, the less often, but the more of its
 * cache they pass through. One that allocates many before it frees them should
 * have no more than these: it would swap in the middle of each round.
 */
static void bin_widen(struct heap *heap, struct bin *bin, size_t before)
{
	unsigned int group = class_group(bin->class);
	size_t n = bin_main_count(bin), got;
	size_t most = ROUND_BYTES * min(group, 2U) /
		      size_classes[bin->class].size;
	void *more[SHEAF_MAX_OBJECTS];

	most = min(most, (size_t)(bin->spare_end - bin->spare_top));
	most = align_down(min(most, (size_t)bin_main(bin)->capacity), group);
	if (n + before >= most)
		return;
	got = heap_refill(heap, bin, more, most - n - before);
	/* Below: those that are there are warm. */
	memmove(bin->main_lo + got, bin->main_lo, n * sizeof(void *));
	memcpy(bin->main_lo, more, got * sizeof(void *));
	bin->main_top += got;
	bin->main_given += (uint16_t)got;
}

/* How many objects to take of slabs: what a thread caches stays in proportion
 * to what it has. */
static size_t bin_share(struct heap *heap, struct bin *bin)
{
	unsigned int group = class_group(bin->class);
	size_t live;

	bin_count_calls(heap, bin);
	live = heap->nr_alloc[bin->class] - heap->nr_free[bin->class];
	return min((size_t)bin->want,
		   max(align_down(live / 4, group),
		       (size_t)max(group, (unsigned int)SHEAF_MIN_CAPACITY)));
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
			min(bin_share(heap, bin), (size_t)main->capacity));
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

static never_inline void *heap_alloc_small_slow(unsigned int class)
{
	struct heap *heap = heap_enter();
	struct bin *bin;
	void *p;

	if (!heap)
		return NULL;
	heap = heap_tick(heap);
	bin = heap_bin(heap, class_bin(class));
	if (bin_main_count(bin) == 0 && bin_spare_count(bin)) {
		size_t before = bin->main_given;
		bool more = bin_want_more(bin);

		bin_swap(heap, bin);
		if (bin_look_is_due(heap, bin))
			bin_send_home(heap, bin);
		bin_fit_spare(heap, bin);
		if (more)
			bin_widen(heap, bin, before);
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

/* Main is empty, spare is not, and nothing else is due: most often that is all
 * there is to it. */
static inline bool bin_has_next(const struct heap *heap, const struct bin *bin)
{
	unsigned int ticks = heap->ticks + 1;

	return bin_main_count(bin) == 0 && bin_spare_count(bin) &&
	       bin->until_more && ticks % TICK_PERIOD &&
	       ticks % FOREIGN_PERIOD &&
	       bin_main_or_none(bin)->capacity >= bin->want;
}

/* NULL: there is more to it. */
static inline void *bin_next(struct heap *heap, struct bin *bin)
{
	if (unlikely(!bin_has_next(heap, bin)))
		return NULL;
	heap->ticks++;
	bin->until_more--;
	bin_swap(heap, bin);
	return bin_pop(bin);
}

hot_path void *heap_alloc_small(unsigned int class)
{
	struct heap *heap = thread_heap();
	void *p = NULL;

	if (likely(heap))
		p = bin_next(heap, heap_bin(heap, class_bin(class)));
	return likely(p) ? p : heap_alloc_small_slow(class);
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

static void bin_flush_main(struct heap *heap, struct bin *bin)
{
	struct sheaf *main = bin_main(bin);
	size_t n = bin_main_count(bin);

	if (!n)
		return;
	bin_set_main(heap, bin, main, 0);
	barn_flush(&heap->pcp, main->object, n);
}

void bin_flush_spare(struct heap *heap, struct bin *bin)
{
	struct sheaf *spare = bin->spare;
	size_t n = bin_spare_count(bin);

	if (!n)
		return;
	bin_set_spare(heap, bin, spare, 0);
	barn_flush(&heap->pcp, spare->object, n);
}

static void bin_flush_stacks(struct heap *heap, struct bin *bin)
{
	bin_flush_main(heap, bin);
	bin_flush_spare(heap, bin);
}

/* Nothing was allocated since one of the stacks came. */
static bool bin_is_untouched(const struct bin *bin)
{
	return bin_main_count(bin) == bin->main_given;
}

static size_t emptied_want(const struct bin *bin, size_t most)
{
	return min(most, max(EMPTIED_BYTES / size_classes[bin->class].size,
			     2UL));
}

/*
 * Nobody takes what this thread frees: it holds on to less. A program that
 * frees everything and then rests should not pin a page by each object that
 * lies in a stack.
 */
static void bin_flush_surplus(struct heap *heap, struct bin *bin)
{
	struct barn *barn = heap_barn(heap, bin);
	bool untouched = bin_is_untouched(bin);

	bin_set_want(bin, max(align_down(bin->want / 2U,
					 class_group(bin->class)),
			      emptied_want(bin, SURPLUS_WANT)));
	bin_flush_spare(heap, bin);
	if (untouched)
		bin_flush_main(heap, bin);
	/* What lies in lanes holds slabs, too. */
	if (barn_is_sparse(barn) && barn_nr_cached(barn))
		barn_shrink_lanes(barn, RECLAIM_CACHES);
}

/* The thread frees more than two stacks of what it has allocated, and nothing
 * is allocated meanwhile: a tree is dropped, say. Slabs hand that out in a row
 * again, and do not keep it if the thread rests then. */
static bool bin_is_dropped(const struct bin *bin)
{
	return bin_main_count(bin) && bin_is_untouched(bin);
}

static void bin_flush_dropped(struct heap *heap, struct bin *bin)
{
	bin_set_want(bin, min((size_t)bin->want,
			      emptied_want(bin, DROPPED_WANT)));
	bin_flush_stacks(heap, bin);
}

/* Spare goes into the slabs, which hand it out in a row. But a thread that has
 * not allocated meanwhile may rest soon: see bin_flush_surplus. */
static void bin_flush_scattered(struct heap *heap, struct bin *bin)
{
	if (bin_is_untouched(bin))
		bin_flush_surplus(heap, bin);
	else
		bin_flush_spare(heap, bin);
}

/* Spare goes to the barn, or to the slabs; *empty takes its place. False: it
 * is there still, and empty. */
static bool bin_put_spare(struct heap *heap, struct bin *bin,
			  struct sheaf **empty)
{
	struct barn *barn = heap_barn(heap, bin);
	struct sheaf *spare = bin->spare;
	bool spread = barn_is_spread(barn, nr_heaps());

	spare->nr = (uint16_t)bin_spare_count(bin);
	if (barn_is_sparse(barn))
		bin_flush_surplus(heap, bin);
	else if (spread && bin_is_dropped(bin))
		bin_flush_dropped(heap, bin);
	else if (spread && barn_is_scattered(barn, spare))
		bin_flush_scattered(heap, bin);
	else if (barn_put_full(barn, heap->number, spare, bin->want, empty))
		return true;
	else
		bin_flush_surplus(heap, bin);
	return false;
}

/* Spare is full: makes room in it. False: no memory for a sheaf. */
static bool bin_make_room(struct heap *heap, struct bin *bin)
{
	struct sheaf *spare = bin->spare, *empty;

	if (spare && bin_main(bin) && bin_main_count(bin) == 0) {
		bin_swap(heap, bin);
		return true;
	}
	if (spare) {
		if (!bin_put_spare(heap, bin, &empty))
			return true;
		bin_want_more(bin);
	} else {
		empty = barn_get_empty(heap_barn(heap, bin), heap->number,
				       bin->want);
	}
	bin_set_spare(heap, bin, empty, 0);
	return empty;
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

static void bin_flush_runs(struct heap *heap, struct bin *bin)
{
	size_t n = bin_main_count(bin);

	if (!n)
		return;
	bin->main_top = bin->main_lo;
	heap->cached_runs -= n * size_classes[bin->class].size;
	barn_flush_runs(&heap->pcp, bin->main_lo, n);
}

static void bin_flush(struct heap *heap, struct bin *bin)
{
	if (class_is_small(bin->class))
		bin_flush_stacks(heap, bin);
	else
		bin_flush_runs(heap, bin);
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
