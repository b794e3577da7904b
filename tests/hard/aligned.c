/*
 * aligned - every alignment up to 1 GiB, the wrong ones, and what realloc
 * and free do with aligned blocks.
 */
#include "hard.h"

static const size_t sizes[] = { 0, 1, 100, 4096, 5000, 70000, 3 * MIB };

static void test_every_alignment_up_to_1_gib_works(void)
{
	size_t align;
	unsigned int i;

	for (align = 1; align <= GIB; align *= 2)
	for (i = 0; i < array_size(sizes); i++) {
		size_t n = hide(sizes[i]);
		void *p[3] = { memalign(hide(align), n),
			       aligned_alloc(hide(align), n), NULL };
		unsigned int k;

		if (align >= sizeof(void *))
			CHECK_EQ(posix_memalign(&p[2], hide(align), n), 0);
		else
			p[2] = malloc(n);
		for (k = 0; k < 3; k++) {
			CHECK(p[k]);
			CHECK_EQ((uintptr_t)p[k] % align, 0);
			CHECK_EQ((uintptr_t)p[k] % 16, 0);
			CHECK_OP(malloc_usable_size(p[k]), >=, n);
			fill(p[k], n, k);
		}
		CHECK(p[0] != p[1] && p[1] != p[2] && p[0] != p[2]);
		for (k = 0; k < 3; k++) {
			VERIFY(p[k], n, k);
			free(p[k]);
		}
	}
}

/* An alignment costs address space, not memory. */
static void test_a_large_alignment_does_not_cost_memory(void)
{
	size_t before = rss();
	void *p[16];
	unsigned int i;

	for (i = 0; i < 16; i++) {
		p[i] = memalign(64 * MIB, 100);
		CHECK(p[i]);
		memset(p[i], 1, 100);
	}
	CHECK_OP(rss(), <, before + 4 * MIB);
	for (i = 0; i < 16; i++)
		free(p[i]);
}

static void test_wrong_alignments_are_einval(void)
{
	static const size_t wrong[] = {
		3, 5, 6, 7, 9, 12, 24, 48, 100, 1000, 4095, 4097, 6144,
		3 * MIB, SIZE_MAX, SIZE_MAX / 2,
	};
	void *p = hide(&errno);
	unsigned int i;

	for (i = 0; i < array_size(wrong); i++) {
		size_t align = hide(wrong[i]);

		errno = 777;
		CHECK_EQ(posix_memalign(&p, align, 100), EINVAL);
		CHECK(p == &errno);
		CHECK_EQ(errno, 777);
		CHECK(!aligned_alloc(align, hide(100UL)));
		CHECK_EQ(errno, EINVAL);
	}
	/* posix_memalign also wants a multiple of a pointer. */
	errno = 777;
	CHECK_EQ(posix_memalign(&p, hide(0UL), 100), EINVAL);
	CHECK_EQ(posix_memalign(&p, hide(1UL), 100), EINVAL);
	CHECK_EQ(posix_memalign(&p, hide(2UL), 100), EINVAL);
	CHECK_EQ(posix_memalign(&p, hide(4UL), 100), EINVAL);
	CHECK(p == &errno);
	CHECK_EQ(errno, 777);
}

/* As in glibc, which rounds up; the last two are beyond. */
static void test_memalign_takes_any_alignment(void)
{
	static const size_t wrong[] = {
		3, 5, 6, 7, 9, 12, 24, 48, 100, 1000, 4095, 4097, 6144, 3 * MIB,
	};
	unsigned int i;

	errno = 777;
	free(memalign(hide(0UL), hide(100UL)));
	for (i = 0; i < array_size(wrong); i++) {
		size_t power = 1;
		char *p = memalign(hide(wrong[i]), hide(100UL));

		while (power < wrong[i])
			power *= 2;
		CHECK(p);
		CHECK_EQ((uintptr_t)p % power, 0);
		fill(p, 100, i);
		VERIFY(p, 100, i);
		free(p);
	}
	CHECK_EQ(errno, 777);
	CHECK(!memalign(hide(SIZE_MAX / 2), hide(100UL)));
	CHECK_EQ(errno, ENOMEM);
	CHECK(!memalign(hide(SIZE_MAX), hide(100UL)));
	CHECK_EQ(errno, EINVAL);
}

