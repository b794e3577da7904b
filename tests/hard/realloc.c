/*
 * realloc - contents over every transition between small, page, run, huge
 * and section blocks, up and down; failure; size 0.
 */
#include "hard.h"

static const size_t sizes[] = {
	1, 16, 24, 100, 128, 129, 1000, 1024, 4095, 4096, 5000, 8192, 20000,
	65536, 100000, 500000, MIB, 2 * MIB, 2 * MIB + 1, 5 * MIB, 20 * MIB,
	64 * MIB - 4096, 64 * MIB, 64 * MIB + 1, 100 * MIB, 150 * MIB,
};

static void test_every_transition_keeps_the_bytes(void)
{
	unsigned int i, k;

	for (i = 0; i < array_size(sizes); i++)
	for (k = 0; k < array_size(sizes); k++) {
		size_t from = hide(sizes[i]), to = hide(sizes[k]);
		char *p = malloc(from), *beside = malloc(from);

		CHECK(p && beside);
		fill(p, from, i);
		fill(beside, from, k + 100);
		p = realloc(p, to);
		CHECK(p);
		CHECK_EQ((uintptr_t)p % 16, 0);
		CHECK_OP(malloc_usable_size(p), >=, to);
		VERIFY_PART(p, from < to ? from : to, from, i);
		fill(p, to, k);
		VERIFY(beside, from, k + 100);
		p = realloc(p, from);
		CHECK(p);
		VERIFY_PART(p, from < to ? from : to, to, k);
		free(beside);
		free(p);
	}
}

static void test_all_usable_bytes_are_kept(void)
{
	size_t n;

	for (n = 1; n < 3 * MIB; n += n / 4 + 1) {
		char *p = malloc(hide(n));
		size_t usable = malloc_usable_size(p), i;

		memset(p, 0x77, usable);
		p = realloc(p, usable * 3);
		CHECK(p);
		for (i = 0; i < usable; i++)
			CHECK_EQ(p[i], 0x77);
		free(p);
	}
}

/* As a vector grows and a buffer is trimmed, with neighbours in the way. */
static void test_a_growing_and_shrinking_block_keeps_its_bytes(void)
{
	char *p = NULL, *beside = NULL;
	size_t n, old = 0;

	for (n = 1; n < 150 * MIB; n += n / 2 + 1) {
		p = realloc(p, hide(n));
		CHECK(p);
		VERIFY_PART(p, old, old, 3);
		fill(p, n, 3);
		old = n;
		free(beside);
		beside = malloc(n / 3 + 1);
		CHECK(beside);
		beside[0] = beside[n / 3] = 1;
	}
	free(beside);
	for (; n; n /= 2) {
		p = realloc(p, hide(n));
		CHECK(p);
		VERIFY_PART(p, n < old ? n : old, old, 3);
	}
	free(p);
}

/* Steps smaller than a page, so that in-place growth meets its limits. */
static void test_small_steps_keep_the_bytes(void)
{
	static const size_t starts[] = { 1, 900, 60000, 2 * MIB - 20000,
					 64 * MIB - 20000 };
	unsigned int i;

	for (i = 0; i < array_size(starts); i++) {
		size_t n = starts[i], end = n + 40000;
		char *p = malloc(n);

		fill(p, n, i);
		for (; n < end; n += 1237) {
			p = realloc(p, hide(n));
			CHECK(p);
			VERIFY_PART(p, starts[i], starts[i], i);
			p[n - 1] = 1;
			fill(p, starts[i], i);
		}
		free(p);
	}
}

static void test_failure_keeps_the_old_block(void)
{
	unsigned int i;

	for (i = 0; i < array_size(sizes); i++) {
		size_t n = hide(sizes[i]);
		char *p = malloc(n);

		fill(p, n, i);
		errno = 0;
		CHECK(!realloc(p, hide((size_t)1 << 47)));
		CHECK_EQ(errno, ENOMEM);
		CHECK(!realloc(p, hide((size_t)PTRDIFF_MAX + 1)));
		CHECK(!reallocarray(p, hide(SIZE_MAX / 2), 4));
		VERIFY(p, n, i);
		CHECK_OP(malloc_usable_size(p), >=, n);
		free(p);
	}
}

/* glibc: the block is freed and the answer is NULL. */
static void test_realloc_to_zero_frees(void)
{
	size_t before;
	int i;

	for (i = 0; i < 100; i++)
		CHECK(!realloc(malloc(hide(MIB)), hide(0UL)));
	before = rss();
	for (i = 0; i < 300; i++) {
		char *p = malloc(hide(MIB));

		memset(p, 1, 100000);
		CHECK(!realloc(p, hide(0UL)));
		p = malloc(hide(200UL));
		memset(p, 1, 200);
		CHECK(!reallocarray(p, 0, hide(8UL)));
	}
	CHECK_OP(rss(), <, before + 8 * MIB);
	for (i = 0; i < 200000; i++)
		CHECK(!realloc(malloc(hide(100UL)), hide(0UL)));
	CHECK_OP(rss(), <, before + 8 * MIB);
}

/* A block that shrank gives the rest back. */
static void test_shrinking_returns_memory(void)
{
	enum { N = 20 };
	size_t before = rss();
	char *p[N];
	int i;

	for (i = 0; i < N; i++) {
		p[i] = malloc(hide(5 * MIB));
		memset(p[i], 1, 5 * MIB);
		p[i] = realloc(p[i], hide(100000UL));
		CHECK(p[i]);
		CHECK_EQ(p[i][99999], 1);
	}
	malloc_trim(0);
	CHECK_OP(rss(), <, before + 30 * MIB);
	for (i = 0; i < N; i++)
		free(p[i]);
}

int main(void)
{
	hard_start(58);
	test_every_transition_keeps_the_bytes();
	test_all_usable_bytes_are_kept();
	test_a_growing_and_shrinking_block_keeps_its_bytes();
	test_small_steps_keep_the_bytes();
	test_failure_keeps_the_old_block();
	test_realloc_to_zero_frees();
	test_shrinking_returns_memory();
	return 0;
}
