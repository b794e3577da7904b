/*
 * test_lock - one holder at a time, who it is, in which order.
 */
#include "holder.h"
#include "world.h"

#include <limits.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUNDS	20000

static size_t counter;

static void test_a_lock_has_an_owner_while_it_is_held(void **state)
{
	(void)state;
	assert_false(lock_is_mine(&lock));
	lock_acquire(&lock);
	assert_true(lock_is_mine(&lock));
	assert_int_equal(lock.word, lock_self());
	lock_release(&lock);
	assert_false(lock_is_mine(&lock));
	assert_int_equal(lock.word, 0);
}

static void test_who_tries_does_not_wait(void **state)
{
	pthread_t thread = start_holder();

	(void)state;
	assert_false(lock_try(&lock));
	assert_false(lock_is_mine(&lock));
	end_holder(thread);
	assert_true(lock_try(&lock));
	lock_release(&lock);
}

static void *count(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		lock_acquire(&lock);
		counter++;
		if (i % 1000 == 0)
			sched_yield();
		lock_release(&lock);
	}
	return arg;
}

static void test_threads_exclude_each_other(void **state)
{
	pthread_t thread[4];

	(void)state;
	counter = 0;
	for (size_t i = 0; i < array_size(thread); i++)
		CHECK(pthread_create(&thread[i], NULL, count, NULL) == 0);
	for (size_t i = 0; i < array_size(thread); i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	assert_int_equal(counter, ROUNDS * array_size(thread));
	assert_int_equal(lock.word, 0);
}

/* Who is not woken sleeps on, and an alarm ends the test. */
static void nobody_looks_for_itself(void)
{
	lock_sleep_ms = UINT_MAX;
	alarm(60);
}

static void all_look_for_themselves(void)
{
	alarm(0);
	lock_sleep_ms = 0;
}

static void test_who_waits_sleeps_and_is_woken(void **state)
{
	pthread_t thread = start_holder(), other;

	(void)state;
	nobody_looks_for_itself();
	CHECK(pthread_create(&other, NULL, late_release, NULL) == 0);
	errno = 77;
	lock_acquire(&lock);
	assert_int_equal(errno, 77);
	assert_true(lock_is_mine(&lock));
	lock_release(&lock);
	CHECK(pthread_join(other, NULL) == 0);
	end_holder(thread);
	all_look_for_themselves();
}

/* The woken one is in a signal handler, say, and does not look. */
static void test_who_is_not_woken_looks_for_itself(void **state)
{
	pthread_t thread = start_holder(), other;

	(void)state;
	__atomic_store_n(&lock.woken, true, __ATOMIC_RELAXED);
	CHECK(pthread_create(&other, NULL, late_release, NULL) == 0);
	lock_acquire(&lock);
	assert_int_equal(lock.waiters, 0);
	lock_release(&lock);
	CHECK(pthread_join(other, NULL) == 0);
	end_holder(thread);
}

/* The holder lets go when all of them wait, most likely asleep; then they end,
 * and nothing is left. */
static void wake_sleepers(pthread_t thread, const pthread_t *sleeper, size_t n)
{
	while (__atomic_load_n(&lock.waiters, __ATOMIC_RELAXED) != n)
		sched_yield();
	usleep(10000);
	end_holder(thread);
	for (size_t i = 0; i < n; i++)
		CHECK(pthread_join(sleeper[i], NULL) == 0);
	assert_int_equal(lock.word, 0);
	assert_int_equal(lock.waiters, 0);
	assert_false(lock.woken);
}

/* All of them sleep, and each is woken by the one before. */
static void test_many_sleepers_are_woken_in_turn(void **state)
{
	pthread_t thread = start_holder(), sleeper[8];

	(void)state;
	counter = 0;
	for (size_t i = 0; i < array_size(sleeper); i++)
		CHECK(pthread_create(&sleeper[i], NULL, count, NULL) == 0);
	wake_sleepers(thread, sleeper, array_size(sleeper));
	assert_int_equal(counter, ROUNDS * array_size(sleeper));
}

/* Until it is free, however long that takes. */
static void *wait_free(void *arg)
{
	while (lock_is_taken(&lock))
		lock_wait(&lock);
	return arg;
}

static void test_who_waits_for_it_to_be_free_does_not_take_it(void **state)
{
	pthread_t thread = start_holder(), sleeper[8];

	(void)state;
	nobody_looks_for_itself();
	for (size_t i = 0; i < array_size(sleeper); i++)
		CHECK(pthread_create(&sleeper[i], NULL, wait_free, NULL) == 0);
	wake_sleepers(thread, sleeper, array_size(sleeper));
	all_look_for_themselves();
}

/* Between two who wait like this, one who takes it. */
static void test_who_takes_it_is_woken_past_those_who_do_not(void **state)
{
	pthread_t thread = start_holder(), sleeper[6];

	(void)state;
	counter = 0;
	for (size_t i = 0; i < array_size(sleeper); i++)
		CHECK(pthread_create(&sleeper[i], NULL, i % 2 ? count :
				     wait_free, NULL) == 0);
	wake_sleepers(thread, sleeper, array_size(sleeper));
	assert_int_equal(counter, ROUNDS * array_size(sleeper) / 2);
}

static void test_waiting_for_a_free_lock_returns_at_once(void **state)
{
	(void)state;
	errno = 77;
	lock_wait(&lock);
	assert_int_equal(errno, 77);
	assert_int_equal(lock.word, 0);
	assert_int_equal(lock.waiters, 0);
}

static void test_locks_of_rising_rank_nest(void **state)
{
	(void)state;
	lock_acquire(&low);
	lock_acquire(&high);
	lock_acquire(&lock);
	/* They may be released in any order. */
	lock_release(&low);
	lock_release(&lock);
	lock_release(&high);
	lock_acquire(&low);
	lock_release(&low);
}

static void wrong_order(void)
{
	lock_acquire(&high);
	lock_acquire(&low);
}

static void twice(void)
{
	lock_acquire(&low);
	lock_acquire(&low);
}

static void not_the_owner(void)
{
	lock_release(&low);
}

static void test_debug_builds_find_wrong_orders(void **state)
{
	(void)state;
	if (!DEBUG_ZBM) {
		/* Release builds must not spend time on it. */
		assert_true(child_succeeds(wrong_order));
		return;
	}
	assert_true(child_dies(wrong_order, "rank"));
	assert_true(child_dies(twice, "rank"));
	assert_true(child_dies(not_the_owner, "lock_is_mine"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_lock_has_an_owner_while_it_is_held),
		cmocka_unit_test(test_who_tries_does_not_wait),
		cmocka_unit_test(test_threads_exclude_each_other),
		cmocka_unit_test(test_who_waits_sleeps_and_is_woken),
		cmocka_unit_test(test_who_is_not_woken_looks_for_itself),
		cmocka_unit_test(test_many_sleepers_are_woken_in_turn),
		cmocka_unit_test(
			test_who_waits_for_it_to_be_free_does_not_take_it),
		cmocka_unit_test(
			test_who_takes_it_is_woken_past_those_who_do_not),
		cmocka_unit_test(test_waiting_for_a_free_lock_returns_at_once),
		cmocka_unit_test(test_locks_of_rising_rank_nest),
		cmocka_unit_test(test_debug_builds_find_wrong_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
