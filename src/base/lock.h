/*
 * lock - a mutex of 16 bytes on a futex, with an owner and a rank.
 *
 * 1. A thread takes locks in the order of their ranks, lowest first, and of
 *    one rank only one; but fork takes them all. Debug builds abort on a
 *    wrong order.
 * 2. One word says who holds it, by the thread pointer. It survives fork in
 *    the thread that forked, and tells a handler that interrupted the
 *    allocator, at whatever instruction, which locks its own thread holds.
 * 3. A release is a plain store and a look at whether others wait. The CPU may
 *    look before the others see the store. So who waits says so first, looks at
 *    the lock for longer than a store is on its way, and only then sleeps; and
 *    were that not long enough, it wakes by itself.
 * 4. One sleeper at a time is woken. While it has not looked at the lock, who
 *    releases it again wakes nobody else.
 * 5. Who waits says for what, to threads that fork (lock_fork_try).
 * 6. Nothing here allocates, and errno is left alone.
 */
#ifndef ZBM_LOCK_H
#define ZBM_LOCK_H

#include "base/base.h"

enum lock_rank {
	LOCK_START,
	LOCK_HEAP,	/* the shared heap */
	LOCK_RECLAIM,
	LOCK_HEAPS,	/* the list of heaps */
	LOCK_PCPS,	/* the list of pcps */
	LOCK_BARN,
	LOCK_LANE,
	LOCK_PCP,
	LOCK_HOTPLUG,	/* the section table and the growth of zones */
	LOCK_ZONE,
	LOCK_META,
};

struct lock {
	uintptr_t word;		/* lock_self() of the holder, 0 when free */
	uint8_t rank;		/* enum lock_rank, constant after init */
	uint8_t forked;		/* taken by the fork handler */
	bool woken;		/* a waiter that has not looked yet */
	uint32_t waiters;	/* threads that sleep, or are about to */
};

/* Only debug builds look at ranks. Else all zero: nothing that the library's
 * file would have to hold (libzbmalloc.ld). */
#define LOCK_INITIALIZER(r) { .rank = DEBUG_ZBM ? (r) : 0 }

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_acquire_slow(struct lock *lock);
void lock_wake(struct lock *lock);

/* Sleeps until the lock is free, or for some ms, and does not take it: for who
 * may have something else to do then. In any order of ranks, if the holder
 * needs nothing that the caller holds. */
void lock_wait(struct lock *lock);

/* Lets other threads run, where what they do is waited for. */
void lock_yield(void);

/* What identifies the calling thread as an owner. Never 0. */
static inline uintptr_t lock_self(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

/* Debug builds only: the order of ranks, for who waits. */
void lock_debug_order(const struct lock *lock);
void lock_debug_acquire(struct lock *lock);
void lock_debug_release(struct lock *lock);

/* Whose it is, 0 when free: a hint, but of the caller. */
static inline uintptr_t lock_holder(const struct lock *lock)
{
	return __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
}

static inline bool lock_is_mine(const struct lock *lock)
{
	return lock_holder(lock) == lock_self();
}

/* A hint. */
static inline bool lock_is_taken(const struct lock *lock)
{
	return lock_holder(lock);
}

static inline void lock_assert_held(const struct lock *lock)
{
	ASSERT(lock_is_mine(lock));
}

/* Without a look at the order of ranks: for fork. */
static inline bool lock_try_unordered(struct lock *lock)
{
	uintptr_t idle = 0;

	/* Pairs with the release in lock_release_unordered. */
	return __atomic_compare_exchange_n(&lock->word, &idle, lock_self(),
					   false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline bool lock_try(struct lock *lock)
{
	if (!lock_try_unordered(lock))
		return false;
	if (DEBUG_ZBM)
		lock_debug_acquire(lock);
	return true;
}

static inline void lock_acquire(struct lock *lock)
{
	if (DEBUG_ZBM)
		lock_debug_order(lock);
	if (unlikely(!lock_try(lock)))
		lock_acquire_slow(lock);
}

/* Who was woken may be in a signal handler, which waits for another lock or
 * never returns: the others look for themselves after so long. 0: 10 ms, for
 * tests to change. */
extern unsigned int lock_sleep_ms;

/* The other way round. */
static inline void lock_release_unordered(struct lock *lock)
{
	/* Pairs with the acquire in lock_try_unordered. */
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
	/* The compiler keeps this order; of the CPU see rule 3. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&lock->waiters, __ATOMIC_RELAXED)))
		lock_wake(lock);
}

static inline void lock_release(struct lock *lock)
{
	lock_assert_held(lock);
	if (DEBUG_ZBM)
		lock_debug_release(lock);
	lock_release_unordered(lock);
}

/*
 * For fork, which takes all locks. A handler that interrupted the allocator
 * may fork, too: what its own thread holds is left alone; and since others
 * may wait for that, holding what fork needs, it must not wait for ever.
 *
 * lock_fork_not_mine says so. lock_fork_take waits for the lock; so does
 * lock_fork_try, unless the holder waits for what this thread holds: then it
 * is left to it. Who only waits for a CPU is in the midst of something; it is
 * left alone, too, after a second, and what it protects may be half done. The
 * last two release what was taken; in the child no thread waits any more, and
 * what a lost thread held is free. A room applies one of them to all its
 * locks, up to the first that says false, which only lock_fork_not_mine does.
 */
typedef bool lock_fork_fn(struct lock *lock);

bool lock_fork_not_mine(struct lock *lock);
bool lock_fork_take(struct lock *lock);
bool lock_fork_try(struct lock *lock);
bool lock_fork_parent(struct lock *lock);
bool lock_fork_child(struct lock *lock);

/* In the child: that other threads wait is no longer known. */
void lock_fork_forget(void);

#endif
