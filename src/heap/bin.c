#include "heap/bin.h"

const union no_sheaf no_sheaf = {
	.sheaf = { .end = (void *)(uintptr_t)&no_sheaf.sheaf.end },
};

/* Objects of a new bin's first refill: a group, else what lies in one page,
 * at most a smallest sheaf. */
static uint16_t bin_first_want(unsigned int class)
{
	size_t n = PAGE_SIZE / size_classes[class].size;

	n = min(max(n, 1UL), (size_t)SHEAF_MIN_CAPACITY);
	return (uint16_t)max(n, (size_t)class_group(class));
}

void bin_init(struct bin *bin, unsigned int class)
{
	bin->class = (uint8_t)class;
	bin_set_want(bin, class_is_small(class) ? bin_first_want(class) :
			  size_classes[class].sheaf_max);
	bin_point_main(bin, NULL, 0);
	bin->magic = size_classes[class].magic;
	bin->slab_mask = (uint32_t)
		(PAGE_SIZE << size_classes[class].slab_order) - 1;
}

void bin_swap(struct heap *heap, struct bin *bin)
{
	struct sheaf *main = bin_main(bin), *spare = bin->spare;

	if (main)
		main->nr = (uint16_t)bin_main_count(bin);
	bin_set_main(heap, bin, spare, bin_spare_count(bin));
	bin->spare = main;
}

void bin_exchange(struct heap *heap, struct bin *bin, struct bin *other)
{
	struct sheaf *main = bin_main(bin), *others = bin_main(other);
	size_t n = bin_main_count(bin);

	bin_set_main(heap, bin, others, bin_main_count(other));
	bin_set_main(heap, other, main, n);
}

void bin_fit_spare(struct heap *heap, struct bin *bin)
{
	struct sheaf *spare = bin->spare, *fit;

	if (spare && spare->capacity >= bin->want)
		return;
	fit = barn_get_empty(heap_barn(heap, bin), heap->number, bin->want);
	if (!fit)
		return;
	bin->spare = fit;
	if (spare)
		sheaf_free(spare);
}

/* Main, too, where its objects move. */
static void bin_grow_main(struct heap *heap, struct bin *bin)
{
	struct sheaf *main = bin_main(bin), *fit = NULL;
	size_t n = bin_main_count(bin);

	if (main && main->capacity < bin->want)
		fit = barn_get_empty(heap_barn(heap, bin), heap->number,
				     bin->want);
	if (fit) {
		memcpy(fit->object, main->object, n * sizeof(void *));
		sheaf_free(main);
	}
	bin_set_main(heap, bin, fit ? fit : main, n);
}

void bins_set_want(struct heap *heap, const struct bin *bin, size_t want)
{
	bin_set_want(bin_giver(heap, bin), want);
	bin_set_want(bin_taker(heap, bin), want);
}

/* How many objects of its class the bin may want. */
static size_t bin_most(struct heap *heap, const struct bin *bin)
{
	size_t left = BULKY_BYTES;

	if (!class_is_bulky(bin->class))
		return SHEAF_MAX_OBJECTS;
	left += bin_extra_bytes(bin);
	for (unsigned int class = FIRST_BULKY_CLASS; class < NR_SMALL_CLASSES;
	     class++)
		left -= bin_extra_bytes(heap_bin(heap, class_bin(class)));
	return SHEAF_MIN_CAPACITY + left / size_classes[bin->class].size;
}

bool bins_count_miss(struct heap *heap, const struct bin *bin)
{
	struct bin *giver = bin_giver(heap, bin);
	struct bin *taker = bin_taker(heap, bin);

	if (likely(!bin_count_miss(giver)))
		return false;
	bin_want_more(giver, bin_most(heap, giver));
	bin_grow_main(heap, giver);
	if (taker != giver) {
		bin_set_want(taker, giver->want);
		bin_grow_main(heap, taker);
	}
	return true;
}

void bin_flush_main(struct heap *heap, struct bin *bin)
{
	size_t n = bin_main_count(bin);

	if (!n)
		return;
	bin_set_main(heap, bin, bin_main(bin), 0);
	barn_flush(&heap->pcp, bin->lo, n);
}

void bin_flush_spare(struct heap *heap, struct bin *bin)
{
	size_t n = bin_spare_count(bin);

	if (!n)
		return;
	bin->spare->nr = 0;
	barn_flush(&heap->pcp, bin->spare->object, n);
}

void bins_flush(struct heap *heap, const struct bin *bin)
{
	struct bin *taker = bin_taker(heap, bin);

	bin_flush_main(heap, bin_giver(heap, bin));
	bin_flush_main(heap, taker);
	bin_flush_spare(heap, taker);
}
