#include "os/topology.h"
#include "base/options.h"
#include "base/print.h"
#include "os/os.h"

#include <limits.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYS_NODE	"/sys/devices/system/node/"
#define TEXT_SIZE	2048	/* bytes of a file of /sys that are read */

/* Nodes that may come while the process runs. Each thread has address space
 * for them, and some systems deem hundreds possible. */
#define MORE_NODES	8

/* Kernel headers before 5.15 do not have it. */
#define POLICY_LOCAL	4

/* Apart, so that a process with one node does not have these in memory. */
static struct topology_node topology_nodes[MAX_NUMNODES];

struct topology topology;

/* By id, the kernel's numbers. */
struct id_mask {
	uint64_t bit[NODE_IDS / 64];
};

#define NO_NODE	0xff

/* Where there is more than one node. */
static struct {
	struct id_mask mems;		/* as last seen: allowed, with memory */
	uint8_t node_of[NODE_IDS];	/* NO_NODE: there is no such id */
} seen;

static bool mask_test(const struct id_mask *mask, size_t id)
{
	return mask->bit[id / 64] >> id % 64 & 1;
}

static bool mask_equal(const struct id_mask *a, const struct id_mask *b)
{
	size_t i = 0;

	while (i < array_size(a->bit) && a->bit[i] == b->bit[i])
		i++;
	return i == array_size(a->bit);
}

static size_t mask_count(const struct id_mask *mask)
{
	size_t n = 0;

	for (size_t i = 0; i < array_size(mask->bit); i++)
		n += (size_t)__builtin_popcountl(mask->bit[i]);
	return n;
}

/* "0-3,7": false without a single number. */
static bool mask_parse(const char *text, struct id_mask *mask)
{
	size_t first, last;

	*mask = (struct id_mask){ { 0 } };
	while (os_parse_range(&text, &first, &last))
		for (; first <= last && first < NODE_IDS; first++)
			mask->bit[first / 64] |= 1UL << first % 64;
	return mask_count(mask) > 0;
}

static bool mask_read(const char *path, struct id_mask *mask)
{
	char text[TEXT_SIZE];

	return os_read_file(path, text, sizeof(text)) > 0 &&
	       mask_parse(text, mask);
}

/* What the cpuset allows. False: the kernel does not say. */
static bool mems_read(struct id_mask *mems)
{
	int saved_errno = errno;

	*mems = (struct id_mask){ { 0 } };
	if (syscall(SYS_get_mempolicy, NULL, mems->bit, NODE_IDS, NULL,
		    MPOL_F_MEMS_ALLOWED)) {
		os_refuse(OS_REFUSED_TOPOLOGY);
		errno = saved_errno;
		return false;
	}
	return true;
}

/* Of these, which are several, those that have memory. False: that is
 * unknown. */
static bool mems_keep_with_memory(struct id_mask *mems)
{
	struct id_mask with_memory;

	if (!mask_read(SYS_NODE "has_memory", &with_memory))
		return false;
	for (size_t i = 0; i < array_size(mems->bit); i++)
		mems->bit[i] &= with_memory.bit[i];
	return true;
}

/* The calling thread has a policy that somebody set, other than the kernel's
 * own: local memory first. */
static bool has_policy(void)
{
	int saved_errno = errno, mode = MPOL_DEFAULT;
	long refused = syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0);

	errno = saved_errno;
	return !refused && mode != MPOL_DEFAULT && mode != POLICY_LOCAL;
}

/* The row of distances of an id, by id. */
static void distances_read(size_t id, const struct id_mask *online,
			   uint8_t *distance)
{
	char path[64], text[TEXT_SIZE], *at = text;

	memset(distance, REMOTE_DISTANCE, NODE_IDS);
	distance[id] = LOCAL_DISTANCE;
	print_format(path, sizeof(path), SYS_NODE "node%zu/distance", id);
	if (os_read_file(path, text, sizeof(text)) <= 0)
		return;
	for (size_t other = 0; other < NODE_IDS && *at; other++) {
		if (!mask_test(online, other))
			continue;
		distance[other] = (uint8_t)min(os_parse_number(at), 255UL);
		at += strcspn(at, " ");
		at += *at == ' ';
	}
}

