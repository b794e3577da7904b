/*
 * test_report - what a process says at its end, and where.
 */
#include "reports.h"

static char file_text[1 << 16];
static char path[64];

static void test_without_options_nothing_is_said_or_opened(void **state)
{
	(void)state;
	run(nothing, nothing);
	assert_ended_well();
	assert_string_equal(printed, "");
	assert_string_equal(summary.text, "");
}

static void test_the_summary_is_one_line_on_stderr(void **state)
{
	(void)state;
	run(want_summary, nothing);
	assert_ended_well();
	assert_is_summary(printed);
	assert_string_equal(summary.text, "");
}

/* So many calls, and so much memory that stays. */
static void work(void)
{
	for (int i = 0; i < 123456; i++)
		mem_free(mem_malloc(50));
	memset(mem_malloc(64UL << 20), 1, 64UL << 20);
}

static void test_the_summary_tells_the_truth(void **state)
{
	(void)state;
	run(want_summary, work);
	assert_ended_well();
	assert_is_summary(printed);
	assert_non_null(strstr(printed, ": 123,458 mallocs, 123,457 frees, "
					"64.0 MiB live, peak 64."));
	assert_non_null(strstr(printed, " MiB in use, resident "));
}

static void test_a_closed_stderr_does_not_matter(void **state)
{
	(void)state;
	run(want_summary, close_stderr);
	assert_ended_well();
	assert_is_summary(printed);
}

/* What a program opens may get the number of stderr. */
static void open_as_stderr(void)
{
	close(STDERR_FILENO);
	CHECK(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600) == STDERR_FILENO);
}

static void file_read(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, file_text, sizeof(file_text) - 1);

	assert_true(n >= 0);
	file_text[n] = '\0';
	close(fd);
	unlink(path);
}

static void test_another_file_numbered_as_stderr_stays_as_it_is(void **state)
{
	(void)state;
	run(want_summary, open_as_stderr);
	assert_ended_well();
	assert_is_summary(printed);
	file_read();
	assert_string_equal(file_text, "");
}

static void want_summary_in_pipe(void)
{
	want_summary();
	number_set("ZBMALLOC_SUMMARY_PID", getpid());
	number_set("ZBMALLOC_SUMMARY_FD", SUMMARY_FD);
}

static void test_the_summary_goes_to_the_pipe_that_is_named(void **state)
{
	(void)state;
	run(want_summary_in_pipe, close_stderr);
	assert_ended_well();
	assert_is_summary(summary.text);
	assert_string_equal(printed, "");
}

static void want_another_pid(void)
{
	want_summary_in_pipe();
	number_set("ZBMALLOC_SUMMARY_PID", getppid());
}

static void fork_and_exit(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		report_exit();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void test_only_the_process_that_is_named_has_a_summary(void **state)
{
	(void)state;
	run(want_another_pid, nothing);
	assert_ended_well();
	assert_string_equal(summary.text, "");
	assert_string_equal(printed, "");
	run(want_summary_in_pipe, fork_and_exit);
	assert_ended_well();
	assert_is_summary(summary.text);
}

/* By another one, where it would be seen. */
static void replace_pipe(void)
{
	dup2(STDERR_FILENO, SUMMARY_FD);
}

static void want_file_as_pipe(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	want_summary_in_pipe();
	dup2(fd, SUMMARY_FD);
}

static void want_absurd_fd(void)
{
	want_summary_in_pipe();
	setenv("ZBMALLOC_SUMMARY_FD", "999999999999", 1);
}

static void test_what_is_not_that_pipe_is_not_written_to(void **state)
{
	(void)state;
	run(want_summary_in_pipe, replace_pipe);
	assert_ended_well();
	assert_string_equal(printed, "");
	assert_string_equal(summary.text, "");
	run(want_file_as_pipe, nothing);
	assert_ended_well();
	file_read();
	assert_string_equal(file_text, "");
	assert_string_equal(printed, "");
	run(want_absurd_fd, nothing);
	assert_ended_well();
	assert_is_summary(printed);
}

/* A pipe without a reader as stderr, or as what the summary goes to. */
static void want_broken_pipe(void)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	want_summary_in_pipe();
	strcpy(options.stats, "1");
	dup2(fds[1], SUMMARY_FD);
	dup2(fds[1], STDERR_FILENO);
	close(fds[0]);
	close(fds[1]);
}

static void test_a_pipe_without_a_reader_kills_nobody(void **state)
{
	(void)state;
	run(want_broken_pipe, nothing);
	assert_ended_well();
}

