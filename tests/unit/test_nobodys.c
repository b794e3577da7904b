/*
 * test_nobodys - pointers that are neither ours nor any allocator's.
 */
#include "foreign.h"

static void assert_nobodys(const void *ptr)
{
	size_t size = 77;
	void *out = &size;

	errno = 4711;
	if (foreign_usable_size(ptr, &size) ||
	    foreign_realloc((void *)(uintptr_t)ptr, 1, &out) ||
	    foreign_free((void *)(uintptr_t)ptr))
		fail_msg("%p was taken for glibc's", ptr);
	assert_int_equal(size, 77);
	assert_ptr_equal(out, &size);
	assert_int_equal(errno, 4711);
}

static void assert_nobodys_at(uintptr_t addr)
{
	assert_nobodys((const void *)addr);
}

static char global_bytes[3 * 4096];
static long global_words[64] = { 0, 33, 0, 0, 0, 33, 0, 0, 0, 33 };
static const char constant[64] = "constant text";
static __thread char thread_local_bytes[256];

static void test_small_and_wild_numbers_are_nobodys(void **state)
{
	int shift;

	(void)state;
	assert_nobodys_at(1);
	assert_nobodys_at(8);
	assert_nobodys_at(16);
	assert_nobodys_at(4096);
	assert_nobodys_at(0xdeadbeef);
	assert_nobodys_at(0xdeadbee0);
	assert_nobodys_at(UINTPTR_MAX);
	assert_nobodys_at(UINTPTR_MAX - 15);
	assert_nobodys_at(0x4141414141414140);
	for (shift = 4; shift < 64; shift++) {
		assert_nobodys_at(1UL << shift);
		assert_nobodys_at((1UL << shift) - 16);
		assert_nobodys_at(~0UL << shift);
	}
}

static void test_memory_of_the_program_is_nobodys(void **state)
{
	char local[256] = "local";
	long fake[64] = { 0, 33, 0, 0, 0, 33, 0, 0, 0, 33, 0, 0, 0, 33 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(local); i++) {
		assert_nobodys(local + i);
		assert_nobodys(thread_local_bytes + i);
		assert_nobodys(global_bytes + i * 16);
	}
	for (i = 0; i < sizeof(constant); i += 8)
		assert_nobodys(constant + i);
	/* What stands before these looks like the head of a chunk. */
	for (i = 0; i < array_size(fake); i++) {
		assert_nobodys(fake + i);
		assert_nobodys(global_words + i);
	}
	assert_nobodys(state);
	assert_nobodys(environ);
	assert_nobodys(environ[0]);
	assert_nobodys(stdin);
}

static void test_code_is_nobodys(void **state)
{
	void (*own)(void **) = test_code_is_nobodys;
	void *(*libc)(size_t) = malloc;
	uintptr_t addr;

	(void)state;
	memcpy(&addr, &own, sizeof(addr));
	assert_nobodys_at(addr);
	assert_nobodys_at(align_up(addr, 16));
	memcpy(&addr, &libc, sizeof(addr));
	assert_nobodys_at(addr);
	assert_nobodys_at(align_up(addr, 16));
}

static void test_mappings_of_the_program_are_nobodys(void **state)
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC,
	};
	static const int kinds[] = { MAP_PRIVATE, MAP_SHARED };
	size_t i, k, at;

	(void)state;
	for (i = 0; i < array_size(prots) * array_size(kinds); i++) {
		char *p = mmap(NULL, 4 * PAGE_SIZE, prots[i / 2],
			       kinds[i % 2] | MAP_ANONYMOUS, -1, 0);

		assert_ptr_not_equal(p, MAP_FAILED);
		for (k = 0; k < 4; k++) {
			for (at = 0; at < 64; at += 8)
				assert_nobodys(p + k * PAGE_SIZE + at);
		}
		assert_int_equal(munmap(p, 4 * PAGE_SIZE), 0);
		assert_nobodys(p);
		assert_nobodys(p + 16);
	}
}

/* The head of a mapped block, in memory that is no such block. */
static void write_mapped_head(char *page, size_t size)
{
	size_t head[2] = { 0, size | IS_MMAPPED };

	memcpy(page, head, sizeof(head));
}

static void test_a_head_that_contradicts_its_mapping_is_nobodys(void **state)
{
	char stack[3 * 4096];
	char *page = (char *)align_up((uintptr_t)stack, 4096);
	char *p;

	(void)state;
	write_mapped_head(page, 4096);
	assert_nobodys(page + 16);
	p = mmap(NULL, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	write_mapped_head(p, PAGE_SIZE);
	assert_nobodys(p + 16);
	assert_int_equal(munmap(p, 4 * PAGE_SIZE), 0);

	/* A hole in the middle; no multiple of a page; not at a page. */
	p = mmap(NULL, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(munmap(p + 2 * PAGE_SIZE, PAGE_SIZE), 0);
	write_mapped_head(p, 4 * PAGE_SIZE);
	assert_nobodys(p + 16);
	write_mapped_head(p, PAGE_SIZE + 16);
	assert_nobodys(p + 16);
	write_mapped_head(p + 32, PAGE_SIZE);
	assert_nobodys(p + 48);
	write_mapped_head(p, SIZE_MAX & ~15UL);
	assert_nobodys(p + 16);
	munmap(p, 2 * PAGE_SIZE);
	munmap(p + 3 * PAGE_SIZE, PAGE_SIZE);
}

/* A heap's head at the place where one would stand, naming no arena. */
static void test_a_heap_of_no_arena_is_nobodys(void **state)
{
	size_t size = 128UL << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *heap = (char *)align_up((uintptr_t)p, 64UL << 20);
	size_t head[3] = { (uintptr_t)heap + 64, 0, 1UL << 20 };
	size_t chunk[] = { 0, 32 | 5, 0, 0, 0, 32 | 5 };

	(void)state;
	assert_ptr_not_equal(p, MAP_FAILED);
	memcpy(heap, head, sizeof(head));
	memcpy(heap + 4096, chunk, sizeof(chunk));
	assert_nobodys(heap + 4096 + 16);
	assert_int_equal(munmap(p, size), 0);
}

static void test_the_inside_of_a_block_is_nobodys(void **state)
{
	char *small, *big, *guard;
	volatile uintptr_t freed;
	size_t i;

	(void)state;
	NEED_GLIBC();
	small = calloc(1, 4000);
	big = calloc(1, BIG);
	guard = malloc(100);
	for (i = 1; i < 4000; i++) {
		assert_nobodys(small + i);
		assert_nobodys(big + i);
	}
	assert_nobodys(big + BIG / 2);
	/* Freed and merged with a neighbour: the next block knows. */
	freed = (uintptr_t)small;
	free(small);
	assert_nobodys_at(freed);
	free(big);
	free(guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_and_wild_numbers_are_nobodys),
		cmocka_unit_test(test_memory_of_the_program_is_nobodys),
		cmocka_unit_test(test_code_is_nobodys),
		cmocka_unit_test(test_mappings_of_the_program_are_nobodys),
		cmocka_unit_test(
			test_a_head_that_contradicts_its_mapping_is_nobodys),
		cmocka_unit_test(test_a_heap_of_no_arena_is_nobodys),
		cmocka_unit_test(test_the_inside_of_a_block_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
