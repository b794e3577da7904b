/*
 * neighbours - threads that each free and allocate their own blocks, all of
 * them and in any order, are given memory apart from each other's: on their
 * own, and in step, where the one that is woken first has all its blocks before
 * the others ask for any.
 *
 * Whoever writes to a line takes it from the other's CPU, and a CPU fetches
 * lines by pairs: so what counts is whether blocks of two lie in one.
 */
#include "hard.h"
#include <pthread.h>
#include <stdbool.h>

enum { MAX_OWNERS = 6, NR_BLOCKS = 10000, NR_ROUNDS = 40 };

#define PAIR		128	/* bytes */
#define MOST_SHARED(nr_blocks)	((nr_blocks) / 10)

struct owner {
	pthread_t thread;
	uint64_t seed;
	size_t size;			/* of each block; 0: mixed */
	bool in_step;			/* with the others, round by round */
	void *block[NR_BLOCKS];
};

static struct owner owners[MAX_OWNERS];
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
	/* What the others hold must not become free meanwhile. */
	pthread_barrier_wait(&barrier);
	return NULL;
}

struct block {
	uintptr_t pair;
	size_t owner;
};

static struct block blocks[MAX_OWNERS * NR_BLOCKS];

static int compare(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return (x->pair > y->pair) - (x->pair < y->pair);
}

/* Blocks that begin in a pair in which another owner's does. */
static size_t count_shared(size_t nr_owners)
{
	size_t n = nr_owners * NR_BLOCKS, shared = 0;

	for (size_t i = 0; i < n; i++) {
		size_t owner = i / NR_BLOCKS;

		blocks[i].pair = (uintptr_t)owners[owner].block[i % NR_BLOCKS] /
				 PAIR;
		blocks[i].owner = owner;
	}
	qsort(blocks, n, sizeof(blocks[0]), compare);
	for (size_t i = 0, end; i < n; i = end) {
		bool mixed = false;

		for (end = i; end < n && blocks[end].pair == blocks[i].pair;
		     end++)
			mixed |= blocks[end].owner != blocks[i].owner;
		shared += mixed ? end - i : 0;
	}
	return shared;
}

static void check_apart(size_t nr_owners, size_t size, bool in_step)
{
	size_t shared;

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, (unsigned int)nr_owners),
		 0);
	for (size_t i = 0; i < nr_owners; i++) {
		owners[i].seed = size + i + 1;
		owners[i].size = size;
		owners[i].in_step = in_step;
		CHECK_EQ(pthread_create(&owners[i].thread, NULL, turn_over,
					&owners[i]), 0);
	}
	for (size_t i = 0; i < nr_owners; i++)
		CHECK_EQ(pthread_join(owners[i].thread, NULL), 0);
	pthread_barrier_destroy(&barrier);
	shared = count_shared(nr_owners);
	hard_say("%zu threads, %zu bytes%s: %zu blocks beside another's\n",
		 nr_owners, size, in_step ? ", in step" : "", shared);
	CHECK_OP(shared, <=, MOST_SHARED(nr_owners * NR_BLOCKS));
	for (size_t i = 0; i < nr_owners; i++)
		for (size_t k = 0; k < NR_BLOCKS; k++)
			free(owners[i].block[k]);
}

int main(void)
{
	static const size_t sizes[] = { 16, 64, 0, 200 };

	hard_start(58);
	for (size_t i = 0; i < array_size(sizes); i++) {
		check_apart(2, sizes[i], true);
		check_apart(2, sizes[i], false);
		check_apart(MAX_OWNERS, sizes[i], true);
	}
	return 0;
}
