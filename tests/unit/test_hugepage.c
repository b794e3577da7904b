/*
 * test_hugepage - who asks for huge pages, and until when.
 *
 * Where the system's setting is "never" nobody asks: the tests then see to
 * that.
 */
#include "heaps.h"

#include "malloc/huge.h"
#include "malloc/introspect.h"
#include "mappings.h"
#include "mm/hotplug.h"
#include "mm/hugepage.h"
#include "mm/migrate.h"

#include <setjmp.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#define SIZE	(9UL << 20)	/* bytes */
#define GROWN	(HUGEPAGES_GROWN << PAGE_SHIFT)	/* bytes */

/* Pageblocks. */
static size_t nr_asking(void)
{
	struct zone_figures figures;
	size_t n = 0;

	for (uint32_t i = 0; i < nr_online_sections; i++)
		n += (size_t)__builtin_popcount(section_at(i)->hugepages);
	figures_of_zone(&figures, zones);
	assert_int_equal(figures.asking, n * PAGEBLOCK_PAGES);
	return n;
}

static void finish(void)
{
	mem_trim(0);
	assert_int_equal(nr_asking(), 0);
	heap_validate();
}

static void write_and_free(size_t written)
{
	char *p = mem_malloc(SIZE);

	assert_non_null(p);
	memset(p, 1, written);
	mem_free(p);
}

/* A program that writes all of its large blocks. After one that did not,
 * nobody looks at the next few. */
static void write_blocks(void)
{
	for (int i = 0; i < 30; i++)
		write_and_free(SIZE);
}

/* Objects that take so many bytes, each naming the one before. */
static void *objects_take(void *last, size_t size, size_t bytes)
{
	for (size_t n = bytes / size; n; n--) {
		void *p = mem_malloc(size);

		assert_non_null(p);
		*(void **)p = last;
		last = p;
	}
	return last;
}

static void objects_drop(void *last)
{
	for (void *next; last; last = next) {
		next = *(void **)last;
		mem_free(last);
	}
}

static void test_slabs_of_a_heap_that_has_grown_ask(void **state)
{
	void *last;

	(void)state;
	mem_trim(0);
	last = objects_take(NULL, 64, GROWN / 2);
	assert_int_equal(nr_asking(), 0);
	last = objects_take(last, 64, 2 * GROWN);
	/* Pages for two refills are there before the zone has grown. */
	if (hugepages_wanted())
		assert_in_range(nr_asking(), GROWN / PAGEBLOCK_SIZE,
				2 * GROWN / PAGEBLOCK_SIZE);
	else
		assert_int_equal(nr_asking(), 0);
	heap_validate();
	objects_drop(last);
	finish();
}

/* They need not touch all of their pages. */
static void test_slabs_of_large_objects_do_not_ask(void **state)
{
	void *last;

	(void)state;
	mem_trim(0);
	last = objects_take(NULL, 2 * PAGE_SIZE, 2 * GROWN);
	assert_int_equal(nr_asking(), 0);
	objects_drop(last);
	finish();
}

static void test_pages_ask_until_they_are_purged(void **state)
{
	char *p;
	uint32_t pfn;
	size_t n = SIZE >> PAGE_SHIFT;

	(void)state;
	if (!hugepages_wanted())
		skip();
	p = mem_malloc(SIZE);
	pfn = address_to_pfn(p);
	hugepages_ask(pfn, n);
	assert_in_range(nr_asking(), SIZE / PAGEBLOCK_SIZE,
			SIZE / PAGEBLOCK_SIZE + 2);
	memset(p, 1, SIZE);
	/* One page is enough for its whole pageblock. */
	assert_true(pages_purge(pfn + PAGEBLOCK_PAGES, 1));
	assert_in_range(nr_asking(), SIZE / PAGEBLOCK_SIZE - 1,
			SIZE / PAGEBLOCK_SIZE + 1);
	assert_int_equal(p[PAGEBLOCK_SIZE], 0);
	assert_int_equal(p[PAGEBLOCK_SIZE + PAGE_SIZE], 1);
	mem_free(p);
	finish();
}

