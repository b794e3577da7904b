/*
 * heaps - the whole allocator: what its tests start from.
 */
#ifndef TESTS_HEAPS_H
#define TESTS_HEAPS_H

#include "world.h"

#include "heap/thread_heap.h"

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

/* The numbers of calls are exact from now on. */
static inline void count_all_calls(void)
{
	options.summary = true;
	thread_set_heap(thread_heap());
}

static inline int start_counting(void **state)
{
	int failed = start(state);

	count_all_calls();
	return failed;
}

static inline void count_no_calls(void)
{
	options.summary = false;
	thread_set_heap(thread_heap());
}

#endif
