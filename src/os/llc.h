/*
 * llc - which CPUs share a last-level cache.
 *
 * 1. It is looked up once, when the process gets its second thread: before
 *    that nobody shares anything.
 * 2. It is the cache that /sys calls index3, which is of level 3. Where there
 *    is none, and where one CPU has one for itself (so virtual machines show
 *    it), all CPUs count as one cache.
 * 3. Caches are numbered from 1, by their first CPUs; 0 is for CPUs of which
 *    nothing is known: that came later, or are numbered beyond LLC_CPUS.
 */
#ifndef ZBM_LLC_H
#define ZBM_LLC_H

#include "base/base.h"

#define LLC_CPUS	2048
#define LLC_MAX		255	/* caches; what is beyond counts as the last */

struct llc {
	int nr;				/* caches; 0: not looked up. Atomic */
	uint8_t of_cpu[LLC_CPUS];	/* constant once nr is set */
};

extern struct llc llc;

/* By one caller at a time. */
void llc_init(void);

/* One more cache, of these CPUs, "0-3,8"; how many there are then. False: it
 * is one CPU's, or nobody's. */
bool llc_add(int *nr, const char *cpus);

/* More than one: pairs with the release in llc_init. */
static inline bool llc_is_divided(void)
{
	return __atomic_load_n(&llc.nr, __ATOMIC_ACQUIRE) > 1;
}

/* The cache of the CPU that this thread runs on now. */
int llc_current(void);

#endif
