#include "os/thread.h"
#include "os/elf.h"

#include <gnu/lib-names.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc and musl have it; weak, for a libc that does not. */
extern int __cxa_thread_atexit_impl(void (*end)(void *), void *arg,
				    void *dso) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

/* The one that all objects of the process call. */
extern thread_atfork_fn __register_atfork __attribute__((weak));

/* The C library's own, found when they are first needed: a name that is
 * imported costs the start of each process (docs/DESIGN.md). */
static struct libc {
	int (*mutexattr_init)(pthread_mutexattr_t *attr);
	int (*mutexattr_setrobust)(pthread_mutexattr_t *attr, int robust);
	int (*mutex_init)(pthread_mutex_t *mutex,
			  const pthread_mutexattr_t *attr);
	int (*mutex_trylock)(pthread_mutex_t *mutex);
	int (*mutex_consistent)(pthread_mutex_t *mutex);
	int (*mutex_unlock)(pthread_mutex_t *mutex);
	void (*list_lock)(void);
	void (*list_unlock)(void);
	void (*list_resetlock)(void);
	thread_atfork_fn *register_atfork;
	int (*at_exit)(void (*end)(void *), void *arg, void *dso);
} libc;

#define NR_LIBC_NAMES	(sizeof(libc) / sizeof(uintptr_t))

static const char libc_names[NR_LIBC_NAMES][32] = {
	"pthread_mutexattr_init",
	"pthread_mutexattr_setrobust",
	"pthread_mutex_init",
	"pthread_mutex_trylock",
	"pthread_mutex_consistent",
	"pthread_mutex_unlock",
	"_IO_list_lock",
	"_IO_list_unlock",
	"_IO_list_resetlock",
	"__register_atfork",
	"__cxa_atexit",
};

/* Several threads may do it: they find the same. False: one is missing; the
 * others are there. */
static bool libc_find_all(void)
{
	uintptr_t found[NR_LIBC_NAMES];
	struct elf_object object;
	bool all = true;

	/* The copy that serves this library: not known by its names, which the
	 * program may define as well. */
	if (!elf_find_beside(LIBC_SO, &object))
		return false;
	for (size_t i = 0; i < NR_LIBC_NAMES; i++) {
		found[i] = elf_find_symbol(&object, libc_names[i]);
		all = all && found[i];
	}
	memcpy(&libc, found, sizeof(libc));
	return all;
}

static bool thread_has_robust_list(void)
{
	int saved_errno = errno;
	void *head = NULL;
	size_t size;
	long error = syscall(SYS_get_robust_list, 0, &head, &size);

	errno = saved_errno;
	return !error && head;
}

bool thread_marks_work(void)
{
	static enum { UNKNOWN, NO, YES } known;

	/* TSan knows nothing of threads that are gone: what they wrote would
	 * race. */
	if (__atomic_load_n(&known, __ATOMIC_ACQUIRE) == UNKNOWN)
		/* Pairs with the acquires before and after it. */
		__atomic_store_n(&known, libc_find_all() && !TSAN_ZBM &&
				 thread_has_robust_list() ? YES : NO,
				 __ATOMIC_RELEASE);
	return __atomic_load_n(&known, __ATOMIC_ACQUIRE) == YES;
}

void thread_mark_init(struct thread_mark *mark)
{
	pthread_mutexattr_t robust;

	libc.mutexattr_init(&robust);
	libc.mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	libc.mutex_init(&mark->mutex, &robust);
}

bool thread_mark_take(struct thread_mark *mark)
{
	int error = libc.mutex_trylock(&mark->mutex);

	if (error == EOWNERDEAD)
		error = libc.mutex_consistent(&mark->mutex);
	return error == 0;
}

void thread_mark_drop(struct thread_mark *mark)
{
	libc.mutex_unlock(&mark->mutex);
}

bool thread_at_exit(void (*end)(void *arg), void *arg)
{
	if (!__cxa_thread_atexit_impl)
		return false;
	return __cxa_thread_atexit_impl(end, arg, &__dso_handle) == 0;
}

bool thread_at_process_exit(void (*end)(void *arg), void *arg)
{
	if (!libc.at_exit)
		libc_find_all();
	/* Of no object, whose own end it would be. */
	return libc.at_exit && libc.at_exit(end, arg, NULL) == 0;
}

bool thread_at_fork(void (*prepare)(void), void (*parent)(void),
		    void (*child)(void))
{
	/* Finds what the handlers call. */
	thread_marks_work();
	return pthread_atfork(prepare, parent, child) == 0;
}

thread_atfork_fn *thread_libc_atfork(void)
{
	/* Looks for all names, but once; that was too early, perhaps. */
	if (!thread_marks_work() && !libc.register_atfork)
		libc_find_all();
	return libc.register_atfork;
}

void thread_fork_lock_streams(void)
{
	if (libc.list_lock)
		libc.list_lock();
}

void thread_fork_unlock_streams(void)
{
	if (libc.list_unlock)
		libc.list_unlock();
}

void thread_fork_reset_streams(void)
{
	if (libc.list_resetlock)
		libc.list_resetlock();
}

bool thread_sees_atfork(void)
{
	return thread_own_atfork && __register_atfork == thread_own_atfork;
}
