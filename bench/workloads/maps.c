/*
 * maps - large blocks in turn.
 *
 * Origin: programs that work on whole arrays, images or files (NumPy's
 * temporaries, a decoder's frames): each step allocates its result and frees
 * its input.
 *
 * 1. Blocks have 1 to 64 MiB, each doubling as likely as the next. One step
 *    allocates a block, writes to each cache line of it, reads the block of
 *    the step before, and frees that. So two blocks are live.
 * 2. Most come from malloc. Some come from calloc, and must be zero. Some grow
 *    to their size by realloc, as when reading what has no known length.
 * 3. What is slow here is an allocator that gives pages back to the system
 *    which the next step needs.
 * 4. An operation is a block.
 */
#include "workload.h"

#define NR_STEPS	1450
#define UNIT		MIB
#define UNIT_BITS	6	/* blocks are below 2^UNIT_BITS units */
#define PAGE		4096	/* bytes from one line that must be zero to the
				   next: block_fill leaves something in each */

struct block {
	char *memory;
	size_t size;
	uint64_t tag;
};

static void check_zero(const char *memory, size_t size)
{
	uint64_t sum = 0;

	for (size_t at = 0; at + CACHE_LINE <= size; at += PAGE) {
		for (size_t i = 0; i < CACHE_LINE; i += sizeof(sum))
			sum |= word_get(memory + at + i);
	}
	if (sum)
		block_corrupt(memory, size);
}

/* By half as much again; what was read so far must be there. */
static char *grow_to(size_t size, uint64_t tag)
{
	size_t room = UNIT;
	char *memory = take(room);

	while (room < size) {
		size_t old = room;

		block_fill(memory, room, tag);
		room += room / 2;
		if (room > size)
			room = size;
		memory = need(realloc(memory, room));
		block_check(memory, old, tag);
	}
	return memory;
}

static void block_make(struct block *block, struct random *random)
{
	uint64_t dice = random_below(random, 10);

	/* No multiple of a page, as results seldom are. */
	block->size = random_skewed(random, UNIT_BITS) * UNIT +
		random_below(random, UNIT);
	block->tag = random_next(random);
	if (dice == 0) {
		block->memory = grow_to(block->size, block->tag);
	} else if (dice == 1) {
		block->memory = need(calloc(block->size, 1));
		check_zero(block->memory, block->size);
	} else {
		block->memory = take(block->size);
	}
	block_fill(block->memory, block->size, block->tag);
}

static uint64_t block_use(struct block *block)
{
	block_check(block->memory, block->size, block->tag);
	free(block->memory);
	return mix(block->tag + block->size);
}

static void maps_run(struct run *run)
{
	uint64_t nr = run_scaled(run, NR_STEPS);
	struct random random = { .state = 64 };
	struct block before, block;

	block_make(&before, &random);
	for (uint64_t i = 1; i < nr; i++) {
		block_make(&block, &random);
		run_sample(run);
		run->checksum += block_use(&before);
		before = block;
	}
	run->checksum += block_use(&before);
	run->operations = nr;
}

const struct workload workload_maps = {
	.name = "maps",
	.origin = "blocks of 1 to 64 MiB in turn, written and read; programs "
		  "that work on whole arrays",
	.seconds = 5.5,
	.run = maps_run,
};
