/*
 * zbm-bench - what one call of malloc costs, whichever malloc is under it.
 *
 *	zbm-bench [-l] [-t MS] [-n COUNT] [ROW...]
 *	zbm-bench spawn COUNT COMMAND [ARGUMENT...] -- LIBRARY...
 *
 * 1. A row is one line, "name<TAB>value". The value is in nanoseconds for one
 *    malloc together with its free; for rss/ rows it is in KiB. Without
 *    names all rows run but those of rss/, which want a process of their own.
 *    A name that ends in "/" means all rows that begin so.
 * 2. The count of rounds is found by doubling until it takes long enough;
 *    then it is measured for MS milliseconds, in samples, the least of which
 *    counts. -n gives the count instead, and times nothing: that is for
 *    counting instructions.
 * 3. Nothing in the timed loops but the calls: sizes are drawn before, and
 *    pointers go through a volatile array, so that no pair is elided.
 * 4. spawn starts COMMAND under each LIBRARY in turn ("-" for none), COUNT
 *    times, and prints "LIBRARY<TAB>minimum<TAB>median" in nanoseconds.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define array_size(a)	(sizeof(a) / sizeof((a)[0]))

#define SMALL_BATCH	64	/* blocks live at once */
#define LARGE_BATCH	8
#define NR_SIZES	4096	/* drawn sizes; a power of two */
#define RING_SIZE	1024	/* pointers; a power of two */
#define RING_CHUNK	64	/* pointers between looks at the other end */
#define RING_SPINS	1000	/* tries before the CPU is given away */
#define NR_SAMPLES	10	/* so short that most are not interrupted */
#define PAGE		4096	/* bytes between two touches */
#define MAX_LIBRARIES	16

struct row {
	const char *name;
	void (*run)(const struct row *row, size_t rounds);
	size_t size;		/* 0: mixed */
	size_t per_round;	/* blocks allocated and freed */
};

static size_t sizes[NR_SIZES];
static void *volatile slots[SMALL_BATCH];