static void report_with_pending_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGPIPE);
	report_exit();
	CHECK(sigpending(&set) == 0);
	_exit(sigismember(&set, SIGPIPE) ? 7 : 9);
}

static void test_a_signal_of_the_program_is_not_lost(void **state)
{
	(void)state;
	run(want_summary, report_with_pending_signal);
	assert_ended_well();
}

static void test_stats_can_go_to_stderr(void **state)
{
	char start[64];

	(void)state;
	run(want_stats, close_stderr);
	assert_ended_well();
	print_format(start, sizeof(start), "zbmalloc: " SHOWN "[%d] at its "
		     "end\ncalls ", child_pid);
	assert_ptr_equal(strstr(printed, start), printed);
	assert_non_null(strstr(printed, "zone Normal"));
}

static void want_stats_in_file(void)
{
	strcpy(options.stats, path);
}

static void test_stats_in_a_file_are_added_to_it(void **state)
{
	char first[64], second[64];
	struct stat st;

	(void)state;
	run(want_stats_in_file, close_stderr);
	assert_ended_well();
	print_format(first, sizeof(first), SHOWN "[%d] ", child_pid);
	run(want_stats_in_file, nothing);
	print_format(second, sizeof(second), SHOWN "[%d] ", child_pid);
	assert_string_equal(printed, "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0111, 0);
	file_read();
	assert_non_null(strstr(file_text, first));
	assert_non_null(strstr(strstr(file_text, first), second));
}

static void want_validation(void)
{
	options.validate = true;
}

static void miscount(void)
{
	zones->nr_free++;
}

static void test_validation_is_silent_or_fatal(void **state)
{
	(void)state;
	/* It has a thread in the child: then nothing is validated. */
	if (TSAN_ZBM)
		skip();
	run(want_validation, work);
	assert_ended_well();
	assert_string_equal(printed, "");
	run(want_validation, miscount);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(printed, "this must hold and does not"));
}

static void *thread_work(void *arg)
{
	for (;;)
		mem_free(mem_malloc(40000));
	return arg;
}

static void start_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&thread, NULL, thread_work, NULL));
	usleep(20000);
}

static void want_everything(void)
{
	want_summary_in_pipe();
	want_stats();
	want_validation();
}

static void test_other_threads_may_be_at_work(void **state)
{
	(void)state;
	run(want_everything, start_threads);
	assert_ended_well();
	assert_is_summary(summary.text);
	assert_non_null(strstr(printed, "not validated: other threads"));
	assert_non_null(strstr(printed, "zone Normal"));
}

static void hold_zone_lock(void)
{
	lock_acquire(&zones->lock);
}

static void hold_metadata_lock(void)
{
	lock_acquire(&meta.lock);
}

static void test_an_end_inside_the_allocator_does_not_hang(void **state)
{
	(void)state;
	run(want_everything, hold_zone_lock);
	assert_ended_well();
	assert_non_null(strstr(printed, "no report: it ended inside"));
	run(want_everything, hold_metadata_lock);
	assert_ended_well();
	assert_non_null(strstr(printed, "no report: it ended inside"));
	assert_string_equal(summary.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_without_options_nothing_is_said_or_opened),
		cmocka_unit_test(test_the_summary_is_one_line_on_stderr),
		cmocka_unit_test(test_the_summary_tells_the_truth),
		cmocka_unit_test(test_a_closed_stderr_does_not_matter),
		cmocka_unit_test(
			test_another_file_numbered_as_stderr_stays_as_it_is),
		cmocka_unit_test(
			test_the_summary_goes_to_the_pipe_that_is_named),
		cmocka_unit_test(
			test_only_the_process_that_is_named_has_a_summary),
		cmocka_unit_test(
			test_what_is_not_that_pipe_is_not_written_to),
		cmocka_unit_test(test_a_pipe_without_a_reader_kills_nobody),
		cmocka_unit_test(test_a_signal_of_the_program_is_not_lost),
		cmocka_unit_test(test_stats_can_go_to_stderr),
		cmocka_unit_test(test_stats_in_a_file_are_added_to_it),
		cmocka_unit_test(test_validation_is_silent_or_fatal),
		cmocka_unit_test(test_other_threads_may_be_at_work),
		cmocka_unit_test(
			test_an_end_inside_the_allocator_does_not_hang),
	};

	print_format(path, sizeof(path), "/tmp/test_report.%d", getpid());
	return cmocka_run_group_tests(tests, start_reports, NULL);
}
