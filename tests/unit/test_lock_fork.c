/*
 * test_lock_fork - fork takes all locks, but what its own thread holds when it
 * comes from a signal handler, and what others hold that wait for that.
 */
#include "holder.h"
#include "world.h"

#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

static void test_fork_takes_and_gives_back(void **state)
{
	static lock_fork_fn *const takes[] = { lock_fork_take,
					       lock_fork_try };

	(void)state;
	for (size_t i = 0; i < array_size(takes); i++) {
		assert_true(lock_fork_not_mine(&lock));
		assert_true(takes[i](&lock));
		assert_true(lock_is_mine(&lock));
		assert_false(lock_fork_not_mine(&lock));
		assert_true(lock_fork_parent(&lock));
		assert_int_equal(lock.word, 0);
		/* Nothing to give back. */
		assert_true(lock_fork_parent(&lock));
		assert_int_equal(lock.word, 0);
	}
}

static void test_fork_leaves_what_its_own_thread_holds(void **state)
{
	(void)state;
	lock_acquire(&lock);
	assert_false(lock_fork_not_mine(&lock));
	assert_true(lock_fork_try(&lock));
	assert_true(lock_fork_parent(&lock));
	assert_true(lock_is_mine(&lock));
	assert_true(lock_fork_try(&lock));
	assert_true(lock_fork_child(&lock));
	assert_true(lock_is_mine(&lock));
	lock_release(&lock);
	assert_int_equal(lock.word, 0);
}

/* Nothing tells what the holder waits for. */
static void test_fork_that_interrupted_does_not_wait_for_ever(void **state)
{
	pthread_t thread = start_holder();

	(void)state;
	assert_true(lock_fork_not_mine(&lock));
	assert_true(lock_fork_try(&lock));
	assert_false(lock_is_mine(&lock));
	assert_true(lock_fork_parent(&lock));
	assert_int_not_equal(lock.word, 0);
	end_holder(thread);
	assert_int_equal(lock.word, 0);
}

/* Far longer than a thread is kept from the CPU on most machines, and less than
 * fork waits at most. */
static void *release_after_a_while(void *arg)
{
	usleep(100000);
	__atomic_store_n(&release, true, __ATOMIC_RELEASE);
	return arg;
}

/* Until the holder, whom a thread of this function ends, has let go. */
static void check_fork_waits(lock_fork_fn *take, void *(*end)(void *))
{
	pthread_t thread = start_holder(), other;

	CHECK(pthread_create(&other, NULL, end, NULL) == 0);
	assert_true(take(&lock));
	assert_true(lock_is_mine(&lock));
	CHECK(pthread_join(other, NULL) == 0);
	end_holder(thread);
	assert_true(lock_fork_parent(&lock));
	assert_int_equal(lock.word, 0);
}

static void test_fork_that_interrupted_waits_for_who_goes_on(void **state)
{
	(void)state;
	check_fork_waits(lock_fork_try, release_after_a_while);
}

/* Holds one lock and waits for the other. */
struct nesting {
	struct lock *outer, *inner;
};

static void *nest(void *arg)
{
	const struct nesting *nesting = arg;

	lock_acquire(nesting->outer);
	lock_acquire(nesting->inner);
	lock_release(nesting->inner);
	lock_release(nesting->outer);
	return NULL;
}

static pthread_t start_nesting(struct nesting *nesting)
{
	uint32_t waiters = nesting->inner->waiters;
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, nest, nesting) == 0);
	while (__atomic_load_n(&nesting->inner->waiters, __ATOMIC_RELAXED) ==
	       waiters)
		sched_yield();
	return thread;
}