/* The allowed node nearest to the id, which has these distances: itself, if
 * it can be, for 10 does not mean local (numa=fake). */
static uint8_t nearest_allowed(size_t id, const uint8_t *distance)
{
	unsigned int best_rank = UINT_MAX;
	uint8_t best = 0;

	for (int n = 0; n < topology.nr_nodes; n++) {
		int other = topology.node[n].id;
		unsigned int rank = 2U * distance[other] + (other != (int)id);

		if (!(topology.allowed >> n & 1) || rank >= best_rank)
			continue;
		best_rank = rank;
		best = (uint8_t)n;
	}
	return best;
}

int topology_find(int id)
{
	for (int n = 0; n < topology.nr_nodes; n++)
		if (topology.node[n].id == id)
			return n;
	return -1;
}

/* New nodes come behind those that are known. */
static void nodes_add(const struct id_mask *mems)
{
	for (size_t id = 0; id < NODE_IDS; id++)
		if (mask_test(mems, id) && topology_find((int)id) < 0 &&
		    topology.nr_nodes < topology.max_nodes)
			topology.node[topology.nr_nodes++].id = (int)id;
}

static void nodes_allow(const struct id_mask *mems)
{
	uint64_t allowed = 0;

	for (int n = 0; n < topology.nr_nodes; n++)
		if (mask_test(mems, (size_t)topology.node[n].id))
			allowed |= 1UL << n;
	/* Nothing but nodes beyond the limit: as if there were no limits. */
	if (!allowed)
		allowed = 1;
	__atomic_store_n(&topology.allowed, allowed, __ATOMIC_RELAXED);
}

/* What /sys tells of one id; all distances are by id. */
static void node_measure(size_t id, bool has_cpu, const uint8_t *distance)
{
	int n = topology_find((int)id);

	/* Relaxed: another thread has the old node or the new one. */
	__atomic_store_n(&seen.node_of[id], nearest_allowed(id, distance),
			 __ATOMIC_RELAXED);
	if (n < 0)
		return;
	topology.node[n].has_cpu = has_cpu;
	for (int to = 0; to < topology.nr_nodes; to++)
		topology.node[n].distance[to] =
			distance[topology.node[to].id];
}

/* Everything that follows from which nodes there are. */
static void nodes_measure(void)
{
	uint8_t distance[NODE_IDS];
	struct id_mask online, with_cpu;
	bool cpus = mask_read(SYS_NODE "has_cpu", &with_cpu);

	if (!mask_read(SYS_NODE "online", &online))
		online = seen.mems;
	for (size_t id = 0; id < NODE_IDS; id++) {
		if (!mask_test(&online, id) && topology_find((int)id) < 0) {
			__atomic_store_n(&seen.node_of[id], NO_NODE,
					 __ATOMIC_RELAXED);
			continue;
		}
		distances_read(id, &online, distance);
		node_measure(id, !cpus || mask_test(&with_cpu, id), distance);
	}
}

static void nodes_update(const struct id_mask *mems)
{
	seen.mems = *mems;
	nodes_add(mems);
	nodes_allow(mems);
	nodes_measure();
}

/* There are several nodes. */
static cold_path void nodes_init(struct id_mask *mems)
{
	struct id_mask possible;
	int saved_errno = errno;

	if (!mems_keep_with_memory(mems)) {
		topology.nodes_unknown = true;
		errno = ENOENT;
		os_refuse(OS_REFUSED_NODES);
		errno = saved_errno;
	}
	if (mask_count(mems) <= 1)
		return;
	if (has_policy()) {
		topology.policy_is_users = true;
		return;
	}
	if (!mask_read(SYS_NODE "possible", &possible))
		possible = *mems;
	topology.max_nodes = (int)min(min(max(mask_count(&possible),
					      mask_count(mems)),
					  mask_count(mems) + MORE_NODES),
				      (size_t)MAX_NUMNODES);
	topology.nr_nodes = 0;
	nodes_update(mems);
}

void topology_init(void)
{
	struct id_mask mems;

	topology = (struct topology){
		.nr_nodes = 1,
		.max_nodes = 1,
		.allowed = 1,
		.node = topology_nodes,
	};
	if (options.numa != NUMA_OFF && mems_read(&mems) &&
	    mask_count(&mems) > 1)
		nodes_init(&mems);
}

