/* run: alone */
/*
 * overcommit - mode 2 of vm.overcommit_memory: the kernel counts every
 * private writable page against a limit, whether touched or not.
 *
 * 1. The setting holds for the whole machine: it is on for well under two
 *    seconds, and a watcher puts the old value back even when this program
 *    is killed.
 */
#include "hard.h"
#include <pthread.h>

#define SETTING	"/proc/sys/vm/overcommit_memory"

static char old_mode;

static int set_mode(char mode)
{
	int fd = open(SETTING, O_WRONLY | O_CLOEXEC);
	int good = fd >= 0 && write(fd, &mode, 1) == 1;

	if (fd >= 0)
		close(fd);
	return good;
}

static size_t meminfo(const char *name)
{
	char text[8192];
	const char *at;
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	CHECK(n > 0);
	close(fd);
	text[n] = 0;
	at = strstr(text, name);
	CHECK(at);
	return strtoul(at + strlen(name), NULL, 10) * KIB;
}

static void *body(void *arg)
{
	every_class_once();
	return arg;
}

/* Runs in mode 2 from its first instruction on. */
static void work(void)
{
	static const size_t sizes[] = { 10, 1000, 50000, 3 * MIB, 100 * MIB };
	/* What may be written, so what the kernel has charged. */
	size_t before = hard_status("VmData:"), charged, i, beyond;
	pthread_t thread[4];
	char *p;

	CHECK_OP(before, <, 64 * MIB);
	every_class_once();
	for (i = 0; i < array_size(sizes); i++) {
		p = malloc(hide(sizes[i]));
		CHECK(p);
		fill(p, sizes[i], 1);
		p = realloc(p, sizes[i] * 2);
		CHECK(p);
		VERIFY(p, sizes[i], 1);
		free(p);
		p = calloc(1, hide(sizes[i]));
		CHECK(p);
		CHECK_EQ(p[0] | p[sizes[i] - 1], 0);
		free(p);
	}
	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, body, NULL));
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	beyond = meminfo("CommitLimit:") + GIB;
	errno = 0;
	charged = hard_status("VmData:");
	CHECK(!malloc(hide(beyond)));
	CHECK_EQ(errno, ENOMEM);
	/* What is refused to one leaves the rest to everybody, but for the
	 * end of a section that was begun. */
	CHECK_OP(hard_status("VmData:"), <=, charged + 64 * MIB);
	errno = 0;
	CHECK(!calloc(1, hide(beyond)));
	CHECK_EQ(errno, ENOMEM);
	p = malloc(hide(300 * MIB));
	CHECK(p);
	p[0] = p[300 * MIB - 1] = 1;
	errno = 0;
	CHECK(!realloc(p, hide(beyond)));
	CHECK_EQ(errno, ENOMEM);
	CHECK_EQ(p[0] & p[300 * MIB - 1], 1);
	free(p);
	every_class_once();
}

/* Ends when the last writer of the pipe has gone, however it went. */
static void watch(int fd)
{
	char c;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setsid();
	while (read(fd, &c, 1) > 0)
		;
	_exit(set_mode(old_mode) ? 0 : 1);
}

int main(int argc, char **argv __attribute__((unused)))
{
	int fds[2], fd, status = -1, ready = 0;
	pid_t watcher, pid;

	if (argc > 1) {
		alarm(5);
		work();
		return 0;
	}
	hard_start(30);
	fd = open(SETTING, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &old_mode, 1) != 1)
		SKIP("%s cannot be read", SETTING);
	close(fd);
	if (!set_mode(old_mode))
		SKIP("%s cannot be written (not root)", SETTING);
	if (meminfo("CommitLimit:") < meminfo("Committed_AS:") + 2 * GIB)
		SKIP("too little memory may be committed on this machine");
	CHECK(!pipe2(fds, O_CLOEXEC));
	watcher = fork();
	if (!watcher) {
		close(fds[1]);
		watch(fds[0]);
	}
	close(fds[0]);
	ready = set_mode('2');
	pid = ready ? fork() : -1;
	if (!pid) {
		execl("/proc/self/exe", "overcommit", "work", (char *)NULL);
		_exit(4);
	}
	if (pid > 0)
		status = hard_wait(pid);
	set_mode(old_mode);
	close(fds[1]);
	CHECK_EQ(hard_wait(watcher), 0);
	CHECK(ready);
	CHECK_EQ(status, 0);
	return 0;
}
