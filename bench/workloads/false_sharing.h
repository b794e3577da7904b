/*
 * false_sharing - what both workloads about false sharing do with objects.
 */
#ifndef ZBM_FALSE_SHARING_H
#define ZBM_FALSE_SHARING_H

#include <stdint.h>

#define TURN_OBJECTS	4	/* live at once in a thread */
#define OBJECT_SIZE	8	/* bytes: eight in a cache line */

/*
 * Allocates TURN_OBJECTS objects, writes to each many times by turns, reads
 * them back and frees them. `first` is what the first begins with.
 */
void take_turn(uint64_t first);

#endif
