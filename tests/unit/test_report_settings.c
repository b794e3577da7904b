/*
 * test_report_settings - what is said of settings that cannot be followed, and
 * what cannot be found out.
 */
#include "mm/memmap.h"

#include "reports.h"

static void want_stats_nowhere(void)
{
	strcpy(options.stats, "/nonexistent/file");
}

static void want_stats_in_folder(void)
{
	strcpy(options.stats, "/");
}

#define PIPE	"/tmp/zbmalloc-test-pipe"

static void want_stats_in_pipe(void)
{
	strcpy(options.stats, PIPE);
}

/* So none can be opened. */
static void have_no_files_more(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_NOFILE, &none);
}

static void test_a_file_that_cannot_be_opened_is_said(void **state)
{
	(void)state;
	run(want_stats_nowhere, close_stderr);
	assert_ended_well();
	assert_string_equal(printed, "zbmalloc: stats=/nonexistent/file: "
			    "cannot be opened: there is no such folder\n");
	run(want_stats_in_folder, nothing);
	assert_ended_well();
	assert_string_equal(printed, "zbmalloc: stats=/: cannot be opened: "
			    "it is a folder\n");
	run(want_stats_in_folder, have_no_files_more);
	assert_ended_well();
	assert_string_equal(printed, "zbmalloc: stats=/: cannot be opened: "
			    "error 24\n");
}

static void test_a_pipe_without_a_reader_is_not_waited_for(void **state)
{
	(void)state;
	unlink(PIPE);
	assert_int_equal(mkfifo(PIPE, 0600), 0);
	run(want_stats_in_pipe, nothing);
	unlink(PIPE);
	assert_ended_well();
	assert_string_equal(printed, "zbmalloc: stats=" PIPE ": cannot be "
			    "opened: nobody reads from it\n");
}

static void test_without_proc_what_is_resident_is_unknown(void **state)
{
	(void)state;
	run(want_summary, have_no_files_more);
	assert_ended_well();
	assert_is_summary(printed);
	assert_non_null(strstr(printed, " in use, resident unknown, "));
	run(want_stats, have_no_files_more);
	assert_ended_well();
	assert_non_null(strstr(printed, "\nprocess      resident unknown, "));
}

static void want_other_window(size_t size)
{
	options.verbose = true;
	options.window = size;
}

static void want_larger_window(void)
{
	want_other_window(2 * vm.size);
}

static void want_tiny_window(void)
{
	want_other_window(1);
}

static void want_this_window(void)
{
	want_other_window(vm.size);
}

static void test_another_window_than_was_wanted_is_said(void **state)
{
	char text[128];

	(void)state;
	run(want_larger_window, nothing);
	assert_ended_well();
	print_format(text, sizeof(text), "zbmalloc: the window has %zu MiB of "
		     "%zu: there is no room for more (ulimit -v)\n",
		     vm.size >> 20, vm.size >> 19);
	assert_string_equal(printed, text);
	run(want_tiny_window, nothing);
	assert_ended_well();
	print_format(text, sizeof(text), "zbmalloc: window=1: less than is "
		     "possible; it has %zu MiB\n", vm.size >> 20);
	assert_string_equal(printed, text);
	run(want_this_window, nothing);
	assert_ended_well();
	assert_string_equal(printed, "");
}

static void want_limits(void)
{
	want_this_window();
	print_format(options.node_limit, sizeof(options.node_limit),
		     "%d:64G,900:1G", topology.node[0].id);
}

static void want_limits_quietly(void)
{
	want_limits();
	options.verbose = false;
}

static void test_a_limit_of_no_node_is_said(void **state)
{
	(void)state;
	run(want_limits, nothing);
	assert_ended_well();
	assert_string_equal(printed, "zbmalloc: node_limit=900:...: this "
			    "process has no memory on a node 900\n");
	run(want_limits_quietly, nothing);
	assert_ended_well();
	assert_string_equal(printed, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_pipe_without_a_reader_is_not_waited_for),
		cmocka_unit_test(test_a_file_that_cannot_be_opened_is_said),
		cmocka_unit_test(test_without_proc_what_is_resident_is_unknown),
		cmocka_unit_test(test_another_window_than_was_wanted_is_said),
		cmocka_unit_test(test_a_limit_of_no_node_is_said),
	};

	/* Of the largest window it cannot be said that it is too small. */
	setenv("ZBMALLOC_OPTIONS", "window=64G", 1);
	return cmocka_run_group_tests(tests, start_reports, NULL);
}
