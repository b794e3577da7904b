/*
 * own-family - a program with a malloc, free, calloc and realloc of its own.
 *
 * The manual of the C library asks no more of a program that replaces its
 * allocator. What is made of other names (reallocarray; and what other
 * systems have: reallocarr, reallocf, free_sized) must call the program's:
 * its free knows no other blocks than its own.
 */
#include "hard.h"

#define POOL_SIZE	(16 * MIB)
#define HEADER		16	/* bytes in front of a block: its size */

static struct {
	_Alignas(16) char pool[POOL_SIZE];
	size_t used;
	unsigned int nr_realloc, nr_free;
} own;

static int is_own(const void *p)
{
	return (const char *)p >= own.pool &&
	       (const char *)p < own.pool + POOL_SIZE;
}

void *malloc(size_t size)
{
	size_t need = (size + HEADER + 15) & ~(size_t)15, at;

	if (size > POOL_SIZE)
		goto none;
	at = __atomic_fetch_add(&own.used, need, __ATOMIC_RELAXED);
	if (at + need > POOL_SIZE)
		goto none;
	memcpy(own.pool + at, &size, sizeof(size));
	return own.pool + at + HEADER;
none:
	errno = ENOMEM;
	return NULL;
}

/* Nothing is used again, so callocs find zeros. */
void *calloc(size_t count, size_t size)
{
	return malloc(count * size);
}

void free(void *p)
{
	if (!p)
		return;
	CHECK(is_own(p));
	own.nr_free++;
}

void *realloc(void *p, size_t size)
{
	size_t old = 0;
	void *q;

	own.nr_realloc++;
	q = malloc(size);
	if (p && q) {
		CHECK(is_own(p));
		memcpy(&old, (char *)p - HEADER, sizeof(old));
		memcpy(q, p, old < size ? old : size);
		free(p);
	}
	return q;
}

static void test_reallocarray_calls_realloc(void)
{
	unsigned int before = own.nr_realloc;
	char *p = reallocarray(NULL, hide(10UL), 10);

	CHECK(is_own(p));
	fill(p, 100, 1);
	p = reallocarray(p, hide(1000UL), 10);
	CHECK(is_own(p));
	VERIFY(p, 100, 1);
	CHECK_EQ(own.nr_realloc, before + 2);
	errno = 0;
	CHECK(!reallocarray(p, hide(SIZE_MAX / 2), 3));
	CHECK_EQ(errno, ENOMEM);
	CHECK_EQ(own.nr_realloc, before + 2);
	free(p);
}

static void test_reallocarr_calls_realloc(void)
{
	int (*reallocarr)(void *, size_t, size_t) =
		API(int (*)(void *, size_t, size_t), "reallocarr");
	unsigned int nr_free;
	char *p = NULL;

	CHECK_EQ(reallocarr(&p, hide(10UL), 10), 0);
	CHECK(is_own(p));
	CHECK_EQ(reallocarr(&p, hide(POOL_SIZE), 2), ENOMEM);
	CHECK(is_own(p));
	/* This realloc answers a size of 0 with a block. */
	nr_free = own.nr_free;
	CHECK_EQ(reallocarr(&p, 0, hide(10UL)), 0);
	CHECK(!p);
	CHECK_EQ(own.nr_free, nr_free + 2);
}

static void test_reallocf_calls_realloc_and_free(void)
{
	void *(*reallocf)(void *, size_t) =
		API(void *(*)(void *, size_t), "reallocf");
	void *p = reallocf(NULL, hide(100UL));
	unsigned int nr_free = own.nr_free;

	CHECK(is_own(p));
	CHECK(!reallocf(p, hide(2 * POOL_SIZE)));
	CHECK_EQ(own.nr_free, nr_free + 1);
}

static void test_sized_frees_call_free(void)
{
	void (*free_sized)(void *, size_t) =
		API(void (*)(void *, size_t), "free_sized");
	void (*free_aligned_sized)(void *, size_t, size_t) =
		API(void (*)(void *, size_t, size_t), "free_aligned_sized");
	unsigned int nr_free = own.nr_free;

	free_sized(malloc(hide(100UL)), 100);
	free_aligned_sized(malloc(hide(100UL)), 16, 100);
	CHECK_EQ(own.nr_free, nr_free + 2);
}

int main(void)
{
	hard_start(10);
	test_reallocarray_calls_realloc();
	test_reallocarr_calls_realloc();
	test_reallocf_calls_realloc_and_free();
	test_sized_frees_call_free();
	return 0;
}
