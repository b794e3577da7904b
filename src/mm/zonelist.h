/*
 * zonelist - the nodes that are online, and in which order a request that
 * prefers one of them walks the zones of all.
 *
 * 1. By distance, the node itself first, then by zone from the highest type
 *    down. ZONELIST_NOFALLBACK holds the zones of the node alone.
 * 2. Only populated zones stand in a zonelist.
 */
#ifndef ZBM_ZONELIST_H
#define ZBM_ZONELIST_H

#include "mm/gfp.h"

/* Makes the node known and rebuilds all zonelists. False: no memory for its
 * descriptor. Not thread-safe: at start, or under the hotplug lock. */
bool node_online(int id);

/* The list that a request from `node` walks. */
struct zonelist *node_zonelist(int node, gfp_t gfp);

#endif
