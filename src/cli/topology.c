/*
 * topology - `zbmalloc topology`: the nodes, caches, distances and zonelists
 * that a program started from here would have.
 *
 * 1. Each line says by its first words what it is; see the usage.
 * 2. What the library has found out is asked of the library, as it comes up
 *    in this process; only what it has no use for is read from /sys: all
 *    nodes, their memory, and which have none.
 * 3. Nodes go by the kernel's numbers.
 */
#include "cli/cli.h"

#include "base/options.h"
#include "heap/heap.h"
#include "mm/zonelist.h"
#include "os/llc.h"
#include "os/os.h"
#include "os/topology.h"

#include <stdio.h>
#include <stdlib.h>

#define SYS_NODE	"/sys/devices/system/node/"
#define LABEL		20	/* characters in front of distances */

struct id_set {
	bool has[NODE_IDS];
	size_t count;
};

/* "0-3,7"; an empty set when the file cannot be read. */
static void ids_read(struct id_set *set, const char *name)
{
	char path[sizeof(SYS_NODE) + 32], text[8192];
	const char *at = text;
	size_t first, last;

	memset(set, 0, sizeof(*set));
	snprintf(path, sizeof(path), SYS_NODE "%s", name);
	if (os_read_file(path, text, sizeof(text)) <= 0)
		return;
	while (os_parse_range(&at, &first, &last))
		for (; first <= last && first < NODE_IDS; first++) {
			set->count += !set->has[first];
			set->has[first] = true;
		}
}

/* One line of the node's meminfo, bytes; SIZE_MAX: unknown. */
static size_t meminfo_read(int id, const char *name)
{
	char path[sizeof(SYS_NODE) + 32], line[128], key[32];
	size_t kib, size = SIZE_MAX;
	FILE *file;

	snprintf(path, sizeof(path), SYS_NODE "node%d/meminfo", id);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Node %*d %31[^:]: %zu kB", key, &kib) == 2 &&
		    !strcmp(key, name))
			size = kib << 10;
	if (file)
		fclose(file);
	return size;
}

static bool kernel_decides(void)
{
	return topology.max_nodes == 1;
}

static const char *why_kernel_decides(size_t nr_with_memory)
{
	if (options.numa == NUMA_OFF)
		return "numa=off is set";
	if (topology.policy_is_users)
		return "this process has a memory policy (numactl --show)";
	if (nr_with_memory != 1 && os.refused[OS_REFUSED_TOPOLOGY])
		return "get_mempolicy is refused";
	if (nr_with_memory > 1)
		return "this process may use one node only (cpuset)";
	return "there is one node";
}

static void print_mode(size_t nr_with_memory)
{
	if (kernel_decides())
		printf("mode: kernel, because %s\n",
		       why_kernel_decides(nr_with_memory));
	else
		printf("mode: %s, tier %s, %d nodes\n",
		       options.numa == NUMA_INTERLEAVED ? "interleave" :
							  "local",
		       options.tier == TIER_FAR ? "far" : "near",
		       topology.nr_nodes);
}

static void print_size(const char *name, size_t size)
{
	if (size == SIZE_MAX)
		printf(", %s unknown", name);
	else
		printf(", %s %zu MiB", name, size >> 20);
}

/* What the library makes of the node: it is one of its own, or its threads
 * and requests for it go to the nearest of these. */
static void print_use(int id, bool has_memory)
{
	size_t limit = options_limit_of(options.node_limit, (size_t)id);
	int server = topology_node_of(id);

	if (topology_find(id) >= 0) {
		if (limit != SIZE_MAX)
			print_size("limit", limit);
		return;
	}
	if (has_memory)
		printf(", not used");
	if (server >= 0)
		printf(", served by node %d", topology.node[server].id);
}

static void print_node(int id, bool has_cpu, bool has_memory)
{
	printf("node %d: CPUs %s", id, has_cpu ? "yes" : "no");
	if (has_memory) {
		print_size("total", meminfo_read(id, "MemTotal"));
		print_size("free", meminfo_read(id, "MemFree"));
	} else {
		printf(", no memory");
	}
	if (!kernel_decides())
		print_use(id, has_memory);
	putchar('\n');
}

/* Those that the kernel names, and if it names none those that we have. */
static void print_nodes(const struct id_set *with_memory)
{
	struct id_set online, with_cpu;

	ids_read(&online, "online");
	ids_read(&with_cpu, "has_cpu");
	for (int id = 0; id < NODE_IDS; id++)
		if (online.has[id] || (!online.count && topology_find(id) >= 0))
			print_node(id, with_cpu.has[id] || !with_cpu.count,
				   with_memory->has[id] ||
				   !with_memory->count);
}

/* The CPUs of a cache, as "0-3,8". */
static void print_cache(int cache)
{
	const char *comma = "";

	printf("cache %d: CPUs ", cache);
	for (int cpu = 0, last; cpu < LLC_CPUS; cpu = last + 1) {
		last = cpu;
		if (llc.of_cpu[cpu] != cache)
			continue;
		while (last + 1 < LLC_CPUS && llc.of_cpu[last + 1] == cache)
			last++;
		printf("%s%d", comma, cpu);
		if (last > cpu)
			printf("-%d", last);
		comma = ",";
	}
	putchar('\n');
}

static void print_caches(void)
{
	llc_init();
	for (int cache = 1; llc_is_divided() && cache <= llc.nr; cache++)
		print_cache(cache);
}

static void print_distances(void)
{
	char label[32];

	printf("%-*s", LABEL, "distances to:");
	for (int to = 0; to < topology.nr_nodes; to++)
		printf(" %4d", topology.node[to].id);
	putchar('\n');
	for (int from = 0; from < topology.nr_nodes; from++) {
		snprintf(label, sizeof(label), "distances of %d:",
			 topology.node[from].id);
		printf("%-*s", LABEL, label);
		for (int to = 0; to < topology.nr_nodes; to++)
			printf(" %4d", topology_distance(from, to));
		putchar('\n');
	}
}

/* Of a thread that runs on the node. */
static void print_zonelist(int node)
{
	const struct zonelist *list = node_zonelist(node_home(node), 0);

	printf("zonelist of node %d:", topology.node[node].id);
	for (size_t i = 0; list->zone[i]; i++) {
		const struct zone *zone = list->zone[i];

		printf("%s ", i ? "," : "");
		if (zone->placement == PLACE_NODE)
			printf("%d", topology.node[zone->node].id);
		else
			printf("all");
		printf(" %s", zone->name);
	}
	putchar('\n');
}

/* A number that was mistyped would go unnoticed. */
static void complain_about_limits(void)
{
	for (int id = 0; id < NODE_IDS; id++)
		if (options_limit_of(options.node_limit, (size_t)id) !=
		    SIZE_MAX && topology_find(id) < 0)
			cli_message("node_limit=%d:...: this process has no "
				    "memory on a node %d", id, id);
}

int cli_topology(int argc, char **argv)
{
	struct id_set with_memory;

	if (argc > 1)
		cli_fail(CLI_FAILED, "topology takes no arguments, but got "
			 "'%s'", argv[1]);
	if (!heap_start())
		cli_fail(CLI_FAILED, "there is no address space to start in");
	if (!kernel_decides())
		complain_about_limits();
	ids_read(&with_memory, "has_memory");
	print_mode(with_memory.count);
	print_nodes(&with_memory);
	print_caches();
	if (kernel_decides())
		return EXIT_SUCCESS;
	print_distances();
	for (int node = 0; node < topology.nr_nodes; node++)
		print_zonelist(node);
	return EXIT_SUCCESS;
}
