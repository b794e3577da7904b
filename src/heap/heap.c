#include "heap/thread_heap.h"

/* What a bin wants that has been emptied: so many bytes of objects, and so
 * many objects at most when it is flushed as fast as it fills, or was at a
 * stroke. */
#define EMPTIED_BYTES	8192UL
#define SURPLUS_WANT	16
#define DROPPED_WANT	64

/* Bytes of objects that share lines which a thread hands to itself in turn. */
#define ROUND_BYTES	16384UL

/* Slow paths between two looks at whose objects a bin reuses. Odd, for most
 * programs repeat themselves after an even number. */
#define FOREIGN_PERIOD	17

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
 * Main is what this thread has freed, or others. Objects of slabs that serve
 * another heap go home, now and then: a piece of a line that others write to
 * would be handed out here again and again.
 */
static never_inline void bin_send_home(struct heap *heap, struct bin *bin)
{
	void **at = bin->lo, **top = bin->top;
	void *away[SHEAF_MAX_OBJECTS];
	size_t n = 0;

	for (void **object = at; object < top; object++)
		if (barn_is_foreign(*object, heap->number))
			away[n++] = *object;
		else
			*at++ = *object;
	bin->top = at;
	bin->given -= (uint16_t)n;
	barn_flush(&heap->pcp, away, n);
}

static bool bin_may_be_foreign(const struct bin *bin)
{
	return class_is_dense(bin->class) && nr_heaps() > 1;
}

static bool bin_look_is_due(const struct heap *heap, const struct bin *bin)
{
	return unlikely(heap->ticks % FOREIGN_PERIOD == 0) &&
	       bin_may_be_foreign(bin);
}

/* Its first and last objects are of slabs that serve another heap: so are most,
 * where one thread has freed what others had. */
static bool sheaf_is_foreign(const struct sheaf *sheaf, uint8_t heap)
{
	return barn_is_foreign(sheaf->object[0], heap) &&
	       barn_is_foreign(sheaf->object[sheaf->nr - 1], heap);
}

/*
 * Main has just come from the other bin of the pair, and had `before` objects
 * the last time. A thread that allocates and frees in turn comes here each time
 * all objects have been through its hands: the more there are, the less often,
 * but the more of its cache they pass through. One that allocates many before
 * it frees them should have no more than these: it would come here in the
 * middle of each round.
 */
static void bin_widen(struct heap *heap, struct bin *bin, size_t before)
{
	unsigned int group = class_group(bin->class);
	size_t n = bin_main_count(bin), got;
	size_t most = ROUND_BYTES / size_classes[bin->class].size;
	void *more[SHEAF_MAX_OBJECTS];

	most = min(most, (size_t)min(bin->want, bin_main(bin)->capacity));
	most = align_down(most, group);
	if (n + before >= most)
		return;
	got = heap_refill(heap, bin, more, most - n - before);
	/* Below: those that are there are warm. */
	memmove(bin->lo + got, bin->lo, n * sizeof(void *));
	memcpy(bin->lo, more, got * sizeof(void *));
	bin->top += got;
	bin->given += (uint16_t)got;
}

/* How many objects to take of slabs: what a thread caches stays in proportion
 * to what it has. */
static size_t bin_share(struct heap *heap, struct bin *bin)
{
	unsigned int group = class_group(bin->class);
	size_t live;

	bin_count_calls(heap, bin);
	bin_count_calls(heap, bin_taker(heap, bin));
	live = heap->nr_alloc[bin->class] - heap->nr_free[bin->class];
	return min((size_t)bin->want,
		   max(align_down(live / 4, group),
		       (size_t)max(group, (unsigned int)SHEAF_MIN_CAPACITY)));
}

/* Objects that were freed and can become main at once. */
static inline size_t bin_nr_freed(struct heap *heap, const struct bin *bin)
{
	return class_is_paired(bin->class) ?
		bin_main_count(bin_taker(heap, bin)) : bin_spare_count(bin);
}

static inline void bin_make_freed_main(struct heap *heap, struct bin *bin)
{
	if (class_is_paired(bin->class))
		bin_exchange(heap, bin, bin_taker(heap, bin));
	else
		bin_swap(heap, bin);
}

/* The same with a look at whose objects they are, when that is due. */
static inline void bin_reuse_freed(struct heap *heap, struct bin *bin)
{
	bin_make_freed_main(heap, bin);
	if (bin_look_is_due(heap, bin))
		bin_send_home(heap, bin);
}

