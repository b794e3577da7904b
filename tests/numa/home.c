/*
 * home - what is freed on another node goes home.
 *
 *	ring     a thread on each node with CPUs frees what the one before it
 *		 allocated, and allocates for the next
 *	one-way  one only allocates, another only frees
 *
 * NUMA_ROUNDS in the environment is how often, 32 without it.
 *
 * Afterwards memory has not grown, and what a thread is given is still of its
 * own node.
 */
#include "local.h"

enum { SAMPLE = 600, SETTLED = 10 };

struct member {
	int k;
	void **batch;		/* for the next one */
	size_t sampled, strange;	/* pages in passing; on other nodes */
	struct local_figures figures;
};

static struct member member[MAX_NODES];
static int nr_members;
static int nr_rounds = 32;
static int batch;	/* objects that a member makes in a round */
static pthread_barrier_t barrier;
static size_t settled, highest;	/* resident bytes, between rounds */

/* One in fifty is a run. */
static size_t size_of(uint64_t *seed)
{
	return rnd(seed) % 50 ? rnd_size(seed, 16, 8 * KIB) :
	       rnd_size(seed, 16 * KIB, 128 * KIB);
}

static void produce(struct member *m, int round)
{
	uint64_t seed = (uint64_t)(round * MAX_NODES + m->k + 1) * 7919;
	int i;

	for (i = 0; i < batch; i++) {
		size_t size = size_of(&seed);
		size_t *p = malloc(size);

		CHECK(p);
		touch(p, size);
		p[0] = size;
		p[1] = (size_t)i;
		m->batch[i] = p;
	}
}

static void consume(const struct member *m)
{
	int i;

	for (i = 0; i < batch; i++) {
		size_t *p = m->batch[i];

		CHECK_EQ(p[1], (size_t)i);
		CHECK_OP(malloc_usable_size(p), >=, p[0]);
		free(p);
	}
}

/* What is handed out right after others' objects were freed. */
static void sample(struct member *m, struct blocks *blocks,
		   struct pages *pages)
{
	uint64_t seed = 4711;
	int i, home = numa_nearest(numa_cpu_node(m->k));

	pages_drop(pages);
	for (i = 0; i < SAMPLE; i++) {
		size_t size = size_of(&seed);

		blocks_keep(blocks, pages, malloc(size), size);
	}
	pages_locate(pages);
	m->sampled += pages->n;
	m->strange += pages->n - pages->on[home];
	blocks_free(blocks);
}

static void look_at_memory(int round)
{
	size_t now = rss();

	if (round == SETTLED)
		settled = now;
	if (round >= SETTLED && now > highest)
		highest = now;
}

static void join_in(const struct member *m, struct blocks *blocks,
		    struct pages *pages)
{
	blocks_init(blocks, SAMPLE);
	pages_init(pages);
	numa_run_on(numa_cpu_node(m->k));
}

static void *take_part(void *arg)
{
	struct member *m = arg;
	struct member *before = &member[(m->k + nr_members - 1) % nr_members];
	struct blocks blocks;
	struct pages pages;
	int round;

	join_in(m, &blocks, &pages);
	for (round = 0; round < nr_rounds; round++) {
		produce(m, round);
		numa_meet(&barrier);
		consume(before);
		numa_meet(&barrier);
		if (!m->k)
			look_at_memory(round);
		sample(m, &blocks, &pages);
	}
	numa_meet(&barrier);
	local_check(numa_cpu_node(m->k), &m->figures);
	return NULL;
}

static void say_memory(const char *what)
{
	hard_say("%s: %zu MiB after round %d, at most %zu after it\n", what,
		 settled / MIB, SETTLED, highest / MIB);
	CHECK_OP(highest, <=, settled + settled / 10 + 4 * MIB);
}

static void say_member(const char *what, const struct member *m)
{
	int id = numa_cpu_node(m->k);

	hard_say("%s: node %d was given %zu of %zu pages of others\n", what,
		 id, m->strange, m->sampled);
	CHECK_OP(m->strange * 100, <=, m->sampled);
	local_say(what, id, &m->figures);
}

static void ring(void)
{
	pthread_t thread[MAX_NODES];
	int k;

	nr_members = numa.nr_cpu;
	/* More members, less CPU for each: the machine is emulated. */
	batch = nr_members < 4 ? 6000 : 1500;
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, (unsigned)nr_members),
		 0);
	for (k = 0; k < nr_members; k++) {
		member[k].k = k;
		member[k].batch = hard_map((size_t)batch * sizeof(void *));
	}
	for (k = 0; k < nr_members; k++)
		CHECK_EQ(pthread_create(&thread[k], NULL, take_part,
					&member[k]), 0);
	for (k = 0; k < nr_members; k++)
		CHECK_EQ(pthread_join(thread[k], NULL), 0);
	say_memory("ring");
	for (k = 0; k < nr_members; k++)
		say_member("ring", &member[k]);
}

static void *only_allocate(void *arg)
{
	struct member *m = arg;
	int round;

	numa_run_on(numa_cpu_node(m->k));
	for (round = 0; round < nr_rounds; round++) {
		produce(m, round);
		numa_meet(&barrier);
		numa_meet(&barrier);
		look_at_memory(round);
	}
	local_check(numa_cpu_node(m->k), &m->figures);
	return NULL;
}

static void *only_free(void *arg)
{
	struct member *m = arg, *from = &member[0];
	struct blocks blocks;
	struct pages pages;
	int round;

	join_in(m, &blocks, &pages);
	for (round = 0; round < nr_rounds; round++) {
		numa_meet(&barrier);
		consume(from);
		numa_meet(&barrier);
	}
	sample(m, &blocks, &pages);
	local_check(numa_cpu_node(m->k), &m->figures);
	return NULL;
}

static void one_way(void)
{
	pthread_t a, b;
	int k;

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	batch = 6000;
	member[0].batch = hard_map((size_t)batch * sizeof(void *));
	for (k = 1; k < numa.nr_cpu; k += 2) {
		highest = 0;
		member[k].k = k;
		CHECK_EQ(pthread_create(&a, NULL, only_allocate, &member[0]),
			 0);
		CHECK_EQ(pthread_create(&b, NULL, only_free, &member[k]), 0);
		CHECK_EQ(pthread_join(a, NULL), 0);
		CHECK_EQ(pthread_join(b, NULL), 0);
		say_memory("one-way");
		say_member("one-way", &member[0]);
		say_member("one-way", &member[k]);
	}
}

int main(int argc, char **argv)
{
	if (getenv("NUMA_ROUNDS"))
		nr_rounds = atoi(getenv("NUMA_ROUNDS"));
	CHECK_OP(nr_rounds, >, SETTLED);
	hard_start(TIMEOUT + (unsigned int)nr_rounds);
	numa_read();
	if (numa.nr_cpu < 2)
		SKIP("one node with CPUs");
	if (argc > 1 && !strcmp(argv[1], "one-way"))
		one_way();
	else
		ring();
	return 0;
}
