/*
 * realloc-nomem - a block that is to be smaller is so without any memory left,
 * or stays where it is; errno is as it was.
 */
#include "hard.h"

typedef void *(*reallocf_fn)(void *, size_t);

static const size_t sizes[] = { 100, 1000, 5000, 14000, 20000, 70000, 300000,
				3 * MIB, 5 * MIB, 20 * MIB };

static void *by_realloc(void *p, size_t size)
{
	return realloc(p, size);
}

static void *by_reallocarray(void *p, size_t size)
{
	return reallocarray(p, 1, size);
}

static void *by_reallocf(void *p, size_t size)
{
	return API(reallocf_fn, "reallocf")(p, size);
}

/* All that is left, to the last 16 bytes. */
static void exhaust_all(void)
{
	size_t size = 8 * MIB;

	while (size >= 16)
		if (!malloc(hide(size)))
			size /= 2;
}

static void test_each_block_can_be_made_smaller(char **blocks,
						reallocf_fn resize)
{
	unsigned int i;
	size_t n;

	for (i = 0; i < array_size(sizes); i++) {
		for (n = sizes[i] / 3; n; n /= 4) {
			char *p;

			errno = 777;
			p = resize(blocks[i], hide(n));
			if (!p)
				hard_say("%zu to %zu\n", sizes[i], n);
			CHECK(p);
			CHECK_EQ(errno, 777);
			CHECK_OP(malloc_usable_size(p), >=, n);
			VERIFY_PART(p, n, sizes[i], i);
			blocks[i] = p;
		}
	}
}

static void run(reallocf_fn resize)
{
	static char *blocks[array_size(sizes)];
	unsigned int i;

	for (i = 0; i < array_size(sizes); i++) {
		blocks[i] = malloc(hide(sizes[i]));
		CHECK(blocks[i]);
		fill(blocks[i], sizes[i], i);
	}
	exhaust_all();
	test_each_block_can_be_made_smaller(blocks, resize);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		reallocf_fn resize;
	} cases[] = {
		{ "realloc", by_realloc },
		{ "reallocarray", by_reallocarray },
		{ "reallocf", by_reallocf },
	};
	unsigned int i;

	hard_start(50);
	for (i = 0; i < array_size(cases); i++) {
		if (argc == 1)
			CHECK_EQ(hard_run_self(cases[i].name, RLIMIT_AS,
					       200 * MIB), 0);
		else if (!strcmp(argv[1], cases[i].name))
			run(cases[i].resize);
	}
	return 0;
}