/* Main is empty: what was freed takes its place. False: nothing was. */
static bool bin_take_freed(struct heap *heap, struct bin *bin)
{
	size_t before = bin->given;

	if (!bin_nr_freed(heap, bin))
		return false;
	bin_reuse_freed(heap, bin);
	if (bins_count_miss(heap, bin) && class_is_paired(bin->class))
		bin_widen(heap, bin, before);
	return true;
}

/* Nothing was freed: gives main objects. False: no memory. */
static bool bin_refill(struct heap *heap, struct bin *bin)
{
	struct barn *barn = heap_barn(heap, bin);
	struct sheaf *main = bin_main(bin), *full;
	size_t n;

	full = barn_get_full(barn, heap->number, main);
	if (full) {
		main = full;
		bin_set_main(heap, bin, full, full->nr);
		if (bin_may_be_foreign(bin) &&
		    sheaf_is_foreign(full, heap->number))
			bin_send_home(heap, bin);
		if (bin_main_count(bin))
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
	bins_count_miss(heap, bin);
	return n > 0;
}

/* NULL: the bin is empty. */
static void *bin_pop_checked(struct bin *bin)
{
	void *p = bin_pop_counted(bin);

	if (unlikely(!p && bin_main_count(bin)))
		fault_write_after_free(bin->top[-1]);
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
	if (heap->watched && !--heap->watched && heap == thread_heap())
		thread_stop_watching();
	bin = heap_bin(heap, class_bin(class));
	p = bin_pop_checked(bin);
	if (!p && (bin_take_freed(heap, bin) || bin_refill(heap, bin)))
		p = bin_pop_checked(bin);
	/* No memory for a sheaf: one object alone. */
	if (!p && heap_refill(heap, bin, &p, 1)) {
		*(uint64_t *)p = 0;
		heap->nr_alloc[class]++;
	}
	heap_leave(heap);
	return p;
}

/* Main is empty, something was freed, and nothing else is due: most often that
 * is all there is to it. NULL: there is more. */
static inline void *bin_next(struct heap *heap, struct bin *bin)
{
	unsigned int ticks = heap->ticks + 1;

	if (unlikely(bin_main_count(bin) || !bin_nr_freed(heap, bin) ||
		     !bin->until_more ||
		     ticks % TICK_PERIOD == 0 || ticks % FOREIGN_PERIOD == 0 ||
		     heap->watched))
		return NULL;
	heap->ticks = ticks;
	bin->until_more--;
	bin_make_freed_main(heap, bin);
	return bin_pop_counted(bin);
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

/* Nothing was allocated since calls were last counted; of a class that is not
 * paired, as far as that shows. */
static bool bins_are_untouched(struct heap *heap, const struct bin *bin)
{
	return !bin_nr_popped(bin_giver(heap, bin));
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
	bool untouched = bins_are_untouched(heap, bin);
	size_t half = align_down(bin->want / 2U, class_group(bin->class));

	bins_set_want(heap, bin, min((size_t)bin->want,
				     max(half, emptied_want(bin,
							    SURPLUS_WANT))));
	bin_flush_spare(heap, bin);
	if (untouched)
		bin_flush_main(heap, bin_giver(heap, bin));
	/* What lies in lanes holds slabs, too. */
	if (barn_is_sparse(barn) && barn_nr_cached(barn))
		barn_shrink_lanes(barn, RECLAIM_CACHES);
}

/* The thread has freed more than a stack of what it has allocated, and nothing
 * is allocated meanwhile: a tree is dropped, say. Slabs hand that out in a row
 * again, and do not keep it if the thread rests then. */
static bool bins_are_dropped(struct heap *heap, const struct bin *bin)
{
	return bin_main_count(bin_giver(heap, bin)) &&
	       bins_are_untouched(heap, bin);
}

static void bins_flush_dropped(struct heap *heap, const struct bin *bin)
{
	bins_set_want(heap, bin, min((size_t)bin->want,
				     emptied_want(bin, DROPPED_WANT)));
	bins_flush(heap, bin);
}

/* Spare goes into the slabs, which hand it out in a row. But a thread that has
 * not allocated meanwhile may rest soon: see bin_flush_surplus. */
static void bin_flush_scattered(struct heap *heap, struct bin *bin)
{
	if (bins_are_untouched(heap, bin))
		bin_flush_surplus(heap, bin);
	else
		bin_flush_spare(heap, bin);
}

/* Spare goes to the barn, and an empty sheaf takes its place, or none without
 * memory. False: nobody takes it. */
static bool bin_pass_on_spare(struct heap *heap, struct bin *bin)
{
	struct sheaf *empty;

	if (!barn_put_full(heap_barn(heap, bin), heap->number, bin->spare,
			   bin->want, &empty))
		return false;
	bin->spare = empty;
	bins_count_miss(heap, bin);
	return true;
}

/* Spare is full, and so is main, or what there is in its place: spare goes to
 * the barn, or to the slabs, and the rest with it if the thread may rest. */
static void bin_empty_spare(struct heap *heap, struct bin *bin)
{
	struct barn *barn = heap_barn(heap, bin);
	bool spread = barn_is_spread(barn, nr_heaps());

	if (barn_is_sparse(barn))
		bin_flush_surplus(heap, bin);
	else if (spread && bins_are_dropped(heap, bin))
		bins_flush_dropped(heap, bin);
	else if (spread && barn_is_scattered(barn, bin->spare))
		bin_flush_scattered(heap, bin);
	else if (!bin_pass_on_spare(heap, bin))
		bin_flush_surplus(heap, bin);
	/* What is allocated from now on is to show the next time. */
	bin_count_calls(heap, bin_giver(heap, bin));
}

/* Nothing was allocated since a stack of large objects was last emptied: the
 * thread may rest, and nobody else can take what it holds. */
static bool bin_may_rest(struct heap *heap, const struct bin *bin)
{
	return class_is_bulky(bin->class) && bins_are_untouched(heap, bin);
}

/* A full main may wait as the spare: not that of a pair, which has two stacks
 * without, nor where the thread frees more than it allocates. */
static bool bin_may_have_spare(struct heap *heap, const struct bin *bin)
{
	return !class_is_paired(bin->class) && !bin_may_rest(heap, bin) &&
	       heap->nr_alloc[bin->class] >= heap->nr_free[bin->class];
}

/* Main is full, or not there. False: no memory for a sheaf. */
static bool bin_make_room(struct heap *heap, struct bin *bin)
{
	struct bin *giver = bin_giver(heap, bin);
	bool may_have_spare;

	if (giver != bin && bin_main_count(bin) && bin_main(giver) &&
	    !bin_main_count(giver)) {
		bin_reuse_freed(heap, giver);
		return true;
	}
	/* First, for to empty the spare counts the calls. */
	may_have_spare = bin_may_have_spare(heap, bin);
	if (bin_spare_count(bin))
		bin_empty_spare(heap, bin);
	else if (bin_main_count(bin) && may_have_spare)
		bins_count_miss(heap, bin);
	if (bin_main_count(bin) && bin->top == bin->end && !may_have_spare) {
		bin_swap(heap, bin);
		bin_empty_spare(heap, bin);
	}
	if (bin->top != bin->end)
		return true;
	bin_fit_spare(heap, bin);
	bin_swap(heap, bin);
	return bin->top != bin->end;
}

/* The same of the bin of another node's objects. */
static bool heap_make_room(struct heap *heap, struct bin *bin, uint64_t word)
{
	return word_node(word) == heap->node ?
	       bin_make_room(heap, bin) : alien_make_room(heap, bin, word);
}

void heap_free_small(uint64_t word, void *p)
{
	struct heap *heap = heap_tick(heap_enter());
	struct bin *bin = heap_node_bin(heap, word_node(word),
					word & PAGE_BIN_MASK);

	*(uint64_t *)p = object_key(p);
	if (bin->top != bin->end || heap_make_room(heap, bin, word)) {
		*bin->top++ = p;
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
	bin->top = bin->lo;
	heap->cached_runs -= n * size_classes[bin->class].size;
	barn_flush_runs(&heap->pcp, bin->lo, n);
}

static void bin_flush(struct heap *heap, struct bin *bin)
{
	if (!class_is_small(bin->class)) {
		bin_flush_runs(heap, bin);
		return;
	}
	bins_flush(heap, bin);
	/* What it wanted others may want now. */
	if (class_is_bulky(bin->class))
		bin_set_want(bin, min((size_t)bin->want,
				      (size_t)SHEAF_MIN_CAPACITY));
}

/* Where the stacks stand, as a number. */
static uint16_t bin_place(struct heap *heap, const struct bin *bin)
{
	return (uint16_t)(((uintptr_t)bin->top * 31 + bin->popped +
			   (uintptr_t)bin_taker(heap, bin)->top) >> 3);
}

void heap_flush_bins(struct heap *heap, bool all)
{
	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		struct bin *bin = heap_bin(heap, class_bin(class));
		uint16_t place = bin_place(heap, bin);

		if (!all && heap->seen[class] != place) {
			heap->seen[class] = place;
			continue;
		}
		bin_flush(heap, bin);
	}
	heap_flush_alien(heap);
}