/* Beyond what is promised: an answer, of either kind, but no disaster. */
static void test_alignments_over_1_gib_fail_or_hold(void)
{
	size_t align;

	for (align = 2 * GIB; align; align *= 2) {
		void *p;

		errno = 0;
		p = memalign(hide(align), hide(100UL));
		if (p)
			CHECK_EQ((uintptr_t)p % align, 0);
		else
			CHECK(errno == ENOMEM || errno == EINVAL);
		free(p);
	}
}

static void test_realloc_of_an_aligned_block_keeps_its_bytes(void)
{
	size_t align, target;

	for (align = 32; align <= 64 * MIB; align *= 4)
	for (target = 1; target < 10 * MIB; target *= 7) {
		char *p = memalign(align, hide(3000UL));
		size_t usable = malloc_usable_size(p);

		memset(p, 0x11, usable);
		fill(p, 3000, 5);
		p = realloc(p, hide(target));
		CHECK(p);
		VERIFY_PART(p, target < 3000 ? target : 3000, 3000, 5);
		free(p);
	}
}

/* Blocks whose sizes are no multiple of the alignment stay apart. */
static void test_mixed_alignments_do_not_overlap(void)
{
	enum { N = 2000 };
	static char *p[N];
	static size_t size[N];
	uint64_t seed = 42;
	unsigned int i;

	for (i = 0; i < N; i++) {
		size_t align = (size_t)16 << rnd(&seed) % 12;

		size[i] = rnd_size(&seed, 1, 16 * KIB);
		p[i] = memalign(align, size[i]);
		CHECK(p[i]);
		CHECK_EQ((uintptr_t)p[i] % align, 0);
		fill(p[i], size[i], i);
		if (i % 3 == 2) {
			unsigned int k = (unsigned int)(rnd(&seed) % i);

			VERIFY(p[k], size[k], k);
			free(p[k]);
			size[k] = rnd_size(&seed, 1, 3000);
			p[k] = aligned_alloc(64, size[k]);
			fill(p[k], size[k], k);
		}
	}
	for (i = 0; i < N; i++) {
		VERIFY(p[i], size[i], i);
		free(p[i]);
	}
}

/* More aligned than the window's own base, which lies at a multiple of 2 MiB
 * there: in each window a place can be found. */
static void run_in_a_small_window(void)
{
	size_t align, i;
	void *p[2];

	for (i = 0; i < 20; i++)
		for (align = MIB; align <= 16 * MIB; align *= 2) {
			p[0] = aligned_alloc(hide(align), 100);
			CHECK(p[0]);
			CHECK_EQ((uintptr_t)p[0] % align, 0);
			p[1] = aligned_alloc(hide(align / 4), align / 4);
			CHECK(p[1]);
			CHECK_EQ((uintptr_t)p[1] % (align / 4), 0);
			fill(p[0], 100, 1);
			fill(p[1], align / 4, 2);
			VERIFY(p[0], 100, 1);
			free(p[0]);
			VERIFY(p[1], align / 4, 2);
			free(p[1]);
		}
}

static void test_a_small_window_has_aligned_places(void)
{
	CHECK_EQ(hard_run_self("small", RLIMIT_AS, 60 * MIB), 0);
}

int main(int argc, char **argv __attribute__((unused)))
{
	hard_start(58);
	if (argc > 1) {
		run_in_a_small_window();
		return 0;
	}
	test_every_alignment_up_to_1_gib_works();
	test_a_large_alignment_does_not_cost_memory();
	test_wrong_alignments_are_einval();
	test_memalign_takes_any_alignment();
	test_alignments_over_1_gib_fail_or_hold();
	test_realloc_of_an_aligned_block_keeps_its_bytes();
	test_mixed_alignments_do_not_overlap();
	test_a_small_window_has_aligned_places();
	return 0;
}
