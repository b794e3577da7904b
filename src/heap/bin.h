/*
 * bin - the stacks of a class in a heap: how they change places and grow.
 *
 * 1. `main` is what malloc pops and free pushes, or, of a paired class, one of
 *    them. It is filled as far as the bin wants, not as far as there is room.
 * 2. `given` and `popped` tell how many calls there were since they were last
 *    counted; so that is done before anything but calls changes main.
 * 3. A bin wants more after so many misses: it ran out, or over. Both bins of a
 *    pair want the same. Those of bulky objects want so many bytes at most in
 *    sum; who has not used one for a while wants little of it again.
 */
#ifndef ZBM_BIN_H
#define ZBM_BIN_H

#include "heap/heap.h"

static inline struct barn *heap_barn(const struct heap *heap,
				     const struct bin *bin)
{
	return &heap->barns->barn[bin->class];
}

/* The bin that hands out what is freed into this one, and the other way round.
 * The same one, unless the class is paired. */
static inline struct bin *bin_giver(struct heap *heap, const struct bin *bin)
{
	return heap_bin(heap, class_bin(bin->class));
}

static inline struct bin *bin_taker(struct heap *heap, const struct bin *bin)
{
	return heap_bin(heap, class_free_bin(bin->class));
}

/* Stands in for a main that is not there. */
extern const union no_sheaf {
	struct sheaf sheaf;
	void *room[sizeof(struct sheaf) / sizeof(void *) + 1];
} no_sheaf;

/* How far it is filled: as the bin wants. */
static inline void bin_point_main(struct bin *bin, struct sheaf *sheaf,
				  size_t count)
{
	if (!sheaf)
		sheaf = (struct sheaf *)(uintptr_t)&no_sheaf.sheaf;
	bin->lo = sheaf->object;
	bin->top = bin->lo + count;
	bin->end = bin->lo + max((size_t)min(sheaf->capacity, bin->want),
				 count);
}

/* NULL: there is none. */
static inline struct sheaf *bin_main(const struct bin *bin)
{
	struct sheaf *main = container_of(bin->lo, struct sheaf, object[0]);

	return main == &no_sheaf.sheaf ? NULL : main;
}

static inline size_t bin_main_count(const struct bin *bin)
{
	return (size_t)(bin->top - bin->lo);
}

static inline size_t bin_spare_count(const struct bin *bin)
{
	return bin->spare ? bin->spare->nr : 0;
}

/* Objects popped since calls were last counted, at least so many. */
static inline size_t bin_nr_popped(const struct bin *bin)
{
	size_t n = bin_main_count(bin);

	return max((size_t)bin->popped, bin->given > n ? bin->given - n : 0);
}

/* Calls since then go into the heap's sums, before anything but calls changes
 * main. */
static inline void bin_count_calls(struct heap *heap, struct bin *bin)
{
	size_t n = bin_main_count(bin), popped = bin_nr_popped(bin);

	heap->nr_alloc[bin->class] += popped;
	heap->nr_free[bin->class] += popped + n - bin->given;
	bin->popped = 0;
	bin->given = (uint16_t)n;
}

static inline void bin_set_main(struct heap *heap, struct bin *bin,
				struct sheaf *sheaf, size_t count)
{
	bin_count_calls(heap, bin);
	bin->given = (uint16_t)count;
	bin_point_main(bin, sheaf, count);
}

/* What a heap's bins of bulky objects want in sum at most, beyond a smallest
 * sheaf each: a thread that rests may keep it twice, in main and spare. */
#define BULKY_BYTES	(512UL << 10)

/* Beyond a smallest sheaf. */
static inline size_t bin_extra_bytes(const struct bin *bin)
{
	size_t want = max((size_t)bin->want, (size_t)SHEAF_MIN_CAPACITY);

	return (want - SHEAF_MIN_CAPACITY) * size_classes[bin->class].size;
}

/* A sheaf grows when it has run out this often: what a thread caches stays
 * in proportion to what it uses. */
#define MISSES_TO_GROW	4

static inline void bin_set_want(struct bin *bin, size_t want)
{
	size_t most = size_classes[bin->class].sheaf_max;

	bin->want = (uint16_t)min(want, most);
	bin->until_more = want < most ? MISSES_TO_GROW - 1 : UINT8_MAX;
}

/* A miss. True: so many that the bin is to want more. */
static inline bool bin_count_miss(struct bin *bin)
{
	if (likely(bin->until_more)) {
		bin->until_more--;
		return false;
	}
	return true;
}

/* It does from now on, up to `most`: how many objects its next sheaf is for. */
static inline void bin_want_more(struct bin *bin, size_t most)
{
	size_t more = bin->want * 2U + max(2U, class_group(bin->class));

	bin_set_want(bin, max((size_t)bin->want, min(more, most)));
}

/* Empty, of the class; `want` is that of the first refill. */
void bin_init(struct bin *bin, unsigned int class);

/* Main and spare, where each is there or not, take each other's place. */
void bin_swap(struct heap *heap, struct bin *bin);

/* The stacks of a pair change places. */
void bin_exchange(struct heap *heap, struct bin *bin, struct bin *other);

/* The empty spare is to have room for what the bin wants, as far as there is
 * memory. */
void bin_fit_spare(struct heap *heap, struct bin *bin);

/* Of both bins of the class. */
void bins_set_want(struct heap *heap, const struct bin *bin, size_t want);

/* A bin of the class ran out, or over. True: both want more from now on, and
 * have room. */
bool bins_count_miss(struct heap *heap, const struct bin *bin);

/* The objects of main, which may be of any node, go into their slabs; those of
 * the spare; and all that the heap keeps of the class. */
void bin_flush_main(struct heap *heap, struct bin *bin);
void bin_flush_spare(struct heap *heap, struct bin *bin);
void bins_flush(struct heap *heap, const struct bin *bin);

#endif
