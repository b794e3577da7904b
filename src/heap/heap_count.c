/*
 * heap_count - what all heaps hold and have handed out, by class.
 *
 * 1. Bins count nothing for this: what went through one is told from what a
 *    refill gave it and what it has left; the heap's counters have the rest.
 * 2. Threads go on meanwhile: a figure is one that was or may be.
 */
#include "heap/thread_heap.h"

/* Other threads' bins are read while they move: what comes out torn is cut
 * to what can be. */
__attribute__((no_sanitize("thread")))
static void bin_count(const struct bin *bin, unsigned int class,
		      struct heap_counts *counts)
{
	const struct sheaf *sheaf = bin->spare;
	size_t most = size_classes[class].sheaf_max;
	size_t main = bin_main_count(bin), spare = sheaf ? sheaf->nr : 0;
	size_t given = bin->given, popped = bin->popped;

	main = main > most ? 0 : main;
	spare = spare > most ? 0 : spare;
	popped = max(popped, given > main ? given - main : 0);
	counts->nr_cached += main + spare;
	if (!class_is_small(class))
		return;
	counts->nr_alloc += popped;
	if (popped + main > given)
		counts->nr_free += popped + main - given;
}

__attribute__((no_sanitize("thread")))
static void heap_count_one(const struct heap *heap, unsigned int class,
			   struct heap_counts *counts)
{
	bin_count(&heap->bin[class + 1], class, counts);
	if (class_is_paired(class))
		bin_count(heap_node_bin(heap, heap->node,
					class_free_bin(class)),
			  class, counts);
	counts->nr_alloc += heap->nr_alloc[class];
	counts->nr_free += heap->nr_free[class];
	for_each_alien(node, heap)
		bin_count(heap_node_bin(heap, (int)node,
					class_free_bin(class)),
			  class, counts);
}

void heap_count(unsigned int class, struct heap_counts *counts)
{
	const struct heap *shared = heap_shared();

	*counts = (struct heap_counts){ 0 };
	lock_acquire(&registry.lock);
	if (shared)
		heap_count_one(shared, class, counts);
	for (struct heap *heap = registry.heaps; heap; heap = heap->next)
		heap_count_one(heap, class, counts);
	lock_release(&registry.lock);
}

size_t heap_nr(void)
{
	return nr_heaps() + (heap_shared() != NULL);
}

void heap_validate(void)
{
	struct heap_counts counts;

	page_alloc_validate();
	for_each_barn(barn)
		barn_validate(barn);
	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		heap_count(class, &counts);
		CHECK(counts.nr_free <= counts.nr_alloc || registry.lost);
	}
}
