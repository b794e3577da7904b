/*
 * thread-stack - every kind of call in threads with the smallest stack that
 * the system grants.
 */
#include "hard.h"
#include <limits.h>
#include <pthread.h>

/* No large frame here: the stack is for the allocator. */
static void *body(void *arg)
{
	unsigned int i;
	void *p = NULL, *q;

	for (i = 0; i < NR_CLASS_SIZES; i++) {
		q = malloc(class_size(i));
		if (!q)
			_exit(10);
		*(char *)q = 1;
		free(p);
		p = q;
	}
	for (i = 1; i < 40; i++) {
		p = realloc(p, 200000 * (size_t)i);
		if (!p)
			_exit(11);
	}
	free(p);
	p = calloc(3, 30 * MIB);
	if (!p || malloc_usable_size(p) < 90 * MIB)
		_exit(12);
	free(p);
	p = memalign(MIB, 100);
	if (!p || posix_memalign(&q, 64, 5000))
		_exit(13);
	if (malloc(hide((size_t)PTRDIFF_MAX + 1)))
		_exit(14);
	free(p);
	free(q);
	malloc_trim(0);
	return arg;
}

int main(void)
{
	long least = sysconf(_SC_THREAD_STACK_MIN);
	pthread_attr_t attr;
	pthread_t thread[4];
	int i, round;

	hard_start(58);
	if (least < PTHREAD_STACK_MIN)
		least = PTHREAD_STACK_MIN;
	CHECK(!pthread_attr_init(&attr));
	CHECK(!pthread_attr_setstacksize(&attr, (size_t)least));
	/* The first thread meets the allocator before main has used it. */
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 4; i++)
			CHECK(!pthread_create(&thread[i], &attr, body, NULL));
		for (i = 0; i < 4; i++)
			pthread_join(thread[i], NULL);
		every_class_once();
	}
	return 0;
}
