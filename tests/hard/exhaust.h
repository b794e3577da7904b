/*
 * exhaust - what a program under a memory limit sees: NULL with ENOMEM when
 * there is no more, in every thread and in a fork child, and everything
 * again after frees, also for other sizes.
 *
 * 1. Blocks are chained through their first word, so that the test itself
 *    needs no memory.
 */
#ifndef ZBM_EXHAUST_H
#define ZBM_EXHAUST_H

#include "hard.h"
#include <pthread.h>

/* The least part of the limit that must be of use, in percent. */
#define USABLE_PERCENT	25

static void *exhaust(size_t size, size_t *count)
{
	void *chain = NULL;

	for (*count = 0;; (*count)++) {
		void **p;

		errno = 0;
		p = malloc(hide(size));
		if (!p)
			break;
		*p = chain;
		chain = p;
	}
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(!calloc(hide(size), 4096));
	CHECK_EQ(errno, ENOMEM);
	return chain;
}

static void release(void *chain)
{
	while (chain) {
		void *next = *(void **)chain;

		free(chain);
		chain = next;
	}
}

static inline size_t fill_once(size_t size)
{
	size_t count;
	void *chain = exhaust(size, &count);

	release(chain);
	return count * size;
}

/* The largest block that surely fits when nothing is live. */
static size_t exhaust_largest;

/* One block at a time: the limit may be less than one of each. */
static inline void every_class_in_turn(void)
{
	unsigned int i;
	char *p;

	for (i = 0; i < NR_CLASS_SIZES; i++) {
		if (class_size(i) > exhaust_largest)
			break;
		p = (char *)malloc(class_size(i));
		CHECK(p);
		p[0] = p[class_size(i) - 1] = 1;
		free(p);
	}
}

struct exhaust_thread {
	pthread_t thread;
	size_t count;
};

static struct exhaust_thread exhaust_threads[4];
static pthread_barrier_t exhaust_barrier;

static void *exhaust_body(void *arg)
{
	struct exhaust_thread *t = (struct exhaust_thread *)arg;
	void *chain;

	pthread_barrier_wait(&exhaust_barrier);
	chain = exhaust(1000, &t->count);
	pthread_barrier_wait(&exhaust_barrier);	/* all are out of memory */
	errno = 0;
	CHECK(!malloc(hide(3 * MIB)));
	CHECK_EQ(errno, ENOMEM);
	pthread_barrier_wait(&exhaust_barrier);
	release(chain);
	pthread_barrier_wait(&exhaust_barrier);
	every_class_in_turn();
	return NULL;
}

/* Before memory runs out: a stack is memory, too. */
static inline void exhaust_start_threads(void)
{
	pthread_attr_t attr;
	size_t i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * KIB);
	pthread_barrier_init(&exhaust_barrier, NULL, 5);
	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&exhaust_threads[i].thread, &attr,
				      exhaust_body, &exhaust_threads[i]));
}

static inline void exhaust_in_threads(size_t room)
{
	size_t i, total = 0;

	for (i = 0; i < 4; i++)
		pthread_barrier_wait(&exhaust_barrier);
	for (i = 0; i < 4; i++) {
		pthread_join(exhaust_threads[i].thread, NULL);
		total += exhaust_threads[i].count * 1000;
	}
	CHECK_OP(total, >=, room / 2);
	CHECK_OP(fill_once(100000), >=, room / 2);
}

static inline void exhaust_in_child(size_t room)
{
	pid_t pid = fork();

	if (!pid) {
		CHECK_OP(fill_once(3000), >=, room / 2);
		CHECK_OP(fill_once(300), >=, room / 2);
		_exit(0);
	}
	CHECK_EQ(hard_wait(pid), 0);
}

/* Out of memory by blocks of `size` in main, and the child of fork is, too. */
static inline void exhaust_then_fork(size_t size)
{
	size_t count;
	void *chain = exhaust(size, &count);
	pid_t pid = fork();

	if (!pid) {
		errno = 0;
		CHECK(!malloc(hide(2 * MIB)));
		CHECK_EQ(errno, ENOMEM);
		release(chain);
		every_class_in_turn();
		_exit(0);
	}
	CHECK_EQ(hard_wait(pid), 0);
	release(chain);
}

/* realloc of a block that cannot grow leaves it as it is. */
static inline void exhaust_then_realloc(void)
{
	size_t count;
	char *p = (char *)malloc(200000);
	void *chain;

	fill(p, 200000, 8);
	chain = exhaust(65536, &count);
	errno = 0;
	CHECK(!realloc(p, hide(16 * GIB)));
	CHECK_EQ(errno, ENOMEM);
	VERIFY(p, 200000, 8);
	release(chain);
	p = (char *)realloc(p, 400000);
	CHECK(p);
	VERIFY(p, 200000, 8);
	free(p);
}

/* `available` bytes are what the limit leaves above the bare program. */
static inline void exhaust_all(size_t available)
{
	static const size_t sizes[] = { 100, 1000, 16, 4096, 30000, 300000,
					500, 3 * MIB, 24, 5000 };
	size_t first, i, got;

	exhaust_start_threads();
	first = fill_once(1000);
	CHECK_OP(first, >=, available / 100 * USABLE_PERCENT);
	exhaust_largest = first / 8;
	for (i = 0; i < array_size(sizes); i++) {
		if (sizes[i] > exhaust_largest)
			continue;
		/* Little blocks of a big limit only take time. */
		if (sizes[i] < 1000 && available > 100 * MIB)
			continue;
		got = fill_once(sizes[i]);
		if (got < first / 2)
			hard_say("blocks of %zu bytes\n", sizes[i]);
		CHECK_OP(got, >=, first / 2);
		every_class_in_turn();
	}
	/* The same again: nothing was lost on the way. */
	CHECK_OP(fill_once(1000), >=, first - first / 10);
	exhaust_in_threads(first);
	exhaust_in_child(first);
	exhaust_then_fork(4096);
	exhaust_then_realloc();
	CHECK_OP(fill_once(1000), >=, first - first / 4);
}

#endif
