/*
 * test_probe - looking at addresses that may not be there.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/param.h"
#include "os/probe.h"

#define NR_PAGES	8
#define NR_MAPPINGS	300	/* the list of them is longer than a buffer */

static char *map_pages(size_t nr_pages, int prot, int flags)
{
	char *p = mmap(NULL, nr_pages * PAGE_SIZE, prot, flags, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void test_only_what_is_readable_is_read(void **state)
{
	static const uintptr_t wild[] = {
		0, 1, 7, 8, 16, 4088, 0xdeadbeef, 1UL << 47, 1UL << 63,
		UINTPTR_MAX, UINTPTR_MAX - 7,
	};
	char *p = map_pages(3, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS);
	uintptr_t at = (uintptr_t)p;
	uintptr_t word = 0x1122334455667788, got = 0;
	size_t i;

	(void)state;
	memcpy(p + PAGE_SIZE - 8, &word, sizeof(word));
	assert_int_equal(mprotect(p + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
	assert_int_equal(munmap(p + 2 * PAGE_SIZE, PAGE_SIZE), 0);
	errno = 4711;
	assert_true(probe_read(at + PAGE_SIZE - 8, &got));
	assert_int_equal(got, word);
	assert_int_equal(probe_word(at + PAGE_SIZE - 8), word);
	for (i = 0; i < PAGE_SIZE; i++)
		assert_true(probe_readable(at + i));
	for (i = PAGE_SIZE; i < 3 * PAGE_SIZE; i++)
		assert_false(probe_readable(at + i));
	assert_false(probe_read(at + PAGE_SIZE, &got));
	for (i = 0; i < array_size(wild); i++)
		assert_false(probe_readable(wild[i]));
	assert_int_equal(got, word);
	assert_int_equal(errno, 4711);
	munmap(p, 2 * PAGE_SIZE);
}

static void test_the_signal_mask_stays(void **state)
{
	sigset_t before, after;
	uintptr_t ones = UINTPTR_MAX, got;
	int i;

	(void)state;
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &before), 0);
	assert_true(probe_read((uintptr_t)&ones, &got));
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &after), 0);
	for (i = 1; i < NSIG; i++)
		assert_int_equal(sigismember(&after, i),
				 sigismember(&before, i));
}

static void test_anonymous_memory_is_told_from_other(void **state)
{
	char local[64];
	char *p = map_pages(NR_PAGES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS);
	char *shared = map_pages(1, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS);
	uintptr_t at = (uintptr_t)p;
	uintptr_t end = at + NR_PAGES * PAGE_SIZE;
	void (*code)(void **) = test_anonymous_memory_is_told_from_other;
	uintptr_t function;

	(void)state;
	memcpy(&function, &code, sizeof(function));
	local[0] = 1;
	errno = 4711;
	assert_true(probe_anonymous(at, end));
	assert_true(probe_anonymous(at + 1, end - 1));
	assert_true(probe_anonymous(at + PAGE_SIZE, at + 2 * PAGE_SIZE));
	assert_false(probe_anonymous((uintptr_t)shared,
				     (uintptr_t)shared + PAGE_SIZE));
	assert_false(probe_anonymous((uintptr_t)local, (uintptr_t)local + 1));
	assert_false(probe_anonymous(function, function + 1));
	assert_false(probe_anonymous((uintptr_t)sbrk(0) - 1,
				     (uintptr_t)sbrk(0)));
	assert_false(probe_anonymous(16, 32));
	assert_false(probe_anonymous(at, UINTPTR_MAX));
	assert_int_equal(errno, 4711);

	/* Several mappings in a row; then one that cannot be written. */
	assert_int_equal(madvise(p + PAGE_SIZE, PAGE_SIZE, MADV_DONTFORK), 0);
	assert_true(probe_anonymous(at, end));
	assert_int_equal(mprotect(p + 3 * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	assert_false(probe_anonymous(at, end));
	assert_true(probe_anonymous(at, at + 3 * PAGE_SIZE));
	assert_true(probe_anonymous(at + 4 * PAGE_SIZE, end));
	/* A hole. */
	assert_int_equal(munmap(p + 3 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_false(probe_anonymous(at, end));
	assert_int_equal(munmap(p, 3 * PAGE_SIZE), 0);
	assert_int_equal(munmap(p + 4 * PAGE_SIZE, 4 * PAGE_SIZE), 0);
	assert_int_equal(munmap(shared, PAGE_SIZE), 0);
}

static void test_memory_with_a_name_is_still_anonymous(void **state)
{
	char *p = map_pages(1, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS);
	uintptr_t at = (uintptr_t)p;

	(void)state;
	/* Kernels may lack it; then the mapping has no name. */
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, PAGE_SIZE, "a name");
	assert_true(probe_anonymous(at, at + PAGE_SIZE));
	assert_int_equal(munmap(p, PAGE_SIZE), 0);
}

/* Lines that the buffer cuts anywhere. */
static void test_a_long_list_of_mappings_is_read(void **state)
{
	char *pages[NR_MAPPINGS];
	size_t i;

	(void)state;
	for (i = 0; i < NR_MAPPINGS; i++)
		pages[i] = map_pages(1 + i % 3,
				     i % 2 ? PROT_READ :
				     PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS);
	for (i = 0; i < NR_MAPPINGS; i++)
		assert_int_equal(probe_anonymous((uintptr_t)pages[i],
						 (uintptr_t)pages[i] +
						 (1 + i % 3) * PAGE_SIZE),
				 i % 2 == 0);
	for (i = 0; i < NR_MAPPINGS; i++)
		assert_int_equal(munmap(pages[i], (1 + i % 3) * PAGE_SIZE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_is_readable_is_read),
		cmocka_unit_test(test_the_signal_mask_stays),
		cmocka_unit_test(test_anonymous_memory_is_told_from_other),
		cmocka_unit_test(test_memory_with_a_name_is_still_anonymous),
		cmocka_unit_test(test_a_long_list_of_mappings_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
