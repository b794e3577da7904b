/*
 * stats - zbm_numastat agrees with what move_pages says of what this program
 * holds.
 *
 *	local   a thread on each node: hits, local
 *	spill   with a limit: misses there, foreign here
 *	other   zbm_malloc_node of another node: hits there, of another's thread
 *	spread  numa=interleave: interleave_hit
 *	single  one node, or numa=off: all 0
 *	reports malloc_info and the report at exit have the same figures
 */
#include "numa.h"
#include "zbmalloc.h"

#define HELD		(24 * MIB)

typedef int numastat_fn(int nid, struct zbm_numastat *stat);
typedef void *malloc_node_fn(size_t size, int nid);

static numastat_fn *numastat;
static struct blocks blocks;
static struct pages pages;

/* Of all nodes, before the allocations that are looked at. */
static struct zbm_numastat before[MAX_NODES];

static struct zbm_numastat stat_of(int id)
{
	struct zbm_numastat stat;

	memset(&stat, 0xff, sizeof(stat));
	errno = 77;
	CHECK_EQ(numastat(id, &stat), 0);
	CHECK_EQ(errno, 77);
	return stat;
}

static void remember(void)
{
	int id;

	for_each_memory_node(id)
		before[id] = stat_of(id);
	pages_drop(&pages);
}

static struct zbm_numastat since(int id)
{
	struct zbm_numastat now = stat_of(id), *then = &before[id];

	now.numa_hit -= then->numa_hit;
	now.numa_miss -= then->numa_miss;
	now.numa_foreign -= then->numa_foreign;
	now.interleave_hit -= then->interleave_hit;
	now.local_node -= then->local_node;
	now.other_node -= then->other_node;
	return now;
}

static void say(const char *what, int id)
{
	struct zbm_numastat s = since(id);

	hard_say("%s: node %d holds %zu pages; hit %llu, miss %llu, foreign "
		 "%llu, interleave %llu, local %llu, other %llu\n", what, id,
		 pages.on[id], s.numa_hit, s.numa_miss, s.numa_foreign,
		 s.interleave_hit, s.local_node, s.other_node);
}

/* Blocks of whole pages: the two may differ by what caches took along. */
#define CHECK_NEAR(figure, pages) do { \
	unsigned long long near_a = (figure), near_b = (pages); \
	CHECK_OP(near_a + near_b / 20 + 64, >=, near_b); \
	CHECK_OP(near_a, <=, near_b + near_b / 20 + 512); \
} while (0)

/* Its first blocks on a node may still be of the one that it comes from, and
 * what is cached there is not counted again. */
static void settle_on(int id)
{
	int i;

	numa_run_on(id);
	for (i = 0; i < 4; i++)
		free(malloc(hide(4 * MIB)));
	malloc_trim(0);
}

static void local(int id)
{
	int home = numa_nearest(id), other;

	settle_on(id);
	remember();
	blocks_fill(&blocks, &pages, HELD, 256 * KIB, 4 * MIB);
	blocks_fill(&blocks, &pages, HELD / 4, 1024, 1024);
	pages_locate(&pages);
	say("local", home);
	CHECK_NEAR(since(home).numa_hit, pages.on[home]);
	CHECK_EQ(since(home).numa_miss, 0);
	/* A thread of a node without memory is nowhere local. */
	CHECK_NEAR(since(home).local_node + since(home).other_node,
		   pages.on[home]);
	if (home == id)
		CHECK_NEAR(since(home).local_node, pages.on[home]);
	for_each_memory_node(other)
		if (other != home)
			CHECK_OP(since(other).numa_hit +
				 since(other).numa_miss, <=,
				 pages.on[other] + 64);
	blocks_free(&blocks);
}

