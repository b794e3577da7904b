/*
 * basics - what every call promises: alignment, room, errno, malloc(0),
 * sizes that cannot be.
 */
#include "hard.h"

#define ODD_ERRNO	12345

static const size_t impossible[] = {
	PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 1,
	SIZE_MAX - 15, SIZE_MAX - 63, SIZE_MAX - 4095, SIZE_MAX - 4096,
	SIZE_MAX - 65536, SIZE_MAX / 2 + 4097, (size_t)1 << 47,
};

static void check_block(void *p, size_t n)
{
	size_t usable;

	CHECK(p);
	CHECK_EQ((uintptr_t)p % 16, 0);
	usable = malloc_usable_size(p);
	CHECK_OP(usable, >=, n);
	memset(p, 0x5a, n < MIB ? usable : 1);
	((char *)p)[usable - 1] = 1;
}

static void test_every_size_is_aligned_by_16_and_writable(void)
{
	size_t n;
	void *p, *q;

	for (n = 0; n <= 5000; n++) {
		check_block(p = malloc(hide(n)), n);
		check_block(q = calloc(1, hide(n)), n);
		CHECK(p != q);
		check_block(p = realloc(p, hide(n + 1)), n + 1);
		free(p);
		free(q);
	}
	for (n = 5000; n < 300 * MIB; n += n / 3) {
		check_block(p = malloc(hide(n)), n);
		check_block(q = calloc(hide(n), 1), n);
		free(p);
		free(q);
	}
}

static int compare(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

static void test_malloc_of_zero_is_unique_and_freeable(void)
{
	static void *p[3000];
	unsigned int i;

	for (i = 0; i < array_size(p); i++) {
		p[i] = i % 4 == 0 ? malloc(hide(0UL)) :
		       i % 4 == 1 ? calloc(0, hide(7UL)) :
		       i % 4 == 2 ? calloc(hide(7UL), 0) :
		       realloc(NULL, hide(0UL));
		CHECK(p[i]);
		CHECK_EQ((uintptr_t)p[i] % 16, 0);
	}
	qsort(p, array_size(p), sizeof(p[0]), compare);
	for (i = 1; i < array_size(p); i++)
		CHECK(p[i] != p[i - 1]);
	for (i = 0; i < array_size(p); i++)
		free(p[i]);
}

#define CHECK_NOMEM(call) do { \
	errno = ODD_ERRNO; \
	CHECK(!(call)); \
	CHECK_EQ(errno, ENOMEM); \
} while (0)

static void test_sizes_over_ptrdiff_max_are_enomem(void)
{
	void *q = hide(&errno);
	char *p = malloc(100);
	unsigned int i;

	fill(p, 100, 1);
	for (i = 0; i < array_size(impossible); i++) {
		size_t n = hide(impossible[i]);

		CHECK_NOMEM(malloc(n));
		CHECK_NOMEM(calloc(1, n));
		CHECK_NOMEM(calloc(n, 1));
		CHECK_NOMEM(realloc(NULL, n));
		CHECK_NOMEM(realloc(p, n));
		CHECK_NOMEM(reallocarray(p, n, 1));
		CHECK_NOMEM(reallocarray(NULL, 1, n));
		CHECK_NOMEM(memalign(16, n));
		CHECK_NOMEM(memalign(64, n));
		CHECK_NOMEM(aligned_alloc(4096, n));
		CHECK_NOMEM(valloc(n));
		CHECK_NOMEM(pvalloc(n));
		errno = ODD_ERRNO;
		CHECK_EQ(posix_memalign(&q, 64, n), ENOMEM);
		CHECK_EQ(posix_memalign(&q, 1 << 20, n), ENOMEM);
		CHECK(q == &errno);
		CHECK_EQ(errno, ODD_ERRNO);
		VERIFY(p, 100, 1);
	}
	free(p);
}

