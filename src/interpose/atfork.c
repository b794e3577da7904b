/*
 * atfork - whoever registers fork handlers comes by here first.
 *
 * 1. The allocator's own are registered before those of anybody else.
 * 2. pthread_atfork is in no shared object: each object has its own copy,
 *    which calls this name.
 * 3. Weak, for a static link: the C library's own comes with its fork, and
 *    takes this one's place.
 */
#include "heap/heap.h"
#include "os/thread.h"

int thread_own_atfork(void (*prepare)(void), void (*parent)(void),
		      void (*child)(void), void *dso)
{
	thread_atfork_fn *libc_atfork = thread_libc_atfork();

	heap_fork_register();
	return libc_atfork ? libc_atfork(prepare, parent, child, dso) : ENOMEM;
}

extern thread_atfork_fn __register_atfork
	__attribute__((weak, alias("thread_own_atfork"),
		       visibility("default")));
