/*
 * thread - the end of a thread, and of a process's other threads by fork.
 *
 * 1. No pthread key is taken: all PTHREAD_KEYS_MAX stay the program's. The
 *    C library's list of thread_local destructors tells the end; it runs
 *    before the destructors of keys.
 * 2. The fork handlers are registered before any of the program's, so their
 *    prepare runs last and their child and parent run first.
 */
#ifndef ZBM_THREAD_H
#define ZBM_THREAD_H

#include "base/base.h"

/* Calls `end(arg)` when the calling thread ends. The C library allocates for
 * this. False: not to be had here (no such function in the C library). */
bool thread_at_exit(void (*end)(void *arg), void *arg);

void thread_at_fork(void (*prepare)(void), void (*parent)(void),
		    void (*child)(void));

#endif
