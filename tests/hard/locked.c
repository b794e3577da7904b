/* run: options window=2G */
/*
 * locked - programs that keep memory from being swapped out: mlock(2) of a
 * block that is freed so, and mlockall(2).
 *
 * 1. The window is small: mlockall must not bring it into memory, and if it did
 *    the test should fail before the machine has none left.
 * 2. Each case is a process of its own; what needs to lock more than it may
 *    here is skipped.
 */
#include "hard.h"

#define LIMIT		(8 * MIB)	/* that an ordinary user may lock: what
					 * systems give */
#define NOBODY		65534
#define CAP_IPC_LOCK	14		/* bit of CapEff */

static int privileged(void)
{
	char text[4096];
	const char *at;
	ssize_t n;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	CHECK(n > 0);
	close(fd);
	text[n] = 0;
	at = strstr(text, "CapEff:");
	return at && strtoull(at + 7, NULL, 16) >> CAP_IPC_LOCK & 1;
}

/* From now on as an ordinary user with so much to lock. */
static void become_user(size_t limit)
{
	struct rlimit rlimit = { limit, limit };

	if (setrlimit(RLIMIT_MEMLOCK, &rlimit))
		SKIP("RLIMIT_MEMLOCK cannot be %zu MiB", limit / MIB);
	if (!getuid())
		CHECK(!setuid(NOBODY));
	if (privileged())
		SKIP("CAP_IPC_LOCK cannot be given up");
}

static void need_privilege(void)
{
	if (!privileged())
		SKIP("locking all memory needs CAP_IPC_LOCK");
}

static size_t resident(char *p, size_t n)
{
	static unsigned char map[65536];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), i, count = 0;
	char *start = (char *)((uintptr_t)p & -page);

	n = (n + (size_t)(p - start) + page - 1) / page;
	CHECK_OP(n, <=, sizeof(map));
	CHECK(!mincore(start, n * page, map));
	for (i = 0; i < n; i++)
		count += map[i] & 1;
	return count * page;
}

/*
 * Blocks that were locked and freed so lie between others. All of them go back,
 * each time.
 */
static void freed_locked(void)
{
	enum { BLOCKS = 100, LOCKED = 2, SIZE = 1000000, LARGE = 1200000 };
	static char *block[BLOCKS], *locked[LOCKED];
	size_t before, n = 0, i;
	int turn;

	free(malloc(hide((size_t)SIZE)));
	before = rss();
	for (turn = 0; turn < 2; turn++) {
		for (i = 0; i < BLOCKS; i++) {
			CHECK(block[i] = malloc(hide((size_t)SIZE)));
			memset(block[i], 1, SIZE);
			if (turn || i % 50 != 25)
				continue;
			CHECK(locked[n] = malloc(hide((size_t)LARGE)));
			if (mlock(locked[n++], LARGE))
				SKIP("mlock is refused");
		}
		for (i = 0; i < BLOCKS; i++)
			free(block[i]);
		for (; n; n--)
			free(locked[n - 1]);
		CHECK_EQ(malloc_trim(0), 1);
		CHECK_OP(rss(), <, before + 10 * MIB);
	}
}

/* What the program has comes into memory and stays, and nothing else. */
static void check_all(int flags, size_t size)
{
	char *p = malloc(hide(size)), *small = malloc(hide(40000UL));
	char *map = (char *)hard_map(size / 4);
	size_t before = rss(), locked;

	CHECK(p && small);
	CHECK_EQ(mlockall(flags), 0);
	locked = hard_status("VmLck:");
	CHECK_OP(rss(), <, before + size + 16 * MIB);
	CHECK_OP(locked, >=, size);
	CHECK_OP(locked, <, 100 * MIB);
	CHECK_EQ(resident(map, size / 4), size / 4);
	CHECK_OP(resident(p, size), >=, size);
	CHECK_OP(resident(small, 40000), >=, 40000);
	fill(p, size, 1);
	VERIFY(p, size, 1);
	free(p);
	malloc_trim(0);
	CHECK_OP(rss(), <, before + 16 * MIB);
	/* Of what nobody has, nothing must come back by itself. */
	p = malloc(hide(30 * MIB));
	CHECK(p);
	p[0] = 1;
	CHECK_OP(rss(), <, before + 16 * MIB);
	free(p);
	free(small);
	every_class_once();
	CHECK_EQ(munmap(map, size / 4), 0);
	CHECK_EQ(munlockall(), 0);
	CHECK_EQ(hard_status("VmLck:"), 0);
}

static void all(void)
{
	need_privilege();
	check_all(MCL_CURRENT, 20 * MIB);
	check_all(MCL_CURRENT | MCL_FUTURE, 20 * MIB);
}

