/*
 * test_print - formatting, and what reaches a file descriptor.
 *
 * 1. Formats are compared with those of snprintf where both must agree.
 * 2. What is written goes into a pipe and is read back.
 */
#include "base/print.h"

#include "capture.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_like_libc(...) do { \
	char want[256], got[256]; \
	size_t want_len = (size_t)snprintf(want, sizeof(want), __VA_ARGS__); \
	assert_int_equal(print_format(got, sizeof(got), __VA_ARGS__), \
			 want_len); \
	assert_string_equal(got, want); \
} while (0)

/* The format attribute would refuse what these tests ask for. */
static size_t format_unchecked(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = print_vformat(buf, size, fmt, ap);
	va_end(ap);
	return len;
}

static void test_numbers_look_as_in_libc(void **state)
{
	(void)state;
	assert_like_libc("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
	assert_like_libc("%ld %ld", LONG_MAX, LONG_MIN);
	assert_like_libc("%u %lu %zu", UINT_MAX, ULONG_MAX, SIZE_MAX);
	assert_like_libc("%x %lx", 0xdeadbeefU, 0x123456789abcdefUL);
	assert_like_libc("%p", (void *)0x7fff12345678);
}

static void test_widths_look_as_in_libc(void **state)
{
	(void)state;
	assert_like_libc("[%5d] [%-5d] [%05d]", 42, 42, 42);
	assert_like_libc("[%5d] [%-5d] [%05d]", -42, -42, -42);
	assert_like_libc("[%2d] [%02d]", 12345, -12345);
	assert_like_libc("[%016lx] [%16lx] [%-16lx]", 255UL, 255UL, 255UL);
	assert_like_libc("[%-16p] [%16p]", (void *)16, (void *)16);
	assert_like_libc("[%8s] [%-8s] [%2s]", "four", "four", "four");
	assert_like_libc("[%3c] [%-3c]", 'x', 'y');
}

static void test_percent_and_text_are_literal(void **state)
{
	(void)state;
	assert_like_libc("100%% of %s%c", "it", '!');
	assert_like_libc("no conversion");
}

static void test_unknown_conversions_stand_as_they_are(void **state)
{
	char buf[64];

	(void)state;
	format_unchecked(buf, sizeof(buf), "%q %5k %-l! %");
	assert_string_equal(buf, "%q %5k %-l! %");
}

static void test_null_string_is_named(void **state)
{
	char buf[64];
	const char *volatile null = NULL;

	(void)state;
	print_format(buf, sizeof(buf), "<%s>", null);
	assert_string_equal(buf, "<(null)>");
}

static void test_short_buffers_are_cut_and_the_need_is_told(void **state)
{
	char buf[8];

	(void)state;
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(print_format(buf, 5, "%s", "0123456789"), 10);
	assert_string_equal(buf, "0123");
	assert_int_equal(buf[5], 'x');
	assert_int_equal(print_format(buf, 1, "%d", 77), 2);
	assert_string_equal(buf, "");
	buf[0] = 'x';
	assert_int_equal(print_format(buf, 0, "%d", 77), 2);
	assert_int_equal(buf[0], 'x');
}

static struct capture capture;
static const char *const printed = capture.text;

static size_t message_capture(const char *argument)
{
	capture_begin(&capture);
	print_message("about %s", argument);
	capture_end(&capture);
	return strlen(printed);
}

static void test_a_message_is_one_line_with_our_name(void **state)
{
	(void)state;
	message_capture("something");
	assert_string_equal(printed, "zbmalloc: about something\n");
}

static void test_a_long_message_is_cut_but_keeps_its_newline(void **state)
{
	char argument[2048];
	size_t len, overhead = strlen("zbmalloc: about \n");

	(void)state;
	memset(argument, 'a', sizeof(argument));
	argument[sizeof(argument) - 1] = '\0';
	len = message_capture(argument);
	assert_int_equal(len, 1023);
	assert_string_equal(printed + len - 5, "a...\n");

	/* The longest that is not cut, and one more. */
	argument[1023 - overhead] = '\0';
	len = message_capture(argument);
	assert_int_equal(len, 1023);
	assert_string_equal(printed + len - 5, "aaaa\n");
	argument[1023 - overhead] = 'a';
	argument[1024 - overhead] = '\0';
	len = message_capture(argument);
	assert_int_equal(len, 1023);
	assert_string_equal(printed + len - 5, "a...\n");
}

static void test_print_fd_writes_the_text_and_nothing_else(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	print_fd(fds[1], "%s %d", "value", 5);
	close(fds[1]);
	capture_drain(&capture, fds[0]);
	assert_string_equal(printed, "value 5");
}

static void test_printing_leaves_errno_alone(void **state)
{
	(void)state;
	errno = ENOTTY;
	print_fd(-1, "nobody reads this");
	assert_int_equal(errno, ENOTTY);
}

/*
 * The pipe is full before the child reads it, so that write(2) has to
 * deliver a large text in several pieces.
 */
static void test_print_write_delivers_all_of_a_large_text(void **state)
{
	enum { SIZE = 1 << 20 };
	size_t total = 0;
	char *text = calloc(1, SIZE);
	char piece[4096];
	int fds[2], status;
	ssize_t got;
	pid_t child;

	(void)state;
	assert_non_null(text);
	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		close(fds[0]);
		print_write(fds[1], text, SIZE);
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], piece, sizeof(piece))) > 0)
		total += (size_t)got;
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(total, SIZE);
	free(text);
}

static void child_fatal(void)
{
	print_fatal("free of %p", (void *)0x1234);
}

static void child_assert(void)
{
	base_assert_failed("file.c", 7, "one == two");
}

/* Runs `die` in a child and returns its wait status. */
static int death_capture(void (*die)(void))
{
	const struct rlimit no_core = { 0, 0 };
	int fds[2], status;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		setrlimit(RLIMIT_CORE, &no_core);
		/* cmocka catches it; a program of a user does not */
		signal(SIGABRT, SIG_DFL);
		dup2(fds[1], STDERR_FILENO);
		die();
		_exit(0);
	}
	close(fds[1]);
	capture_drain(&capture, fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void test_fatal_prints_one_line_and_aborts(void **state)
{
	int status;

	(void)state;
	status = death_capture(child_fatal);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_string_equal(printed, "zbmalloc: free of 0x1234\n");
}

static void test_a_failed_assertion_says_where_and_what(void **state)
{
	int status;

	(void)state;
	status = death_capture(child_assert);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(printed, "file.c:7: "));
	assert_non_null(strstr(printed, "one == two\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_look_as_in_libc),
		cmocka_unit_test(test_widths_look_as_in_libc),
		cmocka_unit_test(test_percent_and_text_are_literal),
		cmocka_unit_test(test_unknown_conversions_stand_as_they_are),
		cmocka_unit_test(test_null_string_is_named),
		cmocka_unit_test(
			test_short_buffers_are_cut_and_the_need_is_told),
		cmocka_unit_test(test_a_message_is_one_line_with_our_name),
		cmocka_unit_test(
			test_a_long_message_is_cut_but_keeps_its_newline),
		cmocka_unit_test(
			test_print_fd_writes_the_text_and_nothing_else),
		cmocka_unit_test(test_printing_leaves_errno_alone),
		cmocka_unit_test(
			test_print_write_delivers_all_of_a_large_text),
		cmocka_unit_test(test_fatal_prints_one_line_and_aborts),
		cmocka_unit_test(test_a_failed_assertion_says_where_and_what),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
