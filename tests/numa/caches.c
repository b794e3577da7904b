/*
 * caches - threads at different last-level caches of a node keep apart.
 *
 *	apart	threads at one cache take objects of the same slabs, threads at
 *		two do not; one that moves to the other cache belongs there
 *	reuse	what was freed at one cache serves the other before new pages do
 *
 * Which CPUs share a cache is asked of /sys/devices/system/cpu.
 */
#include "numa.h"

enum {
	SIZE = 2048,		/* bytes of an object: threads do not have slabs
				 * of their own, and take 13 of 32 at a time */
	SLAB = 64 << 10,	/* bytes, and aligned to that */
	ROUNDS = 250,
	IN_ROUND = 16,		/* objects */
	SETTLE = 4000,		/* objects until one that moved has settled */
	MANY = 40000,
	KEPT = 16,		/* one in so many is not freed */
};

/* Two caches of one node, with two or more CPUs each. */
static cpu_set_t cache[2];
static pthread_barrier_t barrier;

struct worker {
	pthread_t thread;
	int at[2];		/* cache in the first and the second half */
	struct pages pages[2];	/* what it was given there */
};

static bool read_cache(int cpu, cpu_set_t *set)
{
	char text[1024];

	numa_cache(cpu, text, sizeof(text));
	numa_list(text, set);
	return CPU_COUNT(set) > 1;
}

/* The first two caches of the node; false: it has not so many. */
static bool find_caches(int id)
{
	cpu_set_t left = numa.node[id].cpus;
	int cpu, found = 0;

	for (cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
		if (!CPU_ISSET(cpu, &left))
			continue;
		if (!read_cache(cpu, &cache[found]))
			return false;
		CPU_XOR(&left, &left, &cache[found]);
		found++;
	}
	return found == 2;
}

static void need_caches(void)
{
	int id;

	for_each_cpu_node(id)
		if (find_caches(id))
			return;
	SKIP("no node with two last-level caches of several CPUs");
}

static void move_to(int k)
{
	CHECK_EQ(sched_setaffinity(0, sizeof(cpu_set_t), &cache[k]), 0);
}

static void start_at(int k, pthread_t *thread, void *(*function)(void *),
		     void *arg)
{
	pthread_attr_t attr;

	CHECK_EQ(pthread_attr_init(&attr), 0);
	CHECK_EQ(pthread_attr_setaffinity_np(&attr, sizeof(cpu_set_t),
					     &cache[k]), 0);
	CHECK_EQ(pthread_create(thread, &attr, function, arg), 0);
	CHECK_EQ(pthread_attr_destroy(&attr), 0);
}

static void *get_object(struct pages *pages)
{
	void *p = malloc(SIZE);

	CHECK(p);
	touch(p, SIZE);
	if (pages)
		pages_add(pages, p, SIZE);
	return p;
}

static uintptr_t slab_at(const struct pages *pages, size_t i)
{
	return (uintptr_t)pages->addr[i] / SLAB;
}

/* Pages of a in slabs that b has objects of, too. */
static size_t nr_common(const struct pages *a, const struct pages *b)
{
	size_t i = 0, k = 0, n = 0;

	while (i < a->n && k < b->n) {
		n += slab_at(a, i) == slab_at(b, k);
		if (slab_at(a, i) <= slab_at(b, k))
			i++;
		else
			k++;
	}
	return n;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	int half, round, i;

	for (half = 0; half < 2; half++) {
		struct pages *pages = &worker->pages[half];

		move_to(worker->at[half]);
		for (i = 0; i < SETTLE; i++)
			get_object(NULL);
		for (round = 0; round < ROUNDS; round++) {
			numa_meet(&barrier);
			for (i = 0; i < IN_ROUND; i++)
				get_object(pages);
		}
		numa_meet(&barrier);
		pages_locate(pages);
	}
	return NULL;
}

static void apart(void)
{
	static struct worker worker[] = {
		{ .at = { 0, 0 } }, { .at = { 1, 1 } }, { .at = { 0, 1 } },
	};
	const size_t n = array_size(worker);
	size_t i, half, near, far;

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, (unsigned)n), 0);
	for (i = 0; i < n; i++)
		for (half = 0; half < 2; half++)
			pages_init(&worker[i].pages[half]);
	for (i = 0; i < n; i++)
		start_at(worker[i].at[0], &worker[i].thread, work, &worker[i]);
	for (i = 0; i < n; i++)
		CHECK_EQ(pthread_join(worker[i].thread, NULL), 0);
	for (half = 0; half < 2; half++) {
		const struct pages *mine = &worker[2].pages[half];

		near = nr_common(mine, &worker[half].pages[half]);
		far = nr_common(mine, &worker[!half].pages[half]);
		hard_say("apart: of %zu pages %zu were in slabs shared at "
			 "the cache, %zu with the other\n", mine->n, near, far);
		CHECK_OP(near * 10, >=, mine->n);
		/* Two threads that make slabs at once leave one to take. */
		CHECK_OP(far * 20, <=, mine->n);
	}
}

static struct pages first, second;

/* Leaves slabs that are nearly free. */
static void *leave(void *unused)
{
	void **object = hard_map(MANY * sizeof(void *));
	int i;

	(void)unused;
	for (i = 0; i < MANY; i++)
		object[i] = get_object(&first);
	for (i = 0; i < MANY; i++)
		if (i % KEPT)
			free(object[i]);
	munmap(object, MANY * sizeof(void *));
	pages_locate(&first);
	return NULL;
}

static void *take(void *unused)
{
	int i;

	(void)unused;
	for (i = 0; i < MANY / 2; i++)
		get_object(&second);
	pages_locate(&second);
	return NULL;
}

static void reuse(void)
{
	pthread_t thread;
	size_t common;

	pages_init(&first);
	pages_init(&second);
	start_at(0, &thread, leave, NULL);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	start_at(1, &thread, take, NULL);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	common = nr_common(&second, &first);
	hard_say("reuse: %zu of %zu pages had been the other cache's\n",
		 common, second.n);
	CHECK_OP(common * 10, >=, second.n * 9);
}

int main(int argc, char **argv)
{
	hard_start(TIMEOUT);
	numa_read();
	need_caches();
	CHECK_EQ(argc, 2);
	if (!strcmp(argv[1], "apart"))
		apart();
	else if (!strcmp(argv[1], "reuse"))
		reuse();
	else
		CHECK(!"a case");
	return 0;
}
