/*
 * size_class - from a size to a class and back.
 *
 * 1. Steps of 16 bytes to 128, then four classes per doubling to 1 KiB, eight
 *    to 8 KiB, and four to 4 MiB: above 128 bytes at most a fifth is lost, and
 *    of objects that have pages of their own only what they do not touch. Each
 *    is 16-byte aligned.
 * 2. Classes below 16 KiB are small: objects in slabs. The others are runs
 *    of pages, one object each.
 * 3. A class has a bin in each heap, named by its byte offset there, so that
 *    finding it costs no multiplication. Bin 0 is nobody's. A class whose
 *    objects share lines is paired: what is freed goes into a second bin.
 */
#ifndef ZBM_SIZE_CLASS_H
#define ZBM_SIZE_CLASS_H

#include "base/param.h"

#define FIRST_BULKY_CLASS	16	/* above 512 bytes */
#define NR_SMALL_CLASSES	47
#define NR_CLASSES		80
#define SMALL_MAX		14336UL		/* bytes */
#define CLASS_MAX		(4UL << 20)	/* bytes */
#define LOOKUP_MAX		4096UL		/* bytes; by table */

#define BIN_SHIFT		6		/* a bin is a cache line */
#define NR_PAIRED_CLASSES	7		/* below 128 bytes */
#define NR_BINS			(NR_CLASSES + 1 + NR_PAIRED_CLASSES)

#define SLAB_MAX_ORDER		5
#define SLAB_MAX_OBJECTS	512
#define SHEAF_MAX_OBJECTS	125	/* 1 KiB with its header */

struct size_class {
	uint32_t size;		/* bytes */
	uint16_t nr_objects;	/* in a slab; 0: a run */
	uint8_t slab_order;
	uint8_t sheaf_max;	/* objects of the largest sheaf */
	uint64_t magic;		/* 2^64 / size, rounded up: see is_multiple */
};

extern struct size_class size_classes[NR_CLASSES];

/* Bin offset of a size up to LOOKUP_MAX, by (size + 15) / 16. */
extern uint16_t size_class_bins[LOOKUP_MAX / MIN_ALIGN + 1];

void size_class_init(void);

/* size <= CLASS_MAX; 0 counts as 1. */
static inline unsigned int size_class_of(size_t size)
{
	unsigned int log;

	if (size <= 128)
		return size ? (unsigned int)(size - 1) / 16 : 0;
	size--;
	log = log2_floor(size);
	if (size < 1024)
		return 8 + (log - 7) * 4 + (size >> (log - 2) & 3);
	if (size < 8192)
		return 20 + (log - 10) * 8 + (size >> (log - 3) & 7);
	return 44 + (log - 13) * 4 + (size >> (log - 2) & 3);
}

/*
 * Is n a multiple of the small class's size? Then n * magic is n / size times
 * what the magic was rounded up by, so less than n; else it is at least the
 * magic, which is above 2^50. n < 2^30.
 */
static force_inline bool is_multiple(size_t n, uint64_t magic)
{
	return n * magic < 1UL << 30;
}

static inline bool class_is_paired(unsigned int class)
{
	return class < NR_PAIRED_CLASSES;
}

/* Where malloc takes objects from. */
static inline size_t class_bin(unsigned int class)
{
	return (size_t)(class + 1) << BIN_SHIFT;
}

/* Where free puts them: of classes that are not paired the same. */
static inline size_t class_free_bin(unsigned int class)
{
	return class_is_paired(class) ?
		(size_t)(NR_CLASSES + 1 + class) << BIN_SHIFT :
		class_bin(class);
}

/* The class whose bin this is; the offset is not 0. */
static inline unsigned int bin_class(size_t offset)
{
	unsigned int n = (unsigned int)(offset >> BIN_SHIFT) - 1;

	return n < NR_CLASSES ? n : n - NR_CLASSES;
}

static inline bool class_is_small(unsigned int class)
{
	return class < NR_SMALL_CLASSES;
}

/* A page has several of its objects: whose the neighbours are matters. */
static inline bool class_is_dense(unsigned int class)
{
	return size_classes[class].size <= 1024;
}

/* Small, and yet so large that what a thread keeps is bounded by bytes, in the
 * sum of these classes (bin.c). */
static inline bool class_is_bulky(unsigned int class)
{
	return class >= FIRST_BULKY_CLASS && class_is_small(class);
}

/* Objects that one thread takes at a time, a power of two: of those below 128
 * bytes so many that two threads do not share a pair of cache lines. */
static inline unsigned int class_group(unsigned int class)
{
	return class_is_paired(class) ? 8 : 1;
}

#endif
