/*
 * numa - what the programs of this folder share.
 *
 * 1. They run as those of tests/hard do: under LD_PRELOAD, 0 when all is well,
 *    77 with a reason where the machine cannot do it. The first argument names
 *    the case.
 * 2. Which nodes there are, a program asks the kernel (/sys), never the
 *    allocator; where a page lies, it asks move_pages(2) after it was written.
 * 3. Numbers of nodes are the kernel's.
 * 4. Tables of the test itself come from hard_map.
 * 5. NUMA_SYS in the environment is where /sys/devices/system/node is found.
 */
#ifndef ZBM_NUMA_H
#define ZBM_NUMA_H

#include "../hard/hard.h"
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>

#define MAX_NODES	64
#define PAGE		((size_t)4096)
#define TIMEOUT		240	/* seconds; the machine may be emulated */
#define ARRAY_MAX	((size_t)1 << 20)	/* pages of one struct pages */

struct numa_node {
	bool online, has_memory, has_cpu;
	bool runs;	/* a thread on its CPUs is told so: nodes that a kernel
			 * makes up (numa=fake) share CPUs */
	cpu_set_t cpus;
	int distance[MAX_NODES];
};

static struct {
	int nr_ids;	/* the highest number of a node, and 1 */
	int nr_memory;	/* nodes with memory */
	int nr_cpu;	/* nodes that threads run on */
	struct numa_node node[MAX_NODES];
} numa;

#define for_each_memory_node(id) \
	for ((id) = 0; (id) < numa.nr_ids; (id)++) \
		if (numa.node[id].has_memory)
#define for_each_cpu_node(id) \
	for ((id) = 0; (id) < numa.nr_ids; (id)++) \
		if (numa.node[id].runs)

/* What a file of /sys says; false: there is none. */
static inline bool numa_read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = 0;
	return n >= 0;
}

/* The CPUs that share a CPU's last-level cache, as the kernel lists them. */
static inline bool numa_cache(int cpu, char *text, size_t size)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/cache/"
		 "index3/shared_cpu_list", cpu);
	return numa_read_file(path, text, size);
}

