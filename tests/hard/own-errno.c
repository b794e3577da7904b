/*
 * own-errno - a program that has taken the C library's __errno_location.
 *
 * The library's calls of that name come here, too. Which copy of the C library
 * is its own it must know without: fork handlers and the marks of threads are
 * that copy's.
 */
#include "hard.h"
#include <pthread.h>

enum { NR_FORKS = 200, NR_CHILD = 2000 };

static volatile int stop;
static int nr_prepared;

int *__errno_location(void)
{
	static __thread int mine;

	return &mine;
}

static void prepare(void)
{
	nr_prepared++;
}

static void *allocate_until_stopped(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 1;

	while (!stop)
		free(malloc(rnd_size(&seed, 16, 9000)));
	return NULL;
}

static void child_allocates(void)
{
	uint64_t seed = 7;
	int i;

	signal(SIGALRM, SIG_DFL);
	alarm(10);
	for (i = 0; i < NR_CHILD; i++)
		free(malloc(rnd_size(&seed, 16, 9000)));
	_exit(0);
}

static void test_fork_handlers_are_registered(void)
{
	pid_t pid;

	CHECK_EQ(pthread_atfork(prepare, NULL, NULL), 0);
	pid = fork();
	if (!pid)
		_exit(0);
	CHECK_EQ(hard_wait(pid), 0);
	CHECK_EQ(nr_prepared, 1);
}

/* Without handlers a child finds locks that nobody will release. */
static void test_a_child_of_threads_allocates(void)
{
	pthread_t thread[3];
	uintptr_t i;

	for (i = 0; i < array_size(thread); i++)
		CHECK(!pthread_create(&thread[i], NULL, allocate_until_stopped,
				      (void *)i));
	for (i = 0; i < NR_FORKS; i++) {
		pid_t pid = fork();

		if (!pid)
			child_allocates();
		CHECK_EQ(hard_wait(pid), 0);
	}
	stop = 1;
	for (i = 0; i < array_size(thread); i++)
		pthread_join(thread[i], NULL);
}

int main(void)
{
	hard_start(50);
	test_fork_handlers_are_registered();
	test_a_child_of_threads_allocates();
	every_class_once();
	return 0;
}
