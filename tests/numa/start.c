/*
 * start - what a process pays for nodes when it starts.
 *
 * A child is traced through its start and some allocations. Where there is one
 * node it makes one call of get_mempolicy, opens nothing of the nodes' in
 * /sys, never calls mbind and has no libnuma.
 */
#include "numa.h"
#include <sys/ptrace.h>

#define NODE_FOLDER	"/sys/devices/system/node"

enum { COUNTED_GET, COUNTED_SET, COUNTED_BIND, COUNTED_SYS, NR_COUNTED };

static size_t counted[NR_COUNTED];

/* The string at an address of the child; its first bytes. */
static void read_string(pid_t pid, uint64_t at, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, text, size - 1, (off_t)at);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = 0;
}

static void count_call(pid_t pid, uint64_t nr, const uint64_t *args)
{
	char path[64];

	switch (nr) {
	case SYS_get_mempolicy:
		counted[COUNTED_GET]++;
		break;
	case SYS_set_mempolicy:
		counted[COUNTED_SET]++;
		break;
	case SYS_mbind:
		counted[COUNTED_BIND]++;
		break;
	case SYS_openat:
		read_string(pid, args[1], path, sizeof(path));
		counted[COUNTED_SYS] += !strncmp(path, NODE_FOLDER,
						 strlen(NODE_FOLDER));
		break;
	}
}

/* What the traced program does. */
static int work(void)
{
	FILE *file;
	char line[4096];
	int i;

	every_class_once();
	for (i = 0; i < 3; i++) {
		void *p = malloc(hide((size_t)8 * MIB));

		CHECK(p);
		touch(p, 8 * MIB);
		free(p);
	}
	file = fopen("/proc/self/maps", "r");
	CHECK(file);
	while (fgets(line, sizeof(line), file))
		CHECK(!strstr(line, "libnuma"));
	fclose(file);
	return 0;
}

static void trace(pid_t pid)
{
	struct __ptrace_syscall_info info;
	int status, signo;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD |
			PTRACE_O_EXITKILL), 0);
	for (signo = 0;;) {
		CHECK_EQ(ptrace(PTRACE_SYSCALL, pid, 0, signo), 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			break;
		signo = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
		if (signo != (SIGTRAP | 0x80))
			continue;
		signo = 0;
		CHECK_OP(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info),
				&info), >, 0);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			count_call(pid, info.entry.nr,
				   (const uint64_t *)info.entry.args);
	}
	CHECK_EQ(status, 0);
}

static void trace_self(void)
{
	char self[] = "start", word[] = "work", *argv[] = { self, word, NULL };
	pid_t pid = fork();

	if (!pid) {
		CHECK_EQ(ptrace(PTRACE_TRACEME, 0, 0, 0), 0);
		raise(SIGSTOP);
		execv("/proc/self/exe", argv);
		_exit(3);
	}
	trace(pid);
}

int main(int argc, char **argv)
{
	(void)argv;
	hard_start(TIMEOUT);
	if (argc > 1)
		return work();
	numa_read();
	trace_self();
	hard_say("start: %d nodes: get_mempolicy %zu, set_mempolicy %zu, mbind "
		 "%zu, files of nodes %zu\n", numa.nr_memory,
		 counted[COUNTED_GET], counted[COUNTED_SET],
		 counted[COUNTED_BIND], counted[COUNTED_SYS]);
	CHECK_EQ(counted[COUNTED_SET], 0);
	if (numa.nr_memory > 1) {
		/* Else nothing was counted. */
		CHECK_OP(counted[COUNTED_GET], >=, 1);
		CHECK_OP(counted[COUNTED_BIND], >=, 1);
		return 0;
	}
	CHECK_EQ(counted[COUNTED_GET], 1);
	CHECK_EQ(counted[COUNTED_BIND], 0);
	CHECK_EQ(counted[COUNTED_SYS], 0);
	return 0;
}
