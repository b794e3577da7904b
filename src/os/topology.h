/*
 * topology - which NUMA nodes the process has.
 *
 * 1. Node 0 always exists: it is the whole machine where the kernel tells of
 *    one node only, or of none.
 * 2. One system call at start says whether there are more.
 */
#ifndef ZBM_TOPOLOGY_H
#define ZBM_TOPOLOGY_H

#include "base/param.h"

#define LOCAL_DISTANCE	10	/* as in the ACPI SLIT */

struct topology {
	int nr_nodes;			/* online, at least 1 */
	uint64_t mems_allowed;		/* bit n: node n of the kernel */
};

extern struct topology topology;

void topology_init(void);

/* The node of the CPU that this thread runs on now. */
int topology_current_node(void);

/* As in the SLIT: 10 is local, larger is farther. */
int topology_distance(int from, int to);

#endif