/* What a file of /sys/devices/system/node says; false: there is none. */
static inline bool numa_file(char *text, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline bool numa_file(char *text, size_t size, const char *fmt, ...)
{
	const char *folder = getenv("NUMA_SYS");
	char path[256];
	va_list ap;
	int len;

	len = snprintf(path, sizeof(path), "%s/",
		       folder ? folder : "/sys/devices/system/node");
	va_start(ap, fmt);
	vsnprintf(path + len, sizeof(path) - (size_t)len, fmt, ap);
	va_end(ap);
	return numa_read_file(path, text, size);
}

/* "0-2,5": the bits 0, 1, 2 and 5. */
static inline void numa_list(const char *text, cpu_set_t *set)
{
	char *end;

	CPU_ZERO(set);
	while (*text >= '0' && *text <= '9') {
		unsigned long low = strtoul(text, &end, 10), high = low;

		if (*end == '-')
			high = strtoul(end + 1, &end, 10);
		for (; low <= high && low < CPU_SETSIZE; low++)
			CPU_SET(low, set);
		text = *end == ',' ? end + 1 : end;
	}
}

/* The node that the calling thread runs on. */
static inline int numa_here(void)
{
	unsigned int cpu, node;

	CHECK_EQ(getcpu(&cpu, &node), 0);
	return (int)node;
}

static inline void numa_read_node(int id, const cpu_set_t *online)
{
	struct numa_node *node = &numa.node[id];
	char text[4096], *at = text;
	int i;

	if (numa_file(text, sizeof(text), "node%d/cpulist", id))
		numa_list(text, &node->cpus);
	node->has_cpu = CPU_COUNT(&node->cpus) > 0;
	/* One number for each node that is online. */
	CHECK(numa_file(text, sizeof(text), "node%d/distance", id));
	for (i = 0; i < MAX_NODES; i++)
		if (CPU_ISSET(i, online))
			node->distance[i] = (int)strtol(at, &at, 10);
	node->runs = node->has_cpu &&
		     !sched_setaffinity(0, sizeof(cpu_set_t), &node->cpus) &&
		     numa_here() == id;
}

static inline void numa_read(void)
{
	cpu_set_t online, memory, affinity;
	char text[4096];
	int id;

	CHECK_EQ(sched_getaffinity(0, sizeof(affinity), &affinity), 0);
	memset(&numa, 0, sizeof(numa));
	if (!numa_file(text, sizeof(text), "online"))
		SKIP("this kernel knows nothing of nodes");
	numa_list(text, &online);
	CHECK(numa_file(text, sizeof(text), "has_memory"));
	numa_list(text, &memory);
	for (id = 0; id < MAX_NODES; id++) {
		if (!CPU_ISSET(id, &online))
			continue;
		numa.nr_ids = id + 1;
		numa.node[id].online = true;
		numa.node[id].has_memory = CPU_ISSET(id, &memory);
		numa_read_node(id, &online);
		numa.nr_memory += numa.node[id].has_memory;
		numa.nr_cpu += numa.node[id].runs;
	}
	CHECK_EQ(sched_setaffinity(0, sizeof(affinity), &affinity), 0);
}

static inline void numa_need_nodes(int n)
{
	if (numa.nr_memory < n)
		SKIP("%d nodes with memory, needs %d", numa.nr_memory, n);
}

/* Which of two nodes an allocation on `from` goes to first: itself, then nodes
 * with CPUs by distance, then those without; equal ones going round. */
static inline bool numa_before(int from, int a, int b)
{
	const struct numa_node *node = numa.node;
	int round_a = (a - from + MAX_NODES) % MAX_NODES;
	int round_b = (b - from + MAX_NODES) % MAX_NODES;

	if (a == from || b == from)
		return a == from;
	if (node[a].has_cpu != node[b].has_cpu)
		return node[a].has_cpu;
	if (node[from].distance[a] != node[from].distance[b])
		return node[from].distance[a] < node[from].distance[b];
	return round_a < round_b;
}

/* Nodes with memory in the order in which `from` is to take of them. */
static inline int numa_order(int from, int *order)
{
	int id, n = 0, i;

	for_each_memory_node(id) {
		for (i = n++; i && numa_before(from, id, order[i - 1]); i--)
			order[i] = order[i - 1];
		order[i] = id;
	}
	return n;
}

/* Where the kernel takes memory for a CPU of this node. */
static inline int numa_nearest(int from)
{
	int id, best = -1;

	if (numa.node[from].has_memory)
		return from;
	for_each_memory_node(id)
		if (best < 0 || numa.node[from].distance[id] <
				numa.node[from].distance[best])
			best = id;
	return best;
}

/* The k-th node that threads run on. */
static inline int numa_cpu_node(int k)
{
	int id;

	for_each_cpu_node(id)
		if (!k--)
			return id;
	CHECK(!"so many nodes with CPUs");
	return -1;
}

/* The calling thread runs on this node from now on. */
static inline void numa_run_on(int id)
{
	CHECK_EQ(sched_setaffinity(0, sizeof(cpu_set_t), &numa.node[id].cpus),
		 0);
	CHECK_EQ(numa_here(), id);
}

/* Free memory of a node, bytes. */
static inline size_t numa_free(int id)
{
	char text[4096];
	const char *at;

	CHECK(numa_file(text, sizeof(text), "node%d/meminfo", id));
	at = strstr(text, "MemFree:");
	return at ? strtoul(at + 8, NULL, 10) * KIB : 0;
}

/* Waits for the others. */
static inline void numa_meet(pthread_barrier_t *barrier)
{
	int status = pthread_barrier_wait(barrier);

	CHECK(!status || status == PTHREAD_BARRIER_SERIAL_THREAD);
}

/* Runs `function` in a thread; `arg` goes through. */
static inline void numa_in_thread(void *(*function)(void *), void *arg)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, function, arg), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* Goes on with these options, which only a new start can have. */
static inline void need_options(char **argv, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline void need_options(char **argv, const char *fmt, ...)
{
	const char *have = getenv("ZBMALLOC_OPTIONS");
	char want[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	if (have && !strcmp(have, want))
		return;
	CHECK_EQ(setenv("ZBMALLOC_OPTIONS", want, 1), 0);
	execv("/proc/self/exe", argv);
	CHECK(!"exec");
}

/* Pages, each once, and the nodes they lie on. */
struct pages {
	size_t n;
	size_t on[MAX_NODES];
	size_t absent;	/* not in memory, though written */
	void **addr;	/* of ARRAY_MAX */
};

static inline void pages_init(struct pages *pages)
{
	memset(pages, 0, sizeof(*pages));
	pages->addr = hard_map(ARRAY_MAX * sizeof(void *));
}

static inline void pages_release(struct pages *pages)
{
	munmap(pages->addr, ARRAY_MAX * sizeof(void *));
}

/* All pages of a block. */
static inline void pages_add(struct pages *pages, void *p, size_t size)
{
	uintptr_t at = (uintptr_t)p & ~(PAGE - 1);

	for (; at < (uintptr_t)p + size; at += PAGE) {
		CHECK_OP(pages->n, <, ARRAY_MAX);
		pages->addr[pages->n++] = (void *)at;
	}
}

/* In place: what qsort needs may be of the allocator under test. */
static inline void pages_sift(void **a, size_t i, size_t n)
{
	size_t child;

	while ((child = 2 * i + 1) < n) {
		void *held = a[i];

		if (child + 1 < n && a[child + 1] > a[child])
			child++;
		if (a[child] <= held)
			return;
		a[i] = a[child];
		a[child] = held;
		i = child;
	}
}

static inline void pages_sort(void **a, size_t n)
{
	size_t i;

	for (i = n / 2; i-- > 0;)
		pages_sift(a, i, n);
	while (n-- > 1) {
		void *last = a[n];

		a[n] = a[0];
		a[0] = last;
		pages_sift(a, 0, n);
	}
}

/* Of each of them once. */
static inline void pages_look(struct pages *pages)
{
	static __thread int status[4096];
	size_t i, k, part;

	pages->absent = 0;
	memset(pages->on, 0, sizeof(pages->on));
	for (i = 0; i < pages->n; i += part) {
		part = pages->n - i;
		if (part > array_size(status))
			part = array_size(status);
		CHECK_EQ(syscall(SYS_move_pages, 0, part, pages->addr + i,
				 NULL, status, 0), 0);
		for (k = 0; k < part; k++) {
			if (status[k] < 0 || status[k] >= MAX_NODES)
				pages->absent++;
			else
				pages->on[status[k]]++;
		}
	}
}

/* Looks where they are; a page that was added twice counts once. One that the
 * kernel moves, to have free memory in a row, is nowhere for the moment. */
static inline void pages_locate(struct pages *pages)
{
	size_t i, unique = 0;
	int tries;

	pages_sort(pages->addr, pages->n);
	for (i = 0; i < pages->n; i++)
		if (!unique || pages->addr[i] != pages->addr[unique - 1])
			pages->addr[unique++] = pages->addr[i];
	pages->n = unique;
	pages_look(pages);
	for (tries = 0; pages->absent && tries < 20; tries++) {
		usleep(50000);
		pages_look(pages);
	}
	CHECK_EQ(pages->absent, 0);
}

static inline double pages_share(const struct pages *pages, int id)
{
	return pages->n ? 100.0 * (double)pages->on[id] / (double)pages->n :
	       100.0;
}

static inline void pages_drop(struct pages *pages)
{
	pages->n = 0;
}

/* "node 0: 12, node 1: 34"; of many nodes the first ones. */
static inline const char *pages_text(const struct pages *pages)
{
	static __thread char text[256];
	size_t len = 0;
	int id;

	text[0] = 0;
	for (id = 0; id < MAX_NODES && len < sizeof(text) - 30; id++)
		if (pages->on[id])
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%snode %d: %zu",
						len ? ", " : "", id,
						pages->on[id]);
	return text;
}

/* A check of a share in percent, that says what it saw. */
#define CHECK_SHARE(pages, id, least, ...) do { \
	if (pages_share(pages, id) < (least)) { \
		hard_say("%s:%d: failed: ", __FILE__, __LINE__); \
		hard_say(__VA_ARGS__); \
		hard_say(": %.2f %% of %zu pages are on node %d, needs %g " \
			 "(%s)\n", pages_share(pages, id), (pages)->n, (id), \
			 (double)(least), pages_text(pages)); \
		_exit(1); \
	} \
} while (0)

