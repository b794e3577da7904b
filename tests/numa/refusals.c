/*
 * refusals - a container that forbids what the library would like to do.
 *
 *	CALL-ERROR  the call (mbind, get_mempolicy, set_mempolicy, all) returns
 *		    EPERM or ENOSYS, by a filter of libseccomp
 *	no-sys      /sys is not mounted
 *
 * Where it was refused something, the library says so in one line when it is
 * verbose; memory lies where it was first touched.
 */
#include "numa.h"
#include <seccomp.h>
#include <sys/mount.h>

#define LINES_SIZE	8192

static const struct refusal {
	const char *name;
	int call[3];
	int nr_calls;
} refusals[] = {
	{ "mbind", { SCMP_SYS(mbind) }, 1 },
	{ "get_mempolicy", { SCMP_SYS(get_mempolicy) }, 1 },
	{ "set_mempolicy", { SCMP_SYS(set_mempolicy) }, 1 },
	{ "all", { SCMP_SYS(mbind), SCMP_SYS(get_mempolicy),
		   SCMP_SYS(set_mempolicy) }, 3 },
};

/* A thread allocates and touches; its memory is of its node. */
static void *work_on(void *arg)
{
	struct blocks blocks;
	struct pages pages;
	int id = *(int *)arg, home = numa_nearest(id);

	blocks_init(&blocks, 100000);
	pages_init(&pages);
	numa_run_on(id);
	blocks_fill(&blocks, &pages, 4 * MIB, 8, 8 * KIB);
	blocks_fill(&blocks, &pages, 56 * MIB, 16 * KIB, 4 * MIB);
	pages_locate(&pages);
	printf("node %d: %.2f %% of %zu pages\n", id,
	       pages_share(&pages, home), pages.n);
	/* It is kept: what was freed would stay where it is. */
	CHECK_SHARE(&pages, home, 99, "node %d", id);
	return NULL;
}

static int work(void)
{
	int id;

	numa_read();
	for_each_cpu_node(id)
		numa_in_thread(work_on, &id);
	return 0;
}

static void install(const struct refusal *refusal, int error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int i;

	CHECK(filter);
	for (i = 0; i < refusal->nr_calls; i++)
		CHECK_EQ(seccomp_rule_add(filter,
					  SCMP_ACT_ERRNO((uint32_t)error),
					  refusal->call[i], 0), 0);
	CHECK_EQ(seccomp_load(filter), 0);
}

/* /sys is out of reach but for the folder that the test itself reads. */
static void hide_sys(void)
{
	char path[64];
	int fd = open("/sys/devices/system/node", O_RDONLY | O_DIRECTORY);

	CHECK_OP(fd, >=, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_EQ(setenv("NUMA_SYS", path, 1), 0);
	if (unshare(CLONE_NEWNS))
		SKIP("no mount namespace of its own: %s", strerror(errno));
	CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	/* What the guest's root has there is the host's. */
	CHECK_EQ(mount("none", "/sys", "tmpfs", 0, NULL), 0);
	CHECK(access("/sys/devices", F_OK));
}

/* Runs the work, verbose, and returns the lines that the library said. */
static size_t run_work(const struct refusal *refusal, int error, bool sys,
		       char *lines)
{
	char self[] = "refusals", word[] = "work";
	char *argv[] = { self, word, NULL }, *at;
	size_t len = 0, n = 0;
	int pipes[2], status;
	ssize_t got;
	pid_t pid;

	CHECK_EQ(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		CHECK_EQ(setenv("ZBMALLOC_OPTIONS", "verbose=1", 1), 0);
		/* A huge page may be of two threads. */
		CHECK_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
		if (!sys)
			hide_sys();
		if (refusal)
			install(refusal, error);
		dup2(pipes[1], 2);
		close(pipes[0]);
		close(pipes[1]);
		execv("/proc/self/exe", argv);
		_exit(3);
	}
	close(pipes[1]);
	while ((got = read(pipes[0], lines + len, LINES_SIZE - 1 - len)) > 0)
		len += (size_t)got;
	lines[len] = 0;
	close(pipes[0]);
	status = hard_wait(pid);
	if (status) {
		hard_say("%swait status %#x\n", lines, status);
		_exit(1);
	}
	for (at = lines; (at = strchr(at, '\n')); at++)
		n++;
	return n;
}

/* How many lines more than without a refusal, and what they say. */
static void check(const char *what, const struct refusal *refusal, int error,
		  bool sys, size_t wanted)
{
	char lines[LINES_SIZE];
	size_t usual = run_work(NULL, 0, true, lines), n;

	n = run_work(refusal, error, sys, lines);
	hard_say("%srefusals: %s: %zu lines more when verbose, expected %zu\n",
		 lines, what, n - usual, wanted);
	CHECK_EQ(n - usual, wanted);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "all-EPERM";
	size_t i, wanted;

	hard_start(TIMEOUT);
	if (!strcmp(what, "work"))
		return work();
	numa_read();
	if (!strcmp(what, "no-sys")) {
		/* Distances matter from the second node on. */
		check(what, NULL, 0, false, numa.nr_memory > 1);
		return 0;
	}
	for (i = 0; i < array_size(refusals); i++) {
		size_t len = strlen(refusals[i].name);

		if (strncmp(what, refusals[i].name, len) || what[len] != '-')
			continue;
		/* The library never sets a policy of the process, and binds
		 * nothing where there is one node. */
		wanted = refusals[i].call[0] == SCMP_SYS(set_mempolicy) ? 0 :
			 !strcmp(refusals[i].name, "mbind") ?
			 numa.nr_memory > 1 : 1;
		check(what, &refusals[i],
		      strcmp(what + len + 1, "ENOSYS") ? EPERM : ENOSYS, true,
		      wanted);
		return 0;
	}
	CHECK(!"a case of that name");
	return 0;
}
