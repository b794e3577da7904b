/*
 * exit-threads - the process ends by exit while its threads are still busy
 * in malloc, and main ends by pthread_exit before them.
 */
#include "hard.h"
#include <pthread.h>

static pthread_barrier_t barrier;

static void *forever(void *arg)
{
	uint64_t seed = (size_t)arg + 1;

	pthread_barrier_wait(&barrier);
	for (;;) {
		char *p = malloc(rnd_size(&seed, 16, 200000));

		CHECK(p);
		p[0] = 1;
		free(p);
	}
	return NULL;
}

static void *after_main(void *arg)
{
	CHECK(!pthread_join(*(pthread_t *)arg, NULL));
	every_class_once();
	VERIFY(((void **)arg)[1], 500, 1);
	free(((void **)arg)[1]);
	free(arg);
	exit(0);
}

static void at_exit(void)
{
	every_class_once();
}

int main(void)
{
	pid_t pid;
	int round;

	hard_start(50);
	for (round = 0; round < 40; round++) {
		pthread_t thread;
		size_t i;

		pid = fork();
		if (pid) {
			CHECK_EQ(hard_wait(pid), 0);
			continue;
		}
		alarm(10);
		atexit(at_exit);
		pthread_barrier_init(&barrier, NULL, 5);
		for (i = 0; i < 4; i++)
			CHECK(!pthread_create(&thread, NULL, forever,
					      (void *)i));
		pthread_barrier_wait(&barrier);
		exit(0);
	}
	for (round = 0; round < 10; round++) {
		pthread_t thread;
		void **arg;

		pid = fork();
		if (pid) {
			CHECK_EQ(hard_wait(pid), 0);
			continue;
		}
		alarm(10);
		arg = malloc(sizeof(*arg) * 2);
		*(pthread_t *)(void *)arg = pthread_self();
		arg[1] = malloc(500);
		fill(arg[1], 500, 1);
		CHECK(!pthread_create(&thread, NULL, after_main, arg));
		pthread_exit(NULL);
	}
	return 0;
}
