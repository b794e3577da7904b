/*
 * test_thp - what the kernel is told of the library's memory with each value of
 * the option thp.
 *
 * 1. That is decided once in a process, so each is tried in a child.
 * 2. What it was told are flags of the mapping, "hg" and "nh"; whether it gives
 *    a huge page is the kernel's to say, and the system's setting.
 */
#include "world.h"

#include "mappings.h"
#include "mm/hugepage.h"

#include <setjmp.h>

#include <cmocka.h>

#define SETTING	"/sys/kernel/mm/transparent_hugepage/enabled"

/* A zone that has grown by sections, some of them before and some after what
 * was decided for the first. */
static void decide(enum thp_mode thp, bool huge, bool none)
{
	struct page *page[3];
	char flags[MAPPING_LINE];

	world_start(16 * SECTION_SIZE);
	options.thp = thp;
	for (size_t i = 0; i < array_size(page); i++) {
		page[i] = alloc_pages(NULL, GFP_USER, MAX_PAGE_ORDER);
		CHECK(page[i]);
		mapping_line(page_address(page[i]), "VmFlags:", flags);
		CHECK(flags[0]);
		CHECK(!strstr(flags, " hg") == !huge);
		CHECK(!strstr(flags, " nh") == !none);
	}
}

static void never_asks(void)
{
	decide(THP_NEVER, false, true);
	CHECK(!hugepages_wanted() && !hugepages_may_ask(1));
}

static void always_asks(void)
{
	decide(THP_ALWAYS, true, false);
	CHECK(!hugepages_wanted());
}

static void leaves_it_to_the_system(void)
{
	decide(THP_SYSTEM, false, false);
	CHECK(!hugepages_wanted() && !hugepages_may_ask(1));
}

/* Where each asks for itself others have none, or are not told anything. */
static void asks_for_some(void)
{
	char setting[64];

	os_init();
	CHECK(os_read_file(SETTING, setting, sizeof(setting)) > 0);
	if (strstr(setting, "[always]"))
		return;
	decide(THP_AUTO, false, false);
	CHECK(hugepages_wanted() == !!strstr(setting, "[madvise]"));
}

/* The kernel knows of huge pages, and of what it was told. */
static bool kernel_tells;

static int start(void **state)
{
	size_t size = 4UL << 20;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char flags[MAPPING_LINE];

	(void)state;
	assert_true(p != MAP_FAILED);
	if (!madvise(p, size, MADV_HUGEPAGE)) {
		mapping_line(p, "VmFlags:", flags);
		kernel_tells = strstr(flags, " hg") != NULL;
	}
	munmap(p, size);
	return 0;
}

static void test_never_tells_the_kernel_to_give_none(void **state)
{
	(void)state;
	if (!kernel_tells)
		skip();
	assert_true(child_succeeds(never_asks));
}

static void test_always_asks_for_all_memory(void **state)
{
	(void)state;
	if (!kernel_tells)
		skip();
	assert_true(child_succeeds(always_asks));
}

static void test_system_tells_the_kernel_nothing(void **state)
{
	(void)state;
	if (!kernel_tells)
		skip();
	assert_true(child_succeeds(leaves_it_to_the_system));
}

static void test_auto_tells_the_kernel_later(void **state)
{
	(void)state;
	if (!kernel_tells)
		skip();
	assert_true(child_succeeds(asks_for_some));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_tells_the_kernel_to_give_none),
		cmocka_unit_test(test_always_asks_for_all_memory),
		cmocka_unit_test(test_system_tells_the_kernel_nothing),
		cmocka_unit_test(test_auto_tells_the_kernel_later),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
