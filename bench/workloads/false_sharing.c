/*
 * false_sharing - what both workloads about false sharing do with objects.
 *
 * 1. A write takes a nanosecond as long as the line is this core's alone, and
 *    many times that when another core writes to the same line.
 */
#include "false_sharing.h"
#include "workload.h"

#define NR_WRITES	40	/* to each object */

void take_turn(uint64_t first)
{
	uint64_t *objects[TURN_OBJECTS];

	for (unsigned int i = 0; i < TURN_OBJECTS; i++) {
		objects[i] = take(OBJECT_SIZE);
		*objects[i] = first + i;
	}
	for (int k = 0; k < NR_WRITES; k++) {
		for (int i = 0; i < TURN_OBJECTS; i++) {
			/* Each write must reach memory, not a register. */
			volatile uint64_t *object = objects[i];

			*object = *object + 1;
		}
	}
	for (unsigned int i = 0; i < TURN_OBJECTS; i++) {
		if (*objects[i] != first + i + NR_WRITES)
			block_corrupt(objects[i], OBJECT_SIZE);
		free(objects[i]);
	}
}