/* What is mapped later comes at once; what is allocated later is locked. */
static void future(void)
{
	size_t size = 100 * MIB;
	char *map, *p;

	need_privilege();
	CHECK_EQ(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
	map = (char *)hard_map(MIB);
	CHECK_EQ(resident(map, MIB), MIB);
	p = malloc(hide(size));
	CHECK(p);
	CHECK_OP(hard_status("VmLck:"), >=, size);
	CHECK_OP(hard_status("VmLck:"), <, size + 60 * MIB);
	free(p);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	CHECK_EQ(munlockall(), 0);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	p = malloc(hide(2 * size));
	CHECK(p);
	CHECK_OP(hard_status("VmLck:"), >=, size / 2);
	free(p);
}

/* The reservation does not count. */
static void user(void)
{
	become_user(LIMIT);
	check_all(MCL_CURRENT, MIB);
}

/* The same limit as for mmap; a child and who unlocks again have none. */
static void user_future(void)
{
	char *p;
	pid_t pid;

	become_user(LIMIT);
	CHECK_EQ(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
	p = malloc(hide(LIMIT / 4));
	CHECK(p);
	CHECK_OP(hard_status("VmLck:"), >=, LIMIT / 4);
	errno = 0;
	CHECK(!malloc(hide(2 * LIMIT)));
	CHECK_EQ(errno, ENOMEM);
	CHECK(malloc(hide(1000UL)));
	pid = fork();
	if (!pid) {
		CHECK(malloc(hide(2 * LIMIT)));
		CHECK_EQ(hard_status("VmLck:"), 0);
		_exit(0);
	}
	CHECK_EQ(hard_wait(pid), 0);
	CHECK_EQ(munlockall(), 0);
	p = malloc(hide(2 * LIMIT));
	CHECK(p);
	CHECK_EQ(hard_status("VmLck:"), 0);
}

/* Too little: nothing is locked. */
static void user_refused(void)
{
	become_user(MIB);
	errno = 0;
	CHECK_EQ(mlockall(MCL_CURRENT), -1);
	CHECK_EQ(errno, ENOMEM);
	CHECK_EQ(hard_status("VmLck:"), 0);
	free(malloc(hide(20 * MIB)));
}

static void wrong_flags(void)
{
	static const int wrong[] = { 0, 4, 8, MCL_CURRENT | 8, MCL_FUTURE | 16,
				     -1 };
	size_t i;

	for (i = 0; i < array_size(wrong); i++) {
		errno = 0;
		CHECK_EQ(mlockall(wrong[i]), -1);
		CHECK_EQ(errno, EINVAL);
	}
	become_user(0);
	errno = 0;
	CHECK_EQ(mlockall(MCL_CURRENT), -1);
	CHECK_EQ(errno, EPERM);
	errno = 4711;
	CHECK_EQ(munlockall(), 0);
	CHECK_EQ(errno, 4711);
}

/* Large blocks trade places; none may lose its lock. */
static void moved(void)
{
	size_t size = 8 * MIB, i, turn;
	char *block[4];

	need_privilege();
	CHECK_EQ(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
	for (turn = 0; turn < 20; turn++) {
		for (i = 0; i < array_size(block); i++) {
			block[i] = malloc(hide(size + i * MIB));
			CHECK(block[i]);
			fill(block[i], size, (unsigned int)i);
			block[i] = realloc(block[i], hide(2 * size));
			CHECK(block[i]);
			VERIFY_PART(block[i], size, size, (unsigned int)i);
			memset(block[i], 1, 2 * size);
		}
		CHECK_OP(hard_status("VmLck:"), >=, 8 * size);
		CHECK_OP(hard_status("VmLck:") + 16 * MIB, >=, rss());
		for (i = 0; i < array_size(block); i++)
			free(block[i]);
	}
}

static void (*const cases[])(void) = {
	freed_locked, all, future, user, user_future, user_refused,
	wrong_flags, moved,
};
static const char *const names[] = {
	"freed-locked", "all", "future", "user", "user-future", "user-refused",
	"wrong-flags", "moved",
};

int main(int argc, char **argv)
{
	int skipped = 0, status;
	size_t i;

	hard_start(50);
	for (i = 0; i < array_size(names); i++) {
		if (argc > 1) {
			if (!strcmp(argv[1], names[i]))
				cases[i]();
			continue;
		}
		status = hard_run_self(names[i], -1, 0);
		if (status && WEXITSTATUS(status) != 77) {
			hard_say("case %s: wait status %#x\n", names[i],
				 status);
			return 1;
		}
		skipped += status != 0;
	}
	if (argc == 1 && skipped)
		SKIP("%d of %zu cases", skipped, array_size(names));
	return 0;
}
