/*
 * follow - nodes that are forbidden and allowed again while threads allocate.
 *
 * cpuset.mems of the threads' cgroup changes; an interval later new pages lie
 * on nodes that are allowed, and on the thread's own where that is. Pages that
 * the kernel moved in the meantime are not new: where they lie is not the
 * allocator's choice. And what is asked of a node by zbm_malloc_node is there
 * when that is allowed, in sections too that were opened while it was not.
 *
 *	once, again	one round, or two: the kernel takes seconds for each
 */
#include "follow.h"
#include "zbmalloc.h"
#include <sys/stat.h>

#define GROUP	"/sys/fs/cgroup/numa-follow"

#define SECTION	(64 * MIB)

typedef void *malloc_node_fn(size_t size, int nid);

static malloc_node_fn *malloc_node;

/* The nodes that it is about; this thread runs on the second. */
static int first, second;

static void allow(int a, int b)
{
	char text[16];

	snprintf(text, sizeof(text), "%d,%d", a, b);
	CHECK(write_file(GROUP "/cpuset.mems", text));
}

/* By a thread that runs elsewhere. */
static void check_named(int id, int wanted, const char *when)
{
	struct pages fresh, all;
	struct blocks blocks;

	pages_init(&fresh);
	pages_init(&all);
	blocks_init(&blocks, 200);
	while (fresh.n < FRESH_PAGES && blocks.n < SAMPLE_MAX / MIB) {
		void *p = malloc_node(MIB, id);

		CHECK(p);
		add_fresh(&fresh, p, MIB);
		blocks_keep(&blocks, &all, p, MIB);
	}
	pages_locate(&fresh);
	hard_say("%s: zbm_malloc_node(.., %d): %zu new pages (%s)\n", when,
		 id, fresh.n, pages_text(&fresh));
	CHECK_OP(fresh.n, >=, FRESH_PAGES);
	CHECK_SHARE(&fresh, wanted, 99, "%s, zbm_malloc_node", when);
	blocks_free(&blocks);
	blocks_release(&blocks);
	pages_release(&all);
	pages_release(&fresh);
}

/* More than a section of the node that is not allowed; nothing is written. */
static void open_section(int id)
{
	void *p[6];
	size_t i;

	for (i = 0; i < array_size(p); i++) {
		p[i] = malloc_node(SECTION / 4, id);
		CHECK(p[i]);
	}
	for (i = 0; i < array_size(p); i++)
		free(p[i]);
}

/* With b = a: that node alone. */
static void check_allowed(int a, int b)
{
	char when[64];
	int i;

	allow(a, b);
	snprintf(when, sizeof(when), "cpuset.mems=%d,%d", a, b);
	follow_ask(when);
	for (i = 0; i < NR_CHURNERS; i++) {
		const struct churner *c = &follow.churner[i];
		int wanted = c->id == b ? b : a;

		if (c->id == a || c->id == b || a == b)
			CHECK_SHARE(&c->fresh, wanted, 99, "%s", when);
		CHECK_EQ(c->fresh.on[a] + (a == b ? 0 : c->fresh.on[b]),
			 c->fresh.n);
	}
	check_named(first, b == second && a == b ? b : first, when);
	if (a == b)
		open_section(a == first ? second : first);
}

int main(int argc, char **argv)
{
	int a, b, rounds = argc > 1 && !strcmp(argv[1], "again") ? 2 : 1;
	char text[16];

	hard_start(TIMEOUT);
	numa_read();
	malloc_node = API(malloc_node_fn *, "zbm_malloc_node");
	numa_need_nodes(2);
	if (numa.nr_cpu < 2)
		SKIP("one node with CPUs");
	a = numa_cpu_node(0);
	b = numa_cpu_node(1);
	if (!numa.node[a].has_memory || !numa.node[b].has_memory)
		SKIP("the first two nodes have no memory");
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		SKIP("no cgroup of version 2");
	allow(a, b);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	CHECK(write_file(GROUP "/cgroup.procs", text));
	first = a;
	second = b;
	follow_start();
	numa_run_on(second);
	while (rounds--) {
		check_allowed(a, b);
		check_allowed(b, b);
		check_allowed(a, a);
		check_allowed(a, b);
	}
	follow_stop();
	CHECK(write_file("/sys/fs/cgroup/cgroup.procs", text));
	rmdir(GROUP);
	return 0;
}
