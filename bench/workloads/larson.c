/*
 * larson - a server whose threads hand their objects to successors.
 *
 * After: P. Larson and M. Krishnan, "Memory Allocation for Long-Running
 * Server Applications", ISMM 1998. The sizes and numbers are our own.
 *
 * 1. A chain holds NR_SLOTS objects. A thread replaces ROUND of them, each at
 *    a random place by one of a random size, then starts its successor, which
 *    goes on with the same objects: much of what a thread frees was allocated
 *    by threads that are no more.
 * 2. A successor first joins its predecessor: a chain has one thread at work
 *    at a time. There are as many chains as threads were asked for.
 * 3. An operation is the replacement of an object.
 */
#include <pthread.h>
#include <semaphore.h>

#include "workload.h"

#define NR_SLOTS	2000
#define MIN_SIZE	8	/* bytes */
#define MAX_SIZE	1000
#define ROUND		20000	/* replacements by a thread */
#define GENERATIONS	2500	/* threads of a chain, one after the other */

struct slot {
	void *block;
	uint32_t size;
	uint32_t tag;
};

struct chain {
	/* by the thread at work */
	struct random random;
	uint64_t checksum;
	uint64_t generations_left;
	pthread_t predecessor;
	struct slot slots[NR_SLOTS];
	/* set by the last thread before it posts */
	pthread_t last;
	sem_t ended;
};

static void slot_fill(struct slot *slot, struct random *random)
{
	slot->size = (uint32_t)random_between(random, MIN_SIZE, MAX_SIZE);
	slot->tag = (uint32_t)random_next(random);
	slot->block = take(slot->size);
	block_fill(slot->block, slot->size, slot->tag);
}

static void slot_empty(struct slot *slot)
{
	block_check(slot->block, slot->size, slot->tag);
	free(slot->block);
}

static void chain_serve(struct chain *chain)
{
	for (int i = 0; i < ROUND; i++) {
		struct slot *slot =
			&chain->slots[random_below(&chain->random, NR_SLOTS)];

		chain->checksum += mix(slot->tag);
		slot_empty(slot);
		slot_fill(slot, &chain->random);
	}
}

static void *succeed(void *argument);

/* What a thread of the chain does; the first has none to join. */
static void *serve_and_hand_on(void *argument)
{
	struct chain *chain = argument;
	pthread_t successor;

	chain_serve(chain);
	if (--chain->generations_left) {
		chain->predecessor = pthread_self();
		if (pthread_create(&successor, NULL, succeed, chain))
			workload_die("cannot start a successor");
		return NULL;
	}
	chain->last = pthread_self();
	sem_post(&chain->ended);
	return NULL;
}

static void *succeed(void *argument)
{
	struct chain *chain = argument;

	pthread_join(chain->predecessor, NULL);
	return serve_and_hand_on(chain);
}

static void chain_start(struct chain *chain, unsigned int index, uint64_t nr)
{
	pthread_t first;

	chain->random.state = index;
	chain->generations_left = nr;
	for (int i = 0; i < NR_SLOTS; i++)
		slot_fill(&chain->slots[i], &chain->random);
	sem_init(&chain->ended, 0, 0);
	if (pthread_create(&first, NULL, serve_and_hand_on, chain))
		workload_die("cannot start a chain");
}

static void chain_end(struct chain *chain)
{
	sem_wait(&chain->ended);
	sem_destroy(&chain->ended);
	pthread_join(chain->last, NULL);
	for (int i = 0; i < NR_SLOTS; i++) {
		chain->checksum += mix(chain->slots[i].tag);
		slot_empty(&chain->slots[i]);
	}
}

static void larson_run(struct run *run)
{
	uint64_t nr = run_scaled(run, GENERATIONS);
	struct chain *chains[MAX_THREADS];

	for (unsigned int i = 0; i < run->nr_threads; i++) {
		chains[i] = need(calloc(1, sizeof(*chains[i])));
		chain_start(chains[i], i, nr);
	}
	run_sample(run);
	for (unsigned int i = 0; i < run->nr_threads; i++) {
		chain_end(chains[i]);
		run_sample(run);
		run->checksum += chains[i]->checksum;
		run->operations += nr * ROUND;
		free(chains[i]);
	}
}

const struct workload workload_larson = {
	.name = "larson",
	.origin = "server whose threads hand their objects to successors; "
		  "Larson & Krishnan 1998",
	.seconds = 2.2,
	.threaded = true,
	.run = larson_run,
};