/* At once: else it would be left after a second in any case. */
static void test_fork_leaves_who_waits_for_its_own_thread(void **state)
{
	struct nesting far = { &low, &high }, near = { &high, &lock };
	pthread_t thread[2];
	uint64_t start;

	(void)state;
	lock_acquire(&lock);
	thread[0] = start_nesting(&near);
	thread[1] = start_nesting(&far);
	start = os_now_ms();
	assert_true(lock_fork_try(&low));
	assert_true(lock_fork_try(&high));
	assert_false(lock_is_mine(&low));
	assert_false(lock_is_mine(&high));
	assert_true(os_now_ms() - start < 800);
	lock_release(&lock);
	for (size_t i = 0; i < array_size(thread); i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	assert_int_equal(low.word | high.word | lock.word, 0);
}

/* One that waits for somebody who goes on will have its lock, and let go. */
static void test_fork_waits_for_who_waits_for_others(void **state)
{
	struct nesting nesting = { &low, &lock };
	pthread_t thread = start_holder(), other, waiter;

	(void)state;
	lock_acquire(&high);
	waiter = start_nesting(&nesting);
	CHECK(pthread_create(&other, NULL, release_after_a_while, NULL) == 0);
	assert_true(lock_fork_try(&low));
	assert_true(lock_is_mine(&low));
	assert_true(lock_fork_parent(&low));
	lock_release(&high);
	CHECK(pthread_join(waiter, NULL) == 0);
	CHECK(pthread_join(other, NULL) == 0);
	end_holder(thread);
}

/* Of the thread that was lost it is not known any more what it waited for. */
static void forgets_who_waited(void)
{
	uint64_t start = os_now_ms();

	CHECK(lock_fork_try(&low));
	CHECK(!lock_is_mine(&low) && os_now_ms() - start < 800);
	lock_fork_forget();
	start = os_now_ms();
	CHECK(lock_fork_try(&low));
	CHECK(!lock_is_mine(&low) && os_now_ms() - start > 800);
}

static void test_the_child_forgets_who_waited(void **state)
{
	struct nesting nesting = { &low, &lock };
	pthread_t thread;
	bool ok;

	(void)state;
	lock_acquire(&lock);
	thread = start_nesting(&nesting);
	ok = child_succeeds(forgets_who_waited);
	lock_release(&lock);
	CHECK(pthread_join(thread, NULL) == 0);
	assert_true(ok);
}

static void test_fork_waits_for_the_holder(void **state)
{
	(void)state;
	check_fork_waits(lock_fork_take, late_release);
}

static void test_the_child_has_no_waiters(void **state)
{
	(void)state;
	assert_true(lock_fork_take(&lock));
	lock.waiters = 3;
	lock.woken = true;
	assert_true(lock_fork_child(&lock));
	assert_int_equal(lock.waiters, 0);
	assert_false(lock.woken);
	assert_int_equal(lock.word, 0);
	assert_int_equal(lock.forked, 0);
}

static void frees_what_was_lost(void)
{
	CHECK(lock.word && !lock_is_mine(&lock));
	CHECK(lock_fork_child(&lock));
	CHECK(lock.word == 0);
	lock_acquire(&lock);
	lock_release(&lock);
}

static void test_what_a_lost_thread_held_is_free_in_the_child(void **state)
{
	pthread_t thread = start_holder();
	bool ok = child_succeeds(frees_what_was_lost);

	(void)state;
	end_holder(thread);
	assert_true(ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fork_takes_and_gives_back),
		cmocka_unit_test(test_fork_leaves_what_its_own_thread_holds),
		cmocka_unit_test(
			test_fork_that_interrupted_does_not_wait_for_ever),
		cmocka_unit_test(
			test_fork_that_interrupted_waits_for_who_goes_on),
		cmocka_unit_test(test_fork_leaves_who_waits_for_its_own_thread),
		cmocka_unit_test(test_fork_waits_for_who_waits_for_others),
		cmocka_unit_test(test_the_child_forgets_who_waited),
		cmocka_unit_test(test_fork_waits_for_the_holder),
		cmocka_unit_test(test_the_child_has_no_waiters),
		cmocka_unit_test(
			test_what_a_lost_thread_held_is_free_in_the_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
