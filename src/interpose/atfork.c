/*
 * atfork - whoever registers fork handlers comes by here first.
 *
 * 1. The allocator's own are registered before those of anybody else.
 * 2. pthread_atfork is in no shared object: each object has its own copy,
 *    which calls this name.
 * 3. Weak, for a static link: the C library's own comes with its fork, and
 *    takes this one's place.
 * 4. A C library that its tables do not show (os/elf.h) is asked for through
 *    dlsym, which locks and may allocate.
 */
#include "heap/heap.h"
#include "os/thread.h"

#ifdef PIC
#include <dlfcn.h>
#endif

static thread_atfork_fn *libc_atfork_find(void)
{
	thread_atfork_fn *found = thread_libc_atfork();

#ifdef PIC
	if (!found)
		found = (thread_atfork_fn *)dlsym(RTLD_NEXT,
						  "__register_atfork");
#endif
	return found;
}

int thread_own_atfork(void (*prepare)(void), void (*parent)(void),
		      void (*child)(void), void *dso)
{
	thread_atfork_fn *libc_atfork = libc_atfork_find();

	heap_fork_register();
	return libc_atfork ? libc_atfork(prepare, parent, child, dso) : ENOMEM;
}

extern thread_atfork_fn __register_atfork
	__attribute__((weak, alias("thread_own_atfork"),
		       visibility("default")));
