/* run: options window=16M */
/*
 * thread-nomem - a thread whose first call comes when memory is out gets NULL
 * with ENOMEM, and memory once there is some.
 */
#include "exhaust.h"

static pthread_barrier_t barrier;

static void *call_first(void *arg)
{
	void *p;

	pthread_barrier_wait(&barrier);
	errno = 0;
	CHECK(!malloc(hide(3 * MIB)));
	CHECK_EQ(errno, ENOMEM);
	p = malloc(hide(100UL));
	CHECK(p || errno == ENOMEM);
	free(p);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	every_class_in_turn();
	return arg;
}

int main(void)
{
	void *chains[20];
	pthread_t thread;
	size_t count;
	int i;

	hard_start(50);
	exhaust_largest = MIB;
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, call_first, NULL));
	/* What is left of large blocks is taken by smaller ones. */
	for (i = 0; i < 20; i++)
		chains[i] = exhaust(hide(4 * MIB >> i) + 8, &count);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < 20; i++)
		release(chains[i]);
	pthread_barrier_wait(&barrier);
	CHECK(!pthread_join(thread, NULL));
	return 0;
}