bool topology_follow(void)
{
	bool changed = !topology.policy_is_users && has_policy();
	struct id_mask mems;

	topology.policy_is_users |= changed;
	/* What cannot be read now (no descriptor is left, or the process has
	 * changed its root) is as it was. */
	if (!mems_read(&mems) ||
	    (mask_count(&mems) > 1 && !mems_keep_with_memory(&mems)) ||
	    !mask_count(&mems))
		return changed;
	if (mask_equal(&mems, &seen.mems))
		return changed;
	nodes_update(&mems);
	return true;
}

/* Where there is one node, it is all that the system has online. */
static int single_node_of(int id)
{
	struct id_mask online;

	if (!mask_read(SYS_NODE "online", &online))
		return id == 0 ? 0 : -1;
	return mask_test(&online, (size_t)id) ? 0 : -1;
}

int topology_node_of(int id)
{
	uint8_t node;

	if (id < 0 || id >= NODE_IDS)
		return -1;
	if (topology.max_nodes == 1)
		return single_node_of(id);
	node = __atomic_load_n(&seen.node_of[id], __ATOMIC_RELAXED);
	return node == NO_NODE ? -1 : node;
}

int topology_current_node(void)
{
	unsigned int cpu, id;
	int node;

	if (topology.max_nodes == 1)
		return 0;
	/* Of the vDSO: 20 ns. */
	if (getcpu(&cpu, &id))
		return 0;
	node = topology_node_of((int)id);
	return max(node, 0);
}

int topology_distance(int from, int to)
{
	if (topology.max_nodes > 1)
		return topology.node[from].distance[to];
	return from == to ? LOCAL_DISTANCE : REMOTE_DISTANCE;
}

void topology_place(void *addr, size_t size, enum placement how, int node)
{
	static const int modes[] = {
		[PLACE_NODE] = MPOL_PREFERRED,
		[PLACE_INTERLEAVED] = MPOL_INTERLEAVE,
		[PLACE_DEFAULT] = MPOL_DEFAULT,
	};
	struct id_mask mask = { { 0 } };
	int saved_errno = errno;

	/* A thread may run on a node that nobody told of. */
	if (topology.max_nodes == 1 || topology.nodes_unknown)
		return;
	if (topology.policy_is_users)
		how = PLACE_DEFAULT;
	/* The kernel refuses a node that is forbidden. */
	if (how == PLACE_NODE && !(topology.allowed >> node & 1))
		return;
	for (int n = 0; n < topology.nr_nodes && how != PLACE_DEFAULT; n++) {
		size_t id = (size_t)topology.node[n].id;

		if (how == PLACE_NODE ? n == node : topology.allowed >> n & 1)
			mask.bit[id / 64] |= 1UL << id % 64;
	}
	/* The kernel takes one bit less than it is told. */
	if (syscall(SYS_mbind, addr, size, modes[how], mask.bit, NODE_IDS + 1,
		    0))
		os_refuse(OS_REFUSED_BIND);
	errno = saved_errno;
}

/*
 * Below its low watermark the kernel takes pages from another node. That is
 * a quarter more than the node's part of vm.min_free_kbytes, or a thousandth
 * of its memory more; here half more, and both.
 */
static size_t node_reserve(size_t total)
{
	char text[32];
	size_t least = 0;

	if (os_read_file("/proc/sys/vm/min_free_kbytes", text,
			 sizeof(text)) > 0)
		least = os_parse_number(text) << 10;
	return least / mask_count(&seen.mems) / 2 * 3 + total / 1000;
}

size_t topology_node_left(int node)
{
	char path[64], text[TEXT_SIZE];
	size_t free, reserve;

	print_format(path, sizeof(path), SYS_NODE "node%d/meminfo",
		     topology.node[node].id);
	if (os_read_file(path, text, sizeof(text)) <= 0)
		return SIZE_MAX;
	free = os_parse_kib(text, "MemFree:");
	reserve = node_reserve(os_parse_kib(text, "MemTotal:"));
	return free > reserve ? free - reserve : 0;
}