static void spill(int id)
{
	unsigned long long missed = 0, held = 0;
	int other;

	settle_on(id);
	remember();
	blocks_fill(&blocks, &pages, 64 * MIB, MIB, MIB);
	pages_locate(&pages);
	say("spill", id);
	for_each_memory_node(other) {
		if (other == id)
			continue;
		if (pages.on[other])
			say("spill", other);
		CHECK_NEAR(since(other).numa_miss, pages.on[other]);
		CHECK_NEAR(since(other).other_node, pages.on[other]);
		missed += since(other).numa_miss;
		held += pages.on[other];
	}
	CHECK_OP(held, >, 0);
	CHECK_EQ(since(id).numa_foreign, missed);
	CHECK_NEAR(since(id).numa_hit, pages.on[id]);
	blocks_free(&blocks);
}

static void other(int id)
{
	malloc_node_fn *malloc_node = API(malloc_node_fn *, "zbm_malloc_node");
	int far = -1, i;

	for_each_memory_node(i)
		if (i != id)
			far = i;
	settle_on(id);
	remember();
	while (blocks.n < 12)
		blocks_keep(&blocks, &pages, malloc_node(MIB, far), MIB);
	pages_locate(&pages);
	say("other", far);
	CHECK_NEAR(since(far).numa_hit, pages.on[far]);
	CHECK_NEAR(since(far).other_node, pages.on[far]);
	CHECK_OP(since(far).local_node, <=, 64);
	blocks_free(&blocks);
}

static void spread(void)
{
	int id;

	remember();
	blocks_fill(&blocks, &pages, HELD, 4 * MIB, 4 * MIB);
	pages_locate(&pages);
	for_each_memory_node(id) {
		say("spread", id);
		CHECK_NEAR(since(id).interleave_hit, pages.on[id]);
	}
	blocks_free(&blocks);
}

/* What stands behind `name="` in the element of the node. */
static unsigned long long info_figure(const char *info, int id,
				      const char *name)
{
	char text[64];
	const char *at;

	snprintf(text, sizeof(text), "<node id=\"%d\"", id);
	at = strstr(info, text);
	CHECK(at);
	snprintf(text, sizeof(text), " %s=\"", name);
	at = strstr(at, text);
	CHECK(at);
	return strtoull(at + strlen(text), NULL, 10);
}

static void check_info(const char *info, int id)
{
	struct zbm_numastat s = stat_of(id);

	/* The file's buffer came in between. */
	CHECK_NEAR(info_figure(info, id, "numa_hit"), s.numa_hit);
	CHECK_EQ(info_figure(info, id, "numa_miss"), s.numa_miss);
	CHECK_EQ(info_figure(info, id, "numa_foreign"), s.numa_foreign);
	CHECK_EQ(info_figure(info, id, "interleave_hit"), s.interleave_hit);
	CHECK_NEAR(info_figure(info, id, "local_node"), s.local_node);
	CHECK_NEAR(info_figure(info, id, "other_node"), s.other_node);
	hard_say("reports: malloc_info of node %d: numa_hit %llu, numa_miss "
		 "%llu\n", id, s.numa_hit, s.numa_miss);
}

/* In a child: some pages of each kind, then the end. */
static void *spill_a_bit(void *arg)
{
	numa_run_on(*(int *)arg);
	blocks_fill(&blocks, &pages, 32 * MIB, MIB, MIB);
	return NULL;
}

static void report_at_exit(int id, char *text, size_t size)
{
	char options[128], path[] = "/tmp/numa-report-XXXXXX", self[] = "stats";
	char word[] = "exit", *argv[] = { self, word, NULL };
	int fd = mkstemp(path);
	ssize_t n;
	pid_t pid;

	CHECK_OP(fd, >=, 0);
	snprintf(options, sizeof(options), "node_limit=%d:16M,stats=%s", id,
		 path);
	pid = fork();
	if (!pid) {
		CHECK_EQ(setenv("ZBMALLOC_OPTIONS", options, 1), 0);
		execv("/proc/self/exe", argv);
		_exit(3);
	}
	CHECK_EQ(hard_wait(pid), 0);
	n = read(fd, text, size - 1);
	CHECK_OP(n, >, 0);
	text[n] = 0;
	close(fd);
	unlink(path);
}

