/*
 * micro - what the micro benchmarks share: what a row means, and how a row
 * gets its blocks, sizes and arrays.
 *
 * 1. A row reports nanoseconds for one malloc together with its free, where
 *    the rule in the head of its file says nothing else. Of a row of one
 *    thread that does all the work the suite reads `cpu_time`, which others on
 *    the machine disturb least. Of all others it reads `real_time`, as the CPU
 *    time is that of the benchmark's own threads alone. With threads that is
 *    the wall time over the pairs of all threads together: two threads that do
 *    not hinder each other show half the time of one.
 * 2. A block is used as a program would: its first word is written.
 * 3. What a row draws at random is drawn before the clock starts, from a
 *    fixed seed: the same under every allocator.
 * 4. The rows' own arrays are mapped, or on the stack: never of the allocator
 *    under test. What the benchmark library allocates lies between the timed
 *    loops.
 * 5. The compiler knows nothing of a block that has gone through micro_use:
 *    no pair of calls can be elided.
 */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include "../shim.h"
#include "../splitmix.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#define array_size(a)	(sizeof(a) / sizeof((a)[0]))

#define MIXED		(-1)	/* in place of a size: drawn sizes */
#define BATCH		64	/* blocks, or pairs per look at the state */
#define NR_SIZES	1024	/* drawn sizes; a multiple of BATCH */
#define MAX_THREADS	256	/* of a row */
#define PAGE		4096	/* bytes between two touches */

/* Sizes that are gone through in turn, a batch at a time. */
struct micro_sizes {
	size_t nr, next;
	uint32_t size[NR_SIZES];	/* bytes */
};

/* All of one size, or drawn for MIXED: small, as programs have them. */
void micro_sizes_init(struct micro_sizes *sizes, int64_t size);

static inline const uint32_t *micro_sizes_batch(struct micro_sizes *sizes)
{
	const uint32_t *batch = &sizes->size[sizes->next];

	sizes->next += BATCH;
	if (sizes->next == sizes->nr)
		sizes->next = 0;
	return batch;
}

/* 8 to 1023 bytes, each power of two as likely as the next; one in 256 has
 * up to 16 KiB. 250 bytes in the mean. */
uint32_t micro_draw_size(uint64_t *seed);

void micro_shuffle(uint16_t *item, size_t n, uint64_t *seed);

/* Zeroed, straight from the kernel. */
void *micro_map(size_t size);
void micro_unmap(void *p, size_t size);

_Noreturn void micro_die(const char *message);

static inline void *micro_use(void *p)
{
	if (!p)
		micro_die("out of memory");
	*(volatile uint64_t *)p = 1;
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

/* Writes a word in each page. */
static inline void micro_touch(void *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		*(volatile uint64_t *)((char *)p + i) = 1;
}

/* Registers the row with "/SIZE" added to its name, by its first range. */
void micro_add(const struct shim_bench *bench);

/* The counts of threads that rows are for: 1, 2, and, where there are more
 * CPUs, their number, made even for rows of couples. Returns how many. */
size_t micro_thread_counts(int counts[3]);

#endif