/* Blocks that a test holds. */
struct blocks {
	size_t n, max;
	void **p;
};

static inline void blocks_init(struct blocks *blocks, size_t max)
{
	blocks->n = 0;
	blocks->max = max;
	blocks->p = hard_map(max * sizeof(void *));
}

static inline void blocks_release(struct blocks *blocks)
{
	munmap(blocks->p, blocks->max * sizeof(void *));
}

static inline void touch(void *p, size_t size)
{
	size_t i;

	for (i = 0; i < size; i += PAGE)
		((volatile char *)p)[i] = 1;
	((volatile char *)p)[size - 1] = 1;
}

/* Keeps a block and adds its pages, which are written. */
static inline void blocks_keep(struct blocks *blocks, struct pages *pages,
			       void *p, size_t size)
{
	CHECK(p);
	CHECK_OP(blocks->n, <, blocks->max);
	touch(p, size);
	blocks->p[blocks->n++] = p;
	pages_add(pages, p, size);
}

static inline void blocks_free(struct blocks *blocks)
{
	while (blocks->n)
		free(blocks->p[--blocks->n]);
}

/* `bytes` in blocks from `low` to `high` bytes; all are kept and written. */
static inline void blocks_fill(struct blocks *blocks, struct pages *pages,
			       size_t bytes, size_t low, size_t high)
{
	uint64_t seed = 88172645463325252ULL;
	size_t sum = 0;

	while (sum < bytes) {
		size_t size = low == high ? low : rnd_size(&seed, low, high);

		blocks_keep(blocks, pages, malloc(hide(size)), size);
		sum += size;
	}
}

#endif
