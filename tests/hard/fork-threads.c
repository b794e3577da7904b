/*
 * fork-threads - 2,000 forks while 8 threads allocate; each child allocates
 * and frees every size class at once. On a machine that takes long to fork, as
 * many as it does in FORK_SECONDS, but 400 at least.
 *
 * 1. Blocks that the parent's threads hold at the fork stay intact in the
 *    child, and the child can free those of main.
 * 2. A child that hangs is ended by its own alarm and is a failure.
 */
#include "hard.h"
#include <pthread.h>

enum { NR_FORKS = 2000, MIN_FORKS = 400, NR_THREADS = 8, NR_KEPT = 64 };

#define FORK_SECONDS	10

static volatile int stop;

/* Mostly small work, so that locks of every rank are met in each state. */
static void *body(void *arg)
{
	uint64_t seed = (size_t)arg + 1;
	void *kept[NR_KEPT] = { NULL };
	unsigned int n = 0;
	int i;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		i = (int)(rnd(&seed) % NR_KEPT);
		free(kept[i]);
		kept[i] = rnd(&seed) % 50 ?
			malloc(rnd_size(&seed, 16, 3000)) :
			malloc(rnd_size(&seed, 3000, 3 * MIB));
		CHECK(kept[i]);
		*(char *)kept[i] = 1;
		if (++n % 65536 == 0)
			malloc_trim(0);
		/* Two cores: leave main a share of them. */
		if (n % 512 == 0)
			usleep(400);
	}
	for (i = 0; i < NR_KEPT; i++)
		free(kept[i]);
	return NULL;
}

static void child(char *p, unsigned int round)
{
	signal(SIGALRM, SIG_DFL);
	alarm(10);
	VERIFY(p, 5000, round);
	every_class_once();
	p = realloc(p, 100000);
	CHECK(p);
	VERIFY(p, 5000, round);
	free(p);
	if (round % 8 == 0) {
		struct mallinfo2 info = mallinfo2();

		CHECK_OP(info.uordblks + info.hblkhd, <, GIB);
		malloc_trim(0);
		every_class_once();
	}
	_exit(0);
}

/* A child that has threads of its own, and forks again. */
static void child_with_threads(void)
{
	pthread_t thread[2];
	pid_t pid;
	size_t i;

	signal(SIGALRM, SIG_DFL);
	alarm(10);
	for (i = 0; i < 2; i++)
		CHECK(!pthread_create(&thread[i], NULL, body, (void *)i));
	pid = fork();
	if (!pid) {
		every_class_once();
		_exit(0);
	}
	CHECK_EQ(hard_wait(pid), 0);
	stop = 1;
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	every_class_once();
	_exit(0);
}

int main(void)
{
	pthread_t thread[NR_THREADS];
	double end = hard_now() + FORK_SECONDS;
	unsigned int round;
	size_t i;

	hard_start(50);
	for (i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&thread[i], NULL, body, (void *)i));
	for (round = 0; hard_again(round, MIN_FORKS, NR_FORKS, end);
	     round++) {
		char *p = malloc(5000);
		pid_t pid;
		int status;

		CHECK(p);
		fill(p, 5000, round);
		pid = fork();
		if (!pid && round % 200 == 199)
			child_with_threads();
		if (!pid)
			child(p, round);
		status = hard_wait(pid);
		if (status)
			hard_say("child %u of %d\n", round, NR_FORKS);
		CHECK_EQ(status, 0);
		free(p);
	}
	stop = 1;
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(thread[i], NULL);
	every_class_once();
	return 0;
}
