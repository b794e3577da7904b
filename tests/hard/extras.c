/*
 * extras - the names that glibc's headers do not know, found by dlsym, and
 * the aliases that old programs are linked with.
 */
#include "hard.h"

typedef void *(*realloc_fn)(void *, size_t);
typedef int (*reallocarr_fn)(void *, size_t, size_t);
typedef void (*free_fn)(void *);
typedef void (*free_sized_fn)(void *, size_t);
typedef void (*free_aligned_sized_fn)(void *, size_t, size_t);
typedef size_t (*size_fn)(size_t);
typedef size_t (*usable_fn)(const void *);
typedef void *(*malloc_fn)(size_t);
typedef void *(*calloc_fn)(size_t, size_t);
typedef int (*posix_memalign_fn)(void **, size_t, size_t);

static const size_t sizes[] = { 1, 24, 100, 1000, 5000, 65536, 300000,
				2 * MIB, 5 * MIB, 70 * MIB };

/* p has `n` bytes of the pattern. */
static void check_array_refused(char *p, size_t n, size_t count, size_t size)
{
	errno = 0;
	CHECK(!reallocarray(p, count, size));
	CHECK_EQ(errno, ENOMEM);
	VERIFY(p, n, 2);
	CHECK_OP(malloc_usable_size(p), >=, n);
}

static void test_reallocarray_multiplies(void)
{
	const size_t most = hide(SIZE_MAX);
	char *p;

	errno = 777;
	p = reallocarray(NULL, hide(10UL), 100);
	CHECK_OP(malloc_usable_size(p), >=, 1000);
	fill(p, 1000, 2);
	p = reallocarray(p, hide(100UL), 100);
	CHECK_OP(malloc_usable_size(p), >=, 10000);
	VERIFY_PART(p, 1000, 1000, 2);
	CHECK_EQ(errno, 777);
	fill(p, 10000, 2);
	check_array_refused(p, 10000, most, 2);
	check_array_refused(p, 10000, 1UL << 32, 1UL << 32);
	check_array_refused(p, 10000, 1, most);
	errno = 777;
	CHECK(!reallocarray(p, 0, hide(100UL)));
	CHECK_EQ(errno, 777);
}

static void test_reallocf_frees_on_failure(void)
{
	realloc_fn reallocf = API(realloc_fn, "reallocf");
	size_t before;
	char *p;
	int i;

	p = reallocf(NULL, hide(100UL));
	CHECK(p);
	fill(p, 100, 1);
	p = reallocf(p, hide(70000UL));
	CHECK(p);
	VERIFY(p, 100, 1);
	before = rss();
	for (i = 0; i < 1000; i++) {
		memset(p, 1, 70000);
		errno = 0;
		CHECK(!reallocf(p, hide((size_t)PTRDIFF_MAX + 1)));
		CHECK_EQ(errno, ENOMEM);
		p = malloc(hide(70000UL));
	}
	CHECK_OP(rss(), <, before + 8 * MIB);
	CHECK(!reallocf(p, hide(0UL)));
}

static void test_reallocarr_answers_an_error_number(void)
{
	reallocarr_fn reallocarr = API(reallocarr_fn, "reallocarr");
	char *p = NULL, *old;

	errno = 777;
	CHECK_EQ(reallocarr(&p, hide(10UL), 10), 0);
	CHECK(p);
	CHECK_OP(malloc_usable_size(p), >=, 100);
	fill(p, 100, 4);
	CHECK_EQ(reallocarr(&p, hide(30000UL), 10), 0);
	VERIFY(p, 100, 4);
	old = p;
	CHECK_EQ(reallocarr(&p, hide(SIZE_MAX / 2), 3), EOVERFLOW);
	CHECK(p == old);
	CHECK_EQ(reallocarr(&p, hide((size_t)1 << 47), 1), ENOMEM);
	CHECK(p == old);
	VERIFY(p, 100, 4);
	/* Nothing of either kind: the block is freed. */
	CHECK_EQ(reallocarr(&p, 0, hide(8UL)), 0);
	CHECK(!p);
	CHECK_EQ(reallocarr(&p, hide(8UL), 0), 0);
	CHECK(!p);
	CHECK_EQ(reallocarr(&p, 0, hide(0UL)), 0);
	CHECK(!p);
	CHECK_EQ(errno, 777);
}

