#include "os/thread.h"
#include "os/elf.h"

#include <gnu/lib-names.h>
#include <pthread.h>

/* glibc and musl have it; weak, for a libc that does not. */
extern int __cxa_thread_atexit_impl(void (*end)(void *), void *arg,
				    void *dso) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

/* The one that all objects of the process call. */
extern thread_atfork_fn __register_atfork __attribute__((weak));

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

/* The copy of the C library is the one that serves this library. */
static bool libc_is_ours(const struct elf_object *libc)
{
	return elf_find_symbol(libc, "__errno_location") ==
		(uintptr_t)__errno_location;
}

thread_atfork_fn *thread_libc_atfork(void)
{
	const struct r_debug_extended *space = elf_next_space(NULL);
	struct elf_object libc;

	for (; space; space = elf_next_space(space))
		if (elf_find_object(space, LIBC_SO, &libc) &&
		    libc_is_ours(&libc))
			return (thread_atfork_fn *)
				elf_find_symbol(&libc, "__register_atfork");
	return NULL;
}

bool thread_sees_atfork(void)
{
	return thread_own_atfork && __register_atfork == thread_own_atfork;
}
