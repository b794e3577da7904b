#include "base/lock.h"
#include "base/print.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A holder does bounded work: look this often before sleeping. */
#define LOCK_SPINS	100

/* Before fork leaves a lock to a holder that is not known to wait for what this
 * thread holds: most likely it only waits for a CPU. */
#define LOCK_FORK_NS	1000000000	/* 1 s */

#define LOCK_SLEEP_MS	10

unsigned int lock_sleep_ms;

/* Who waits for which lock, for a thread that forks meanwhile. Nothing is known
 * of more than so many at once. */
#define NR_WAITS	256

static struct wait {
	uintptr_t who;		/* lock_self(); 0: nobody */
	struct lock *lock;	/* NULL: not yet told */
} waits[NR_WAITS];

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "futexes have 32 bits: the lower half comes first");

void lock_yield(void)
{
	syscall(SYS_sched_yield);
}

static inline void lock_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("" ::: "memory");
#endif
}

/* Looks for a while. */
static bool lock_spin(struct lock *lock)
{
	for (int i = 0; i < LOCK_SPINS; i++) {
		if (!lock_is_taken(lock) && lock_try_unordered(lock))
			return true;
		lock_relax();
	}
	return false;
}

static void lock_sleep(struct lock *lock)
{
	const unsigned int ms = lock_sleep_ms ? lock_sleep_ms : LOCK_SLEEP_MS;
	const struct timespec timeout = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000,
	};
	uintptr_t word = lock_holder(lock);

	if (!word)
		return;
	syscall(SYS_futex, &lock->word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG,
		(uint32_t)word, &timeout);
	/* Who found it set has released the lock: the next look shows it. */
	__atomic_store_n(&lock->woken, false, __ATOMIC_SEQ_CST);
}

/* NULL: there is no room to say so. */
static struct wait *wait_tell(struct lock *lock)
{
	for (struct wait *wait = waits; wait < waits + NR_WAITS; wait++) {
		uintptr_t nobody = 0;

		if (__atomic_load_n(&wait->who, __ATOMIC_RELAXED) ||
		    !__atomic_compare_exchange_n(&wait->who, &nobody,
						 lock_self(), false,
						 __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&wait->lock, lock, __ATOMIC_RELEASE);
		return wait;
	}
	return NULL;
}

static void wait_forget(struct wait *wait)
{
	__atomic_store_n(&wait->lock, NULL, __ATOMIC_RELAXED);
	/* Pairs with the acquire in wait_tell. */
	__atomic_store_n(&wait->who, 0, __ATOMIC_RELEASE);
}

static struct wait *lock_start_waiting(struct lock *lock)
{
	struct wait *wait = wait_tell(lock);

