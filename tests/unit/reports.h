/*
 * reports - a child of the test that starts and ends as a program does with
 * the library in it: report_start, some work, report_exit.
 */
#ifndef TESTS_REPORTS_H
#define TESTS_REPORTS_H

#include "base/print.h"
#include "inspect/report.h"
#include "malloc/introspect.h"
#include "malloc/stats.h"

#include "heaps.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SUMMARY_FD	200	/* where the tests put the pipe */
#define SHOWN		"test?report"	/* of the name below */

static struct capture capture;
static const char *const printed = capture.text;
static struct capture summary;
static char name[] = "test\033report";
static pid_t child_pid;
static int status;

/* Runs in the child between start and end, and before both. */
typedef void step_fn(void);

static inline void nothing(void)
{
}

static inline void number_set(const char *name, int n)
{
	char value[16];

	print_format(value, sizeof(value), "%d", n);
	setenv(name, value, 1);
}

static inline _Noreturn void run_in_child(step_fn *before, step_fn *middle)
{
	const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	/* cmocka catches it; a program of a user does not */
	signal(SIGABRT, SIG_DFL);
	alarm(20);
	/* The options are `before`'s; this says that there are some. */
	setenv("ZBMALLOC_OPTIONS", "", 1);
	before();
	/* As when they are read at the start: calls are counted, or not. */
	thread_set_heap(thread_heap());
	report_start();
	mem_free(mem_malloc(100));
	middle();
	errno = 4242;
	report_exit();
	_exit(errno == 4242 ? 7 : 8);
}

/* `status`, and what the child printed: to stderr, and to its pipe. */
static inline void run(step_fn *before, step_fn *middle)
{
	int err[2], report[2];

	assert_int_equal(pipe(err), 0);
	assert_int_equal(pipe(report), 0);
	child_pid = fork();
	assert_true(child_pid >= 0);
	if (!child_pid) {
		dup2(err[1], STDERR_FILENO);
		dup2(report[1], SUMMARY_FD);
		close(err[0]);
		close(err[1]);
		close(report[0]);
		close(report[1]);
		run_in_child(before, middle);
	}
	close(err[1]);
	close(report[1]);
	capture_drain(&capture, err[0]);
	capture_drain(&summary, report[0]);
	assert_int_equal(waitpid(child_pid, &status, 0), child_pid);
}

static inline void assert_ended_well(void)
{
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static inline void assert_is_summary(const char *text)
{
	char start[64];
	const char *end = strchr(text, '\n');

	print_format(start, sizeof(start), "zbmalloc: " SHOWN "[%d]: ",
		     child_pid);
	if (strncmp(text, start, strlen(start)))
		fail_msg("no summary: %s", text);
	assert_non_null(end);
	assert_string_equal(end, "\n");
	assert_non_null(strstr(text, " mallocs, "));
	assert_non_null(strstr(text, " live, peak "));
}

static inline void want_summary(void)
{
	options.summary = true;
}

static inline void close_stderr(void)
{
	close(STDERR_FILENO);
}

static inline void want_stats(void)
{
	strcpy(options.stats, "1");
}

static inline int start_reports(void **state)
{
	program_invocation_short_name = name;
	unsetenv("ZBMALLOC_SUMMARY_PID");
	unsetenv("ZBMALLOC_SUMMARY_FD");
	return start(state);
}

#endif
