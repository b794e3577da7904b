/*
 * policy - what the user asked the kernel for holds: memory lies where it
 * would lie without this library.
 *
 *	interleave, membind, preferred, localalloc	as numactl sets them
 *	weighted	weighted interleave, 3 : 1, from Linux 6.9 on
 *	cpuset		the last node only, by cgroup
 *
 * "place" is what runs under these, with and without the library: it says how
 * many percent of its pages lie where.
 */
#include "numa.h"
#include <sys/stat.h>

#define WEIGHTED_INTERLEAVE	6	/* MPOL_; newer than the headers */
#define WEIGHTS	"/sys/kernel/mm/mempolicy/weighted_interleave"
#define GROUP	"/sys/fs/cgroup/numa-policy"
#define MOST	2.0	/* percent of the pages that may lie elsewhere */

static const char *library;

struct shares {
	double small[MAX_NODES], large[MAX_NODES];
};

static void place_line(const char *kind, size_t bytes, size_t low, size_t high)
{
	struct blocks blocks;
	struct pages pages;
	int id;

	blocks_init(&blocks, 200000);
	pages_init(&pages);
	blocks_fill(&blocks, &pages, bytes, low, high);
	pages_locate(&pages);
	for (id = 0; id < MAX_NODES; id++)
		if (pages.on[id])
			printf("%s %d %.4f\n", kind, id,
			       pages_share(&pages, id));
}

static int place(void)
{
	place_line("large", 48 * MIB, 256 * KIB, 4 * MIB);
	place_line("small", 12 * MIB, 64, 8 * KIB);
	return 0;
}

/* In the child: the program that is asked where its memory lies. */
static void exec_place(char *const prefix[], bool preload)
{
	char *argv[16], place_arg[] = "place", env[] = "env";
	char self[4096], set[4200];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int n = 0;

	CHECK_OP(len, >, 0);
	self[len] = 0;
	for (; prefix && prefix[n]; n++)
		argv[n] = prefix[n];
	argv[n++] = env;
	snprintf(set, sizeof(set), "%s=%s", preload ? "LD_PRELOAD" : "UNSET",
		 preload ? library : "");
	argv[n++] = set;
	argv[n++] = self;
	argv[n++] = place_arg;
	argv[n] = NULL;
	execvp(argv[0], argv);
	hard_say("cannot run %s\n", argv[0]);
	_exit(1);
}

/* What is to be done in the child before. */
typedef void prepare_fn(void);

static void run_place(char *const prefix[], prepare_fn *prepare, bool preload,
		      struct shares *shares)
{
	int pipes[2], status, id;
	char kind[16];
	double share;
	FILE *file;
	pid_t pid;

	memset(shares, 0, sizeof(*shares));
	CHECK_EQ(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		dup2(pipes[1], 1);
		close(pipes[0]);
		close(pipes[1]);
		/* Pages as large as each other. */
		CHECK_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
		if (prepare)
			prepare();
		exec_place(prefix, preload);
	}
	close(pipes[1]);
	file = fdopen(pipes[0], "r");
	CHECK(file);
	while (fscanf(file, "%15s %d %lf", kind, &id, &share) == 3) {
		CHECK_OP(id, <, MAX_NODES);
		(kind[0] == 's' ? shares->small : shares->large)[id] = share;
	}
	fclose(file);
	status = hard_wait(pid);
	CHECK_EQ(status, 0);
}

static void compare(const char *what, const char *kind, const double *without,
		    const double *with)
{
	double other = 0, sum = 0;
	int id;

	for (id = 0; id < MAX_NODES; id++) {
		double d = with[id] - without[id];

		other += d > 0 ? d : 0;
		sum += with[id];
		if (without[id] > 0 || with[id] > 0)
			hard_say("%s: %s: node %d: %.2f %%, without the "
				 "library %.2f %%\n", what, kind, id, with[id],
				 without[id]);
	}
	CHECK(sum > 99.9);
	if (other > MOST) {
		hard_say("failed: %s: %.2f %% of the pages lie elsewhere\n",
			 what, other);
		_exit(1);
	}
}

static void check_same(const char *what, char *const prefix[],
		       prepare_fn *prepare)
{
	struct shares with, without;

	run_place(prefix, prepare, false, &without);
	run_place(prefix, prepare, true, &with);
	compare(what, "large", without.large, with.large);
	compare(what, "small", without.small, with.small);
}

static void under_numactl(const char *what)
{
	char numactl[] = "numactl", policy[64], cpus[64];
	char *prefix[] = { numactl, cpus, policy, NULL };
	int first = numa_cpu_node(0), last = first, id;

	if (access("/usr/bin/numactl", X_OK))
		SKIP("no numactl");
	for_each_memory_node(id)
		last = id;
	snprintf(cpus, sizeof(cpus), "--cpunodebind=%d", first);
	if (!strcmp(what, "interleave"))
		snprintf(policy, sizeof(policy), "--interleave=all");
	else if (!strcmp(what, "localalloc"))
		snprintf(policy, sizeof(policy), "--localalloc");
	else
		snprintf(policy, sizeof(policy), "--%s=%d", what, last);
	check_same(what, prefix, NULL);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		SKIP("cannot write %s (%s)", path, strerror(errno));
	close(fd);
}

static void prepare_weighted(void)
{
	unsigned long mask = 0;
	int id;

	for_each_memory_node(id)
		mask |= 1UL << id;
	CHECK_EQ(syscall(SYS_set_mempolicy, WEIGHTED_INTERLEAVE, &mask,
			 (unsigned long)MAX_NODES), 0);
}

static void weighted(void)
{
	char path[256];
	int id, n = 0;

	if (access(WEIGHTS, R_OK))
		SKIP("this kernel has no weighted interleave");
	for_each_memory_node(id) {
		snprintf(path, sizeof(path), WEIGHTS "/node%d", id);
		write_text(path, n++ ? "1" : "3");
	}
	check_same("weighted", NULL, prepare_weighted);
}

static void prepare_cpuset(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	write_text(GROUP "/cgroup.procs", pid);
}

static void cpuset(void)
{
	char text[16];
	int id, last = 0;

	for_each_memory_node(id)
		last = id;
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		SKIP("no cgroup of version 2");
	snprintf(text, sizeof(text), "%d", last);
	write_text(GROUP "/cpuset.mems", text);
	check_same("cpuset", NULL, prepare_cpuset);
	rmdir(GROUP);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "interleave";

	hard_limit(TIMEOUT);
	library = getenv("LD_PRELOAD");
	CHECK_EQ(hard_is_preloaded(), library != NULL);
	if (!strcmp(what, "place"))
		return place();
	if (!library)
		SKIP("nothing to compare: LD_PRELOAD is not set");
	library = strdup(library);
	unsetenv("LD_PRELOAD");
	numa_read();
	numa_need_nodes(2);
	if (!strcmp(what, "weighted"))
		weighted();
	else if (!strcmp(what, "cpuset"))
		cpuset();
	else
		under_numactl(what);
	return 0;
}
