/*
 * slab - a run of pages cut into objects of one small class.
 *
 * 1. Its descriptor lies in metadata; every page's word names it. The pages
 *    are one naturally aligned block, objects start at its start: an
 *    object's place is its address masked.
 * 2. An object is in use (in a sheaf, or the program's), or its bit in `free`
 *    is set.
 *
 *	nr_free = bits set in free
 *	in use  = nr_objects - nr_free
 *
 * 3. A page is asleep until an object on it is first taken, and again when
 *    it was purged because all of them were free. Its word has no bin offset
 *    then, for no object that starts there may be freed.
 *    A page that came dirty from the page allocator and was not needed yet is
 *    stale: asleep, and yet in memory. Others that wake together are brought
 *    into memory together, if they will be written.
 * 4. In a page that is awake an object that is not the program's carries its
 *    key in its first word: its address times KEY_FACTOR.
 * 5. Under the lock of its barn.
 */
#ifndef ZBM_SLAB_H
#define ZBM_SLAB_H

#include "base/list.h"
#include "mm/memmap.h"
#include "mm/meta.h"
#include "mm/pcp.h"
#include "slab/size_class.h"

/* Odd, so that no key is 0; drawn by lot, so that nobody else multiplies by
 * it; of 32 bits with a sign, so that x86-64 needs no register for it. */
#define KEY_FACTOR	((uint64_t)-0x4c1b2973L)

struct barn;

struct slab {
	struct list link;	/* in its barn's partial list */
	struct barn *barn;	/* atomic: changed under its lock */
	uint32_t pfn;
	uint8_t class;
	uint16_t nr_objects;
	uint16_t nr_free;
	uint16_t seen_free;	/* nr_free at the last sweep */
	uint8_t nr_asleep;	/* pages */
	uint8_t sweep;		/* the last sweep that looked at it */
	uint8_t taker;		/* heap that was last served from it. Atomic */
	bool isolated;		/* off its list: swept, or on its way to another
				 * barn */
	uint32_t stale;		/* pages asleep that may be resident, by bit */
	alignas(64) uint64_t free[SLAB_MAX_OBJECTS / 64];
};

static_assert(sizeof(struct slab) == 2 * META_UNIT, "two cache lines");

/* No live object starts in the page. */
static inline bool word_is_asleep(uint64_t word)
{
	return (word & PAGE_BIN_MASK) == 0;
}

static force_inline uint64_t object_key(const void *p)
{
	return (uintptr_t)p * KEY_FACTOR;
}

static inline bool object_has_key(const void *p)
{
	return *(const uint64_t *)p == object_key(p);
}

static inline struct slab *word_slab(uint64_t word)
{
	return meta_pointer(word_handle(word));
}

static inline bool slab_is_unused(const struct slab *slab)
{
	return slab->nr_free == slab->nr_objects;
}

static inline bool slab_is_full(const struct slab *slab)
{
	return slab->nr_free == 0;
}

/* Byte offset in its slab of a pointer into one. */
static inline size_t slab_offset(unsigned int class, const void *p)
{
	return (uintptr_t)p & ((PAGE_SIZE << size_classes[class].slab_order) -
			       1);
}

/* The pointer is to the start of one of the class's objects. */
static inline bool slab_is_object(unsigned int class, const void *p)
{
	return is_multiple(slab_offset(class, p), size_classes[class].magic);
}

/* Pages of the node, a descriptor, words: NULL without memory. Takes no barn
 * lock. */
struct slab *slab_create(struct pcp *pcp, gfp_t gfp, unsigned int class,
			 int node);

/* The slab is unused, and no longer in a list. Takes no barn lock. */
void slab_destroy(struct pcp *pcp, struct slab *slab);

/* Hands out up to n objects; how many. The lowest is the last: a stack pops it
 * first, so what is allocated in a row lies in a row, upwards. Parsing into
 * trees takes a tenth less. */
size_t slab_take(struct slab *slab, void **out, size_t n);

/* Takes objects back, up to the first that is another slab's or free already;
 * how many. */
size_t slab_put(struct slab *slab, void **objects, size_t n);

/* Purges pages that hold free objects only, and puts them to sleep. Without
 * the lock, while the slab is isolated; pages purged. */
size_t slab_sweep(struct slab *slab);

/* No object starts there: it is what is left behind the last one. */
bool slab_ends_before(const struct slab *slab, const void *p);

/* Is the object the slab's own, not handed out? For messages. */
bool slab_has(const struct slab *slab, const void *p);

void slab_validate(const struct slab *slab);

#endif
