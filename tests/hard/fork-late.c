/*
 * fork-late - the allocator's fork handlers are registered only when they are
 * needed, and then before those of anybody else.
 *
 * 1. Each case begins in a process that has had one thread and no handler.
 * 2. The second thread forks without a call of malloc before, while the first
 *    one allocates; the child allocates.
 * 3. The program's own prepare handler takes a lock whose holder allocates:
 *    with the allocator's locks taken before, they would wait for each other.
 * 4. Handlers of an object that has been closed are not called any more.
 */
#include "hard.h"
#include <pthread.h>
#include <stdbool.h>

enum { NR_SPAWNERS = 40, NR_FORKS = 20, NR_ORDERS = 10, MIN_ROUNDS = 10 };

#define CASE_SECONDS	6

static volatile int stop;
static pthread_mutex_t ours = PTHREAD_MUTEX_INITIALIZER;

static void child_allocates(void)
{
	signal(SIGALRM, SIG_DFL);
	alarm(10);
	every_class_once();
	_exit(0);
}

static void fork_once(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid)
		child_allocates();
	CHECK_EQ(hard_wait(pid), 0);
}

static void *spawner(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < NR_FORKS; i++)
		fork_once();
	stop = 1;
	return NULL;
}

/* All that takes locks: small objects, runs, huge blocks. */
static void allocate_until_stopped(uint64_t seed)
{
	while (!stop) {
		char *p = malloc(rnd_size(&seed, 16, 3 * MIB));
		char *q = realloc(malloc(2 * MIB), 5 * MIB);

		CHECK(p && q);
		free(p);
		free(q);
	}
}

static void case_spawner(unsigned int round)
{
	pthread_t thread;

	hard_start(50);
	CHECK(!pthread_create(&thread, NULL, spawner, NULL));
	allocate_until_stopped(round + 1);
	pthread_join(thread, NULL);
}

static void *holder(void *arg)
{
	uint64_t seed = 1;

	(void)arg;
	while (!stop) {
		pthread_mutex_lock(&ours);
		free(malloc(rnd_size(&seed, 16, 3 * MIB)));
		pthread_mutex_unlock(&ours);
	}
	return NULL;
}

static void prepare(void)
{
	pthread_mutex_lock(&ours);
	free(hide(malloc(100000)));
}

static void after(void)
{
	free(hide(malloc(100000)));
	pthread_mutex_unlock(&ours);
}

/* The program registers before or after it has a second thread. */
static void case_order(unsigned int round)
{
	bool early = round % 2;
	pthread_t thread;
	int i;

	hard_start(50);
	if (early)
		CHECK(!pthread_atfork(prepare, after, after));
	CHECK(!pthread_create(&thread, NULL, holder, NULL));
	if (!early)
		CHECK(!pthread_atfork(prepare, after, after));
	for (i = 0; i < NR_FORKS; i++)
		fork_once();
	stop = 1;
	pthread_join(thread, NULL);
}

static void case_closed(unsigned int round)
{
	void *handle = dlopen(hard_beside("plugin.so"), RTLD_NOW);
	int (*at_fork)(int *);
	int count = 0;

	(void)round;
	CHECK(handle);
	at_fork = (int (*)(int *))hard_symbol(handle, __FILE__, __LINE__,
					      "plugin_at_fork");
	CHECK_EQ(at_fork(&count), 0);
	fork_once();
	CHECK_EQ(count, 1);
	CHECK(!dlclose(handle));
	fork_once();
	CHECK_EQ(count, 1);
}

/*
 * In a process of its own, whose parent stays as it is; on a slow machine as
 * often as fits into CASE_SECONDS, but MIN_ROUNDS times of n at least.
 */
static void run_case(void (*run)(unsigned int), unsigned int n)
{
	double end = hard_now() + CASE_SECONDS;
	unsigned int round;

	for (round = 0; hard_again(round, MIN_ROUNDS, n, end); round++) {
		pid_t pid = fork();

		if (!pid) {
			run(round);
			_exit(0);
		}
		CHECK_EQ(hard_wait(pid), 0);
	}
}

int main(void)
{
	hard_start(55);
	every_class_once();
	run_case(case_spawner, NR_SPAWNERS);
	run_case(case_order, NR_ORDERS);
	run_case(case_closed, 1);
	every_class_once();
	return 0;
}
