/*
 * passive_false - does free() hand on a cache line that is shared?
 *
 * After: E. Berger, K. McKinley, R. Blumofe and P. Wilson, "Hoard: A Scalable
 * Memory Allocator for Multithreaded Applications", ASPLOS 2000 (its
 * passive-false).
 *
 * 1. In each round one thread allocates small objects, one after the other,
 *    so that they share lines, and deals them out by turns. Each thread frees
 *    those it was dealt; then, for the rest of the round, it allocates, writes
 *    and frees objects of its own. What is slow here is an allocator that
 *    gives a thread the pieces of shared lines that it just freed.
 * 2. All threads wait for each other between the parts of a round.
 * 3. An operation is the life of an object.
 */
#include <pthread.h>

#include "false_sharing.h"
#include "workload.h"

#define NR_DEALT	4	/* objects dealt to a thread in a round */
#define NR_TURNS	10000	/* of allocate, write and free in a round */
#define NR_ROUNDS	1900

struct game {
	pthread_barrier_t barrier;
	unsigned int nr_threads;
	uint64_t nr_rounds;
	/* written by thread 0 while the others wait */
	uint64_t *dealt[MAX_THREADS * NR_DEALT];
};

static uint64_t dealt_value(uint64_t round, unsigned int place)
{
	return mix(round * MAX_THREADS * NR_DEALT + place);
}

static void deal(struct game *game, uint64_t round)
{
	for (unsigned int i = 0; i < game->nr_threads * NR_DEALT; i++) {
		game->dealt[i] = take(OBJECT_SIZE);
		*game->dealt[i] = dealt_value(round, i);
	}
}

static void free_dealt(struct game *game, struct worker *worker,
		       uint64_t round)
{
	for (unsigned int i = 0; i < NR_DEALT; i++) {
		unsigned int place = i * game->nr_threads + worker->index;
		uint64_t *object = game->dealt[place];

		if (*object != dealt_value(round, place))
			block_corrupt(object, OBJECT_SIZE);
		worker->checksum += *object;
		free(object);
	}
}

static void work(struct worker *worker)
{
	struct game *game = worker->shared;
	struct random random = { .state = worker->index };

	for (uint64_t round = 0; round < game->nr_rounds; round++) {
		if (!worker->index)
			deal(game, round);
		pthread_barrier_wait(&game->barrier);
		free_dealt(game, worker, round);
		for (int i = 0; i < NR_TURNS; i++) {
			uint64_t first = random_next(&random);

			take_turn(first);
			worker->checksum += first;
		}
		pthread_barrier_wait(&game->barrier);
	}
	worker->operations = game->nr_rounds *
		(NR_DEALT + NR_TURNS * TURN_OBJECTS);
}

static void passive_false_run(struct run *run)
{
	static struct game game;

	game.nr_threads = run->nr_threads;
	game.nr_rounds = run_scaled(run, NR_ROUNDS);
	pthread_barrier_init(&game.barrier, NULL, game.nr_threads);
	run_workers(run, game.nr_threads, work, &game);
	pthread_barrier_destroy(&game.barrier);
	run_sample(run);
}

const struct workload workload_passive_false = {
	.name = "passive-false",
	.origin = "threads free objects dealt from one line, then allocate: "
		  "false sharing made by free; Berger et al. 2000",
	.seconds = 6,
	.threaded = true,
	.run = passive_false_run,
};
