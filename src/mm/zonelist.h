/*
 * zonelist - the nodes that are online, and in which order a request that
 * prefers one of them walks the zones of all.
 *
 * 1. The node itself first, then by distance; of nodes that are equally far
 *    the next higher one, round the corner, so that equal neighbours do not
 *    all overflow to the same. Nodes with memory alone come after those with
 *    CPUs; with tier=far before them, and before the node itself.
 *    ZONELIST_NOFALLBACK holds the zones of the node alone.
 * 2. A zone that is spread over all nodes (numa=interleave, for runs) is
 *    before all others.
 * 3. Only populated zones of allowed nodes stand in a zonelist.
 * 4. Lists are rebuilt while others walk them: a walk that found nothing is
 *    repeated when the sequence count has changed. Zones never go.
 */
#ifndef ZBM_ZONELIST_H
#define ZBM_ZONELIST_H

#include "mm/gfp.h"

/* Makes the node known and rebuilds all zonelists. False: no memory for its
 * descriptor. Not thread-safe: at start, or under the hotplug lock. */
bool node_online(int node);

/* As what topology says of allowed nodes and distances has changed. Under the
 * hotplug lock. */
void zonelists_rebuild(void);

/* The list that a request from `node` walks. */
struct zonelist *node_zonelist(int node, gfp_t gfp);

/* Where a thread on a CPU of this node takes its memory from first. */
int node_home(int node);

/* One step of a walk. */
static inline struct zone *zonelist_zone(struct zone *const *at)
{
	return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

/* A walk begins, and was it disturbed? */
uint32_t zonelist_begin(void);
bool zonelist_retry(uint32_t seq);

/* The zone may not hand out n more pages: its node's limit, or the memory
 * that the system has left there, forbids it. `pressed`: the limit alone
 * counts. */
bool zone_is_full(struct zone *zone, size_t n, bool pressed);

/* n pages of the zone were handed out, and node `wanted` was asked first. */
void numa_count(const struct zone *zone, int wanted, size_t n);

#endif
