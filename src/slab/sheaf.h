/*
 * sheaf - an array of free objects of one class, which changes hands as a
 * whole: between the bins of threads and the barns.
 *
 * 1. It lies in metadata; its capacity is what fits the unit it was given.
 * 2. object[0] to object[nr - 1] are free. In a bin, which knows its top, nr
 *    says nothing.
 * 3. `end` points to itself: a word that is not its address times KEY_FACTOR,
 *    and so no object's. Not to one word for all sheaves: while the CPU still
 *    takes it for an object, it prepares to write to it, and takes its line
 *    from the other CPUs.
 * 4. One owner at a time, a bin or a lane, whose lock is the sheaf's.
 */
#ifndef ZBM_SHEAF_H
#define ZBM_SHEAF_H

#include "base/base.h"

struct sheaf {
	struct sheaf *next;
	uint16_t capacity;
	uint16_t nr;
	void *end;	/* what a pop of nothing finds */
	void *object[];
};

#define SHEAF_MIN_CAPACITY	5	/* objects: 64 bytes in all */

/* An empty sheaf for at least `want` objects; NULL without memory. */
struct sheaf *sheaf_alloc(size_t want);
void sheaf_free(struct sheaf *sheaf);

/* One for at least `want` objects in the place of this empty one, or of none
 * (NULL). Without memory what there was. */
struct sheaf *sheaf_fit(struct sheaf *sheaf, size_t want);

/* A stack of sheaves; its count may be read without the lock, as a hint. */
static inline struct sheaf *sheaf_pop(struct sheaf **stack, uint16_t *nr)
{
	struct sheaf *sheaf = *stack;

	if (sheaf) {
		*stack = sheaf->next;
		__atomic_store_n(nr, *nr - 1, __ATOMIC_RELAXED);
	}
	return sheaf;
}

static inline void sheaf_push(struct sheaf **stack, uint16_t *nr,
			      struct sheaf *sheaf)
{
	sheaf->next = *stack;
	*stack = sheaf;
	__atomic_store_n(nr, *nr + 1, __ATOMIC_RELAXED);
}

#endif
