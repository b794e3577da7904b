#include "os/thread.h"

#include <pthread.h>

/* glibc and musl have it; weak, for a libc that does not. */
extern int __cxa_thread_atexit_impl(void (*end)(void *), void *arg,
				    void *dso) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

bool thread_at_exit(void (*end)(void *arg), void *arg)
{
	if (!__cxa_thread_atexit_impl)
		return false;
	return __cxa_thread_atexit_impl(end, arg, &__dso_handle) == 0;
}

void thread_at_fork(void (*prepare)(void), void (*parent)(void),
		    void (*child)(void))
{
	pthread_atfork(prepare, parent, child);
}
