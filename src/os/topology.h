/*
 * topology - which NUMA nodes the process may use, and how far apart they are.
 *
 * 1. A node is a number from 0 to topology.nr_nodes - 1, in the order in which
 *    nodes were found. The kernel's number of it, below 1024, is its id.
 * 2. One system call at start says whether there is more than one. Where it
 *    tells of one or is refused, where a memory policy was set for the
 *    process (numactl), or with numa=off, there is node 0, which is the whole
 *    machine, and memory lies where the kernel puts it at first touch.
 * 3. Nodes have memory. A CPU, or an id, of a node without any belongs to the
 *    nearest that has.
 * 4. Where /sys does not tell: distances are 10 and 20, all nodes have CPUs,
 *    and memory lies where the kernel puts it at first touch.
 * 5. Nodes only come. One that goes (offline, or forbidden by a cpuset) is no
 *    longer allowed; topology_follow finds out.
 * 6. The files of /sys are read with system calls alone: a library that reads
 *    them (libnuma) allocates, and cannot be loaded from inside malloc.
 */
#ifndef ZBM_TOPOLOGY_H
#define ZBM_TOPOLOGY_H

#include "base/param.h"

#define LOCAL_DISTANCE	10	/* as in the ACPI SLIT */
#define REMOTE_DISTANCE	20	/* of two nodes, where nothing is known */

#define NODE_IDS	1024	/* the kernel's numbers are below */

struct topology_node {
	int id;				/* the kernel's number */
	bool has_cpu;
	uint8_t distance[MAX_NUMNODES];	/* to node i; 10 is local */
};

struct topology {
	int nr_nodes;			/* found, at least 1 */
	int max_nodes;			/* that may ever be found; 1: rule 2 */
	uint64_t allowed;		/* bit n: node n may be used */
	bool policy_is_users;		/* its policy holds, not ours */
	bool nodes_unknown;		/* /sys does not tell: first touch */
	struct topology_node *node;	/* MAX_NUMNODES of them */
};

extern struct topology topology;

void topology_init(void);

/* Looks again: nodes that came and went, and a policy that the calling thread
 * has, which is kept in mind for ever. True: something has changed. One caller
 * at a time, and only where max_nodes is more than 1. */
bool topology_follow(void);

/* The node of the CPU that this thread runs on now. */
int topology_current_node(void);

/* The node with this id; -1: there is none among those found. */
int topology_find(int id);

/* The node with this id, or the nearest to it that has memory and is allowed;
 * -1: there is no such id. */
int topology_node_of(int id);

/* As in the SLIT: 10 is local, larger is farther. */
int topology_distance(int from, int to);

enum placement {
	PLACE_NODE,		/* on this node; where it is full, nearby */
	PLACE_INTERLEAVED,	/* page by page over all that are allowed */
	PLACE_DEFAULT,		/* as the policy of who touches it says */
};

/* Where the kernel is to take the range's pages from, when they are touched.
 * Refused, or with a policy that is the user's, it is as PLACE_DEFAULT. */
void topology_place(void *addr, size_t size, enum placement how, int node);

/* What the kernel has free on the node, above what it keeps; bytes, SIZE_MAX
 * when unknown. Reads files. */
size_t topology_node_left(int node);

#endif
