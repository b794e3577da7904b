#include "base/lock.h"
#include "base/print.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A holder does bounded work: look this often before sleeping. */
#define LOCK_SPINS	100

/* Before fork leaves a lock to its holder: some milliseconds. */
#define LOCK_FORK_TRIES	2000

static void lock_futex(struct lock *lock, int op, uint32_t value)
{
	int saved_errno = errno;

	syscall(SYS_futex, &lock->state, op | FUTEX_PRIVATE_FLAG, value, NULL);
	errno = saved_errno;
}

static inline void lock_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("" ::: "memory");
#endif
}

void lock_init(struct lock *lock, enum lock_rank rank)
{
	*lock = (struct lock)LOCK_INITIALIZER((uint16_t)rank);
}

cold_path void lock_acquire_slow(struct lock *lock)
{
	for (int i = 0; i < LOCK_SPINS; i++) {
		if (__atomic_load_n(&lock->state, __ATOMIC_RELAXED) == 0 &&
		    lock_try(lock))
			return;
		lock_relax();
	}
	/* Pairs with the release in lock_release. */
	while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE) != 0)
		lock_futex(lock, FUTEX_WAIT, 2);
	__atomic_store_n(&lock->owner, lock_self(), __ATOMIC_RELAXED);
	if (DEBUG_ZBM)
		lock_debug_acquire(lock);
}

cold_path void lock_release_slow(struct lock *lock)
{
	lock_futex(lock, FUTEX_WAKE, 1);
}

bool lock_fork_not_mine(struct lock *lock)
{
	return !lock_is_mine(lock);
}

/* Not lock_acquire: the order of ranks is not for fork. */
static void lock_fork_own(struct lock *lock)
{
	__atomic_store_n(&lock->owner, lock_self(), __ATOMIC_RELAXED);
	lock->forked = 1;
}

bool lock_fork_take(struct lock *lock)
{
	uint32_t idle = 0;

	/* Both pair with the release in lock_release. */
	if (!__atomic_compare_exchange_n(&lock->state, &idle, 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE))
			lock_futex(lock, FUTEX_WAIT, 2);
	lock_fork_own(lock);
	return true;
}

bool lock_fork_try(struct lock *lock)
{
	uint32_t idle;

	for (int i = 0; i < LOCK_FORK_TRIES && !lock_is_mine(lock); i++) {
		idle = 0;
		/* Pairs with the release in lock_release. */
		if (__atomic_compare_exchange_n(&lock->state, &idle, 1, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			lock_fork_own(lock);
		else
			sched_yield();
	}
	return true;
}

bool lock_fork_parent(struct lock *lock)
{
	if (!lock_is_mine(lock) || !lock->forked)
		return true;
	lock->forked = 0;
	__atomic_store_n(&lock->owner, 0, __ATOMIC_RELAXED);
	/* Pairs with the acquire in lock_try and lock_acquire_slow. */
	if (__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2)
		lock_release_slow(lock);
	return true;
}

bool lock_fork_child(struct lock *lock)
{
	/* Whoever waited in the parent, or held it, does not exist here. */
	if (!lock_is_mine(lock))
		lock_init(lock, lock->rank);
	else if (lock->state == 2)
		lock->state = 1;
	return lock_fork_parent(lock);
}

#ifdef ZBM_DEBUG

#define LOCK_DEPTH	16

static __thread struct {
	unsigned int n;
	struct lock *held[LOCK_DEPTH];
} held;

void lock_debug_order(const struct lock *lock)
{
	const struct lock *top = held.n ? held.held[held.n - 1] : NULL;

	if (top && top->rank >= lock->rank)
		print_fatal("lock of rank %u taken under one of rank %u",
			    lock->rank, top->rank);
}

void lock_debug_acquire(struct lock *lock)
{
	CHECK(held.n < LOCK_DEPTH);
	held.held[held.n++] = lock;
}

void lock_debug_release(struct lock *lock)
{
	unsigned int i = held.n;

	while (i && held.held[i - 1] != lock)
		i--;
	CHECK(i);
	for (; i < held.n; i++)
		held.held[i - 1] = held.held[i];
	held.n--;
}

#else

void lock_debug_order(const struct lock *lock)
{
	(void)lock;
}

void lock_debug_acquire(struct lock *lock)
{
	(void)lock;
}

void lock_debug_release(struct lock *lock)
{
	(void)lock;
}

#endif