static void *need(void *p)
{
	if (!p) {
		fputs("zbm-bench: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

/* Uniform multiples of 8 up to 512; the same ones in every process. */
static void draw_sizes(void)
{
	uint32_t seed = 2463534242u;

	for (size_t i = 0; i < NR_SIZES; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 17;
		seed ^= seed << 5;
		sizes[i] = 16 + 8 * (seed % 63);
	}
}

static void run_pair(const struct row *row, size_t rounds)
{
	for (size_t i = 0; i < rounds; i++) {
		slots[0] = malloc(row->size);
		free(slots[0]);
	}
}

static void run_batch(const struct row *row, size_t rounds)
{
	for (size_t i = 0; i < rounds; i++) {
		for (size_t j = 0; j < SMALL_BATCH; j++)
			slots[j] = malloc(row->size);
		for (size_t j = 0; j < SMALL_BATCH; j++)
			free(slots[j]);
	}
}

static void run_mixed(const struct row *row, size_t rounds)
{
	size_t next = 0;

	(void)row;
	for (size_t i = 0; i < rounds; i++) {
		const size_t *size = &sizes[next];

		for (size_t j = 0; j < SMALL_BATCH; j++)
			slots[j] = malloc(size[j]);
		for (size_t j = 0; j < SMALL_BATCH; j++)
			free(slots[j]);
		next = (next + SMALL_BATCH) & (NR_SIZES - 1);
	}
}

static void run_large(const struct row *row, size_t rounds)
{
	for (size_t i = 0; i < rounds; i++) {
		for (size_t j = 0; j < LARGE_BATCH; j++)
			slots[j] = malloc(row->size);
		for (size_t j = 0; j < LARGE_BATCH; j++)
			free(slots[j]);
	}
}

static void run_touch(const struct row *row, size_t rounds)
{
	for (size_t i = 0; i < rounds; i++) {
		for (size_t j = 0; j < LARGE_BATCH; j++) {
			char *block = need(malloc(row->size));

			slots[j] = block;
			for (size_t k = 0; k < row->size; k += PAGE)
				*(volatile char *)(block + k) = 1;
		}
		for (size_t j = 0; j < LARGE_BATCH; j++)
			free(slots[j]);
	}
}

/*
 * One producer, one consumer. Each end publishes its position once a chunk,
 * so that the ring costs little beside the calls.
 */
static struct ring {
	/* written by the producer */
	alignas(128) _Atomic size_t head;
	/* written by the consumer */
	alignas(128) _Atomic size_t tail;
	alignas(128) void *slot[RING_SIZE];
	size_t total;
} ring;

/* Wait until `position` of the other end has come to `wanted`. */
static void ring_wait(_Atomic size_t *position, size_t wanted)
{
	unsigned int spins = 0;

	/* Pairs with the release stores in run_remote and ring_consume. */
	while ((ssize_t)(atomic_load_explicit(position, memory_order_acquire) -
			 wanted) < 0)
		if (++spins % RING_SPINS == 0)
			sched_yield();
}

static void *ring_consume(void *unused)
{
	for (size_t i = 0; i < ring.total; i += RING_CHUNK) {
		ring_wait(&ring.head, i + RING_CHUNK);
		for (size_t j = i; j < i + RING_CHUNK; j++)
			free(ring.slot[j & (RING_SIZE - 1)]);
		atomic_store_explicit(&ring.tail, i + RING_CHUNK,
				      memory_order_release);
	}
	return unused;
}

static void run_remote(const struct row *row, size_t rounds)
{
	pthread_t consumer;

	ring.total = rounds * RING_CHUNK;
	atomic_store(&ring.head, 0);
	atomic_store(&ring.tail, 0);
	if (pthread_create(&consumer, NULL, ring_consume, NULL)) {
		fputs("zbm-bench: no thread\n", stderr);
		exit(1);
	}
	for (size_t i = 0; i < ring.total; i += RING_CHUNK) {
		if (i >= RING_SIZE)
			ring_wait(&ring.tail, i + RING_CHUNK - RING_SIZE);
		for (size_t j = i; j < i + RING_CHUNK; j++) {
			size_t size = row->size ? row->size :
				sizes[j & (NR_SIZES - 1)];
			char *block = need(malloc(size));

			*(volatile char *)block = 1;
			ring.slot[j & (RING_SIZE - 1)] = block;
		}
		atomic_store_explicit(&ring.head, i + RING_CHUNK,
				      memory_order_release);
	}
	pthread_join(consumer, NULL);
}

/* Read by system calls into static memory: stdio would allocate itself. */
static unsigned long rollup_kib(const char *field)
{
	static char text[4096];
	int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n;
	char *at;

	if (fd < 0)
		return 0;
	while ((n = read(fd, text + have, sizeof(text) - 1 - have)) > 0)
		have += (size_t)n;
	close(fd);
	text[have] = '\0';
	at = strstr(text, field);
	return at ? strtoul(at + strlen(field), NULL, 10) : 0;
}

/* After one malloc; the exact sums, where /proc/self/status may be stale. */
static int report_memory(void)
{
	unsigned long rss, private;

	slots[0] = need(malloc(100));
	*(volatile char *)slots[0] = 1;
	rss = rollup_kib("\nRss:");
	private = rollup_kib("\nPrivate_Clean:") +
		rollup_kib("\nPrivate_Dirty:");
	if (!rss) {
		fputs("zbm-bench: no /proc/self/smaps_rollup\n", stderr);
		return 1;
	}
	printf("rss/total\t%lu\nrss/private\t%lu\n", rss, private);
	return 0;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_rounds(const struct row *row, size_t rounds)
{
	double start = now_ns();

	row->run(row, rounds);
	return now_ns() - start;
}

/* The least of the samples; finding the count has warmed the heap. */
static double measure(const struct row *row, double target_ns)
{
	double sample_ns = target_ns / NR_SAMPLES, took, best;
	size_t rounds = 1;

	while ((took = time_rounds(row, rounds)) < sample_ns / 2)
		rounds *= 2;
	best = took / (double)rounds;
	rounds = (size_t)(sample_ns / best) + 1;
	for (int i = 0; i < NR_SAMPLES; i++) {
		took = time_rounds(row, rounds) / (double)rounds;
		if (took < best)
			best = took;
	}
	return best / (double)row->per_round;
}

#define PAIR(size)	{ "pair/" #size, run_pair, size, 1 }
#define BATCH(size)	{ "batch/" #size, run_batch, size, SMALL_BATCH }
#define LARGE(size)	{ "large/" #size, run_large, size, LARGE_BATCH }
#define TOUCH(size)	{ "touch/" #size, run_touch, size, LARGE_BATCH }

static const struct row rows[] = {
	PAIR(16), PAIR(64), PAIR(512),
	BATCH(16), BATCH(32), BATCH(48), BATCH(64), BATCH(96), BATCH(128),
	BATCH(192), BATCH(256), BATCH(384), BATCH(512),
	{ "batch/mixed", run_mixed, 0, SMALL_BATCH },
	LARGE(4096), LARGE(8192), LARGE(16384), LARGE(32768), LARGE(65536),
	LARGE(131072), LARGE(262144), LARGE(524288), LARGE(1048576),
	TOUCH(4096), TOUCH(8192), TOUCH(16384), TOUCH(32768), TOUCH(65536),
	TOUCH(131072), TOUCH(262144), TOUCH(524288), TOUCH(1048576),
	{ "remote/64", run_remote, 64, RING_CHUNK },
	{ "remote/512", run_remote, 512, RING_CHUNK },
	{ "remote/mixed", run_remote, 0, RING_CHUNK },
};

static bool name_matches(const char *name, const char *wanted)
{
	size_t n = strlen(wanted);

	if (n && wanted[n - 1] == '/')
		return !strncmp(name, wanted, n);
	return !strcmp(name, wanted);
}

static bool is_wanted(const char *name, char **wanted)
{
	if (!*wanted)
		return true;
	for (; *wanted; wanted++)
		if (name_matches(name, *wanted))
			return true;
	return false;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double spawn_ns(char **argv, char *preload)
{
	char *envp[] = { preload, NULL };
	double start = now_ns();
	int status;
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, envp) ||
	    waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "zbm-bench: %s fails under %s\n", argv[0],
			preload ? preload : "nothing");
		exit(1);
	}
	return now_ns() - start;
}

/* Interleaved, so that whatever slows the machine down slows all of them. */
static int spawn_all(size_t count, char **command, int nr, char **libraries)
{
	static char preload[MAX_LIBRARIES][4096];
	double *took[MAX_LIBRARIES];

	if (nr > MAX_LIBRARIES || !count)
		return 2;
	for (int k = 0; k < nr; k++) {
		took[k] = need(calloc(count, sizeof(double)));
		snprintf(preload[k], sizeof(preload[k]), "LD_PRELOAD=%s",
			 libraries[k]);
	}
	for (size_t i = 0; i < count; i++)
		for (int k = 0; k < nr; k++)
			took[k][i] = spawn_ns(command,
				strcmp(libraries[k], "-") ? preload[k] : NULL);
	for (int k = 0; k < nr; k++) {
		qsort(took[k], count, sizeof(double), compare_doubles);
		printf("%s\t%.0f\t%.0f\n", libraries[k], took[k][0],
		       took[k][count / 2]);
		free(took[k]);
	}
	return 0;
}

static int usage(void)
{
	fputs("usage: zbm-bench [-l] [-t MS] [-n COUNT] [ROW...]\n"
	      "       zbm-bench spawn COUNT COMMAND [ARGUMENT...] -- "
	      "LIBRARY...\n", stderr);
	return 2;
}

static int spawn(int argc, char **argv)
{
	int end = 3;

	while (end < argc && strcmp(argv[end], "--"))
		end++;
	if (end == 3 || end + 1 >= argc)
		return usage();
	argv[end] = NULL;
	return spawn_all(strtoul(argv[2], NULL, 10), argv + 3, argc - end - 1,
			 argv + end + 1);
}

int main(int argc, char **argv)
{
	double target_ns = 20e6;
	size_t fixed = 0, nr_run = 0;
	bool list = false;
	int option;

	if (argc > 1 && !strcmp(argv[1], "spawn"))
		return spawn(argc, argv);
	while ((option = getopt(argc, argv, "ln:t:")) != -1) {
		if (option == 'l')
			list = true;
		else if (option == 'n')
			fixed = strtoul(optarg, NULL, 10);
		else if (option == 't')
			target_ns = strtod(optarg, NULL) * 1e6;
		else
			return usage();
	}
	argv += optind;
	if (*argv && !strcmp(*argv, "rss/"))
		return report_memory();
	draw_sizes();
	for (size_t i = 0; i < array_size(rows); i++) {
		const struct row *row = &rows[i];

		if (!is_wanted(row->name, argv))
			continue;
		nr_run++;
		if (list)
			puts(row->name);
		else if (fixed)
			row->run(row, fixed);
		else
			printf("%s\t%.3f\n", row->name,
			       measure(row, target_ns));
		fflush(stdout);
	}
	return nr_run ? 0 : usage();
}
