/*
 * test_stats - the text of malloc_stats and of the report at exit.
 */
#include "base/print.h"
#include "malloc/introspect.h"
#include "malloc/stats.h"
#include "os/os.h"

#include "capture.h"

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NR_BLOCKS	300
#define HUGE_SIZE	(5UL << 20)	/* bytes */

/* Sanitizers need several times the stack. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STACK_SIZE	(16UL * PTHREAD_STACK_MIN)
#else
#define STACK_SIZE	((size_t)PTHREAD_STACK_MIN)
#endif

static struct figures after;
static void *blocks[NR_BLOCKS];
static struct capture capture;

static void allocate(size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		blocks[i] = mem_malloc(size);
		assert_non_null(blocks[i]);
	}
}

static void test_numbers_are_for_people(void **state)
{
	char buf[STATS_NUMBER];

	(void)state;
	assert_string_equal(stats_number(buf, 0), "0");
	assert_string_equal(stats_number(buf, 999), "999");
	assert_string_equal(stats_number(buf, 1000), "1,000");
	assert_string_equal(stats_number(buf, 1234567), "1,234,567");
	assert_string_equal(stats_number(buf, UINT64_MAX),
			    "18,446,744,073,709,551,615");
	assert_string_equal(stats_bytes(buf, 1023), "1023 B");
	assert_string_equal(stats_bytes(buf, 1024), "1.0 KiB");
	assert_string_equal(stats_bytes(buf, 1536), "1.5 KiB");
	assert_string_equal(stats_bytes(buf, (1UL << 20) - 1), "1.0 MiB");
	assert_string_equal(stats_bytes(buf, 1047552), "1023.0 KiB");
	assert_string_equal(stats_bytes(buf, 12UL << 30), "12.0 GiB");
	assert_string_equal(stats_bytes(buf, UINT64_MAX), "16.0 EiB");
}

/* What stands behind the last of `label` in the captured text. */
static void assert_line(const char *label, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void assert_line(const char *label, const char *fmt, ...)
{
	const char *at = strstr(capture.text, label);
	char wanted[200];
	va_list ap;

	va_start(ap, fmt);
	print_vformat(wanted, sizeof(wanted), fmt, ap);
	va_end(ap);
	if (!at || !strstr(at, wanted))
		fail_msg("no '%s' with '%s' in:\n%s", label, wanted,
			 capture.text);
}

static void test_stats_show_the_figures(void **state)
{
	char a[STATS_NUMBER], b[STATS_NUMBER];

	(void)state;
	allocate(NR_BLOCKS, 48);
	blocks[0] = mem_malloc(HUGE_SIZE);
	figures_gather(&after);
	errno = 4242;
	capture_begin(&capture);
	mem_stats();
	capture_end(&capture);
	assert_int_equal(errno, 4242);
	assert_ptr_equal(strstr(capture.text, "calls "), capture.text);
	assert_line("calls", "at least %s mallocs, %s frees\n",
		    stats_number(a, after.nr_alloc),
		    stats_number(b, after.nr_free));
	assert_line("live", "%s in %s blocks",
		    stats_bytes(a, after.live_bytes),
		    stats_number(b, after.nr_live));
	assert_line("pages", "%s used (peak %s)",
		    stats_bytes(a, after.zones.used << PAGE_SHIFT),
		    stats_bytes(b, after.zones.peak_used << PAGE_SHIFT));
	assert_line("\n       48 ", " %s ",
		    stats_number(a, after.class[2].nr_alloc));
	assert_line("\n     huge ", " %s ",
		    stats_number(a, after.huge.nr_alloc));
	assert_line("\nnode 0, zone Normal: ", "%s\n",
		    stats_bytes(a, after.zones.managed << PAGE_SHIFT));
	assert_non_null(strstr(capture.text, "free blocks    unmovable"));
	for (const char *at = capture.text; *at; at = strchr(at, '\n') + 1)
		assert_true(strcspn(at, "\n") <= 80);
}

/* Everything that the kernel may refuse has a name, also when all of it is. */
static void test_stats_name_what_was_refused(void **state)
{
	uint64_t before[NR_OS_REFUSALS];

	(void)state;
	memcpy(before, os.refused, sizeof(before));
	for (size_t i = 0; i < NR_OS_REFUSALS; i++)
		os.refused[i] = 1000 + i;
	capture_begin(&capture);
	mem_stats();
	capture_end(&capture);
	memcpy(os.refused, before, sizeof(before));
	for (size_t i = 0; i < NR_OS_REFUSALS; i++)
		assert_line("\nrefused ", "%s, 1,00%zu times\n",
			    os_refusal_names[i], i);
	assert_null(strstr(capture.text, "(null)"));
}

/* Pieces of whole lines, whatever the size of the buffer. */
static void test_stats_are_the_same_through_a_small_buffer(void **state)
{
	static struct capture small;
	char buf[128], large[16384];

	(void)state;
	capture_begin(&capture);
	stats_print(STDERR_FILENO, large, sizeof(large));
	capture_end(&capture);
	capture_begin(&small);
	stats_print(STDERR_FILENO, buf, sizeof(buf));
	capture_end(&small);
	/* The process has other page faults now, which stand before it. */
	assert_string_equal(strstr(small.text, "\n\n"),
			    strstr(capture.text, "\n\n"));
	assert_true(strlen(capture.text) > 1000);
}

static void *thread_look(void *arg)
{
	FILE *stream = arg;

	mem_stats();
	mem_info(0, stream);
	mem_mallinfo2();
	mem_trim(0);
	return NULL;
}

static void test_looking_needs_no_more_than_the_smallest_stack(void **state)
{
	FILE *stream = fopen("/dev/null", "w");
	pthread_attr_t attr;
	pthread_t thread;

	(void)state;
	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_setstacksize(&attr, STACK_SIZE), 0);
	capture_begin(&capture);
	assert_int_equal(pthread_create(&thread, &attr, thread_look, stream),
			 0);
	pthread_join(thread, NULL);
	capture_end(&capture);
	assert_non_null(strstr(capture.text, "zone Normal"));
	fclose(stream);
	figures_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_for_people),
		cmocka_unit_test(test_stats_show_the_figures),
		cmocka_unit_test(test_stats_name_what_was_refused),
		cmocka_unit_test(
			test_stats_are_the_same_through_a_small_buffer),
		cmocka_unit_test(
			test_looking_needs_no_more_than_the_smallest_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