/* By the system's setting and by what the kernel was told of it. */
static bool may_be_huge(const void *address)
{
	char flags[MAPPING_LINE], setting[64];

	mapping_line(address, "VmFlags:", flags);
	if (!flags[0] || os_read_file("/sys/kernel/mm/transparent_hugepage/"
				      "enabled", setting, sizeof(setting)) < 0)
		skip();
	if (strstr(setting, "[always]"))
		return !strstr(flags, " nh");
	return strstr(setting, "[madvise]") && strstr(flags, " hg");
}

/* Whatever the system gives to who does not ask. */
static void test_who_does_not_ask_gets_none(void **state)
{
	char *p = mem_malloc(SIZE);

	(void)state;
	hugepages_drop(address_to_pfn(p), SIZE >> PAGE_SHIFT);
	assert_false(may_be_huge(p + PAGEBLOCK_SIZE));
	hugepages_ask(address_to_pfn(p), SIZE >> PAGE_SHIFT);
	assert_int_equal(may_be_huge(p + PAGEBLOCK_SIZE), hugepages_wanted());
	mem_free(p);
	finish();
}

/* The machine's count of an event; 0: unknown. */
static long vmstat(const char *name)
{
	FILE *file = fopen("/proc/vmstat", "r");
	char line[128], key[64];
	long value, found = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %ld", key, &value) == 2 &&
		    !strcmp(key, name))
			found = value;
	if (file)
		fclose(file);
	return found;
}

/* Purges a page of the i-th whole pageblock of a block of SIZE bytes. False:
 * it was in no huge page. */
static bool purge_one(const char *block, size_t i)
{
	size_t pfn = align_up((size_t)address_to_pfn(block), PAGEBLOCK_PAGES);
	size_t before = mappings_huge(block, SIZE);
	long split = vmstat("thp_split_page");

	pfn += i * PAGEBLOCK_PAGES + 1;
	assert_true(pages_purge((uint32_t)pfn, 1));
	if (mappings_huge(block, SIZE) == before)
		return false;
	assert_int_equal(mappings_huge(block, SIZE), before - PAGEBLOCK_SIZE);
	/* Else it is as large as before to the machine. Others may have some
	 * split as well: it is tried with several. */
	assert_true(vmstat("thp_split_page") > split);
	return true;
}

static void test_a_huge_page_is_split_when_a_part_is_purged(void **state)
{
	char *p = mem_malloc(SIZE);
	bool splits = !madvise(p, PAGE_SIZE, MADV_COLD);
	int n = 0;

	(void)state;
	if (hugepages_wanted() && splits) {
		hugepages_ask(address_to_pfn(p), SIZE >> PAGE_SHIFT);
		memset(p, 1, SIZE);
		for (size_t i = 0; i < SIZE / PAGEBLOCK_SIZE - 1; i++)
			n += purge_one(p, i);
	}
	mem_free(p);
	finish();
	/* The system may have none to give. */
	if (!n)
		skip();
}

static void test_large_blocks_that_are_written_ask(void **state)
{
	(void)state;
	write_blocks();
	write_and_free(0);
	assert_int_equal(nr_asking() > 0, hugepages_wanted());
	finish();
}

/* Else its last pageblock would be two mappings, which do not move. */
static void test_the_end_of_a_large_block_does_not_ask(void **state)
{
	uint32_t pfn;
	char *p;

	(void)state;
	write_blocks();
	p = mem_malloc(SIZE);
	pfn = address_to_pfn(p);
	assert_int_equal(hugepages_asked(pfn), hugepages_wanted());
	assert_false(hugepages_asked(pfn + (SIZE >> PAGE_SHIFT) - 1));
	mem_free(p);
	finish();
}

static void test_blocks_that_are_not_written_ask_no_more(void **state)
{
	(void)state;
	mem_trim(0);
	for (int i = 0; i < 8; i++) {
		write_and_free(SIZE / 2);
		mem_trim(0);
	}
	write_and_free(0);
	assert_int_equal(nr_asking(), 0);
	heap_validate();
}

