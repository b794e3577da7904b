/*
 * memcg - a memory cgroup of 200 MiB and 120 MiB live, whose block sizes
 * change phase by phase: what one size leaves must serve the next.
 *
 * 1. A phase either frees everything of the one before, in random order, and
 *    then fills up again, or lets new blocks displace the oldest ones, so
 *    that 120 MiB are live all the time.
 * 2. All bytes are written. Too much memory means SIGKILL by the kernel.
 * 3. A last process has more of the group's memory than the allocator knows of,
 *    and holes in its heap that are too small to go in exchange for what is
 *    new: only who looks at the limit gives them back. The clock stands still.
 * 4. What the root group gave to its children before it does afterwards.
 */
#include "hard.h"
#include <pthread.h>
#include <sys/stat.h>

#define LIMIT	(200 * MIB)
#define LIVE	(120 * MIB)

/* MiB, of the process with holes: with them it is 220. */
#define FOREIGN	60
#define HOLES	50
#define LARGE	60

#define ROOT_V2	"/sys/fs/cgroup"
#define SUBTREE	"cgroup.subtree_control"

static char group[256];
static int version;
static int was_given;	/* by the root of version 2, to its children */

static int write_text(const char *folder, const char *name, const char *text)
{
	char path[512];
	int fd, good;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return good;
}

static int make_group(const char *root, const char *limit_file)
{
	char limit[32];

	snprintf(group, sizeof(group), "%s/zbm-test-%d", root, (int)getpid());
	snprintf(limit, sizeof(limit), "%zu", LIMIT);
	if (mkdir(group, 0755))
		return 0;
	if (write_text(group, limit_file, limit))
		return 1;
	rmdir(group);
	return 0;
}

/* The root of version 2 gives memory to its children. */
static int is_given(void)
{
	char text[256] = "";
	int fd = open(ROOT_V2 "/" SUBTREE, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		CHECK(read(fd, text, sizeof(text) - 1) >= 0);
		close(fd);
	}
	return strstr(text, "memory") != NULL;
}

/* Version 1 under its usual name, else version 2 where it is delegated. */
static void find_group(void)
{
	version = 1;
	if (make_group("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))
		return;
	version = 2;
	was_given = is_given();
	if (!was_given)
		write_text(ROOT_V2, SUBTREE, "+memory");
	if (make_group(ROOT_V2, "memory.max"))
		return;
	if (!was_given)
		write_text(ROOT_V2, SUBTREE, "-memory");
	SKIP("no memory cgroup can be made here (not root, no controller)");
}

static void leave_group(void)
{
	int tries;

	/* The last page leaves the group some time after the process. */
	for (tries = 0; rmdir(group) && tries < 100; tries++)
		usleep(10000);
	if (version == 2 && !was_given)
		write_text(ROOT_V2, SUBTREE, "-memory");
}

struct lane {
	void **block;
	size_t live;	/* bytes that this thread may hold */
	uint64_t seed;
};

static void *take(size_t size)
{
	void *p = malloc(hide(size));

	CHECK(p);
	memset(p, 0x42, size);
	return p;
}

static void shuffle(void **p, size_t n, uint64_t *seed)
{
	size_t i;

	for (i = n - 1; i > 0; i--) {
		size_t k = rnd(seed) % (i + 1);
		void *t = p[i];

		p[i] = p[k];
		p[k] = t;
	}
}

static void *phases(void *arg)
{
	static const size_t sizes[] = {
		64, 1000, 24000, 300, 300000, 5000, 4 * MIB, 128, 70000,
		40, 640,
	};
	struct lane *lane = arg;
	size_t n = 0, old = 0, i, p, oldest = 0;

	for (p = 0; p < array_size(sizes); p++) {
		size_t size = sizes[p], count = lane->live / size;
		void **fresh = lane->block;

		if (p % 2 == 0) {
			shuffle(lane->block, n ? n : 1, &lane->seed);
			for (i = 0; i < n; i++)
				free(lane->block[i]);
			for (i = 0; i < count; i++)
				fresh[i] = take(size);
		} else {
			void **from = lane->block;
			size_t held = n * old;

			/* The two ends of the table, turn about. */
			fresh = from + n;
			for (i = 0, oldest = 0; i < count; i++) {
				while (held + size > lane->live) {
					free(from[oldest++]);
					held -= old;
				}
				fresh[i] = take(size);
				held += size;
			}
			while (oldest < n)
				free(from[oldest++]);
			memmove(from, fresh, count * sizeof(*fresh));
		}
		n = count;
		old = size;
	}
	for (i = 0; i < n; i++)
		free(lane->block[i]);
	return NULL;
}

static void run_in_group(unsigned int nr_threads)
{
	pthread_t thread[4];
	struct lane lane[4];
	unsigned int i;

	for (i = 0; i < nr_threads; i++) {
		lane[i].live = LIVE / nr_threads;
		/* The table is memory, too: 16 bytes for each 40. */
		lane[i].block = hard_map(lane[i].live / 2);
		lane[i].seed = i + 1;
		CHECK(!pthread_create(&thread[i], NULL, phases, &lane[i]));
	}
	for (i = 0; i < nr_threads; i++)
		pthread_join(thread[i], NULL);
}

/* 16 KiB free, 16 KiB used; then blocks that need more than that. */
static void run_with_holes(void)
{
	static void *block[2 * HOLES * MIB / (16 * KIB)];
	size_t i;

	memset(hard_map(FOREIGN * MIB), 1, FOREIGN * MIB);
	for (i = 0; i < array_size(block); i++)
		block[i] = take(16 * KIB);
	for (i = 0; i < array_size(block); i += 2)
		free(block[i]);
	for (i = 0; i < LARGE; i += 3)
		take(3 * MIB);
}

static int child_in_group(const char *what)
{
	pid_t pid = fork();

	if (!pid) {
		char self[16];

		snprintf(self, sizeof(self), "%d", (int)getpid());
		if (!write_text(group, "cgroup.procs", self))
			_exit(77);
		execl("/proc/self/exe", "memcg", what, (char *)NULL);
		_exit(4);
	}
	return hard_wait(pid);
}

int main(int argc, char **argv)
{
	int one, four, holes;

	hard_start(58);
	if (argc > 1) {
		if (!strcmp(argv[1], "holes"))
			run_with_holes();
		else
			run_in_group((unsigned int)atoi(argv[1]));
		return 0;
	}
	find_group();
	one = child_in_group("1");
	four = child_in_group("4");
	setenv("ZBMALLOC_OPTIONS", "decay_ms=0", 1);
	holes = child_in_group("holes");
	leave_group();
	if (WIFEXITED(one) && WEXITSTATUS(one) == 77)
		SKIP("a process cannot be moved to %s", group);
	hard_say("cgroup version %d: one thread %#x, four threads %#x, holes "
		 "%#x\n", version, one, four, holes);
	CHECK_EQ(one, 0);
	CHECK_EQ(four, 0);
	CHECK_EQ(holes, 0);
	return 0;
}
