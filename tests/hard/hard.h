/*
 * hard - what the programs of this folder share.
 *
 * 1. A program uses the libc API only and runs under LD_PRELOAD. It exits
 *    with 0 when all is well, with 1 after a message, with 77 and a reason
 *    where the environment cannot do it.
 * 2. A failed check prints file:line, the expression and both values by one
 *    write(2) and ends the process at once; it is good in any thread, in a
 *    fork child and before main.
 * 3. It is compiled with -fno-builtin, so that the compiler neither drops a
 *    pair of calls nor knows what they return; hide() keeps sizes from it.
 * 4. Works as C and as C++.
 */
#ifndef ZBM_HARD_H
#define ZBM_HARD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KIB		((size_t)1 << 10)
#define MIB		((size_t)1 << 20)
#define GIB		((size_t)1 << 30)
#define array_size(a)	(sizeof(a) / sizeof((a)[0]))

/* Where messages go; a program that redirects stderr keeps a copy here. */
static int hard_fd __attribute__((unused)) = 2;

static inline void hard_say(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

static inline void hard_say(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(text) - 1)
		n = (int)sizeof(text) - 1;
	if (write(hard_fd, text, (size_t)n) < 0)
		_exit(2);
}

static inline void hard_failed(const char *file, int line, const char *what,
			       unsigned long a, unsigned long b)
{
	int error = errno;

	hard_say("%s:%d: failed: %s (left %lu = %#lx, right %lu = %#lx, "
		 "errno %d)\n", file, line, what, a, a, b, b, error);
	_exit(1);
}

#define CHECK(cond) do { \
	if (!(cond)) \
		hard_failed(__FILE__, __LINE__, #cond, 0, 0); \
} while (0)

/* Compares as unsigned long and prints both sides. */
#define CHECK_OP(a, op, b) do { \
	unsigned long check_a = (unsigned long)(a); \
	unsigned long check_b = (unsigned long)(b); \
	if (!(check_a op check_b)) \
		hard_failed(__FILE__, __LINE__, #a " " #op " " #b, check_a, \
			    check_b); \
} while (0)
#define CHECK_EQ(a, b) CHECK_OP(a, ==, b)

/* The rest of this program cannot be tried here. */
#define SKIP(...) do { \
	hard_say("skipped: " __VA_ARGS__); \
	hard_say("\n"); \
	_exit(77); \
} while (0)

