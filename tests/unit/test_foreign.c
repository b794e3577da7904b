/*
 * test_foreign - blocks that are not ours, but glibc's.
 *
 * 1. That a block was really freed shows in what glibc does next: it hands
 *    the same block out again, or the mapping is gone.
 */
#include "foreign.h"

#define NON_MAIN_ARENA	4	/* a flag in the word before the block */
#define NR_RANGE_BLOCKS	64
#define RANGE_BLOCK	(64UL << 10)	/* bytes; 16 fill a range of 1 MiB */
#define NR_RACERS	3
#define NR_RACED	20000

/* The allocator of another namespace. */
struct space {
	void *handle;
	void *(*malloc)(size_t size);
	void *(*memalign)(size_t align, size_t size);
	void (*free)(void *ptr);
	char *(*strdup)(const char *text);
	size_t (*usable_size)(void *ptr);
	struct mallinfo2 (*info)(void);
};

static struct space spaces[2];

static size_t header(const void *ptr)
{
	return probe_word((uintptr_t)ptr - sizeof(size_t));
}

/* POSIX: what dlsym returns can be a function. */
#define FIND(field, handle, name) do { \
	void *found = dlsym(handle, name); \
	assert_non_null(found); \
	memcpy(&(field), &found, sizeof(found)); \
} while (0)

static void open_space(struct space *space)
{
	space->handle = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
	assert_non_null(space->handle);
	FIND(space->malloc, space->handle, "malloc");
	FIND(space->memalign, space->handle, "memalign");
	FIND(space->free, space->handle, "free");
	FIND(space->strdup, space->handle, "strdup");
	FIND(space->usable_size, space->handle, "malloc_usable_size");
	FIND(space->info, space->handle, "mallinfo2");
}

/* Two further namespaces, from the first test that needs them on. */
static void open_spaces(void)
{
	size_t i;

	for (i = 0; i < array_size(spaces); i++)
		if (!spaces[i].handle)
			open_space(&spaces[i]);
}

static void test_free_hands_a_small_block_to_glibc(void **state)
{
	size_t size;

	(void)state;
	NEED_GLIBC();
	for (size = 0; size < 1000; size += 24) {
		void *p = malloc(size);

		assert_true(foreign_free(p));
		/* glibc reuses what this thread freed last. */
		assert_ptr_equal(malloc(size), p);
		assert_true(foreign_free(p));
	}
}

static void test_free_hands_blocks_of_all_sizes_to_glibc(void **state)
{
	void *blocks[16];
	size_t i, size;

	(void)state;
	NEED_GLIBC();
	for (i = 0; i < array_size(blocks); i++) {
		blocks[i] = malloc(1000UL << i / 2);
		assert_non_null(blocks[i]);
		assert_true(foreign_usable_size(blocks[i], &size));
		assert_int_equal(size, malloc_usable_size(blocks[i]));
	}
	for (i = 0; i < array_size(blocks); i++)
		assert_true(foreign_free(blocks[(i * 5) % 16]));
}

static void test_free_unmaps_a_mapped_block(void **state)
{
	void *p;

	(void)state;
	NEED_GLIBC();
	p = malloc(BIG);
	assert_true(header(p) & IS_MMAPPED);
	assert_true(foreign_free(p));
	assert_false(probe_readable((uintptr_t)p));
	/* Now it is nobody's. */
	assert_false(foreign_free(p));
}

static void test_free_unmaps_an_aligned_mapped_block(void **state)
{
	size_t align;
	void *p;

	(void)state;
	NEED_GLIBC();
	for (align = 32; align <= 1UL << 20; align *= 2) {
		p = memalign(align, BIG * 4);
		assert_true(header(p) & IS_MMAPPED);
		assert_true(foreign_free(p));
		assert_false(probe_readable((uintptr_t)p));
	}
}

/* One that other mappings and other settings split into several. */
static void test_free_unmaps_a_block_of_several_mappings(void **state)
{
	char *p, *page;

	(void)state;
	NEED_GLIBC();
	p = malloc(BIG * 4);
	page = (char *)align_up((uintptr_t)p + BIG, PAGE_SIZE);
	assert_int_equal(madvise(page, BIG, MADV_DONTDUMP), 0);
	assert_true(foreign_free(p));
	assert_false(probe_readable((uintptr_t)p));
}

