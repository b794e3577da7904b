/*
 * fragment - a heap of constant size whose mix of sizes changes.
 *
 * After: M. Johnstone and P. Wilson, "The Memory Fragmentation Problem:
 * Solved?", ISMM 1998, and P. Wilson, M. Johnstone, M. Neely and D. Boles,
 * "Dynamic Storage Allocation: A Survey and Critical Review", IWMM 1995,
 * which calls what happens here the effect of phases.
 *
 * 1. A phase has its range of sizes, within which small ones are as likely as
 *    large ones on a logarithmic scale. In each phase TURNOVER times the live
 *    bytes are allocated; random victims make room. So some objects of each
 *    phase outlive several others and lie where later sizes could. The phases
 *    come in turn, NR_CYCLES times.
 * 2. How far the peak of resident memory lies above LIVE_BYTES (and the table
 *    of objects) is the fragmentation.
 * 3. An operation is an object's life.
 */
#include "workload.h"

#define LIVE_BYTES	(48 * MIB)
#define TURNOVER	1
#define NR_CYCLES	3	/* through all phases */
#define MAX_OBJECTS	(4 * MIB)	/* room in the table, not used up */

struct object {
	void *block;
	uint32_t size;
	uint32_t tag;
};

struct phase {
	size_t low, high;	/* sizes in bytes */
};

struct heap {
	struct random random;
	struct object *objects;
	size_t nr;
	size_t bytes;
	uint64_t checksum;
	uint64_t operations;
};

static const struct phase phases[] = {
	{ 16, 63 },		{ 200, 1000 },		{ 24, 300 },
	{ 5000, 40000 },	{ 48, 56 },		{ 1000, 9000 },
	{ 16, 100000 },		{ 64, 500 },		{ 30000, 300000 },
	{ 32, 127 },		{ 2000, 2100 },		{ 16, 4000 },
};

static unsigned int log2_floor(size_t n)
{
	return 63 - (unsigned int)__builtin_clzl(n);
}

/* Each power of two of the range is as likely as the next. */
static size_t draw_size(struct random *random, const struct phase *phase)
{
	size_t power = 1UL << random_between(random, log2_floor(phase->low),
					     log2_floor(phase->high));
	size_t low = power < phase->low ? phase->low : power;
	size_t high = 2 * power - 1 > phase->high ? phase->high :
		2 * power - 1;

	return random_between(random, low, high);
}

static void object_free(struct heap *heap, size_t i)
{
	struct object *object = &heap->objects[i];

	block_check(object->block, object->size, object->tag);
	heap->checksum += mix(object->tag + object->size);
	heap->bytes -= object->size;
	free(object->block);
	*object = heap->objects[--heap->nr];
}

static void object_make(struct heap *heap, size_t size)
{
	struct object *object = &heap->objects[heap->nr++];

	object->size = (uint32_t)size;
	object->tag = (uint32_t)random_next(&heap->random);
	object->block = take(size);
	block_fill(object->block, size, object->tag);
	heap->bytes += size;
	heap->operations++;
}

static void run_phase(struct heap *heap, const struct phase *phase,
		      size_t live)
{
	size_t allocated = 0;

	while (allocated < TURNOVER * live) {
		size_t size = draw_size(&heap->random, phase);

		while (heap->nr && (heap->bytes + size > live ||
				    heap->nr == MAX_OBJECTS))
			object_free(heap, random_below(&heap->random,
						       heap->nr));
		object_make(heap, size);
		allocated += size;
	}
}

static void fragment_run(struct run *run)
{
	struct heap heap = { .random.state = 1998 };
	size_t live = run_scaled(run, LIVE_BYTES);

	heap.objects = take(MAX_OBJECTS * sizeof(heap.objects[0]));
	for (size_t i = 0; i < NR_CYCLES * array_size(phases); i++) {
		run_phase(&heap, &phases[i % array_size(phases)], live);
		run_sample(run);
	}
	while (heap.nr)
		object_free(&heap, heap.nr - 1);
	free(heap.objects);
	run->checksum = heap.checksum;
	run->operations = heap.operations;
}

const struct workload workload_fragment = {
	.name = "fragment",
	.origin = "48 MiB of objects whose sizes change by phases; Johnstone "
		  "& Wilson 1998",
	.seconds = 2.1,
	.run = fragment_run,
};
