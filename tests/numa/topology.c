/*
 * topology - what `zbmalloc topology` prints against what the kernel says.
 *
 *	near    every node and what it has; caches; distances; zonelists: self
 *		first, then by distance, nodes without CPUs last
 *	far     tier=far: nodes without CPUs first, the nearest of them on top
 *
 * ZBM_COMMAND in the environment is the command.
 */
#include "numa.h"

static struct {
	char mode[256];
	bool seen[MAX_NODES], cpus[MAX_NODES], memory[MAX_NODES];
	int served_by[MAX_NODES];	/* -1: not said */
	int nr_columns;
	int column[MAX_NODES];		/* the node of each distance */
	int distance[MAX_NODES][MAX_NODES];
	int nr_zones[MAX_NODES];
	int zone[MAX_NODES][MAX_NODES];	/* the node of each zone */
	int nr_lists, nr_rows, nr_caches;
} said;

/* A line of the cache of its first CPU. */
static void check_cache(const char *cpus)
{
	char text[1024];

	CHECK(numa_cache(atoi(cpus), text, sizeof(text)));
	CHECK(!strcmp(cpus, text));
	said.nr_caches++;
}

/* How many caches there must be lines of: one for each, but none of a single
 * one, nor where a CPU has one alone. */
static int nr_caches(void)
{
	char text[1024];
	int cpu, n = 0;

	for (cpu = 0; numa_cache(cpu, text, sizeof(text)); cpu++) {
		if (!strpbrk(text, "-,"))
			return 0;
		n += atoi(text) == cpu;
	}
	return n > 1 ? n : 0;
}

/* The numbers that stand in a text, separated by anything. */
static int numbers(const char *text, int *number)
{
	char *end;
	int n = 0;

	while (*text) {
		long value = strtol(text, &end, 10);

		if (end == text) {
			text++;
			continue;
		}
		CHECK_OP(n, <, MAX_NODES);
		number[n++] = (int)value;
		text = end;
	}
	return n;
}

static void parse_node(int id, const char *text)
{
	const char *served = strstr(text, "served by node ");

	CHECK_OP(id, <, MAX_NODES);
	CHECK(!said.seen[id]);
	said.seen[id] = true;
	said.cpus[id] = strstr(text, "CPUs yes");
	said.memory[id] = !strstr(text, "no memory");
	said.served_by[id] = served ? atoi(served + 15) : -1;
}

static void parse_distances(int id, const char *text)
{
	int number[MAX_NODES], i, n = numbers(text, number);

	CHECK_EQ(n, said.nr_columns);
	said.nr_rows++;
	for (i = 0; i < n; i++)
		said.distance[id][said.column[i]] = number[i];
}

static void parse_line(const char *line)
{
	const char *text = strchr(line, ':');
	int id;

	CHECK(text);
	text++;
	if (!strncmp(line, "mode:", 5)) {
		snprintf(said.mode, sizeof(said.mode), "%s", text);
	} else if (sscanf(line, "node %d:", &id) == 1) {
		parse_node(id, text);
	} else if (!strncmp(line, "cache ", 6)) {
		check_cache(text + strlen(" CPUs "));
	} else if (!strncmp(line, "distances to:", 13)) {
		said.nr_columns = numbers(text, said.column);
	} else if (sscanf(line, "distances of %d:", &id) == 1) {
		parse_distances(id, text);
	} else if (sscanf(line, "zonelist of node %d:", &id) == 1) {
		said.nr_zones[id] = numbers(text, said.zone[id]);
		said.nr_lists++;
	} else {
		hard_say("what is this line? %s", line);
		_exit(1);
	}
}

static void run_command(void)
{
	const char *command = getenv("ZBM_COMMAND");
	char line[4096];
	FILE *output;

	if (!command || access(command, X_OK))
		SKIP("no command '%s'", command ? command : "");
	snprintf(line, sizeof(line), "'%s' topology", command);
	unsetenv("LD_PRELOAD");
	output = popen(line, "r");
	CHECK(output);
	while (fgets(line, sizeof(line), output)) {
		/* Four lines of sixty-four nodes say enough. */
		if (numa.nr_ids <= 8)
			hard_say("%s", line);
		parse_line(line);
	}
	CHECK_EQ(pclose(output), 0);
}

static void check_nodes(void)
{
	int id;

	for (id = 0; id < MAX_NODES; id++) {
		const struct numa_node *node = &numa.node[id];

		CHECK_EQ(said.seen[id], node->online);
		if (!node->online)
			continue;
		CHECK_EQ(said.cpus[id], node->has_cpu);
		CHECK_EQ(said.memory[id], node->has_memory);
		if (!node->has_memory && numa.nr_memory > 1)
			CHECK_EQ(said.served_by[id], numa_nearest(id));
	}
}

static void check_distances(void)
{
	int from, to;

	CHECK_EQ(said.nr_columns, numa.nr_memory);
	CHECK_EQ(said.nr_rows, numa.nr_memory);
	for_each_memory_node(from)
		for_each_memory_node(to)
			CHECK_EQ(said.distance[from][to],
				 numa.node[from].distance[to]);
}

static void check_list_near(int id)
{
	int order[MAX_NODES], n = numa_order(id, order), i;

	for (i = 0; i < n; i++)
		CHECK_EQ(said.zone[id][i], order[i]);
}

static void check_list_far(int id)
{
	const int *zone = said.zone[id];
	bool seen[MAX_NODES] = { false };
	int i, other, best = -1;

	for_each_memory_node(other)
		if (!numa.node[other].has_cpu &&
		    (best < 0 || numa.node[id].distance[other] <
				 numa.node[id].distance[best]))
			best = other;
	CHECK_EQ(zone[0], best);
	for (i = 0; i < said.nr_zones[id]; i++) {
		CHECK(!seen[zone[i]]);
		seen[zone[i]] = true;
		/* None without CPUs behind one with. */
		CHECK(!i || numa.node[zone[i]].has_cpu >=
			    numa.node[zone[i - 1]].has_cpu);
	}
}

int main(int argc, char **argv)
{
	bool far = argc > 1 && !strcmp(argv[1], "far");
	int id, nr_far = 0;

	hard_start(TIMEOUT);
	numa_read();
	for_each_memory_node(id)
		nr_far += !numa.node[id].has_cpu;
	if (far) {
		if (!nr_far)
			SKIP("no node without CPUs has memory");
		need_options(argv, "tier=far");
	}
	run_command();
	check_nodes();
	CHECK_EQ(said.nr_caches, nr_caches());
	if (numa.nr_memory == 1) {
		CHECK(strstr(said.mode, "there is one node"));
		CHECK_EQ(said.nr_lists + said.nr_rows, 0);
		return 0;
	}
	CHECK(strstr(said.mode, far ? "tier far" : "tier near"));
	check_distances();
	CHECK_EQ(said.nr_lists, numa.nr_memory);
	for_each_memory_node(id) {
		CHECK_EQ(said.nr_zones[id], numa.nr_memory);
		if (!far)
			check_list_near(id);
		else if (numa.node[id].has_cpu)
			check_list_far(id);
	}
	hard_say("topology: %d nodes, %d with memory, %d with CPUs\n",
		 numa.nr_ids, numa.nr_memory, numa.nr_cpu);
	return 0;
}
