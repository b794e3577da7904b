/*
 * meta - memory for the allocator's own structures, never for users.
 *
 * 1. It comes from a reservation of its own, cut from the end down and
 *    committed as it grows; it is never given back to the kernel. Before the
 *    largest window there is room for it (memmap.h, rule 6).
 * 2. Sizes are powers of two from 64 bytes; what is freed waits in a list
 *    of its size for the next of that size.
 * 3. An object can be named by a handle: its distance from the end in units
 *    of 64 bytes, below 2^29. Handle 0 names nothing.
 * 4. Every call may fail (NULL): commit limits hold for metadata too.
 */
#ifndef ZBM_META_H
#define ZBM_META_H

#include "base/lock.h"
#include "base/param.h"

#define META_UNIT	64	/* bytes; the smallest object */
#define META_MAX_SIZE	(1UL << 20)	/* bytes; the largest object */
/* Objects of this size, large sheaves, begin at an odd half of it. A program's
 * array of pointers begins at the start of a page, as a rule. While it reads
 * one to free what is there, and we write a stack whose addresses have the same
 * 12 low bits a few entries on, each read waits for a write: 40 % of a pair. */
#define META_SKEWED	1024	/* bytes */
#define META_HANDLE_BITS	29	/* so many fit a page's word */
/* Bytes that handles reach, and there is room for at most. */
#define META_MAX_TOTAL	((size_t)META_UNIT << META_HANDLE_BITS)
#define META_ORDERS	15	/* 64 bytes to 1 MiB */

struct meta {
	struct lock lock;
	char *end;
	size_t size;		/* bytes reserved, before it */
	size_t committed;	/* bytes */
	size_t used;		/* bytes cut */
	size_t in_use;		/* bytes of live objects */
	void *free[META_ORDERS];
};

extern struct meta meta;

/* For a window of so many bytes. `room` bytes before `end` are reserved and
 * may be used. */
bool meta_init(size_t window, char *end, size_t room);

/* Commits ahead, so that `size` bytes can be cut in all, and some more where
 * that is used up. False: refused. */
bool meta_reserve(size_t size);

/* Zeroed when it is fresh and when it is recycled. */
void *meta_alloc(size_t size);
void meta_free(void *p, size_t size);

static inline void *meta_pointer(uint32_t handle)
{
	return meta.end - (size_t)handle * META_UNIT;
}

static inline uint32_t meta_handle(const void *p)
{
	return (uint32_t)((size_t)(meta.end - (const char *)p) / META_UNIT);
}

static inline bool meta_contains(const void *p)
{
	return (uintptr_t)meta.end - (uintptr_t)p - 1 <
	       __atomic_load_n(&meta.committed, __ATOMIC_RELAXED);
}

/* Rounds up to what meta_alloc hands out. */
static inline unsigned int meta_order(size_t size)
{
	return size <= META_UNIT ? 0 : log2_ceil(size) - log2_floor(META_UNIT);
}

#endif