/* "numa_miss" is a column, and one node has at least 16 MiB in it. */
static void check_report(const char *text)
{
	const char *at = strstr(text, "numa_miss");
	int id, most = 0;

	CHECK(at);
	CHECK(strstr(text, "numa_foreign"));
	CHECK(strstr(text, "interleave_hit"));
	CHECK(strstr(text, "other_node"));
	for (id = 0; id < numa.nr_memory; id++) {
		unsigned int hit, hit_rest, miss, miss_rest;

		at = strchr(at, '\n');
		CHECK(at);
		at++;
		/* Numbers have commas between thousands. */
		if (sscanf(at, "%*d %u,%u %u,%u", &hit, &hit_rest, &miss,
			   &miss_rest) == 4 && (int)(miss * 1000) > most)
			most = (int)(miss * 1000 + miss_rest);
		else if (sscanf(at, "%*d %u %u,%u", &hit, &miss,
				&miss_rest) == 3 && (int)(miss * 1000) > most)
			most = (int)(miss * 1000 + miss_rest);
	}
	hard_say("reports: at exit: numa_miss is %d\n", most);
	CHECK_OP(most, >=, 4000);
}

static void reports(int id)
{
	static char text[256 * 1024];
	FILE *file = tmpfile();
	size_t n;
	int other;

	CHECK(file);
	blocks_fill(&blocks, &pages, HELD, 4 * MIB, 4 * MIB);
	CHECK_EQ(malloc_info(0, file), 0);
	rewind(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = 0;
	for_each_memory_node(other)
		check_info(text, other);
	fclose(file);
	report_at_exit(id, text, sizeof(text));
	check_report(text);
}

static void single(void)
{
	struct zbm_numastat none = { 0 }, stat;
	int id;

	blocks_fill(&blocks, &pages, HELD, 16, 4 * MIB);
	for_each_memory_node(id)
		/* A node that this process knows nothing of is EINVAL. */
		if (!numastat(id, &stat))
			CHECK(!memcmp(&stat, &none, sizeof(none)));
	hard_say("single: all figures of %d nodes are 0\n", numa.nr_memory);
	blocks_free(&blocks);
}

static void check_errors(void)
{
	struct zbm_numastat stat;

	errno = 77;
	CHECK_EQ(numastat(999, &stat), EINVAL);
	CHECK_EQ(numastat(-1, &stat), EINVAL);
	CHECK_EQ(numastat(1 << 20, &stat), EINVAL);
	CHECK_EQ(errno, 77);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "local";
	int id;

	hard_start(TIMEOUT);
	numa_read();
	numastat = API(numastat_fn *, "zbm_numastat");
	if (!strcmp(what, "single") && numa.nr_memory > 1)
		need_options(argv, "numa=off");
	else if (strcmp(what, "single"))
		numa_need_nodes(2);
	for_each_cpu_node(id)
		if (numa.node[id].has_memory)
			break;
	if (!strcmp(what, "exit")) {
		blocks_init(&blocks, 1000);
		pages_init(&pages);
		numa_in_thread(spill_a_bit, &id);
		return 0;
	}
	if (!strcmp(what, "spill"))
		need_options(argv, "node_limit=%d:16M", id);
	else if (!strcmp(what, "spread"))
		need_options(argv, "numa=interleave");
	blocks_init(&blocks, 100000);
	pages_init(&pages);
	check_errors();
	if (!strcmp(what, "spill"))
		spill(id);
	else if (!strcmp(what, "other"))
		other(id);
	else if (!strcmp(what, "spread"))
		spread();
	else if (!strcmp(what, "reports"))
		reports(id);
	else if (!strcmp(what, "single"))
		single();
	else
		for_each_cpu_node(id)
			local(id);
	return 0;
}
