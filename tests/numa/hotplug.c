/*
 * hotplug - memory of a node comes, goes, and the node with it, while threads
 * allocate.
 *
 * Needs a node whose memory is plugged in and offline, as the topology of that
 * name has.
 */
#include "follow.h"
#include "zbmalloc.h"
#include <dirent.h>

#define NODE_FOLDER	"/sys/devices/system/node"
#define EJECT		"/sys/bus/acpi/devices/PNP0C80:00/eject"
#define SECOND_US	1000000

typedef void *malloc_node_fn(size_t size, int nid);

static malloc_node_fn *malloc_node;

/* All memory blocks of the node get this state; how many did. */
static int set_memory(int id, const char *state)
{
	char folder[256], path[600];
	struct dirent *entry;
	int n = 0, try;
	DIR *dir;

	snprintf(folder, sizeof(folder), NODE_FOLDER "/node%d", id);
	dir = opendir(folder);
	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "memory", 6) ||
		    entry->d_name[6] < '0' || entry->d_name[6] > '9')
			continue;
		snprintf(path, sizeof(path), "%s/%s/state", folder,
			 entry->d_name);
		/* Pages in use may take several tries to leave. */
		for (try = 0; try < 20 && !write_file(path, state); try++)
			usleep(50000);
		n += try < 20;
	}
	closedir(dir);
	return n;
}

/* The node without CPUs and memory that can have some. */
static int hot_node(void)
{
	char text[256];
	cpu_set_t possible;
	int id;

	CHECK(numa_file(text, sizeof(text), "possible"));
	numa_list(text, &possible);
	for (id = 0; id < MAX_NODES; id++)
		if (CPU_ISSET(id, &possible) && !numa.node[id].has_memory &&
		    !numa.node[id].has_cpu)
			return id;
	SKIP("no node to be plugged in");
}

static size_t nr_new;	/* pages that share_of saw come */

/* Percent of 8 MiB of blocks from zbm_malloc_node that lie on the node. */
static double share_of(int id)
{
	struct blocks blocks;
	struct pages pages, fresh;
	double share;

	blocks_init(&blocks, 100);
	pages_init(&pages);
	pages_init(&fresh);
	while (blocks.n < 8) {
		void *p = malloc_node(MIB, id);

		CHECK(p);
		add_fresh(&fresh, p, MIB);
		blocks_keep(&blocks, &pages, p, MIB);
	}
	pages_locate(&pages);
	share = pages_share(&pages, id);
	nr_new = fresh.n;
	pages_release(&fresh);
	blocks_free(&blocks);
	pages_release(&pages);
	blocks_release(&blocks);
	return share;
}

static void come(int id)
{
	double share = 0, start;

	CHECK_OP(set_memory(id, "online_movable"), >, 0);
	start = hard_now();
	while (share < 99 && hard_now() - start < 5) {
		usleep(20000);
		share = share_of(id);
	}
	hard_say("hotplug: node %d is served %.0f ms after it came: %.2f %% "
		 "(%zu pages are new)\n", id, (hard_now() - start) * 1000,
		 share, nr_new);
	CHECK(share >= 99);
	CHECK_OP((hard_now() - start) * 1e6, <=, SECOND_US);
}

/* The system has a node of that number, with memory or without. */
static bool is_online(int id)
{
	char text[256];
	cpu_set_t online;

	CHECK(numa_file(text, sizeof(text), "online"));
	numa_list(text, &online);
	return CPU_ISSET(id, &online);
}

/* Without memory: all of it is of another node. Gone: so, or no such node. */
static void check_gone(int id)
{
	bool online;
	void *p;

	usleep(SECOND_US);
	online = is_online(id);
	errno = 0;
	p = malloc_node(MIB, id);
	CHECK_EQ(errno, p ? 0 : EINVAL);
	CHECK(p || !online);
	if (p) {
		touch(p, MIB);
		CHECK(share_of(id) == 0);
	}
	hard_say("hotplug: without node %d, which is %s, a block of it is %s\n",
		 id, online ? "online" : "gone", p ? "of another" : "an error");
	free(p);
}

static void check_local(const char *when)
{
	int i;

	follow_ask(when);
	for (i = 0; i < NR_CHURNERS; i++)
		CHECK_SHARE(&follow.churner[i].fresh, follow.churner[i].id,
			    99, "%s", when);
}

int main(void)
{
	struct blocks blocks;
	struct pages pages;
	int id, round;

	hard_start(TIMEOUT);
	numa_read();
	malloc_node = API(malloc_node_fn *, "zbm_malloc_node");
	id = hot_node();
	follow_start();
	check_local("before");
	for (round = 0; round < 2; round++) {
		come(id);
		check_local("with the node");
		/* Something is there when it goes. */
		blocks_init(&blocks, 100);
		pages_init(&pages);
		while (blocks.n < 16)
			blocks_keep(&blocks, &pages, malloc_node(MIB, id),
				    MIB);
		CHECK_OP(set_memory(id, "offline"), >, 0);
		check_gone(id);
		check_local("without it");
		blocks_free(&blocks);
		pages_release(&pages);
		blocks_release(&blocks);
	}
	if (!write_file(EJECT, "1"))
		hard_say("hotplug: not ejected: %s\n", strerror(errno));
	else
		hard_say("hotplug: ejected\n");
	check_gone(id);
	check_local("ejected");
	follow_stop();
	return 0;
}
