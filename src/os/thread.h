/*
 * thread - the end of a thread, and of a process's other threads by fork.
 *
 * 1. No pthread key is taken: all PTHREAD_KEYS_MAX stay the program's. The
 *    kernel tells the end: it marks the robust mutexes of a thread that is gone
 *    (set_robust_list(2)), after all of its destructors and before anybody
 *    joins it. That calls nothing in the thread and allocates nothing.
 * 2. Without such lists (an emulator's kernel) it is the C library's list of
 *    thread_local destructors, which run before those of keys. Its lock is the
 *    loader's, and somebody may hold that who waits for this thread: a library
 *    that starts threads as it is loaded.
 * 3. The fork handlers must stand before any of the program's, so that their
 *    prepare runs last and their child and parent run first. Who registers
 *    some calls __register_atfork, and the library puts itself in its place
 *    (src/interpose/atfork.c): then ours can wait until somebody does, or
 *    until there is a second thread. A process without either is spared the
 *    parts of the C library that only this needs, 128 KiB of resident memory.
 */
#ifndef ZBM_THREAD_H
#define ZBM_THREAD_H

#include "base/base.h"

#include <pthread.h>

/* Something that threads have in turn, each until it drops it or is gone. Not
 * to be copied; its users are told apart by their own lock. */
struct thread_mark {
	pthread_mutex_t mutex;
};

/* The kernel tells of threads that are gone. Else there are no marks. */
bool thread_marks_work(void);

/* Nobody has it; also in the child of fork, whoever had it. */
void thread_mark_init(struct thread_mark *mark);

/* The calling thread has it from now on; false: a living thread has. */
bool thread_mark_take(struct thread_mark *mark);

/* The calling thread had it. */
void thread_mark_drop(struct thread_mark *mark);


/* Calls `end(arg)` when the calling thread ends. The C library allocates
 * for this. False: not to be had here. */
bool thread_at_exit(void (*end)(void *arg), void *arg);

/* Calls `end(arg)` when the process ends by exit(3), before what was registered
 * earlier. The C library may allocate for this. False: not to be had here. */
bool thread_at_process_exit(void (*end)(void *arg), void *arg);

/*
 * The C library's fork takes the lock of its list of streams after all
 * handlers. Who has it may wait for a stream, and who has that for memory: so
 * it comes before our locks. It is recursive.
 */
void thread_fork_lock_streams(void);
void thread_fork_unlock_streams(void);
void thread_fork_reset_streams(void);	/* in the child */

/* False: there was no memory for it. */
bool thread_at_fork(void (*prepare)(void), void (*parent)(void),
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
