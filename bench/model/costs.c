/*
 * zbm-model-costs - what the steps cost that the scale model adds up.
 *
 *	zbm-model-costs [classes]
 *
 * 1. A line is "name<TAB>value", in nanoseconds; of several rounds the least,
 *    or with two threads the first quarter. `class/SIZE` is sheaf_max,
 *    nr_objects and the pages of a slab, for which nothing is measured.
 * 2. The core's own functions are called, on a barn of this process. Rows
 *    for two threads want two CPUs; their threads are tied to them.
 * 3. real/ rows run what the model simulates, to judge it by: each thread
 *    allocates some objects and then frees them, over and over. They report
 *    the time of a thread for one malloc with its free.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "heap/heap.h"
#include "malloc/malloc.h"
#include "mm/page_alloc.h"

#define ROUNDS		40	/* of which the least counts */
#define PAIRS		60000	/* steps of a round, about */
#define MAX_TRIES	(10 * ROUNDS)
#define NR_BOUNCES	500
#define NR_WAKES	200
#define NR_SWAPS	20
#define SIBLINGS_NS	80	/* to the other thread and back: less */
#define ALONE_NS	1000	/* more */
#define CLASS		3	/* 64 bytes */
#define GFP_SLAB	(GFP_USER | GFP_RECLAIMABLE)
#define NR_STACKS	64
#define STACK		120	/* objects: the largest sheaf of the class */
#define MAX_BATCH	1000
#define NR_LINES	2048	/* in 256 KiB: they fit in the L2 of a core */

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void say(const char *name, double value)
{
	printf("%s\t%.2f\n", name, value);
}

/* As a thread does that spins for a lock (src/base/lock.c). */
static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("" ::: "memory");
#endif
}

