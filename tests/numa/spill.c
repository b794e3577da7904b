/*
 * spill - a node is full, or has a limit: memory comes of the next nearest,
 * nobody is killed, and when there is room again it is asked first.
 *
 *	limit   node_limit of one node, in blocks of 1 MiB
 *	small   the same in small objects
 *	last    limits on all nodes with CPUs: memory of a node without is the
 *		last resort
 *	full    more than the node's memory; and when that is free again
 *	watermark  who saw that the node was full
 *	far     tier=far: a node without CPUs comes first
 */
#include "numa.h"
#include "zbmalloc.h"

#define LIMIT	(64 * MIB)

typedef int numastat_fn(int nid, struct zbm_numastat *stat);

static struct blocks blocks;
static struct pages pages;

/* The node that this program fills: the first that has both. */
static int first_node(void)
{
	int id;

	for_each_cpu_node(id)
		if (numa.node[id].has_memory)
			return id;
	CHECK(!"a node with CPUs and memory");
	return -1;
}

/* No two of the first `n` in the order are served out of turn: all pages are
 * on them, and no node but the last has room left. */
static void check_ladder(const char *what, const int *order, int n,
			 size_t limit)
{
	size_t seen = 0;
	int i;

	hard_say("%s: %zu pages, limit %zu: %s\n", what, pages.n,
		 limit / PAGE, pages_text(&pages));
	for (i = 0; i < n; i++) {
		size_t on = pages.on[order[i]];

		seen += on;
		if (i == n - 1)
			break;
		CHECK_OP(on * PAGE, <=, limit);
		CHECK_OP(on * PAGE, >=, limit - limit / 5);
	}
	/* One in a hundred may be elsewhere. */
	CHECK_OP(seen * 100, >=, pages.n * 99);
}

static void check_return(const char *what, int id)
{
	pages_drop(&pages);
	blocks_fill(&blocks, &pages, LIMIT / 2, MIB, MIB);
	pages_locate(&pages);
	CHECK_SHARE(&pages, id, 99, "%s: room again", what);
	hard_say("%s: room again: %.2f %% of %zu pages\n", what,
		 pages_share(&pages, id), pages.n);
	blocks_free(&blocks);
}

static void spill_limit(const char *what, size_t low, size_t high)
{
	int order[MAX_NODES], id = first_node();

	numa_order(id, order);
	numa_run_on(id);
	blocks_fill(&blocks, &pages, 2 * LIMIT, low, high);
	pages_locate(&pages);
	check_ladder(what, order, 2, LIMIT);
	blocks_free(&blocks);
	check_return(what, id);
}

/* Options: 32 MiB of each node with CPUs. */
static void need_limits(char **argv)
{
	char text[200];
	size_t len = 0;
	int id;

	for_each_cpu_node(id)
		if (numa.node[id].has_memory)
			len += (size_t)snprintf(text + len,
						sizeof(text) - len,
						"%s%d:32M", len ? "," : "",
						id);
	need_options(argv, "node_limit=%s", text);
}

static void spill_last(char **argv)
{
	int order[MAX_NODES], n, nr_far = 0, id;

	for_each_memory_node(id)
		nr_far += !numa.node[id].has_cpu;
	if (!nr_far)
		SKIP("no node without CPUs has memory");
	need_limits(argv);
	id = first_node();
	n = numa_order(id, order);
	CHECK(!numa.node[order[n - nr_far]].has_cpu);
	numa_run_on(id);
	blocks_fill(&blocks, &pages, (size_t)(n - nr_far) * 32 * MIB +
		    24 * MIB, MIB, MIB);
	pages_locate(&pages);
	check_ladder("last", order, n - nr_far + 1, 32 * MIB);
	blocks_free(&blocks);
}

/* Blocks come and go for longer than free memory is kept: a second in its
 * zone, half of one on the way there, and one more look. */