static void test_overflow_is_enomem(void)
{
	static const size_t pairs[][2] = {
		{ SIZE_MAX / 2, 3 }, { 3, SIZE_MAX / 2 },
		{ 1UL << 32, 1UL << 32 }, { SIZE_MAX, SIZE_MAX },
		{ SIZE_MAX / 16 + 1, 16 }, { (1UL << 32) + 1, 1UL << 32 },
		{ SIZE_MAX / 3 + 2, 3 },
	};
	char *p = malloc(5000);
	unsigned int i;

	fill(p, 5000, 2);
	for (i = 0; i < array_size(pairs); i++) {
		size_t n = hide(pairs[i][0]), size = hide(pairs[i][1]);

		CHECK_NOMEM(calloc(n, size));
		CHECK_NOMEM(reallocarray(NULL, n, size));
		CHECK_NOMEM(reallocarray(p, n, size));
		VERIFY(p, 5000, 2);
	}
	free(p);
}

#define CHECK_QUIET(call) do { \
	errno = ODD_ERRNO; \
	call; \
	CHECK_EQ(errno, ODD_ERRNO); \
} while (0)

static void test_success_and_free_leave_errno_alone(void)
{
	static const size_t sizes[] = {
		0, 1, 24, 500, 1025, 4096, 5000, 65536, 300000, MIB, 2 * MIB,
		2 * MIB + 1, 5 * MIB, 64 * MIB, 100 * MIB,
	};
	unsigned int i, round;

	for (round = 0; round < 2; round++)
	for (i = 0; i < array_size(sizes); i++) {
		size_t n = hide(sizes[i]);
		void *p, *q, *r = NULL;

		CHECK_QUIET(p = malloc(n));
		CHECK_QUIET(q = calloc(1, n));
		CHECK(p && q);
		CHECK_QUIET(p = realloc(p, n + n / 2 + 1));
		CHECK_QUIET(p = reallocarray(p, 3, n / 4 + 1));
		CHECK_QUIET(malloc_usable_size(p));
		CHECK_QUIET(free(p));
		CHECK_QUIET(free(q));
		CHECK_QUIET(p = memalign(256, n));
		CHECK_QUIET(q = aligned_alloc(8192, n));
		CHECK_QUIET(CHECK_EQ(posix_memalign(&r, 64 * KIB, n), 0));
		CHECK_QUIET(free(p));
		CHECK_QUIET(free(q));
		CHECK_QUIET(free(r));
		CHECK_QUIET(p = valloc(n));
		CHECK_QUIET(q = pvalloc(n));
		CHECK(p && q);
		CHECK_QUIET(free(p));
		CHECK_QUIET(free(q));
	}
	CHECK_QUIET(free(NULL));
	CHECK_QUIET(malloc_trim(0));
	CHECK_QUIET((void)mallinfo2());
	CHECK_EQ(malloc_usable_size(NULL), 0);
}

static void test_pvalloc_rounds_up_to_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n;
	char *p;

	for (n = 0; n <= 3 * page; n += page / 4 + 1) {
		size_t room = n ? (n + page - 1) / page * page : page;

		p = pvalloc(hide(n));
		CHECK(p);
		CHECK_EQ((uintptr_t)p % page, 0);
		CHECK_OP(malloc_usable_size(p), >=, room);
		memset(p, 1, room);
		free(p);
		p = valloc(hide(n));
		CHECK(p);
		CHECK_EQ((uintptr_t)p % page, 0);
		free(p);
	}
}

/* Neighbours that are live at the same time share no byte. */
static void test_usable_bytes_of_neighbours_do_not_overlap(void)
{
	enum { N = 40 };
	size_t n;
	char *p[N];
	int i;

	for (n = 1; n < 70000; n += n / 5 + 1) {
		for (i = 0; i < N; i++) {
			p[i] = malloc(hide(n));
			memset(p[i], i, malloc_usable_size(p[i]));
		}
		for (i = 0; i < N; i++) {
			size_t k, usable = malloc_usable_size(p[i]);

			for (k = 0; k < usable; k++)
				CHECK_EQ(p[i][k], i);
			free(p[i]);
		}
	}
}

int main(void)
{
	hard_start(58);
	test_every_size_is_aligned_by_16_and_writable();
	test_malloc_of_zero_is_unique_and_freeable();
	test_sizes_over_ptrdiff_max_are_enomem();
	test_overflow_is_enomem();
	test_success_and_free_leave_errno_alone();
	test_pvalloc_rounds_up_to_pages();
	test_usable_bytes_of_neighbours_do_not_overlap();
	return 0;
}
