/*
 * test_options_init - the sources that options_init reads.
 *
 * What options_init does depends on the process (its first environment,
 * AT_SECURE), so the program runs itself again: with `--init MODE FILE` it
 * prints the options that it came up with. FILE stands for /etc/zbmalloc.conf
 * there, whether this machine has one or not: the library asks for that by
 * syscall, which is this program's.
 */
#include "base/options.h"

#include "capture.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NO_FILE	"/nonexistent/zbmalloc.conf"

static struct capture capture;
static const char *const printed = capture.text;

static const char *stand_in;	/* for /etc/zbmalloc.conf; NULL: none */
static int nr_looked;		/* calls that asked whether it is there */
static int nr_opened;		/* that opened it, or tried to */

static bool is_of_file(long nr, const char *path)
{
	return (nr == SYS_openat || nr == SYS_faccessat) && stand_in &&
	       !strcmp(path, "/etc/zbmalloc.conf");
}

/* What the core calls in place of libc's. */
long syscall(long nr, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT,
							      "syscall");
	long arg[6];
	va_list ap;

	va_start(ap, nr);
	for (size_t i = 0; i < array_size(arg); i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (is_of_file(nr, (const char *)arg[1])) {
		nr_looked += nr == SYS_faccessat;
		nr_opened += nr == SYS_openat;
		arg[1] = (long)stand_in;
	}
	return real(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

static void read_file(struct options *opts, const char *text, size_t len)
{
	char path[] = "/tmp/test_options.XXXXXX";
	int file = mkstemp(path);

	assert_true(file >= 0);
	assert_int_equal(write(file, text, len), len);
	close(file);
	capture_begin(&capture);
	options_read_file(opts, path);
	capture_end(&capture);
	unlink(path);
}

static void test_a_file_has_lines_and_comments(void **state)
{
	static const char text[] =
		"# a comment, thp=never\n"
		"verbose   # on\n"
		"\n"
		"stats=/a#b,cache=2M #,summary=1\n"
		"#decay_ms=1\n"
		"node_limit=0:2G,1:512M # ,2:1G\n"
		"wrong=1\n"
		"decay_ms=9";
	struct options opts;

	(void)state;
	options_set_defaults(&opts);
	read_file(&opts, text, sizeof(text) - 1);
	assert_true(opts.verbose);
	assert_false(opts.summary);
	assert_int_equal(opts.thp, THP_AUTO);
	assert_int_equal(opts.cache, 2 << 20);
	assert_int_equal(opts.decay_ms, 9);
	assert_string_equal(opts.stats, "/a#b");
	assert_string_equal(opts.node_limit, "0:2G,1:512M");
	assert_non_null(strstr(printed, ":7: 'wrong=1' ignored"));
	assert_null(strchr(strchr(printed, '\n') + 1, '\n'));
}

static void test_a_file_with_zero_bytes_is_read_to_its_end(void **state)
{
	static const char text[] = "verbose=1\0\0\nsummary=1";
	struct options opts = { 0 };

	(void)state;
	read_file(&opts, text, sizeof(text) - 1);
	assert_string_equal(printed, "");
	assert_true(opts.verbose);
	assert_true(opts.summary);
}

static void test_a_file_that_is_not_there_is_no_error(void **state)
{
	struct options opts = { .cache = 5 };

	(void)state;
	capture_begin(&capture);
	options_read_file(&opts, "/nonexistent/zbmalloc.conf");
	capture_end(&capture);
	assert_string_equal(printed, "");
	assert_int_equal(opts.cache, 5);
}

static void test_a_file_that_is_too_long_is_ignored_as_a_whole(void **state)
{
	struct options opts = { 0 };
	char text[4096];

	(void)state;
	memset(text, '\n', sizeof(text));
	memcpy(text, "verbose=1", 9);
	read_file(&opts, text, sizeof(text));
	assert_non_null(strstr(printed, "ignored: it is longer than 4095"));
	assert_false(opts.verbose);
	read_file(&opts, text, sizeof(text) - 1);
	assert_string_equal(printed, "");
	assert_true(opts.verbose);
}

/* Runs this program with `--init MODE FILE` and `env`; its output: printed. */
static void init_run_with(const char *mode, const char *file,
			  const char *const *env)
{
	int fds[2], status;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		execle("/proc/self/exe", "test_options", "--init", mode,
		       file, (char *)NULL, env);
		_exit(99);
	}
	close(fds[1]);
	capture_drain(&capture, fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void init_run(const char *mode, const char *const *env)
{
	init_run_with(mode, NO_FILE, env);
}

static const char *const no_env[] = { "ONE=1", NULL };
static char file[] = "/tmp/test_options.XXXXXX";

/* With a file of this text. */
static void init_run_file(const char *mode, const char *text,
			  const char *const *env)
{
	int fd;

	strcpy(file + sizeof(file) - 7, "XXXXXX");
	fd = mkstemp(file);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	init_run_with(mode, file, env);
	unlink(file);
}

static void test_init_reads_the_file(void **state)
{
	(void)state;
	init_run_file("environ", "cache=3\n# and\ndecay_ms=76\nno_such\n",
		      no_env);
	assert_non_null(strstr(printed, "decay_ms=76 cache=3 "));
	assert_non_null(strstr(printed, "/etc/zbmalloc.conf:4: 'no_such' "
					"ignored"));
	init_run_file("early", "decay_ms=76\n", no_env);
	assert_non_null(strstr(printed, "decay_ms=76 "));
}

static void test_init_lets_the_environment_win_over_the_file(void **state)
{
	static const char *const env[] = {
		"ZBMALLOC_OPTIONS=decay_ms=77", NULL
	};

	(void)state;
	init_run_file("environ", "decay_ms=76,cache=3", env);
	assert_non_null(strstr(printed, "decay_ms=77 cache=3 "));
	init_run_file("early", "decay_ms=76,cache=3", env);
	assert_non_null(strstr(printed, "decay_ms=77 cache=3 "));
}

static void test_init_of_a_setuid_program_ignores_the_file(void **state)
{
	(void)state;
	init_run_file("secure", "decay_ms=76,no_such", no_env);
	assert_non_null(strstr(printed, "decay_ms=1000 "));
	assert_null(strstr(printed, "no_such"));
}

/* Whether a heap is started for their sake when the library is loaded. */
static void test_options_are_given_by_file_or_environment(void **state)
{
	static const char *const env[] = {
		"ZBMALLOC_OPTIONS=decay_ms=77", NULL
	};
	static const char *const others[] = {
		"ZBMALLOC_OPTIONSX=decay_ms=77", NULL
	};

	(void)state;
	init_run("ask", no_env);
	assert_non_null(strstr(printed, "given=0 "));
	init_run("ask", others);
	assert_non_null(strstr(printed, "given=0 "));
	init_run("ask", env);
	assert_non_null(strstr(printed, "given=1 "));
	init_run_file("ask", "decay_ms=76", no_env);
	assert_non_null(strstr(printed, "given=1 "));
	assert_non_null(strstr(printed, "decay_ms=76 "));
}

/* Known to be: nobody looks twice. What cannot be looked at may be there. */
static void test_a_file_that_is_missing_is_looked_for_once(void **state)
{
	static const char *const env[] = {
		"ZBMALLOC_OPTIONS=decay_ms=77", NULL
	};

	(void)state;
	init_run("ask", no_env);
	assert_non_null(strstr(printed, "looked=1 opened=0 "));
	init_run("environ", no_env);
	assert_non_null(strstr(printed, "looked=0 opened=1 "));
	init_run_file("ask", "", no_env);
	assert_non_null(strstr(printed, "looked=1 opened=1 "));
	/* ENOTDIR */
	init_run_with("ask", "/dev/null/zbmalloc.conf", no_env);
	assert_non_null(strstr(printed, "given=0 "));
	assert_non_null(strstr(printed, "looked=1 opened=1 "));
	/* Who has options does not look before they are read. */
	init_run_file("ask", "cache=3", env);
	assert_non_null(strstr(printed, "decay_ms=77 cache=3 looked=0 "));
}

static void test_init_reads_the_environment(void **state)
{
	static const char *const env[] = {
		"XZBMALLOC_OPTIONS=cache=1", "ZBMALLOC_OPTIONSX=cache=2",
		"ZBMALLOC_OPTIONS=decay_ms=77,no_such", NULL
	};

	(void)state;
	init_run("environ", env);
	assert_non_null(strstr(printed, "decay_ms=77 "));
	assert_null(strstr(printed, "cache=1 "));
	assert_null(strstr(printed, "cache=2 "));
	assert_non_null(strstr(printed, "ZBMALLOC_OPTIONS: 'no_such' "
					"ignored"));
}

static void test_init_before_libc_reads_proc(void **state)
{
	char large[20000] = "LARGE=ZBMALLOC_OPTIONS=decay_ms=1";
	const char *const env[] = {
		"ONE=1", large, "ZBMALLOC_OPTIONS=decay_ms=78", "TWO=2", NULL
	};

	(void)state;
	memset(large + strlen(large), ' ', sizeof(large) - 64);
	init_run("early", env);
	assert_non_null(strstr(printed, "decay_ms=78 "));
	init_run("early", (const char *const[]){ "ONE=1", NULL });
	assert_null(strstr(printed, "decay_ms=78 "));
}

static void test_init_before_libc_refuses_a_variable_too_long(void **state)
{
	char large[6000] = "ZBMALLOC_OPTIONS=decay_ms=79";
	const char *const env[] = { large, NULL };

	(void)state;
	memset(large + strlen(large), ' ', sizeof(large) - 64);
	init_run("early", env);
	assert_null(strstr(printed, "decay_ms=79 "));
	assert_non_null(strstr(printed, "ZBMALLOC_OPTIONS: ignored: it is "
					"longer than 4095"));
	init_run("environ", env);
	assert_non_null(strstr(printed, "decay_ms=79 "));
}

static void test_init_of_a_setuid_program_ignores_the_user(void **state)
{
	static const char *const env[] = {
		"ZBMALLOC_OPTIONS=decay_ms=80,no_such", NULL
	};

	(void)state;
	init_run("secure", env);
	assert_non_null(strstr(printed, "decay_ms=1000 "));
	assert_null(strstr(printed, "no_such"));
}

static void test_init_leaves_errno_alone(void **state)
{
	(void)state;
	capture_begin(&capture);
	errno = ENOTTY;
	options_init();
	assert_int_equal(errno, ENOTTY);
	capture_end(&capture);
}

/* What the kernel sets for a setuid program stands behind the environment. */
static void auxv_set_secure(char **env)
{
	Elf64_auxv_t *entry;

	while (*env)
		env++;
	entry = (Elf64_auxv_t *)(void *)(env + 1);
	while (entry->a_type != AT_NULL && entry->a_type != AT_SECURE)
		entry++;
	entry->a_un.a_val = 1;
	if (!getauxval(AT_SECURE))
		_exit(98);
}

static int init_main(const char *mode, const char *path)
{
	stand_in = path;
	if (!strcmp(mode, "secure"))
		auxv_set_secure(environ);
	if (!strcmp(mode, "early"))
		environ = NULL;
	if (!strcmp(mode, "ask")) {
		errno = ENOTTY;
		printf("given=%d ", options_are_given());
		if (errno != ENOTTY)
			return 97;
	}
	options_init();
	printf("decay_ms=%zu cache=%zu looked=%d opened=%d \n",
	       options.decay_ms, options.cache, nr_looked, nr_opened);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_has_lines_and_comments),
		cmocka_unit_test(
			test_a_file_with_zero_bytes_is_read_to_its_end),
		cmocka_unit_test(test_a_file_that_is_not_there_is_no_error),
		cmocka_unit_test(
			test_a_file_that_is_too_long_is_ignored_as_a_whole),
		cmocka_unit_test(test_init_reads_the_file),
		cmocka_unit_test(
			test_init_lets_the_environment_win_over_the_file),
		cmocka_unit_test(
			test_init_of_a_setuid_program_ignores_the_file),
		cmocka_unit_test(
			test_options_are_given_by_file_or_environment),
		cmocka_unit_test(
			test_a_file_that_is_missing_is_looked_for_once),
		cmocka_unit_test(test_init_reads_the_environment),
		cmocka_unit_test(test_init_before_libc_reads_proc),
		cmocka_unit_test(
			test_init_before_libc_refuses_a_variable_too_long),
		cmocka_unit_test(
			test_init_of_a_setuid_program_ignores_the_user),
		cmocka_unit_test(test_init_leaves_errno_alone),
	};

	if (argc == 4 && !strcmp(argv[1], "--init"))
		return init_main(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
