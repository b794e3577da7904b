/*
 * neighbours - two threads that each free and allocate their own blocks, all of
 * them and in any order, are given memory apart from each other's: on their
 * own, and in step, where the one that is woken first has all its blocks before
 * the other asks for any.
 *
 * Whoever writes to a line takes it from the other's CPU, and a CPU fetches
 * lines by pairs: so what counts is whether blocks of both lie in one.
 */
#include "hard.h"
#include <pthread.h>
#include <stdbool.h>

enum { NR_BLOCKS = 10000, NR_ROUNDS = 40 };

#define PAIR		128	/* bytes */
#define MOST_SHARED	(NR_BLOCKS / 10)

struct owner {
	pthread_t thread;
	uint64_t seed;
	size_t size;			/* of each block; 0: mixed */
	bool in_step;			/* with the other, round by round */
	void *block[NR_BLOCKS];
};

static struct owner owners[2];
static pthread_barrier_t barrier;

static size_t draw_size(struct owner *owner)
{
	return owner->size ? owner->size :
	       rnd_size(&owner->seed, 1, (size_t)16 << rnd(&owner->seed) % 6);
}

static void shuffle(struct owner *owner)
{
	for (size_t i = NR_BLOCKS; i > 1; i--) {
		size_t k = rnd(&owner->seed) % i;
		void *p = owner->block[k];

		owner->block[k] = owner->block[i - 1];
		owner->block[i - 1] = p;
	}
}

static void *turn_over(void *argument)
{
	struct owner *owner = argument;

	for (int round = 0; round < NR_ROUNDS; round++) {
		if (owner->in_step)
			pthread_barrier_wait(&barrier);
		for (size_t i = 0; i < NR_BLOCKS; i++) {
			owner->block[i] = malloc(draw_size(owner));
			CHECK(owner->block[i]);
		}
		if (round == NR_ROUNDS - 1)
			break;
		shuffle(owner);
		for (size_t i = 0; i < NR_BLOCKS; i++)
			free(owner->block[i]);
	}
	/* What the other holds must not become free meanwhile. */
	pthread_barrier_wait(&barrier);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)*(void *const *)a;
	uintptr_t y = (uintptr_t)*(void *const *)b;

	return (x > y) - (x < y);
}

/* Blocks of the first that begin in a pair in which one of the second does. */
static size_t count_shared(void)
{
	size_t shared = 0, at = 0;

	for (size_t i = 0; i < 2; i++)
		qsort(owners[i].block, NR_BLOCKS, sizeof(void *), compare);
	for (size_t i = 0; i < NR_BLOCKS; i++) {
		uintptr_t pair = (uintptr_t)owners[0].block[i] / PAIR;

		while (at < NR_BLOCKS &&
		       (uintptr_t)owners[1].block[at] / PAIR < pair)
			at++;
		shared += at < NR_BLOCKS &&
			  (uintptr_t)owners[1].block[at] / PAIR == pair;
	}
	return shared;
}

static void check_apart(size_t size, bool in_step)
{
	size_t shared;

	for (size_t i = 0; i < 2; i++) {
		owners[i].seed = size + i + 1;
		owners[i].size = size;
		owners[i].in_step = in_step;
		CHECK_EQ(pthread_create(&owners[i].thread, NULL, turn_over,
					&owners[i]), 0);
	}
	for (size_t i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(owners[i].thread, NULL), 0);
	shared = count_shared();
	hard_say("%zu bytes%s: %zu of %d blocks beside the other's\n", size,
		 in_step ? ", in step" : "", shared, NR_BLOCKS);
	CHECK_OP(shared, <=, MOST_SHARED);
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < NR_BLOCKS; k++)
			free(owners[i].block[k]);
}

int main(void)
{
	static const size_t sizes[] = { 16, 64, 0, 200 };

	hard_start(60);
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	for (size_t i = 0; i < array_size(sizes); i++) {
		check_apart(sizes[i], true);
		check_apart(sizes[i], false);
	}
	return 0;
}
