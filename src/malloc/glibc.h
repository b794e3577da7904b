/*
 * glibc - the copies of glibc in this process, and their allocators.
 *
 * 1. The program has one, and so has each namespace made by dlmopen. Each
 *    brings its own malloc with its own arenas.
 * 2. Found are those whose malloc was used: the others own no memory.
 * 3. Other threads may change all of this meanwhile. What is read wrong for
 *    that reason is not found; the caller asks again.
 */
#ifndef ZBM_GLIBC_H
#define ZBM_GLIBC_H

#include <malloc.h>

#include "base/base.h"

#define GLIBC_MAX_COPIES	16	/* as many namespaces as ld.so has */

struct glibc {
	/* addresses in its data */
	uintptr_t data, data_end;
	uintptr_t arena;		/* its main arena ... */
	uintptr_t bins;			/* ... the row of bins in it ... */
	uintptr_t next;			/* ... and the link to the next one */
	/* its functions */
	void *(*malloc)(size_t size);
	void (*free)(void *ptr);
	void *(*realloc)(void *ptr, size_t size);
	size_t (*usable_size)(void *ptr);
	struct mallinfo2 (*info)(void);	/* NULL in old versions */
};

/*
 * Fills in the copies, that of the program first, and returns how many. It
 * reads lists of ld.so, hundreds of system calls, until the program's own
 * copy has been found once; with `all` false that one then suffices.
 */
size_t glibc_find(struct glibc copies[GLIBC_MAX_COPIES], bool all);

/* Of the main arena: the chunk that ends it, and the size of all of it. */
uintptr_t glibc_top(const struct glibc *libc);
size_t glibc_system_mem(const struct glibc *libc);

/* False: the main arena has, or had, memory elsewhere than at its top. */
bool glibc_is_contiguous(const struct glibc *libc);

/* Bytes in chunks that are mappings of their own, 0 when unknown. Takes the
 * locks of its arenas, and long when they have many free chunks. */
size_t glibc_mapped(const struct glibc *libc);

/* Whether `arena` is one of this copy's. */
bool glibc_has_arena(const struct glibc *libc, uintptr_t arena);

#endif