static void test_sizes_are_told_as_malloc_serves_them(void)
{
	size_fn good = API(size_fn, "malloc_good_size");
	usable_fn size_of = API(usable_fn, "malloc_size");
	size_t n, last = 0;

	for (n = 1; n < 10 * MIB; n += n < 3000 ? 1 : n / 7) {
		size_t g = good(hide(n));
		void *p = malloc(hide(n));

		CHECK_OP(g, >=, n);
		CHECK_OP(g, >=, last);
		CHECK_EQ(good(g), g);
		CHECK_EQ(size_of(p), malloc_usable_size(p));
		CHECK_EQ(g, malloc_usable_size(p));
		last = g;
		free(p);
	}
	CHECK_EQ(size_of(NULL), 0);
	CHECK_OP(good(hide(0UL)), <=, good(hide(1UL)));
	good(hide(SIZE_MAX));
}

static void test_sized_frees_free(void)
{
	free_sized_fn free_sized = API(free_sized_fn, "free_sized");
	free_aligned_sized_fn free_aligned_sized =
		API(free_aligned_sized_fn, "free_aligned_sized");
	free_fn cfree = API(free_fn, "cfree");
	size_t before = 0, align;
	unsigned int i, round;

	free_sized(NULL, 0);
	free_sized(NULL, 100);
	free_aligned_sized(NULL, 64, 128);
	cfree(NULL);
	for (round = 0; round < 50; round++) {
		for (i = 0; i < array_size(sizes); i++) {
			size_t n = hide(sizes[i]);
			char *p = malloc(n);

			errno = 777;
			p[0] = p[n - 1] = 1;
			free_sized(p, n);
			p = calloc(n, 1);
			p[0] = p[n - 1] = 1;
			cfree(p);
			for (align = 16; align <= 65536; align *= 16) {
				p = aligned_alloc(align, n);
				CHECK(p);
				p[0] = 1;
				free_aligned_sized(p, align, n);
			}
			CHECK_EQ(errno, 777);
		}
		if (round == 4)
			before = rss();
	}
	free_sized(malloc(hide(0UL)), 0);
	CHECK_OP(rss(), <, before + 16 * MIB);
}

static void test_libc_aliases_are_the_same_allocator(void)
{
	malloc_fn libc_malloc = API(malloc_fn, "__libc_malloc");
	calloc_fn libc_calloc = API(calloc_fn, "__libc_calloc");
	realloc_fn libc_realloc = API(realloc_fn, "__libc_realloc");
	calloc_fn libc_memalign = API(calloc_fn, "__libc_memalign");
	malloc_fn libc_valloc = API(malloc_fn, "__libc_valloc");
	malloc_fn libc_pvalloc = API(malloc_fn, "__libc_pvalloc");
	free_fn libc_free = API(free_fn, "__libc_free");
	free_fn libc_cfree = API(free_fn, "__libc_cfree");
	posix_memalign_fn libc_posix_memalign =
		API(posix_memalign_fn, "__posix_memalign");
	unsigned int i, round;

	for (round = 0; round < 20; round++)
	for (i = 0; i < array_size(sizes); i++) {
		size_t n = hide(sizes[i]);
		void *p;

		p = libc_malloc(n);
		CHECK_OP(malloc_usable_size(p), >=, n);
		free(p);
		p = malloc(n);
		libc_free(p);
		p = libc_calloc(n, 1);
		CHECK_EQ(*(char *)p, 0);
		p = libc_realloc(p, n * 2);
		CHECK_OP(malloc_usable_size(p), >=, n * 2);
		libc_cfree(p);
		p = libc_memalign(1024, n);
		CHECK_EQ((uintptr_t)p % 1024, 0);
		free(p);
		free(libc_valloc(n));
		free(libc_pvalloc(n));
		CHECK_EQ(libc_posix_memalign(&p, 512, n), 0);
		CHECK_EQ((uintptr_t)p % 512, 0);
		p = realloc(p, n + 1);
		CHECK(p);
		free(p);
	}
}

int main(void)
{
	hard_start(58);
	test_reallocarray_multiplies();
	test_reallocf_frees_on_failure();
	test_reallocarr_answers_an_error_number();
	test_sizes_are_told_as_malloc_serves_them();
	test_sized_frees_free();
	test_libc_aliases_are_the_same_allocator();
	return 0;
}