static void be_active(void)
{
	double end = hard_now() + 2;
	void *p[30];
	size_t i;

	while (hard_now() < end) {
		for (i = 0; i < array_size(p); i++)
			p[i] = malloc(hide((size_t)20 * KIB));
		for (i = 0; i < array_size(p); i++)
			free(p[i]);
		usleep(1000);
	}
}

/* More than the node has, less than all have: the pages on other nodes. */
static size_t fill_up(int id)
{
	size_t free_here, free_elsewhere = 0;
	int other;

	numa_run_on(id);
	free_here = numa_free(id);
	for_each_memory_node(other)
		if (other != id)
			free_elsewhere += numa_free(other);
	if (free_elsewhere < 192 * MIB)
		SKIP("other nodes have only %zu MiB", free_elsewhere / MIB);
	blocks_fill(&blocks, &pages, free_here + 64 * MIB, 512 * KIB,
		    4 * MIB);
	pages_locate(&pages);
	hard_say("full: node %d had %zu MiB free, has %zu; %zu MiB were "
		 "taken: %s\n", id, free_here / MIB, numa_free(id) / MIB,
		 pages.n * PAGE / MIB, pages_text(&pages));
	/* The kernel keeps some, and takes some meanwhile: up to 80 MiB of a
	 * node of 512. */
	CHECK_OP(pages.on[id] * PAGE, >=, free_here / 10 * 7);
	CHECK_OP(pages.n - pages.on[id], >=, 32 * MIB / PAGE);
	return pages.n - pages.on[id];
}

static void spill_full(void)
{
	int id = first_node();

	fill_up(id);
	blocks_free(&blocks);
	be_active();
	check_return("full", id);
}

/* The allocator went there; it was not the kernel behind its back, which
 * would leave it with memory that it takes for the node's. */
static void spill_watermark(void)
{
	numastat_fn *numastat = API(numastat_fn *, "zbm_numastat");
	unsigned long long missed = 0;
	struct zbm_numastat stat;
	int id = first_node(), other;
	size_t elsewhere = fill_up(id);

	for_each_memory_node(other) {
		CHECK_EQ(numastat(other, &stat), 0);
		missed += stat.numa_miss;
	}
	hard_say("watermark: %llu of %zu pages on other nodes were asked for "
		 "there\n", missed, elsewhere);
	CHECK_OP(missed, >=, elsewhere / 2);
	blocks_free(&blocks);
}

static void spill_far(char **argv)
{
	int id, far = -1, here;

	for_each_cpu_node(here)
		break;
	for_each_memory_node(id)
		if (!numa.node[id].has_cpu &&
		    (far < 0 || numa.node[here].distance[id] <
				numa.node[here].distance[far]))
			far = id;
	if (far < 0)
		SKIP("no node without CPUs has memory");
	need_options(argv, "tier=far");
	numa_run_on(here);
	blocks_fill(&blocks, &pages, 4 * MIB, 16, 8 * KIB);
	blocks_fill(&blocks, &pages, 8 * MIB, 16 * KIB, 4 * MIB);
	pages_locate(&pages);
	CHECK_SHARE(&pages, far, 99, "tier=far");
	hard_say("far: %.2f %% of %zu pages on node %d, without CPUs\n",
		 pages_share(&pages, far), pages.n, far);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "limit";

	hard_start(TIMEOUT);
	numa_read();
	numa_need_nodes(2);
	if (!strcmp(what, "limit") || !strcmp(what, "small"))
		need_options(argv, "node_limit=%d:64M", first_node());
	blocks_init(&blocks, 1000000);
	pages_init(&pages);
	if (!strcmp(what, "limit"))
		spill_limit(what, MIB, MIB);
	else if (!strcmp(what, "small"))
		spill_limit(what, 400, 8 * KIB);
	else if (!strcmp(what, "last"))
		spill_last(argv);
	else if (!strcmp(what, "far"))
		spill_far(argv);
	else if (!strcmp(what, "watermark"))
		spill_watermark();
	else
		spill_full();
	return 0;
}
