/*
 * heaps - the whole allocator: what its tests start from.
 */
#ifndef TESTS_HEAPS_H
#define TESTS_HEAPS_H

#include "world.h"

#include "heap/heap.h"

/* Nothing happens by itself from now on. errno is set, so that a test sees
 * who touches it. */
static inline int start(void **state)
{
	bool started = heap_start();

	(void)state;
	options.decay_ms = 0;
	errno = 77;
	return started ? 0 : -1;
}

#endif
