/*
 * large-turns - threads that write large blocks in turn, so that memory moves
 * from what they free to what they allocate, while the process forks.
 *
 * 1. Each page of a block says whose it is. It does until the block is freed,
 *    also in a child; blocks of calloc are zero before.
 * 2. In the end mappings are few.
 * 3. On a machine whose page faults are dear, as many steps as fit into
 *    TURN_SECONDS, but MIN_STEPS of each thread at least.
 */
#include "hard.h"
#include <pthread.h>

enum { NR_THREADS = 3, NR_STEPS = 150, MIN_STEPS = 50, NR_FORKS = 60 };
enum { PAGE = 4096 };

#define TURN_SECONDS	8

struct block {
	char *p;
	size_t size;
	uint64_t tag;
};

static struct block blocks[NR_THREADS][3];
static int nr_running = NR_THREADS;
static double turn_end;

static void block_check(const struct block *block, size_t size)
{
	size_t at;

	for (at = 0; at + 8 <= size; at += PAGE)
		CHECK_EQ(*(uint64_t *)(void *)(block->p + at),
			 block->tag + at);
}

static void block_fill(struct block *block, size_t size)
{
	size_t at;

	for (at = 0; at + 8 <= size; at += PAGE)
		*(uint64_t *)(void *)(block->p + at) = block->tag + at;
	block->size = size;
}

static void block_check_zero(const struct block *block, size_t size)
{
	size_t at;

	for (at = 0; at + 8 <= size; at += PAGE / 2)
		CHECK_EQ(*(uint64_t *)(void *)(block->p + at), 0);
}

static void step(struct block *block, uint64_t *seed)
{
	size_t size = rnd_size(seed, 3 * MIB, 24 * MIB);

	if (block->p && rnd(seed) % 3 == 0) {
		size_t old = block->size;

		block_check(block, old);
		block->size = 0;
		block->p = realloc(block->p, size);
		CHECK(block->p);
		block_check(block, old < size ? old : size);
		block_fill(block, size);
		return;
	}
	if (block->p)
		block_check(block, block->size);
	block->size = 0;
	free(block->p);
	block->tag = rnd(seed);
	if (rnd(seed) % 4) {
		block->p = malloc(size);
		CHECK(block->p);
	} else {
		block->p = calloc(1, size);
		CHECK(block->p);
		block_check_zero(block, size);
	}
	block_fill(block, size);
}

static void *body(void *arg)
{
	size_t me = (size_t)arg;
	uint64_t seed = me + 1;
	unsigned int i;

	for (i = 0; hard_again(i, MIN_STEPS, NR_STEPS, turn_end); i++)
		step(&blocks[me][rnd(&seed) % 3], &seed);
	__atomic_fetch_sub(&nr_running, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Blocks of its own; what the threads had was in the middle of a step. */
static void child(const struct block *kept)
{
	struct block mine[3] = { { NULL, 0, 0 } };
	uint64_t seed = 77;
	int i;

	alarm(50);
	block_check(kept, kept->size);
	for (i = 0; i < 12; i++)
		step(&mine[i % 3], &seed);
	for (i = 0; i < 3; i++) {
		block_check(&mine[i], mine[i].size);
		free(mine[i].p);
	}
	block_check(kept, kept->size);
	_exit(0);
}

int main(void)
{
	struct block kept = { NULL, 0, 5 };
	pthread_t thread[NR_THREADS];
	size_t i, j;

	hard_start(58);
	turn_end = hard_now() + TURN_SECONDS;
	kept.p = malloc(9 * MIB);
	CHECK(kept.p);
	block_fill(&kept, 9 * MIB);
	for (i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&thread[i], NULL, body, (void *)i));
	for (i = 0; i < NR_FORKS &&
		    __atomic_load_n(&nr_running, __ATOMIC_ACQUIRE); i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid)
			child(&kept);
		CHECK_EQ(hard_wait(pid), 0);
	}
	for (i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	for (i = 0; i < NR_THREADS; i++)
		for (j = 0; j < 3; j++) {
			block_check(&blocks[i][j], blocks[i][j].size);
			free(blocks[i][j].p);
		}
	block_check(&kept, kept.size);
	free(kept.p);
	CHECK_OP(count_mappings(), <, 2500);
	return 0;
}
