/*
 * follow - four threads that allocate and free all the time, and that tell,
 * when they are asked, where pages lie that came into memory just now.
 */
#ifndef ZBM_FOLLOW_H
#define ZBM_FOLLOW_H

#include "numa.h"

enum { NR_CHURNERS = 4, SLOTS = 150 };

#define FRESH_PAGES	800	/* that one answer is about, at least */
#define SAMPLE_MAX	(96 * MIB)
#define INTERVAL_US	600000	/* 250 ms, and time for an emulated machine */

struct churner {
	pthread_t thread;
	int id;			/* its node */
	struct pages fresh;
	size_t all, local;	/* pages of the sample, old ones too */
	size_t nr_rounds;
};

static struct {
	struct churner churner[NR_CHURNERS];
	bool stop;		/* atomic */
	int asked, answered;	/* atomic: questions, answers */
} follow;

/* Pages of an untouched block that are not in memory yet. */
static inline void add_fresh(struct pages *pages, void *p, size_t size)
{
	static __thread unsigned char there[4096];
	uintptr_t at = ((uintptr_t)p + PAGE - 1) & ~(PAGE - 1);
	size_t i, n = ((uintptr_t)p + size - at) / PAGE;

	CHECK_OP(n, <=, sizeof(there));
	CHECK_EQ(mincore((void *)at, n * PAGE, there), 0);
	for (i = 0; i < n; i++)
		if (!(there[i] & 1))
			pages_add(pages, (void *)(at + i * PAGE), PAGE);
}

static inline void churner_sample(struct churner *c)
{
	struct blocks blocks;
	struct pages all;
	uint64_t seed = 99;
	size_t sum = 0;

	blocks_init(&blocks, 10000);
	pages_init(&all);
	pages_drop(&c->fresh);
	while (c->fresh.n < FRESH_PAGES && sum < SAMPLE_MAX) {
		size_t size = rnd_size(&seed, 64 * KIB, 2 * MIB);
		void *p = malloc(size);

		CHECK(p);
		add_fresh(&c->fresh, p, size);
		blocks_keep(&blocks, &all, p, size);
		sum += size;
	}
	pages_locate(&all);
	pages_locate(&c->fresh);
	c->all = all.n;
	c->local = all.on[numa_nearest(c->id)];
	blocks_free(&blocks);
	pages_release(&all);
	blocks_release(&blocks);
}

static inline void *churner_run(void *arg)
{
	struct churner *c = arg;
	void **slot = hard_map(SLOTS * sizeof(void *));
	uint64_t seed = (uint64_t)(c - follow.churner + 1) * 12345;
	int seen = 0, asked;
	size_t i;

	numa_run_on(c->id);
	while (!__atomic_load_n(&follow.stop, __ATOMIC_RELAXED)) {
		size_t size = rnd_size(&seed, 16, 64 * KIB);

		i = rnd(&seed) % SLOTS;
		free(slot[i]);
		slot[i] = malloc(size);
		CHECK(slot[i]);
		touch(slot[i], size);
		/* An emulated machine may have one CPU for all; to interrupt
		 * a CPU that is busy, as the kernel does for every page that
		 * it moves, can take it milliseconds. */
		if (__atomic_add_fetch(&c->nr_rounds, 1, __ATOMIC_RELAXED) %
		    16 == 0)
			usleep(4000);
		asked = __atomic_load_n(&follow.asked, __ATOMIC_ACQUIRE);
		if (asked != seen) {
			seen = asked;
			churner_sample(c);
			__atomic_fetch_add(&follow.answered, 1,
					   __ATOMIC_RELEASE);
		}
	}
	for (i = 0; i < SLOTS; i++)
		free(slot[i]);
	return NULL;
}

static inline void follow_start(void)
{
	int i;

	for (i = 0; i < NR_CHURNERS; i++) {
		struct churner *c = &follow.churner[i];

		c->id = numa_cpu_node(i % (numa.nr_cpu < 2 ? 1 : 2));
		pages_init(&c->fresh);
		CHECK_EQ(pthread_create(&c->thread, NULL, churner_run, c), 0);
	}
}

/* Lets an interval pass, in which every thread is seen to run; then each says
 * where its new pages lie. */
static inline void follow_ask(const char *when)
{
	size_t before[NR_CHURNERS];
	int i;

	for (i = 0; i < NR_CHURNERS; i++)
		before[i] = __atomic_load_n(&follow.churner[i].nr_rounds,
					    __ATOMIC_RELAXED);
	usleep(INTERVAL_US);
	/* A thread that had no turn has not had an interval of activity. */
	for (i = 0; i < NR_CHURNERS; i++)
		while (__atomic_load_n(&follow.churner[i].nr_rounds,
				       __ATOMIC_RELAXED) < before[i] + 500)
			usleep(10000);
	follow.answered = 0;
	__atomic_fetch_add(&follow.asked, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&follow.answered, __ATOMIC_ACQUIRE) !=
	       NR_CHURNERS)
		usleep(1000);
	for (i = 0; i < NR_CHURNERS; i++) {
		struct churner *c = &follow.churner[i];

		hard_say("%s: thread on node %d: %zu new pages (%s); of all "
			 "%zu pages %.1f %% local\n", when, c->id, c->fresh.n,
			 pages_text(&c->fresh), c->all,
			 100.0 * (double)c->local / (double)c->all);
		CHECK_OP(c->fresh.n, >=, FRESH_PAGES);
	}
}

static inline void follow_stop(void)
{
	int i;

	__atomic_store_n(&follow.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < NR_CHURNERS; i++)
		CHECK_EQ(pthread_join(follow.churner[i].thread, NULL), 0);
}

/* Opens, writes, closes; false with errno. */
static inline bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error;
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return n >= 0;
}

#endif
