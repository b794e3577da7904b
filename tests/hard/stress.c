/*
 * stress - threads allocate, resize, hand over and free blocks of all sizes
 * at random, each block filled and checked; the seed is printed when it
 * fails, and HARD_SEED repeats it.
 */
#include "hard.h"
#include <pthread.h>

enum { NR_THREADS = 4, NR_OWN = 400, NR_SHARED = 256 };

static const double duration = 2.5;	/* seconds */

struct block {
	unsigned char *p;
	size_t size;
	unsigned int stamp;
};

/* A slot holds a pointer to a block's record, or NULL. */
static struct block *shared[NR_SHARED];
static uint64_t first_seed;
static double end;

/* A failed check ends the process at once: the seed comes before it. */
#define STRESS_CHECK(cond) do { \
	if (!(cond)) { \
		hard_say("HARD_SEED=%lu\n", (unsigned long)first_seed); \
		CHECK(cond); \
	} \
} while (0)

static void block_check(const struct block *b)
{
	size_t i;

	for (i = 0; i < b->size; i = hard_next(i, b->size))
		STRESS_CHECK(b->p[i] == hard_byte(i, b->stamp));
}

static size_t any_size(uint64_t *seed)
{
	uint64_t kind = rnd(seed) % 1000;

	return kind < 800 ? rnd_size(seed, 1, 1024) :
	       kind < 970 ? rnd_size(seed, 1024, 32 * KIB) :
	       kind < 999 ? rnd_size(seed, 32 * KIB, 2 * MIB) :
	       rnd_size(seed, 2 * MIB, 100 * MIB);
}

static void block_make(struct block *b, uint64_t *seed)
{
	size_t align;

	b->size = any_size(seed);
	b->stamp = (unsigned int)rnd(seed);
	switch (rnd(seed) % 8) {
	case 0:
		b->p = calloc(1, b->size);
		STRESS_CHECK(b->p && !b->p[0] && !b->p[b->size - 1] &&
			     !b->p[b->size / 2]);
		break;
	case 1:
		align = (size_t)16 << rnd(seed) % 14;
		b->p = memalign(align, b->size);
		STRESS_CHECK((uintptr_t)b->p % align == 0);
		break;
	default:
		b->p = malloc(b->size);
	}
	STRESS_CHECK(b->p);
	STRESS_CHECK(malloc_usable_size(b->p) >= b->size);
	fill(b->p, b->size, b->stamp);
}

static void block_resize(struct block *b, uint64_t *seed)
{
	size_t size = rnd(seed) % 2 ? any_size(seed) :
		      b->size + b->size / 8 + 1, i;

	b->p = realloc(b->p, size);
	STRESS_CHECK(b->p);
	for (i = 0; i < size && i < b->size; i = hard_next(i, b->size))
		STRESS_CHECK(b->p[i] == hard_byte(i, b->stamp));
	b->size = size;
	fill(b->p, size, b->stamp);
}

static void block_drop(struct block *b)
{
	block_check(b);
	free(b->p);
	b->p = NULL;
}

/* Puts the block into a shared slot and takes what was there. */
static void block_exchange(struct block *b, uint64_t *seed)
{
	struct block *record = malloc(sizeof(*record)), *other;

	STRESS_CHECK(record);
	*record = *b;
	other = __atomic_exchange_n(&shared[rnd(seed) % NR_SHARED], record,
				    __ATOMIC_ACQ_REL);
	b->p = NULL;
	if (!other)
		return;
	*b = *other;
	free(other);
	block_check(b);
}

static void *body(void *arg)
{
	static __thread struct block own[NR_OWN];
	uint64_t seed = first_seed * 31 + (size_t)arg + 1;
	unsigned int n;

	for (n = 0; n % 64 || hard_now() < end; n++) {
		struct block *b = &own[rnd(&seed) % NR_OWN];

		if (!b->p)
			block_make(b, &seed);
		else if (rnd(&seed) % 4 == 0)
			block_resize(b, &seed);
		else if (rnd(&seed) % 3 == 0)
			block_exchange(b, &seed);
		else
			block_drop(b);
		if (rnd(&seed) % 20000 == 0)
			malloc_trim(0);
	}
	for (n = 0; n < NR_OWN; n++)
		if (own[n].p)
			block_drop(&own[n]);
	return NULL;
}

/* Generations of threads, so that blocks outlive those who made them. */
int main(void)
{
	const char *given = getenv("HARD_SEED");
	double start = hard_now();
	pthread_t thread[NR_THREADS];
	int generation;
	size_t i;

	hard_start(50);
	first_seed = given ? strtoul(given, NULL, 0) :
		     (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	for (generation = 1; generation <= 5; generation++) {
		end = start + duration * generation / 5;
		for (i = 0; i < NR_THREADS; i++)
			CHECK(!pthread_create(&thread[i], NULL, body,
					      (void *)(i + generation * 10)));
		for (i = 0; i < NR_THREADS; i++)
			pthread_join(thread[i], NULL);
	}
	for (i = 0; i < NR_SHARED; i++)
		if (shared[i]) {
			block_drop(shared[i]);
			free(shared[i]);
		}
	return 0;
}
