/*
 * thread-keys - all keys stay free for the program, and malloc works in
 * every round of the key destructors, also when it is the thread's first call.
 */
#include "hard.h"
#include <limits.h>
#include <malloc.h>
#include <pthread.h>

#define STACK_SIZE	(64 * KIB)

static pthread_key_t keys[PTHREAD_KEYS_MAX];
static int nr_keys;
static int last_rounds;

struct value {
	pthread_key_t key;
	int round;
	char *block;
};

/* What the last round left behind; freed by main. */
static char *left[4096];
static int nr_left;

static void destroy(void *arg)
{
	struct value *value = arg;
	struct value *next = malloc(sizeof(*next));
	char *p;

	CHECK(next);
	VERIFY(value->block, 700, 9);
	p = realloc(value->block, hide(9000UL));
	CHECK(p);
	VERIFY(p, 700, 9);
	free(p);
	every_class_once();
	*next = *value;
	free(value);
	next->block = malloc(hide(700UL));
	CHECK(next->block);
	fill(next->block, 700, 9);
	if (++next->round < PTHREAD_DESTRUCTOR_ITERATIONS) {
		CHECK(!pthread_setspecific(next->key, next));
		return;
	}
	/* The last call of all: nothing runs in this thread after it. */
	left[__atomic_fetch_add(&nr_left, 1, __ATOMIC_RELAXED)] = next->block;
	free(next);
	__atomic_fetch_add(&last_rounds, 1, __ATOMIC_RELAXED);
}

static void *body(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < nr_keys; i += nr_keys / 3) {
		struct value *value = malloc(sizeof(*value));

		CHECK(value);
		*value = (struct value){ keys[i], 0, malloc(700) };
		CHECK(value->block);
		fill(value->block, 700, 9);
		CHECK(!pthread_setspecific(keys[i], value));
	}
	return NULL;
}

static void run_threads(int n)
{
	pthread_t thread[8];
	int i, k;

	for (i = 0; i < n; i += 8) {
		for (k = 0; k < 8; k++)
			CHECK(!pthread_create(&thread[k], NULL, body, NULL));
		for (k = 0; k < 8; k++)
			pthread_join(thread[k], NULL);
	}
	for (i = 0; i < nr_left; i++) {
		VERIFY(left[i], 700, 9);
		free(left[i]);
	}
	nr_left = 0;
}

static void destroy_first(void *arg)
{
	CHECK(arg == &nr_keys);
	every_class_once();
}

static void *use_nothing(void *key)
{
	CHECK(!pthread_setspecific(*(pthread_key_t *)key, &nr_keys));
	return NULL;
}

/* Threads on stacks of their own, which nobody takes for each other. */
static void run_first_calls(pthread_key_t *key, char *stacks, int n)
{
	pthread_attr_t attr;
	pthread_t thread;
	int i;

	CHECK(!pthread_attr_init(&attr));
	for (i = 0; i < n; i++) {
		CHECK(!pthread_attr_setstack(&attr, stacks + i * STACK_SIZE,
					     STACK_SIZE));
		CHECK(!pthread_create(&thread, &attr, use_nothing, key));
		CHECK(!pthread_join(thread, NULL));
		madvise(stacks + i * STACK_SIZE, STACK_SIZE, MADV_DONTNEED);
	}
	CHECK(!pthread_attr_destroy(&attr));
}

static void test_first_calls_of_destructors(void)
{
	char *stacks = hard_map(600 * STACK_SIZE);
	pthread_key_t key;
	size_t before;

	CHECK(!pthread_key_create(&key, destroy_first));
	run_first_calls(&key, stacks, 100);
	malloc_trim(0);
	before = rss();
	run_first_calls(&key, stacks + 100 * STACK_SIZE, 500);
	malloc_trim(0);
	CHECK_OP(rss(), <, before + MIB);
	CHECK(!pthread_key_delete(key));
}

int main(void)
{
	size_t before;

	hard_start(58);
	free(malloc(hide(100UL)));
	test_first_calls_of_destructors();
	while (nr_keys < PTHREAD_KEYS_MAX &&
	       !pthread_key_create(&keys[nr_keys], destroy))
		nr_keys++;
	CHECK_EQ(nr_keys, PTHREAD_KEYS_MAX);
	/* What waits to be used again is no loss: it goes back first. */
	run_threads(400);
	malloc_trim(0);
	before = rss();
	run_threads(400);
	malloc_trim(0);
	CHECK_OP(rss(), <, before + MIB);
	CHECK_OP(last_rounds, >=, 800 * 3);
	return 0;
}
