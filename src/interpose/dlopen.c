/*
 * dlopen - libraries that are to be bound to themselves first.
 *
 * 1. With RTLD_DEEPBIND a library takes malloc and free from the C library
 *    that it names, and all others take them from here: what one allocates
 *    the other frees. Without a preloaded allocator these are the same, and
 *    programs count on it (PHP opens its extensions so). So the flag is left
 *    out, unless the option deepbind says otherwise.
 * 2. The C library looks for the file as its caller wants it (RUNPATH), whom
 *    it knows by the return address: its function is jumped to, not called
 *    (but in builds without optimization).
 * 3. In the shared library only: a static program has the C library's.
 */
#ifdef PIC

#include <dlfcn.h>

#include "base/options.h"
#include "heap/heap.h"

typedef void *dlopen_fn(const char *file, int mode);

__attribute__((visibility("default")))
void *dlopen(const char *file, int mode)
{
	static dlopen_fn *next;
	dlopen_fn *real = __atomic_load_n(&next, __ATOMIC_RELAXED);

	if (!real) {
		real = (dlopen_fn *)dlsym(RTLD_NEXT, "dlopen");
		__atomic_store_n(&next, real, __ATOMIC_RELAXED);
	}
	/* The options are read when the allocator starts. */
	if (mode & RTLD_DEEPBIND && heap_start() && !options.deepbind)
		mode &= ~RTLD_DEEPBIND;
	return real(file, mode);
}

#endif
