/*
 * test_info - malloc_info writes well-formed XML that has the figures in it.
 */
#include "base/print.h"
#include "malloc/introspect.h"

#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NR_BLOCKS	7
#define HUGE_SIZE	(5UL << 20)	/* bytes */

static void *blocks[NR_BLOCKS];
static char text[1 << 16];

static void allocate(size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		blocks[i] = mem_malloc(size);
		assert_non_null(blocks[i]);
	}
}

static void release(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		mem_free(blocks[i]);
}

/* The rest after an element and its content; NULL: not well-formed. */
static const char *xml_skip(const char *at, int *nr_elements)
{
	char name[32];
	size_t len = 0;

	if (*at++ != '<')
		return NULL;
	while (len < sizeof(name) - 1 && ((*at >= 'a' && *at <= 'z') ||
					  *at == '_'))
		name[len++] = *at++;
	name[len] = '\0';
	while (*at == ' ') {
		at += 1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");
		if (at[0] != '=' || at[1] != '"')
			return NULL;
		at += 2;
		at += strcspn(at, "\"<>&");
		if (*at++ != '"')
			return NULL;
	}
	++*nr_elements;
	if (at[0] == '/' && at[1] == '>')
		return at + 2;
	if (!len || *at++ != '>')
		return NULL;
	for (;;) {
		at += strcspn(at, "<>&");
		if (at[0] != '<')
			return NULL;
		if (at[1] == '/')
			break;
		at = xml_skip(at, nr_elements);
		if (!at)
			return NULL;
	}
	at += 2;
	return strncmp(at, name, len) || at[len] != '>' ? NULL : at + len + 1;
}

static int xml_count(const char *xml)
{
	int nr_elements = 0;
	const char *end = xml_skip(xml, &nr_elements);

	return end && !strcmp(end, "\n") ? nr_elements : -1;
}

static void test_the_xml_checker_finds_what_is_wrong(void **state)
{
	static const char *const wrong[] = {
		"<a>\n", "<a></b>\n", "<a></ab>\n", "<a b=1/>\n", "<a b=\"/>\n",
		"<a>&</a>\n", "<a/><b/>\n", "<a><b></a></b>\n", "a\n", "<>\n",
		"<a></a>", "<a b=\"1\"c=\"2\"/>\n",
	};

	(void)state;
	for (size_t i = 0; i < array_size(wrong); i++)
		assert_int_equal(xml_count(wrong[i]), -1);
	assert_int_equal(xml_count("<a>x<b c=\"1\" d=\"2\"/> <c></c></a>\n"),
			 3);
}

static void info_to_text(void)
{
	FILE *stream = fmemopen(text, sizeof(text), "w");

	assert_non_null(stream);
	assert_int_equal(mem_info(0, stream), 0);
	fclose(stream);
}

static void assert_text_has(const char *fmt, size_t n)
{
	char wanted[200];

	print_format(wanted, sizeof(wanted), fmt, n);
	if (!strstr(text, wanted))
		fail_msg("'%s' is missing in:\n%s", wanted, text);
}

static void test_malloc_info_is_well_formed_and_tells_the_figures(void **state)
{
	struct mallinfo2 info;
	struct figures after;

	(void)state;
	for (unsigned int i = 0; heap_start() && i < NR_CLASSES; i++) {
		allocate(NR_BLOCKS, size_classes[i].size);
		release(0, NR_BLOCKS);
	}
	allocate(NR_BLOCKS, HUGE_SIZE);
	release(3, NR_BLOCKS);
	figures_gather(&after);
	info = mem_mallinfo2();
	info_to_text();
	/* The classes, and 14 others, without the free blocks. */
	assert_true(xml_count(text) > NR_CLASSES + 14);
	assert_ptr_equal(strstr(text, "<malloc version=\"1\">"), text);
	assert_text_has("<total type=\"mmap\" count=\"%zu\"", info.hblks);
	assert_text_has("<system type=\"current\" size=\"%zu\"/>", info.arena);
	assert_text_has("<system type=\"max\" size=\"%zu\"/>", info.usmblks);
	assert_text_has("<aspace type=\"total\" size=\"%zu\"/>",
			after.zones.managed << PAGE_SHIFT);
	assert_text_has(" bytes=\"%zu\"/>\n</classes>", after.huge.live_bytes);
	assert_text_has("<class size=\"16\" mallocs=\"%zu\"",
			after.class[0].nr_alloc);
	assert_text_has("<class size=\"2097152\" mallocs=\"%zu\"", NR_BLOCKS);
	assert_text_has(" dirty=\"%zu\"", after.zones.free_dirty);
	release(0, 3);
}

static void test_malloc_info_knows_no_options(void **state)
{
	FILE *stream = fmemopen(text, sizeof(text), "w");

	(void)state;
	text[0] = '\0';
	assert_int_equal(mem_info(1, stream), EINVAL);
	assert_int_equal(mem_info(INT_MIN, stream), EINVAL);
	fclose(stream);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_xml_checker_finds_what_is_wrong),
		cmocka_unit_test(
			test_malloc_info_is_well_formed_and_tells_the_figures),
		cmocka_unit_test(test_malloc_info_knows_no_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
