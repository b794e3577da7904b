/*
 * test_fault - each misuse ends with a message that says what it was. (That
 * the exported functions get here is the business of tests/death.)
 */
#include "heaps.h"

#include "malloc/huge.h"
#include "malloc/malloc.h"
#include "mm/vmscan.h"
#include "slab/fault.h"

#include <setjmp.h>
#include <sys/resource.h>

#include <cmocka.h>

static void *small(void)
{
	char *p = mem_malloc(100);

	CHECK(p);
	memset(p, 1, 100);
	return p;
}

static void double_free(void)
{
	void *p = small();

	mem_free(p);
	mem_free(p);
}

static void late_double_free(void)
{
	void *p = small();

	mem_free(p);
	heap_flush();
	mem_free(p);
}

static void double_free_of_a_run(void)
{
	void *p = mem_malloc(100000);

	mem_free(p);
	mem_free(p);
}

static void double_free_of_huge(void)
{
	void *p = mem_malloc(10 << 20);

	mem_free(p);
	mem_free(p);
}

static void test_a_double_free_is_named(void **state)
{
	(void)state;
	assert_true(child_dies(double_free, "double free of 0x"));
	assert_true(child_dies(double_free, "(size class 112, slab"));
	assert_true(child_dies(late_double_free, "double free of 0x"));
	assert_true(child_dies(double_free_of_a_run, "double free of 0x"));
	assert_true(child_dies(double_free_of_huge, "double free"));
	heap_validate();
}

static void interior_small(void)
{
	mem_free((char *)small() + 16);
}

static void interior_odd(void)
{
	mem_free((char *)small() + 1);
}

static void interior_run(void)
{
	mem_free((char *)mem_malloc(100000) + 8192);
}

static void interior_huge(void)
{
	mem_free((char *)mem_malloc(10 << 20) + (5 << 20) + 8);
}

static void test_a_pointer_into_a_block_is_told_with_the_block(void **state)
{
	(void)state;
	assert_true(child_dies(interior_small, "points 16 bytes into a block "
			       "of 112 bytes"));
	assert_true(child_dies(interior_odd, "points 1 bytes into"));
	assert_true(child_dies(interior_run, "points 8192 bytes into a block "
			       "of 114688 bytes"));
	assert_true(child_dies(interior_huge, "points 5242888 bytes into a "
			       "block of 10485760 bytes"));
	heap_validate();
}

static void never_allocated(void)
{
	mem_free(pfn_to_address(vm.nr_pages - 5));
}

static void gone_with_its_slab(void)
{
	void *p = small();

	mem_free(p);
	heap_flush();
	reclaim_all();
	mem_free(p);
}

static void a_local(void)
{
	uint64_t local[8] = { 0 };

	mem_free(local);
}

static long children_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return usage.ru_minflt;
}

static void test_a_wild_pointer_is_told(void **state)
{
	long before = children_faults();

	(void)state;
	assert_true(child_dies(never_allocated, "is not allocated"));
	/* Without a look at each page of the window before it. */
	assert_true(children_faults() - before < 50000);
	assert_true(child_dies(gone_with_its_slab, "double free"));
	assert_true(child_dies(a_local, "which zbmalloc never handed out"));
	heap_validate();
}

static void realloc_freed(void)
{
	void *p = small();

	mem_free(p);
	p = mem_realloc(p, 50);
}

static void usable_size_of_freed(void)
{
	void *p = small();

	mem_free(p);
	mem_usable_size(p);
}

static void test_the_function_that_was_called_is_named(void **state)
{
	(void)state;
	assert_true(child_dies(realloc_freed, "realloc of freed block"));
	assert_true(child_dies(usable_size_of_freed,
			       "malloc_usable_size of freed block"));
	heap_validate();
}

static void write_after_free(void)
{
	char *p = small();

	mem_free(p);
	p[0] = 1;
	for (int i = 0; i < 10000; i++)
		small();
}

static void test_a_write_after_free_is_found_at_the_next_malloc(void **state)
{
	(void)state;
	assert_true(child_dies(write_after_free, "write after free at 0x"));
	assert_true(child_dies(write_after_free, "size class 112"));
	heap_validate();
}

static void overwritten_descriptor(void)
{
	fault_bad_pointer("free", small());
}

static void test_a_message_is_one_line_and_the_end_an_abort(void **state)
{
	struct capture capture;

	(void)state;
	assert_int_equal(child_run(&capture, double_free), 128 + SIGABRT);
	assert_int_equal(strncmp(capture.text, "zbmalloc: ", 10), 0);
	assert_ptr_equal(strchr(capture.text, '\n'),
			 capture.text + strlen(capture.text) - 1);
	assert_int_equal(child_run(&capture, overwritten_descriptor),
			 128 + SIGABRT);
	heap_validate();
}

static void allocates(int number)
{
	mem_free(mem_malloc(100));
	mem_free(mem_malloc(5000));
	mem_free(mem_malloc(50000));
	_exit(number == SIGABRT ? 42 : 43);
}

static void handles_the_abort(void)
{
	signal(SIGABRT, allocates);
	late_double_free();
}

static void test_a_handler_of_the_abort_may_allocate(void **state)
{
	struct capture capture;

	(void)state;
	assert_int_equal(child_run(&capture, handles_the_abort), 42);
	heap_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_double_free_is_named),
		cmocka_unit_test(
			test_a_pointer_into_a_block_is_told_with_the_block),
		cmocka_unit_test(test_a_wild_pointer_is_told),
		cmocka_unit_test(test_the_function_that_was_called_is_named),
		cmocka_unit_test(
			test_a_write_after_free_is_found_at_the_next_malloc),
		cmocka_unit_test(
			test_a_message_is_one_line_and_the_end_an_abort),
		cmocka_unit_test(test_a_handler_of_the_abort_may_allocate),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