	__atomic_fetch_add(&lock->waiters, 1, __ATOMIC_SEQ_CST);
	return wait;
}

/* A handler that interrupted the wait may have forked: in the child nobody
 * waits. */
static void lock_stop_waiting(struct lock *lock, struct wait *wait)
{
	uint32_t n = __atomic_load_n(&lock->waiters, __ATOMIC_RELAXED);

	while (n && !__atomic_compare_exchange_n(&lock->waiters, &n, n - 1,
						 false, __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
		;
	if (wait)
		wait_forget(wait);
}

/* Until it is mine. A release that did not see the waiter has long come to be
 * seen itself when the first look is over. */
static void lock_wait_for(struct lock *lock)
{
	struct wait *wait = lock_start_waiting(lock);
	int saved_errno = errno;

	for (bool mine = lock_spin(lock); !mine;
	     mine = lock_try_unordered(lock))
		lock_sleep(lock);
	lock_stop_waiting(lock, wait);
	errno = saved_errno;
}

void lock_wait(struct lock *lock)
{
	struct wait *wait = lock_start_waiting(lock);
	int saved_errno = errno;

	for (int i = 0; i < LOCK_SPINS && lock_is_taken(lock); i++)
		lock_relax();
	lock_sleep(lock);
	lock_stop_waiting(lock, wait);
	/* One is woken, and does not take the lock: the next. */
	if (!lock_is_taken(lock) &&
	    __atomic_load_n(&lock->waiters, __ATOMIC_RELAXED))
		lock_wake(lock);
	errno = saved_errno;
}

void lock_init(struct lock *lock, enum lock_rank rank)
{
	*lock = (struct lock){ .rank = (uint8_t)rank };
}

cold_path void lock_acquire_slow(struct lock *lock)
{
	if (!lock_spin(lock))
		lock_wait_for(lock);
	if (DEBUG_ZBM)
		lock_debug_acquire(lock);
}

cold_path void lock_wake(struct lock *lock)
{
	int saved_errno = errno;

	if (!__atomic_exchange_n(&lock->woken, true, __ATOMIC_SEQ_CST) &&
	    syscall(SYS_futex, &lock->word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
		    1) < 1)
		__atomic_store_n(&lock->woken, false, __ATOMIC_RELAXED);
	errno = saved_errno;
}

bool lock_fork_not_mine(struct lock *lock)
{
	return !lock_is_mine(lock);
}

bool lock_fork_take(struct lock *lock)
{
	if (!lock_try_unordered(lock))
		lock_wait_for(lock);
	lock->forked = 1;
	return true;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The lock that the thread waits for, if this tells. */
static struct lock *wait_lock(const struct wait *wait, uintptr_t who)
{
	/* Pairs with the release in wait_tell. */
	struct lock *lock = __atomic_load_n(&wait->lock, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&wait->who, __ATOMIC_RELAXED) == who ? lock :
								      NULL;
}

/*
 * The thread cannot go on before this one does: it waits for a lock of this
 * one's, or of one that cannot, either. What was read is true if it still is
 * when that is known of the holder, for then the lock stays where it is, and
 * who waits for it waits on. Each waits for a rank above those that it holds.
 */
static bool waits_for_me(uintptr_t who, unsigned int ranks)
{
	for (const struct wait *wait = waits; wait < waits + NR_WAITS; wait++) {
		struct lock *lock = wait_lock(wait, who);
		uintptr_t holder = lock ? lock_holder(lock) : 0;

		if (holder && (holder == lock_self() ||
			       (ranks && waits_for_me(holder, ranks - 1))) &&
		    wait_lock(wait, who) == lock && lock_holder(lock) == holder)
			return true;
	}
	return false;
}

static bool lock_is_stuck(const struct lock *lock)
{
	uintptr_t holder = lock_holder(lock);

	return holder && waits_for_me(holder, LOCK_META) &&
	       lock_holder(lock) == holder;
}

bool lock_fork_try(struct lock *lock)
{
	uint64_t end = 0;

	while (!lock_is_mine(lock)) {
		if (lock_try_unordered(lock)) {
			lock->forked = 1;
			break;
		}
		end = end ? end : now_ns() + LOCK_FORK_NS;
		if (lock_is_stuck(lock) || now_ns() > end)
			break;
		lock_yield();
	}
	return true;
}

void lock_fork_forget(void)
{
	for (struct wait *wait = waits; wait < waits + NR_WAITS; wait++) {
		uintptr_t who = __atomic_load_n(&wait->who, __ATOMIC_RELAXED);

		/* What nobody used is not written to. */
		if (who && who != lock_self())
			wait_forget(wait);
	}
}

bool lock_fork_parent(struct lock *lock)
{
	if (!lock_is_mine(lock) || !lock->forked)
		return true;
	lock->forked = 0;
	lock_release_unordered(lock);
	return true;
}

bool lock_fork_child(struct lock *lock)
{
	/* Whoever waited in the parent, or held it, does not exist here. */
	if (!lock_is_mine(lock))
		lock_init(lock, lock->rank);
	lock->waiters = 0;
	lock->woken = false;
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
