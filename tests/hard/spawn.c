/*
 * spawn - vfork, posix_spawn, system and popen while other threads allocate.
 */
#include "hard.h"
#include <pthread.h>
#include <spawn.h>

extern char **environ;

static volatile int stop;

static void *body(void *arg)
{
	uint64_t seed = (size_t)arg + 1;

	while (!stop) {
		char *p = malloc(rnd_size(&seed, 16, 100000));

		CHECK(p);
		p[0] = 1;
		if (rnd(&seed) % 64 == 0)
			usleep(100);
		free(p);
	}
	return NULL;
}

int main(void)
{
	static char name[] = "true";
	static char *argv[] = { name, NULL };
	pthread_t thread[4];
	size_t i;
	int round;

	hard_start(50);
	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, body, (void *)i));
	for (round = 0; round < 60; round++) {
		static void *in_child;
		pid_t pid = vfork();
		char line[64];
		FILE *f;

		if (!pid) {
			/* Shares our memory: what it does not free stays. */
			free(malloc(hide(5000UL)));
			in_child = malloc(hide(300UL));
			execv("/bin/true", argv);
			_exit(1);
		}
		CHECK_EQ(hard_wait(pid), 0);
		CHECK(in_child);
		memset(in_child, 1, 300);
		free(in_child);
		CHECK(!posix_spawn(&pid, "/bin/true", NULL, NULL, argv,
				   environ));
		CHECK_EQ(hard_wait(pid), 0);
		if (round % 10)
			continue;
		CHECK_EQ(system("exit 0"), 0);
		f = popen("echo word", "r");
		CHECK(f && fgets(line, sizeof(line), f));
		CHECK(!strcmp(line, "word\n"));
		CHECK_EQ(pclose(f), 0);
		every_class_once();
	}
	stop = 1;
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
