/*
 * interleave - numa=interleave and numa=off.
 *
 *	spread  pages of a block of 64 MiB, and of runs, are spread evenly over
 *		all nodes with memory; small objects slab by slab
 *	off     one node: pages lie where they were first touched, and no
 *		mapping has a policy
 */
#include "numa.h"

static struct blocks blocks;
static struct pages pages;

/* No node has more or less than `percent` of an even share. */
static void check_even(const char *what, double percent)
{
	double even, worst = 0;
	int id;

	pages_locate(&pages);
	even = (double)pages.n / numa.nr_memory;
	for_each_memory_node(id) {
		double off = ((double)pages.on[id] - even) / even * 100;

		off = off < 0 ? -off : off;
		worst = off > worst ? off : worst;
	}
	hard_say("interleave: %s: %zu pages, %.2f %% from even (%s)\n", what,
		 pages.n, worst, pages_text(&pages));
	if (worst > percent) {
		hard_say("failed: more than %g %%\n", percent);
		_exit(1);
	}
	blocks_free(&blocks);
	pages_drop(&pages);
}

static void spread(void)
{
	blocks_fill(&blocks, &pages, 64 * MIB, 64 * MIB, 64 * MIB);
	check_even("64 MiB", 5);
	blocks_fill(&blocks, &pages, 24 * MIB, 3 * MIB, 3 * MIB);
	check_even("3 MiB", 5);
	blocks_fill(&blocks, &pages, 32 * MIB, 64 * KIB, 64 * KIB);
	check_even("64 KiB", 5);
	/* A run begins at a power of two: if it is not much longer than there
	 * are nodes, the last ones have less of it. */
	if (numa.nr_memory <= 8) {
		blocks_fill(&blocks, &pages, 48 * MIB, 512 * KIB, 2 * MIB);
		check_even("runs of mixed sizes", 5);
	}
	blocks_fill(&blocks, &pages, 16 * MIB, 256, 256);
	check_even("256 bytes", 15);
	blocks_fill(&blocks, &pages, 24 * MIB, 4000, 4000);
	check_even("4000 bytes", 15);
}

/* Mappings of this process that have a policy. */
static size_t nr_policies(void)
{
	FILE *file = fopen("/proc/self/numa_maps", "r");
	char line[4096], address[32], policy[64];
	size_t n = 0;

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%31s %63s", address, policy) == 2 &&
		    strcmp(policy, "default"))
			n++;
	fclose(file);
	return n;
}

static void off(void)
{
	int id = numa_cpu_node(0), home = numa_nearest(id);

	numa_run_on(id);
	blocks_fill(&blocks, &pages, 8 * MIB, 16, 8 * KIB);
	blocks_fill(&blocks, &pages, 16 * MIB, 16 * KIB, 4 * MIB);
	pages_locate(&pages);
	CHECK_SHARE(&pages, home, 99, "numa=off, first touch");
	CHECK_EQ(nr_policies(), 0);
	/* First touch: not of the node that allocated. */
	if (numa.nr_cpu > 1) {
		char *p = malloc(hide(32 * MIB));

		CHECK(p);
		numa_run_on(numa_cpu_node(1));
		home = numa_nearest(numa_cpu_node(1));
		touch(p, 32 * MIB);
		pages_drop(&pages);
		pages_add(&pages, p, 32 * MIB);
		pages_locate(&pages);
		CHECK_SHARE(&pages, home, 95, "numa=off, touched elsewhere");
		free(p);
	}
	hard_say("off: no mapping has a policy, %.2f %% of %zu pages where "
		 "they were touched\n", pages_share(&pages, home), pages.n);
}

int main(int argc, char **argv)
{
	hard_start(TIMEOUT);
	numa_read();
	if (argc > 1 && !strcmp(argv[1], "off"))
		need_options(argv, "numa=off");
	else
		need_options(argv, "numa=interleave");
	/* Pages as large as each other. */
	CHECK_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	blocks_init(&blocks, 200000);
	pages_init(&pages);
	if (argc > 1 && !strcmp(argv[1], "off"))
		off();
	else
		spread();
	return 0;
}
