/*
 * derived - names of the allocator that stand on others of its names.
 *
 * 1. They call realloc, free and malloc_usable_size by these names, so that
 *    whoever has put others in front of ours (a program with an allocator of
 *    its own, valgrind) gets those calls, too. In the C library reallocarray
 *    is made so, and programs that bring the four names which its manual asks
 *    for count on it: they free by their own free what reallocarray gave.
 * 2. This object does not define the names that it calls, so no compiler
 *    calls ours directly or puts it in place. Never link the library with
 *    -Bsymbolic.
 */
#include "base/base.h"
#include "malloc/malloc.h"
#include "zbmalloc.h"

#include <stdlib.h>

#define EXPORT	__attribute__((visibility("default")))

EXPORT void *reallocarray(void *ptr, size_t count, size_t size)
{
	size_t total;

	if (unlikely(__builtin_mul_overflow(count, size, &total)))
		return mem_no_memory();
	return realloc(ptr, total);
}

EXPORT int reallocarr(void *ptr_of_ptr, size_t count, size_t size)
{
	int saved_errno = errno;
	size_t total;
	void *p, *q;

	if (__builtin_mul_overflow(count, size, &total))
		return EOVERFLOW;
	/* The caller's pointer may have any type. */
	memcpy(&p, ptr_of_ptr, sizeof(p));
	q = realloc(p, total);
	if (!total) {
		free(q);
		q = NULL;
	} else if (!q) {
		errno = saved_errno;
		return ENOMEM;
	}
	memcpy(ptr_of_ptr, &q, sizeof(q));
	return 0;
}

EXPORT void *reallocf(void *ptr, size_t size)
{
	void *q = realloc(ptr, size);

	if (!q && size)
		free(ptr);
	return q;
}

EXPORT void free_sized(void *ptr, size_t size)
{
	(void)size;
	free(ptr);
}

EXPORT void free_aligned_sized(void *ptr, size_t align, size_t size)
{
	(void)align;
	(void)size;
	free(ptr);
}

EXPORT size_t malloc_size(const void *ptr)
{
	return malloc_usable_size((void *)(uintptr_t)ptr);
}
