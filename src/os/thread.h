/*
 * thread - the end of a thread, and of a process's other threads by fork.
 *
 * 1. No pthread key is taken: all PTHREAD_KEYS_MAX stay the program's. The
 *    C library's list of thread_local destructors tells the end; it runs
 *    before the destructors of keys.
 * 2. The fork handlers must stand before any of the program's, so that their
 *    prepare runs last and their child and parent run first. Who registers
 *    some calls __register_atfork, and the library puts itself in its place
 *    (src/interpose/atfork.c): then ours can wait until somebody does, or
 *    until there is a second thread. A process without either is spared the
 *    parts of the C library that only this needs, 128 KiB of resident memory.
 */
#ifndef ZBM_THREAD_H
#define ZBM_THREAD_H

#include "base/base.h"

/* Calls `end(arg)` when the calling thread ends. The C library allocates for
 * this. False: not to be had here (no such function in the C library). */
bool thread_at_exit(void (*end)(void *arg), void *arg);

/* May allocate. */
void thread_at_fork(void (*prepare)(void), void (*parent)(void),
		    void (*child)(void));

/* What pthread_atfork comes down to; `dso` names the object whose unloading
 * ends the registration. 0, or ENOMEM. */
typedef int thread_atfork_fn(void (*prepare)(void), void (*parent)(void),
			     void (*child)(void), void *dso);

/* The library's own, absent where only the core is linked. */
extern thread_atfork_fn thread_own_atfork
	__attribute__((weak, visibility("hidden")));

/* The C library's; NULL: it has none. Takes no lock of the loader's, which
 * somebody may hold who waits for this thread. */
thread_atfork_fn *thread_libc_atfork(void);

/* Whether all who register fork handlers call thread_own_atfork. */
bool thread_sees_atfork(void);

/* From <sys/single_threaded.h>, which is younger than some C libraries. */
extern char __libc_single_threaded __attribute__((weak));

/* Sure; false: there may be other threads. */
static inline bool thread_is_alone(void)
{
	return &__libc_single_threaded && __libc_single_threaded;
}

#endif