static void *need(void *p)
{
	if (!p) {
		fputs("zbm-model-costs: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

/* Runs `step` some times over; the least time of one of `n` parts of it. */
static double least(void (*step)(void), double n)
{
	double best = 1e300;

	for (int i = 0; i < ROUNDS; i++) {
		double start = now_ns();

		step();
		best = min(best, now_ns() - start);
	}
	return best / n;
}

static struct barn *barn;
static struct pcp *pcp;
static void *stacks[NR_STACKS][STACK];
static size_t stack_size;

static void step_pair(void)
{
	static void *volatile slot[64];

	for (size_t i = 0; i < PAIRS / 64; i++) {
		for (size_t j = 0; j < 64; j++)
			slot[j] = mem_malloc(64);
		for (size_t j = 0; j < 64; j++)
			mem_free(slot[j]);
	}
}

/* A full sheaf goes in and comes out. */
static void step_exchange(void)
{
	struct sheaf *sheaf = need(sheaf_alloc(STACK)), *empty;

	sheaf->nr = STACK;
	for (size_t i = 0; i < PAIRS; i++) {
		if (!barn_put_full(barn, 0, sheaf, 0, &empty))
			abort();
		sheaf = need(barn_get_full(barn, 0, NULL));
	}
	sheaf_free(sheaf);
}

static void step_spin(void)
{
	for (size_t i = 0; i < PAIRS; i++)
		relax();
}

/* A pcp is filled, and drained. */
static void step_zone(void)
{
	struct page *page[PCP_BATCH / 2];

	for (size_t i = 0; i < PAIRS; i += array_size(page)) {
		for (size_t j = 0; j < array_size(page); j++)
			page[j] = need(alloc_pages(pcp, GFP_SLAB, 1));
		for (size_t j = 0; j < array_size(page); j++)
			free_pages(pcp, page[j], 1);
		pcp_drain(pcp, true);
	}
}

static void step_slab(void)
{
	for (size_t i = 0; i < PAIRS; i++)
		slab_destroy(pcp, need(slab_create(pcp, GFP_USER, CLASS, 0)));
}

static void refill(void)
{
	for (size_t i = 0; i < NR_STACKS; i++)
		for (size_t n = 0; n < stack_size; )
			n += barn_refill(barn, 0, pcp, GFP_USER,
					 stacks[i] + n, stack_size - n);
}

static void flush(void)
{
	for (size_t i = 0; i < NR_STACKS; i++)
		barn_flush(pcp, stacks[i], stack_size);
}

/* As if what lies in the stacks had been freed in any order. */
static void shuffle(void)
{
	uint64_t seed = 1;

	for (size_t i = NR_STACKS * stack_size - 1; i; i--) {
		size_t j;
		void **a, **b, *p;

		seed = seed * 6364136223846793005 + 1442695040888963407;
		j = (seed >> 33) % (i + 1);
		a = &stacks[i / stack_size][i % stack_size];
		b = &stacks[j / stack_size][j % stack_size];
		p = *a;
		*a = *b;
		*b = p;
	}
}

/* refill/ and flush/: the time under the lock for a stack of n objects. */
static void measure_slabs(size_t n)
{
	double in = 1e300, out = 1e300, start;
	char name[64];

	stack_size = n;
	for (int i = 0; i < 4 * ROUNDS; i++) {
		start = now_ns();
		refill();
		out = min(out, (now_ns() - start) / NR_STACKS);
		shuffle();
		start = now_ns();
		flush();
		in = min(in, (now_ns() - start) / NR_STACKS);
	}
	snprintf(name, sizeof(name), "refill/%zu", n);
	say(name, out);
	snprintf(name, sizeof(name), "flush/%zu", n);
	say(name, in);
}

/* Two threads, each tied to a CPU of its own. */
static struct couple {
	void (*run)(int self);
	int cpu[2];
	double took[2];		/* ns, without start and end of the threads */
	double bounce[2];	/* ns, see couple_was_apart */
	alignas(128) int ready;
	alignas(128) int turn;
	alignas(128) size_t done;
	/* not neighbours: those are fetched in pairs */
	struct { alignas(128) int word; } line[NR_LINES];
} couple;

static void couple_tie(int self)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(couple.cpu[self], &set);
	sched_setaffinity(0, sizeof(set), &set);
	__atomic_add_fetch(&couple.ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&couple.ready, __ATOMIC_SEQ_CST) < 2)
		relax();
}

static void wait_turn(int self)
{
	while (__atomic_load_n(&couple.turn, __ATOMIC_ACQUIRE) != self)
		;
}

/* To the other thread and back. */
static double bounce_ns(int self)
{
	double start = now_ns();

	for (size_t i = 0; i < NR_BOUNCES; i++) {
		wait_turn(self);
		__atomic_store_n(&couple.turn, !self, __ATOMIC_RELEASE);
	}
	return (now_ns() - start) / NR_BOUNCES;
}

static void *couple_main(void *argument)
{
	int self = (int)(intptr_t)argument;
	double start;

	couple_tie(self);
	couple.bounce[self] = bounce_ns(self);
	start = now_ns();
	couple.run(self);
	couple.took[self] = now_ns() - start;
	couple.bounce[self] = min(couple.bounce[self], bounce_ns(self));
	return NULL;
}

/* A virtual machine's CPUs may be two cores now, and a core's two threads the
 * next moment, which share the nearest cache; or only one of them runs. */
static bool couple_was_apart(void)
{
	return couple.bounce[0] > SIBLINGS_NS && couple.bounce[0] < ALONE_NS;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What both threads do, on two cores: the time of one of `n` parts of it. Not
 * the least: in that, something may have been left out. */
static double of_two(void (*run)(int self), double n)
{
	double took[ROUNDS];
	int nr = 0;

	couple.run = run;
	for (int tries = 0; nr < ROUNDS && tries < MAX_TRIES; tries++) {
		pthread_t other;

		couple.turn = couple.ready = 0;
		couple.done = 0;
		if (pthread_create(&other, NULL, couple_main, (void *)1)) {
			fputs("zbm-model-costs: no thread\n", stderr);
			exit(1);
		}
		couple_main(NULL);
		pthread_join(other, NULL);
		if (couple_was_apart())
			took[nr++] = max(couple.took[0], couple.took[1]);
	}
	if (!nr) {
		fputs("zbm-model-costs: not two cores for long enough\n",
		      stderr);
		exit(1);
	}
	qsort(took, (size_t)nr, sizeof(took[0]), compare);
	return took[nr / 4] / n;
}

static void bounce_only(int self)
{
	bounce_ns(self);
}

/* The lines that the other has written, each waited for. */
static void bounce_line(int self)
{
	for (size_t i = 0; i < PAIRS / NR_LINES; i++) {
		wait_turn(self);
		for (size_t j = 0, at = 0; j < NR_LINES; j++) {
			__atomic_fetch_add(&couple.line[at].word, 1,
					   __ATOMIC_SEQ_CST);
			at = (at + 797) % NR_LINES;
		}
		__atomic_store_n(&couple.turn, !self, __ATOMIC_RELEASE);
	}
}

/* Both threads at once: each allocates what the other has just freed, and
 * frees it. Stacks stand in for the sheaves of their bins. */
static void bounce_objects(int self)
{
	static void *volatile slot[2][2 * CACHE_LINE + STACK];
	struct bin *giver, *taker, saved[2];

	mem_free(need(mem_malloc(64)));
	giver = heap_bin(thread_heap(), class_bin(CLASS));
	taker = heap_bin(thread_heap(), class_free_bin(CLASS));
	saved[0] = *giver;
	saved[1] = *taker;
	for (size_t i = 0; i < NR_SWAPS; i++) {
		size_t first = (i + (size_t)self) % 2 * NR_STACKS / 2;

		for (size_t j = first; j < first + NR_STACKS / 2; j++) {
			giver->lo = stacks[j];
			giver->top = stacks[j] + STACK;
			for (size_t k = 0; k < STACK; k++)
				slot[self][k] = mem_malloc(64);
			taker->lo = taker->top = stacks[j];
			taker->end = stacks[j] + STACK;
			for (size_t k = STACK; k--; )
				mem_free(slot[self][k]);
		}
		__atomic_add_fetch(&couple.done, 1, __ATOMIC_ACQ_REL);
		while (__atomic_load_n(&couple.done, __ATOMIC_ACQUIRE) <
		       2 * (i + 1))
			relax();
	}
	*giver = saved[0];
	*taker = saved[1];
}

static void bounce_futex(int self)
{
	for (size_t i = 0; i < NR_WAKES; i++) {
		while (__atomic_load_n(&couple.turn, __ATOMIC_ACQUIRE) != self)
			syscall(SYS_futex, &couple.turn,
				FUTEX_WAIT_PRIVATE, !self, NULL);
		__atomic_store_n(&couple.turn, !self, __ATOMIC_RELEASE);
		syscall(SYS_futex, &couple.turn, FUTEX_WAKE_PRIVATE, 1);
	}
}

/* Besides the calls themselves. */
static void measure_objects(bool shuffled)
{
	double both, calls = least(step_pair, PAIRS);

	stack_size = STACK;
	refill();
	if (shuffled)
		shuffle();
	both = of_two(bounce_objects, NR_SWAPS * NR_STACKS / 2 * STACK);
	flush();
	say(shuffled ? "object/shuffled" : "object/in-order", both - calls);
}

/* In turn each gives a full sheaf, then in turn each takes one. */
static void bounce_exchange(int self)
{
	struct sheaf *sheaf = need(sheaf_alloc(STACK)), *empty;

	sheaf->nr = STACK;
	for (size_t i = 0; i < NR_BOUNCES; i++) {
		wait_turn(self);
		if (!sheaf)
			sheaf = need(barn_get_full(barn, 0, NULL));
		else if (barn_put_full(barn, 0, sheaf, 0, &empty))
			sheaf = NULL;
		else
			abort();
		__atomic_store_n(&couple.turn, !self, __ATOMIC_RELEASE);
	}
	sheaf_free(sheaf);
}

static size_t batch;

static void real_run(int self)
{
	static void *volatile slot[2][MAX_BATCH];

	for (size_t i = 0; i < PAIRS; i += batch) {
		for (size_t j = 0; j < batch; j++)
			slot[self][j] = mem_malloc(64);
		for (size_t j = 0; j < batch; j++)
			mem_free(slot[self][j]);
	}
}

static void step_real(void)
{
	real_run(0);
}

static void measure_real(size_t n)
{
	char name[64];

	batch = n;
	snprintf(name, sizeof(name), "real/1/%zu", n);
	say(name, least(step_real, PAIRS));
	snprintf(name, sizeof(name), "real/2/%zu", n);
	say(name, of_two(real_run, PAIRS));
}

/* The first two CPUs that may be used; false: there is one. */
static bool find_cpus(void)
{
	cpu_set_t set;
	int n = 0;

	sched_getaffinity(0, sizeof(set), &set);
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			couple.cpu[n++] = cpu;
	return n == 2;
}

static void say_classes(void)
{
	for (size_t i = 0; i < NR_CLASSES; i++) {
		const struct size_class *class = &size_classes[i];

		printf("class/%u\t%u %u %u\n", class->size,
		       class->sheaf_max, class->nr_objects,
		       class->nr_objects ? 1U << class->slab_order : 0);
	}
}

int main(int argc, char **argv)
{
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "classes"))) {
		fputs("usage: zbm-model-costs [classes]\n", stderr);
		return 2;
	}
	mem_free(need(mem_malloc(1)));
	say_classes();
	if (argc == 2)
		return 0;
	if (!find_cpus()) {
		fputs("zbm-model-costs: two CPUs are needed\n", stderr);
		return 1;
	}
	barn = barn_of(0, CLASS);
	pcp = &thread_heap()->pcp;
	say("exchange", least(step_exchange, 2 * PAIRS));
	say("spin", least(step_spin, PAIRS));
	say("zone", least(step_zone, 2 * PAIRS));
	say("slab", least(step_slab, 2 * PAIRS));
	measure_slabs(8);
	measure_slabs(STACK);
	say("pair", least(step_pair, PAIRS));
	say("line", of_two(bounce_line, 2 * (PAIRS / NR_LINES) * NR_LINES));
	measure_objects(false);
	measure_objects(true);
	say("bounce", of_two(bounce_only, 2 * NR_BOUNCES));
	/* Besides the turn. */
	say("exchange/apart", of_two(bounce_exchange, 2 * NR_BOUNCES) -
	    of_two(bounce_only, 2 * NR_BOUNCES));
	say("wake", of_two(bounce_futex, 2 * NR_WAKES));
	measure_real(64);
	measure_real(250);
	measure_real(MAX_BATCH);
	return 0;
}
