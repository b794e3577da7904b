/*
 * active_false - does the allocator hand one cache line to two threads?
 *
 * After: E. Berger, K. McKinley, R. Blumofe and P. Wilson, "Hoard: A Scalable
 * Memory Allocator for Multithreaded Applications", ASPLOS 2000 (its
 * active-false).
 *
 * 1. Each thread allocates a few small objects, writes to each many times,
 *    reads them back and frees them; and so on. No object goes from one
 *    thread to another. What is slow here is a line that two threads write to,
 *    because both were given a piece of it.
 * 2. An operation is the life of an object.
 */
#include "false_sharing.h"
#include "workload.h"

#define NR_TURNS	20000000	/* of each thread */

static void work(struct worker *worker)
{
	const uint64_t *nr_turns = worker->shared;
	struct random random = { .state = worker->index };

	for (uint64_t i = 0; i < *nr_turns; i++) {
		uint64_t first = random_next(&random);

		take_turn(first);
		worker->checksum += first;
	}
	worker->operations = *nr_turns * TURN_OBJECTS;
}

static void active_false_run(struct run *run)
{
	uint64_t nr_turns = run_scaled(run, NR_TURNS);

	run_workers(run, run->nr_threads, work, &nr_turns);
	run_sample(run);
}

const struct workload workload_active_false = {
	.name = "active-false",
	.origin = "threads write to small objects of their own: false sharing "
		  "made by malloc; Berger et al. 2000",
	.seconds = 3.1,
	.threaded = true,
	.run = active_false_run,
};