static void test_realloc_keeps_the_contents(void **state)
{
	char *p, *q;
	void *out;

	(void)state;
	NEED_GLIBC();
	p = strdup("kept");
	assert_true(foreign_realloc(p, 2 * BIG, &out));
	q = out;
	assert_string_equal(q, "kept");
	memset(q + 5, 1, 2 * BIG - 5);
	assert_true(foreign_realloc(q, 100, &out));
	assert_string_equal(out, "kept");
	/* As glibc's: the block is freed. */
	assert_true(foreign_realloc(out, 0, &out));
	assert_null(out);
}

static void test_realloc_that_fails_keeps_the_block(void **state)
{
	char *p;
	void *out;

	(void)state;
	NEED_GLIBC();
	p = strdup("kept");
	errno = 0;
	assert_true(foreign_realloc(p, PTRDIFF_MAX, &out));
	assert_null(out);
	assert_int_equal(errno, ENOMEM);
	assert_string_equal(p, "kept");
	assert_true(foreign_free(p));
}

static void *allocate_in_thread(void *arg)
{
	void **blocks = arg;

	blocks[0] = malloc(100);
	blocks[1] = malloc(5000);
	blocks[2] = malloc(100000);
	blocks[3] = malloc(100);
	return NULL;
}

static void test_free_finds_the_arena_of_a_thread(void **state)
{
	void *blocks[4];
	pthread_t thread;
	size_t i, size;

	(void)state;
	NEED_GLIBC();
	assert_int_equal(pthread_create(&thread, NULL, allocate_in_thread,
					blocks), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (i = 0; i < array_size(blocks); i++) {
		assert_true(header(blocks[i]) & NON_MAIN_ARENA);
		assert_true(foreign_usable_size(blocks[i], &size));
		assert_int_equal(size, malloc_usable_size(blocks[i]));
		assert_true(foreign_free(blocks[i]));
	}
}

static void test_free_hands_to_the_namespace_that_owns(void **state)
{
	size_t i, size;

	(void)state;
	open_spaces();
	for (i = 0; i < array_size(spaces); i++) {
		struct space *space = &spaces[i];
		char *p = space->strdup("from another namespace");

		assert_true(foreign_usable_size(p, &size));
		assert_int_equal(size, space->usable_size(p));
		assert_true(foreign_free(p));
		assert_ptr_equal(space->malloc(size), p);
		/* Too large for the cache of the thread. */
		p = space->malloc(5000);
		assert_true(foreign_free(p));
		assert_ptr_equal(space->malloc(5000), p);
		p = space->memalign(PAGE_SIZE, BIG);
		assert_true(space->info().hblkhd >= BIG);
		assert_true(foreign_free(p));
		assert_false(probe_readable((uintptr_t)p));
		/* The owner knows. */
		assert_true(space->info().hblkhd < BIG);
	}
}

static void test_realloc_that_fails_in_a_namespace_sets_errno(void **state)
{
	void *out;
	char *p;

	(void)state;
	open_spaces();
	p = spaces[0].strdup("kept");
	errno = 0;
	assert_true(foreign_realloc(p, SIZE_MAX / 2 + 1, &out));
	assert_null(out);
	assert_int_equal(errno, ENOMEM);
	errno = 4711;
	assert_true(foreign_realloc(p, BIG, &out));
	assert_string_equal(out, "kept");
	assert_true(foreign_realloc(out, 0, &out));
	assert_null(out);
	assert_int_equal(errno, 4711);
}

static void *allocate_in_space(void *arg)
{
	struct space *space = arg;

	return space->malloc(3000);
}

static void test_free_finds_the_arena_of_a_namespace(void **state)
{
	size_t i, size;

	(void)state;
	open_spaces();
	for (i = 0; i < array_size(spaces); i++) {
		struct space *space = &spaces[i];
		pthread_t thread;
		void *p;

		/* Its first arena is the main one. */
		assert_non_null(space->malloc(1));
		assert_int_equal(pthread_create(&thread, NULL,
						allocate_in_space, space), 0);
		assert_int_equal(pthread_join(thread, &p), 0);
		assert_true(header(p) & NON_MAIN_ARENA);
		assert_true(foreign_usable_size(p, &size));
		assert_int_equal(size, space->usable_size(p));
		assert_true(foreign_free(p));
	}
}

/*
 * A namespace does not use brk: its main arena is a number of mappings, and
 * only the last one ends with the arena's top. When it is the only one, it
 * owns them all. Must run before open_spaces.
 */
static void test_older_ranges_of_one_namespace_are_freed(void **state)
{
	struct space space;
	char *blocks[NR_RANGE_BLOCKS];
	size_t i;

	(void)state;
	open_space(&space);
	for (i = 0; i < NR_RANGE_BLOCKS; i++)
		blocks[i] = space.malloc(RANGE_BLOCK);
	for (i = 1; i < NR_RANGE_BLOCKS; i += 2) {
		assert_true(foreign_free(blocks[i]));
		assert_ptr_equal(space.malloc(RANGE_BLOCK), blocks[i]);
	}
	dlclose(space.handle);
}

/* With two of them the owner is not known: such blocks stay as they are. */
static void test_older_ranges_of_two_namespaces_are_known(void **state)
{
	char *blocks[2][NR_RANGE_BLOCKS];
	size_t i, k, size;
	void *out;

	(void)state;
	open_spaces();
	for (i = 0; i < NR_RANGE_BLOCKS; i++) {
		for (k = 0; k < array_size(spaces); k++) {
			blocks[k][i] = spaces[k].malloc(RANGE_BLOCK);
			memset(blocks[k][i], (int)i, RANGE_BLOCK);
		}
	}
	for (i = 0; i < NR_RANGE_BLOCKS; i++) {
		for (k = 0; k < array_size(spaces); k++) {
			char *p = blocks[k][i];

			assert_true(foreign_usable_size(p, &size));
			assert_true(size >= RANGE_BLOCK);
			assert_true(foreign_realloc(p, RANGE_BLOCK * 3,
						    &out));
			assert_int_equal(*(char *)out, i);
			assert_memory_equal(out, (char *)out + 1,
					    RANGE_BLOCK - 1);
			/* The first one cannot be in the newest range. */
			if (i == 0)
				assert_memory_equal(p, out, RANGE_BLOCK);
			assert_true(foreign_free(out));
		}
	}
	/* Nothing was spoilt. */
	for (k = 0; k < array_size(spaces); k++) {
		for (i = 0; i < NR_RANGE_BLOCKS; i++) {
			blocks[k][i] = spaces[k].malloc(i * 1000);
			assert_non_null(blocks[k][i]);
			memset(blocks[k][i], 1, i * 1000);
		}
		for (i = 0; i < NR_RANGE_BLOCKS; i++)
			spaces[k].free(blocks[k][i]);
	}
}

static volatile bool race_over;

static void *race_in_thread(void *arg)
{
	struct space *space = arg;
	void *blocks[64] = { NULL };
	size_t i;

	for (i = 0; !race_over; i++) {
		space->free(blocks[i % 64]);
		blocks[i % 64] = space->malloc(i * 797 % 70000);
	}
	for (i = 0; i < array_size(blocks); i++)
		space->free(blocks[i]);
	return NULL;
}

/* Other threads change the arenas all the time: each block is still found. */
static void test_free_is_certain_while_others_allocate(void **state)
{
	struct space own = { .malloc = malloc, .free = free };
	pthread_t threads[NR_RACERS];
	size_t i;

	(void)state;
	NEED_GLIBC();
	race_over = false;
	for (i = 0; i < NR_RACERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						race_in_thread, &own), 0);
	for (i = 0; i < NR_RACED; i++)
		assert_true(foreign_free(malloc(i * 37 % 9000)));
	race_over = true;
	for (i = 0; i < NR_RACERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_older_ranges_of_one_namespace_are_freed),
		cmocka_unit_test(test_free_hands_a_small_block_to_glibc),
		cmocka_unit_test(test_free_hands_blocks_of_all_sizes_to_glibc),
		cmocka_unit_test(test_free_unmaps_a_mapped_block),
		cmocka_unit_test(test_free_unmaps_an_aligned_mapped_block),
		cmocka_unit_test(test_free_unmaps_a_block_of_several_mappings),
		cmocka_unit_test(test_realloc_keeps_the_contents),
		cmocka_unit_test(test_realloc_that_fails_keeps_the_block),
		cmocka_unit_test(test_free_finds_the_arena_of_a_thread),
		cmocka_unit_test(test_free_hands_to_the_namespace_that_owns),
		cmocka_unit_test(
			test_realloc_that_fails_in_a_namespace_sets_errno),
		cmocka_unit_test(test_free_finds_the_arena_of_a_namespace),
		cmocka_unit_test(
			test_older_ranges_of_two_namespaces_are_known),
		cmocka_unit_test(test_free_is_certain_while_others_allocate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
