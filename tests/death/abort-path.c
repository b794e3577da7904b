/* case double-free dies: double free */
/* case interior dies: (into|inside) a block */
/* case wild dies: never handed out|not allocated */
/* case threads dies: double free */
/* case fork dies: double free */
/*
 * abort-path - the way out is clear: a SIGABRT handler may allocate, other
 * threads may be busy, and a fork child dies as its parent would.
 */
#include "death.h"
#include <signal.h>
#include <sys/wait.h>

static void allocate(int signo)
{
	size_t n;

	(void)signo;
	for (n = 16; n < 5 * MIB; n += n / 2)
		free(take(n));
}

static void *busy(void *arg)
{
	size_t n = 16;

	for (;;) {
		free(take(n));
		n = n < MIB ? n + n / 3 : 16;
	}
	return arg;
}

static void wrong(const char *name)
{
	char *p = take(200);

	if (!strcmp(name, "interior"))
		p += 16;
	else if (!strcmp(name, "wild"))
		p = (char *)&p;
	else
		free(p);
	free(hide(p));
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	pthread_t thread;
	int i, status;
	pid_t pid;

	signal(SIGABRT, allocate);
	if (!strcmp(name, "threads"))
		for (i = 0; i < 3; i++)
			pthread_create(&thread, NULL, busy, NULL);
	if (!strcmp(name, "fork")) {
		pid = fork();
		if (pid > 0) {
			waitpid(pid, &status, 0);
			if (!WIFSIGNALED(status) ||
			    WTERMSIG(status) != SIGABRT)
				return death_survived();
			signal(SIGABRT, SIG_DFL);
			raise(SIGABRT);
		}
	}
	wrong(name);
	return death_survived();
}
