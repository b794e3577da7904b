/*
 * zbm-measure - run one command and say what it cost.
 *
 *	zbm-measure [-i MS] [-m MIB] [-o FILE] [-p LIBRARY] [-s FILE]
 *		    [-t SECONDS] [--] COMMAND [ARGUMENT...]
 *
 * 1. One JSON object goes to FILE of -o, or to descriptor 3: seconds of wall
 *    clock and CPU, peak resident memory, page faults, and how it ended.
 * 2. This program stays small: what a child has before exec counts as its
 *    peak, and a large parent would be measured instead of the command.
 * 3. CPU, faults and peak are what wait4 tells, so descendants that were
 *    waited for are in the sums, and the largest of them is the peak. The
 *    samples (-s, one "MS KIB" a line; the last is the final memory) are of
 *    the command's own process.
 * 4. The kernel counts pages by CPU, and its peak lacks what the counters of
 *    the CPUs hold back: 270 KiB were seen. The samples are exact since Linux
 *    6.16, so the peak is the larger of it and the largest sample.
 * 5. Only the command gets LD_PRELOAD (-p) and the limit of address space
 *    (-m). It has a process group of its own, dies with us, and is killed
 *    after -t.
 * 6. SIGTERM goes on to the command: so are servers ended. SIGINT kills its
 *    whole group; it comes by itself when our parent dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPORT_FD	3	/* where the object goes without -o */
#define EXEC_FAILED	127	/* as shells have it */

struct options {
	long interval_ms;
	long limit_mib;		/* 0: none */
	long timeout_ms;	/* 0: none */
	const char *report;
	const char *preload;
	const char *series;
	char **command;
};

struct result {
	double wall;		/* seconds */
	long final_kib;		/* the last sample that was not empty */
	long largest_kib;	/* of the samples */
	long nr_samples;
	bool timed_out;
	int status;		/* as of wait4 */
	struct rusage usage;
};

/* Read by the signal handler; set before it is installed. */
static volatile pid_t command_pid;

static void fail(const char *what)
{
	fprintf(stderr, "zbm-measure: %s: %s\n", what, strerror(errno));
	exit(EXEC_FAILED);
}

static void usage(void)
{
	fputs("usage: zbm-measure [-i MS] [-m MIB] [-o FILE] [-p LIBRARY]\n"
	      "                   [-s FILE] [-t SECONDS] [--] COMMAND...\n",
	      stderr);
	exit(2);
}

static long positive(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || value <= 0 || value > 1L << 40)
		usage();
	return value;
}

static void parse(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options) { .interval_ms = 10 };
	while ((option = getopt(argc, argv, "+i:m:o:p:s:t:")) != -1) {
		switch (option) {
		case 'i':
			options->interval_ms = positive(optarg);
			break;
		case 'm':
			options->limit_mib = positive(optarg);
			break;
		case 'o':
			options->report = optarg;
			break;
		case 'p':
			options->preload = optarg;
			break;
		case 's':
			options->series = optarg;
			break;
		case 't':
			options->timeout_ms = positive(optarg) * 1000;
			break;
		default:
			usage();
		}
	}
	options->command = argv + optind;
	if (!*options->command)
		usage();
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* In the child. Rule 5. */
static void run_command(const struct options *options)
{
	rlim_t bytes = (rlim_t)options->limit_mib << 20;
	struct rlimit limit = { bytes, bytes };

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (options->preload)
		setenv("LD_PRELOAD", options->preload, 1);
	if (bytes && setrlimit(RLIMIT_AS, &limit))
		fail("RLIMIT_AS");
	execvp(options->command[0], options->command);
	fprintf(stderr, "zbm-measure: %s: %s\n", options->command[0],
		strerror(errno));
	_exit(EXEC_FAILED);
}

/* Rule 6. */
static void pass_on(int signal)
{
	if (signal == SIGINT)
		kill(-command_pid, SIGKILL);
	else
		kill(command_pid, signal);
}

/* 0 when the process has ended. */
static long resident_kib(int statm)
{
	char text[128], *at;
	ssize_t length = pread(statm, text, sizeof(text) - 1, 0);

	if (length <= 0)
		return 0;
	text[length] = '\0';
	at = strchr(text, ' ');
	return at ? strtol(at, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024) : 0;
}

static void take_sample(struct result *result, int statm, FILE *series,
			double passed)
{
	long kib = resident_kib(statm);

	if (!kib)
		return;
	result->final_kib = kib;
	if (kib > result->largest_kib)
		result->largest_kib = kib;
	result->nr_samples++;
	if (series)
		fprintf(series, "%.0f %ld\n", passed * 1e3, kib);
}

/* Samples until the command has ended, or its time is up. */
static void watch(const struct options *options, struct result *result,
		  FILE *series, double start)
{
	char name[64];
	struct pollfd ended = { .events = POLLIN };
	int statm;

	ended.fd = pidfd_open(command_pid, 0);
	snprintf(name, sizeof(name), "/proc/%d/statm", command_pid);
	statm = open(name, O_RDONLY | O_CLOEXEC);
	if (ended.fd < 0 || statm < 0)
		fail(name);
	while (poll(&ended, 1, (int)options->interval_ms) != 1) {
		double passed = now() - start;

		take_sample(result, statm, series, passed);
		if (options->timeout_ms && !result->timed_out &&
		    passed * 1e3 > (double)options->timeout_ms) {
			result->timed_out = true;
			kill(-command_pid, SIGKILL);
		}
	}
	close(statm);
	close(ended.fd);
}

/* Rule 4. */
static long peak_kib(const struct result *result)
{
	if (result->usage.ru_maxrss > result->largest_kib)
		return result->usage.ru_maxrss;
	return result->largest_kib;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static void report(FILE *file, const struct result *result)
{
	const struct rusage *usage = &result->usage;
	int status = result->status;

	fprintf(file, "{\"wall\": %.6f, \"user\": %.6f, \"system\": %.6f,\n"
		" \"peak_kib\": %ld, \"final_kib\": %ld, \"samples\": %ld,\n"
		" \"minor_faults\": %ld, \"major_faults\": %ld,\n"
		" \"exit\": %d, \"signal\": %d, \"timed_out\": %s}\n",
		result->wall, seconds(usage->ru_utime),
		seconds(usage->ru_stime), peak_kib(result), result->final_kib,
		result->nr_samples, usage->ru_minflt, usage->ru_majflt,
		WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		result->timed_out ? "true" : "false");
	if (fclose(file))
		fail("report");
}

/* Close-on-exec: the command must not hold our files. */
static FILE *open_for_writing(const char *name)
{
	FILE *file = fopen(name, "we");

	if (!file)
		fail(name);
	return file;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = pass_on };
	struct options options;
	struct result result = { 0 };
	FILE *file, *series = NULL;
	double start;
	pid_t pid;

	parse(&options, argc, argv);
	prctl(PR_SET_PDEATHSIG, SIGINT);
	if (options.report)
		file = open_for_writing(options.report);
	else
		file = fdopen(REPORT_FD, "w");
	if (!file || fcntl(fileno(file), F_SETFD, FD_CLOEXEC))
		fail("descriptor 3");
	if (options.series)
		series = open_for_writing(options.series);

	start = now();
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid)
		run_command(&options);
	/* Also here, so that the group is there whoever runs first. */
	setpgid(pid, pid);
	command_pid = pid;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	watch(&options, &result, series, start);
	result.wall = now() - start;
	while (wait4(pid, &result.status, 0, &result.usage) < 0)
		if (errno != EINTR)
			fail("wait4");
	if (series && fclose(series))
		fail(options.series);
	report(file, &result);
	return 0;
}
