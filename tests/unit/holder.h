/*
 * holder - a thread that holds a lock for as long as a test wants, for
 * test_lock and test_lock_fork.
 */
#ifndef TESTS_HOLDER_H
#define TESTS_HOLDER_H

#include "base/lock.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

static struct lock lock = LOCK_INITIALIZER(LOCK_META);
static struct lock low = LOCK_INITIALIZER(LOCK_BARN);
static struct lock high = LOCK_INITIALIZER(LOCK_ZONE);
static bool held, release;

static void *holder(void *arg)
{
	lock_acquire(&lock);
	__atomic_store_n(&held, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&release, __ATOMIC_ACQUIRE))
		sched_yield();
	lock_release(&lock);
	return arg;
}

static pthread_t start_holder(void)
{
	pthread_t thread;

	held = release = false;
	CHECK(pthread_create(&thread, NULL, holder, NULL) == 0);
	while (!__atomic_load_n(&held, __ATOMIC_ACQUIRE))
		sched_yield();
	return thread;
}

static void end_holder(pthread_t thread)
{
	__atomic_store_n(&release, true, __ATOMIC_RELEASE);
	CHECK(pthread_join(thread, NULL) == 0);
}

/* The holder ends only after the waiter, most likely, went to sleep. */
static void *late_release(void *arg)
{
	while (!__atomic_load_n(&lock.waiters, __ATOMIC_RELAXED))
		sched_yield();
	usleep(10000);
	__atomic_store_n(&release, true, __ATOMIC_RELEASE);
	return arg;
}

#endif
