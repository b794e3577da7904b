/*
 * fork-signal - a handler that interrupted malloc anywhere calls fork.
 *
 * 1. Half of the children end in the handler, as a crash reporter's do.
 * 2. The others return from it, finish the call that was interrupted and
 *    then use every size class.
 * 3. With and without other threads, which may wait for a lock that the
 *    interrupted call holds while they hold others.
 * 4. NR_FORKS each, or as many as a slow machine makes in CASE_SECONDS, but
 *    MIN_FORKS at least.
 */
#include "hard.h"
#include <pthread.h>
#include <sys/time.h>

enum { NR_FORKS = 500, MIN_FORKS = 100 };

#define CASE_SECONDS	6

static volatile sig_atomic_t nr_forks, enough, in_child;
static double case_end;

static void reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			_exit(20);
	if (status) {
		hard_say("child %d: wait status %#x\n", (int)nr_forks, status);
		_exit(1);
	}
}

static void handler(int signo)
{
	int error = errno;
	pid_t pid;

	(void)signo;
	if (enough || in_child)
		return;
	pid = fork();
	if (pid < 0)
		_exit(21);
	if (!pid && nr_forks % 2)
		_exit(0);
	if (!pid) {
		signal(SIGALRM, SIG_DFL);
		alarm(10);
		in_child = 1;
	} else {
		reap(pid);
		nr_forks++;
		enough = !hard_again((unsigned int)nr_forks, MIN_FORKS,
				     NR_FORKS, case_end);
	}
	errno = error;
}

static void *slot[512];

static void work(uint64_t *seed)
{
	unsigned int i = (unsigned int)(rnd(seed) % array_size(slot));

	free(slot[i]);
	slot[i] = rnd(seed) % 20 ? malloc(rnd_size(seed, 16, 8000)) :
		  calloc(1, rnd_size(seed, 8000, MIB));
	CHECK(slot[i]);
	*(char *)slot[i] = 1;
	if (rnd(seed) % 30 == 0)
		slot[i] = realloc(slot[i], rnd_size(seed, 16, 100000));
	if (rnd(seed) % 5000 == 0)
		malloc_trim(0);
}

static volatile int stop;

/* Holds locks while the handler forks; gets no signal itself. */
static void *busy(void *arg)
{
	uint64_t seed = (size_t)arg + 50;
	void *p[64] = { NULL };
	unsigned int i, n;

	for (n = 1; !stop; n++) {
		i = (unsigned int)(rnd(&seed) % array_size(p));
		free(p[i]);
		p[i] = malloc(rnd_size(&seed, 16, 200000));
		CHECK(p[i]);
		if (n % 1024 == 0)
			usleep(100);
	}
	for (i = 0; i < array_size(p); i++)
		free(p[i]);
	return NULL;
}

static void run_case(size_t nr_threads)
{
	/* As soon as one handler ends, the next is due. */
	struct itimerval often = { { 0, 300 }, { 0, 300 } };
	struct itimerval never = { { 0, 0 }, { 0, 0 } };
	pthread_t thread[2];
	uint64_t seed = 1;
	unsigned int i;
	sigset_t set;
	size_t k;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (k = 0; k < nr_threads; k++)
		CHECK(!pthread_create(&thread[k], NULL, busy, (void *)k));
	case_end = hard_now() + CASE_SECONDS;
	signal(SIGALRM, handler);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	CHECK(!setitimer(ITIMER_REAL, &often, NULL));
	while (!enough && !in_child)
		work(&seed);
	CHECK(in_child || !setitimer(ITIMER_REAL, &never, NULL));
	for (i = 0; i < 300; i++)
		work(&seed);
	for (i = 0; i < array_size(slot); i++)
		free(slot[i]);
	every_class_once();
	if (in_child)
		_exit(0);
	stop = 1;
	for (k = 0; k < nr_threads; k++)
		pthread_join(thread[k], NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		run_case(strcmp(argv[1], "threads") ? 0 : 2);
		return 0;
	}
	hard_start(50);
	hard_case("alone");
	hard_case("threads");
	return 0;
}