static inline void hard_alarm(int signo)
{
	static const char text[] = "timed out\n";

	(void)signo;
	if (write(hard_fd, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* A hang becomes a failure after `seconds`, which are less than the runner
 * waits. */
static inline void hard_limit(unsigned int seconds)
{
	signal(SIGALRM, hard_alarm);
	alarm(seconds);
}

static inline int hard_is_preloaded(void)
{
	return dlsym(RTLD_DEFAULT, "zbm_version") != NULL;
}

/*
 * The first call of main. The dynamic linker only warns about a library that
 * it cannot preload, and the C library would pass most of what follows; a
 * program that also runs without the library calls hard_limit.
 */
static inline void hard_start(unsigned int seconds)
{
	hard_limit(seconds);
	CHECK(hard_is_preloaded());
}

#ifdef __cplusplus
template<class T> static inline T hide(T p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}
#else
#define hide(p) ({ \
	__typeof__((p) + 0) hide_p = (p); \
	__asm__ volatile("" : "+r"(hide_p) : : "memory"); \
	hide_p; })
#endif

static inline double hard_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/*
 * True if a test that has done `done` of `most` rounds goes on: until `end`
 * (hard_now) on a slow machine, but not for less than `least` rounds.
 */
static inline int hard_again(unsigned int done, unsigned int least,
			     unsigned int most, double end)
{
	return done < most && (done < least || hard_now() < end);
}

/* xorshift64*; the state is not 0. */
static inline uint64_t rnd(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* A number in [low, high], every power of two equally likely. */
static inline size_t rnd_size(uint64_t *state, size_t low, size_t high)
{
	unsigned int lo = 63 - (unsigned int)__builtin_clzl(low);
	unsigned int hi = 63 - (unsigned int)__builtin_clzl(high);
	unsigned int shift = lo + (unsigned int)(rnd(state) % (hi - lo + 1));
	size_t n = ((size_t)1 << shift) + (rnd(state) & ((1UL << shift) - 1));

	return n < low ? low : n > high ? high : n;
}

/*
 * A pattern that is written to and checked in `n` bytes: all of the first
 * 8 KiB, then 8 bytes in each 64 KiB, and the last 64 bytes.
 */
static inline unsigned char hard_byte(size_t i, unsigned int seed)
{
	return (unsigned char)((i * 131) ^ (i >> 13) ^ (seed * 29 + 7));
}

static inline size_t hard_next(size_t i, size_t n)
{
	size_t next = (i / (64 * KIB) + 1) * (64 * KIB);

	if (i < 8 * KIB || i + 65 >= n || i % (64 * KIB) < 7)
		return i + 1;
	return next < n - 64 ? next : n - 64;
}

static inline void fill(void *p, size_t n, unsigned int seed)
{
	size_t i;

	for (i = 0; i < n; i = hard_next(i, n))
		((unsigned char *)p)[i] = hard_byte(i, seed);
}

/* Checks the first `n` bytes of a block that was filled with `of` bytes. */
#define VERIFY_PART(p, n, of, seed) do { \
	const unsigned char *verify_p = (const unsigned char *)(p); \
	size_t verify_i, verify_n = (n), verify_of = (of); \
	for (verify_i = 0; verify_i < verify_n; \
	     verify_i = hard_next(verify_i, verify_of)) \
		CHECK_EQ(verify_p[verify_i], hard_byte(verify_i, seed)); \
} while (0)
#define VERIFY(p, n, seed) VERIFY_PART(p, n, n, seed)

/* A figure of /proc/self/status in bytes ("VmRSS:", "VmSize:", ...). */
static inline size_t hard_status(const char *name)
{
	char text[4096];
	const char *at;
	ssize_t n;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	close(fd);
	text[n] = 0;
	at = strstr(text, name);
	return at ? strtoul(at + strlen(name), NULL, 10) * KIB : 0;
}

/* Of the process, to the kernel. */
static inline size_t count_mappings(void)
{
	static char text[65536];
	size_t lines = 0;
	ssize_t n;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	while ((n = read(fd, text, sizeof(text))) > 0)
		while (n--)
			lines += text[n] == '\n';
	close(fd);
	return lines;
}

/* Resident bytes: exact where the kernel sums them up, else the estimate. */
static inline size_t rss(void)
{
	char text[512];
	const char *at;
	ssize_t n;
	int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return hard_status("VmRSS:");
	text[n] = 0;
	at = strstr(text, "\nRss:");
	return at ? strtoul(at + 5, NULL, 10) * KIB : hard_status("VmRSS:");
}

/* Room for tables of the test itself, not from the allocator under test. */
static inline void *hard_map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* The sizes of all classes: steps of 16 bytes up to 128, then four a doubling,
 * from 1 to 8 KiB eight, up to 4 MiB. */
#define NR_CLASS_SIZES	80

/* The step i above `base`, of n a doubling. */
static inline size_t size_above(size_t base, unsigned int i, unsigned int n)
{
	return (base << i / n) / n * (n + 1 + i % n);
}

static inline size_t class_size(unsigned int i)
{
	if (i < 8)
		return 16 * (i + 1);
	if (i < 20)
		return size_above(128, i - 8, 4);
	if (i < 44)
		return size_above(1024, i - 20, 8);
	return size_above(8192, i - 44, 4);
}

/* Every class is allocated, written at both ends and freed at once. */
static inline void every_class_once(void)
{
	void *p[NR_CLASS_SIZES];
	unsigned int i;

	for (i = 0; i < NR_CLASS_SIZES; i++) {
		p[i] = malloc(class_size(i));
		CHECK(p[i]);
		*(unsigned char *)p[i] = (unsigned char)i;
		((unsigned char *)p[i])[class_size(i) - 1] = (unsigned char)i;
	}
	for (i = 0; i < NR_CLASS_SIZES; i++) {
		CHECK_EQ(*(unsigned char *)p[i], i);
		CHECK_EQ(((unsigned char *)p[i])[class_size(i) - 1], i);
		free(p[i]);
	}
}

static inline int hard_wait(pid_t pid)
{
	int status;

	CHECK(pid > 0);
	while (waitpid(pid, &status, 0) < 0)
		CHECK_EQ(errno, EINTR);
	return status;
}

/*
 * Starts this program again with one argument, under an optional limit, and
 * returns its wait status. The limit also holds for its dynamic linker.
 */
static inline int hard_run_self(const char *arg, int resource, rlim_t limit)
{
	pid_t pid = fork();

	if (!pid) {
		char self[] = "self", word[64], *argv[] = { self, word, NULL };
		struct rlimit rl = { limit, limit };

		/* A case that hangs goes with the program that started it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(word, sizeof(word), "%s", arg);
		if (resource >= 0 &&
		    setrlimit((__typeof__(RLIMIT_AS))resource, &rl))
			_exit(3);
		execv("/proc/self/exe", argv);
		_exit(4);
	}
	return hard_wait(pid);
}

/* As above; a case that fails ends the program, named. */
static inline void hard_case(const char *arg)
{
	int status = hard_run_self(arg, -1, 0);

	if (status) {
		hard_say("case %s: wait status %#x\n", arg, status);
		_exit(1);
	}
}

/* A file that lies beside this program. */
static inline const char *hard_beside(const char *name)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *slash;

	CHECK(n > 0);
	path[n] = 0;
	slash = strrchr(path, '/');
	CHECK(slash && strlen(name) < 60);
	strcpy(slash + 1, name);
	return path;
}

/* A function that libc's headers do not know, as `type`. */
#define API(type, name) \
	((type)hard_symbol(RTLD_DEFAULT, __FILE__, __LINE__, name))

static inline void *hard_symbol(void *handle, const char *file, int line,
				const char *name)
{
	void *p = dlsym(handle, name);

	if (!p)
		hard_failed(file, line, name, 0, 0);
	return p;
}

#endif