static void test_a_block_that_asked_grows(void **state)
{
	char *p;

	(void)state;
	write_blocks();
	p = mem_malloc(SIZE);
	assert_int_equal(nr_asking() > 0, hugepages_wanted());
	for (size_t size = SIZE; size < 100UL << 20; size *= 2) {
		memset(p, 1, size);
		p = mem_realloc(p, 2 * size);
		assert_non_null(p);
		for (size_t i = 0; i < size; i += 4000)
			assert_int_equal(p[i], 1);
	}
	mem_free(p);
	finish();
}

static void test_pages_that_wait_for_the_host_pause(void **state)
{
	void *last;

	(void)state;
	mem_trim(0);
	if (!hugepages_wanted())
		skip();
	hugepages_note(hugepages_slow_us - 1);
	assert_true(hugepages_may_ask(1));
	hugepages_note(hugepages_slow_us);
	last = objects_take(NULL, 64, GROWN + 24 * PAGEBLOCK_SIZE);
	assert_int_equal(nr_asking(), 0);
	/* Until so many have done without. */
	assert_false(hugepages_may_ask(HUGEPAGES_PAUSE * PAGEBLOCK_PAGES));
	assert_true(hugepages_may_ask(1));
	last = objects_take(last, 64, 8 * PAGEBLOCK_SIZE);
	assert_true(nr_asking() > 0);
	objects_drop(last);
	finish();
}

static void test_slabs_do_without_where_a_touch_is_dear(void **state)
{
	void *last;

	(void)state;
	mem_trim(0);
	hugepages_dear_ns = 1;
	last = objects_take(NULL, 64, 2 * GROWN);
	assert_int_equal(nr_asking(), 0);
	hugepages_dear_ns = UINT64_MAX;
	last = objects_take(last, 64, GROWN);
	assert_int_equal(nr_asking() > 0, hugepages_wanted());
	objects_drop(last);
	finish();
}

static void test_the_first_touch_of_a_large_block_tells(void **state)
{
	char *p;

	(void)state;
	write_blocks();
	mem_trim(0);
	hugepages_slow_us = 1;
	p = mem_malloc(SIZE);
	assert_int_equal(nr_asking(), hugepages_wanted() ? 1 : 0);
	mem_free(p);
	hugepages_slow_us = UINT64_MAX;
	/* The pause is over when so many have done without. */
	hugepages_may_ask(HUGEPAGES_PAUSE * PAGEBLOCK_PAGES);
	finish();
}

static void test_what_asks_moves_with_the_pages(void **state)
{
	char *p = mem_malloc(SIZE), *q = mem_malloc(SIZE);
	uint32_t from = address_to_pfn(p), to = address_to_pfn(q);

	(void)state;
	hugepages_ask(from, SIZE >> PAGE_SHIFT);
	hugepages_drop(to, SIZE >> PAGE_SHIFT);
	if (migrate_pages(from, to, SIZE >> PAGE_SHIFT) == MIGRATE_DONE)
		assert_false(hugepages_asked(from));
	else
		hugepages_ask(to, SIZE >> PAGE_SHIFT);
	assert_true(hugepages_asked(to));
	mem_free(p);
	mem_free(q);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slabs_of_a_heap_that_has_grown_ask),
		cmocka_unit_test(test_slabs_of_large_objects_do_not_ask),
		cmocka_unit_test(test_pages_ask_until_they_are_purged),
		cmocka_unit_test(test_who_does_not_ask_gets_none),
		cmocka_unit_test(
			test_a_huge_page_is_split_when_a_part_is_purged),
		cmocka_unit_test(test_large_blocks_that_are_written_ask),
		cmocka_unit_test(test_the_end_of_a_large_block_does_not_ask),
		cmocka_unit_test(
			test_blocks_that_are_not_written_ask_no_more),
		cmocka_unit_test(test_a_block_that_asked_grows),
		cmocka_unit_test(test_slabs_do_without_where_a_touch_is_dear),
		cmocka_unit_test(
			test_the_first_touch_of_a_large_block_tells),
		cmocka_unit_test(test_what_asks_moves_with_the_pages),
		cmocka_unit_test(test_pages_that_wait_for_the_host_pause),
	};

	/* However long this machine's take. */
	hugepages_slow_us = hugepages_dear_ns = UINT64_MAX;
	return cmocka_run_group_tests(tests, start, NULL);
}
