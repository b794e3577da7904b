/*
 * calloc - zero for recycled memory of every size, and no page touched that
 * is zero already.
 */
#include "hard.h"

static void check_zero(const void *p, size_t n)
{
	const unsigned char *c = (const unsigned char *)p;

	if (!n)
		return;
	CHECK_EQ(c[0], 0);
	/* Equal to itself shifted by one: all bytes are the first one. */
	if (memcmp(c, c + 1, n - 1)) {
		size_t i = 0;

		while (!c[i])
			i++;
		hard_say("size %zu: byte %zu is %#x\n", n, i, c[i]);
		CHECK(!"calloc returned dirty memory");
	}
}

static void test_recycled_memory_of_every_size_is_zero(void)
{
	size_t n;

	for (n = 1; n <= 200 * MIB; n += n < 64 ? 1 : n / 3) {
		void *p = malloc(hide(n));

		CHECK(p);
		memset(p, 0xa5, malloc_usable_size(p));
		free(p);
		p = calloc(1, hide(n));
		CHECK(p);
		check_zero(p, n);
		free(p);
	}
}

static void test_memory_of_other_sizes_is_zero(void)
{
	static const size_t sizes[] = {
		16, 1000, 48, 5000, 100, 30000, 300, 300000, 24, 2 * MIB,
		4096, 5 * MIB, 65536, 640,
	};
	enum { TOTAL = 12 * MIB };
	unsigned int i, k, n;
	void **p = hard_map(TOTAL / 16 * sizeof(void *));

	for (i = 0; i < array_size(sizes); i++) {
		n = (unsigned int)(TOTAL / sizes[i]);
		for (k = 0; k < n; k++) {
			p[k] = calloc(hide(sizes[i]), 1);
			CHECK(p[k]);
			check_zero(p[k], sizes[i]);
			memset(p[k], 0xff, malloc_usable_size(p[k]));
		}
		for (k = 0; k < n; k++)
			free(p[k]);
		if (i % 5 == 4)
			malloc_trim(0);
	}
}

/* Dirt that was cut off by realloc, or grew into, is no exception. */
static void test_memory_that_realloc_left_is_zero(void)
{
	static const size_t sizes[] = { 100, 3000, 20000, 200000, 3 * MIB,
					70 * MIB };
	unsigned int i;

	for (i = 0; i < array_size(sizes); i++) {
		size_t n = hide(sizes[i]);
		char *p = malloc(n), *q, *r;

		memset(p, 0xee, n);
		p = realloc(p, n / 3);
		q = calloc(1, n);
		r = calloc(n / 2, 1);
		check_zero(q, n);
		check_zero(r, n / 2);
		p = realloc(p, n * 2);
		memset(p, 0xee, n * 2);
		free(p);
		p = calloc(2, n);
		check_zero(p, n * 2);
		free(p);
		free(q);
		free(r);
	}
}

/* Runs first: the process is fresh, its pages are the kernel's zero pages. */
static void test_two_gib_cost_no_memory(void)
{
	size_t before = rss();
	char *p = calloc(hide(2 * GIB), 1), *q;

	CHECK(p);
	CHECK_OP(rss(), <, before + MIB);
	CHECK_EQ(p[0] | p[GIB] | p[2 * GIB - 1], 0);
	q = calloc(hide(32768UL), 65536);
	CHECK(q);
	CHECK_OP(rss(), <, before + MIB);
	p[0] = p[2 * GIB - 1] = q[123456789] = 1;
	free(p);
	free(q);
	p = calloc(hide(2 * GIB), 1);
	CHECK(p);
	CHECK_OP(rss(), <, before + 2 * MIB);
	CHECK_EQ(p[0] | p[2 * GIB - 1], 0);
	free(p);
}

static void test_fresh_runs_are_not_touched(void)
{
	size_t before = rss();
	void *p[200];
	unsigned int i;

	for (i = 0; i < 200; i++) {
		p[i] = calloc(1, hide(500000UL));
		CHECK(p[i]);
	}
	CHECK_OP(rss(), <, before + 3 * MIB);
	for (i = 0; i < 200; i++)
		free(p[i]);
}

int main(void)
{
	hard_start(58);
	test_two_gib_cost_no_memory();
	test_fresh_runs_are_not_touched();
	test_memory_of_other_sizes_is_zero();
	test_memory_that_realloc_left_is_zero();
	test_recycled_memory_of_every_size_is_zero();
	return 0;
}
