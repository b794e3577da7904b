#include "inspect/report.h"
#include "base/options.h"
#include "base/print.h"
#include "heap/thread_heap.h"
#include "malloc/introspect.h"
#include "malloc/stats.h"
#include "mm/hotplug.h"
#include "os/topology.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME_SIZE	32	/* bytes of the program's name that are shown */
#define LINE_SIZE	512	/* bytes; a summary has half of that */
#define REPORT_SIZE	(32UL << 10)	/* bytes; mostly written in one go */

/* Our copy of stderr: above what scripts and daemons number. */
#define LOWEST_FD	100

/* A file descriptor that may be another file's when it is used. */
struct target {
	int fd;			/* -1: none */
	dev_t dev;
	ino_t ino;
};

static struct {
	bool started;
	int start_pid;
	int summary_pid;	/* who is to print the summary; 0: everybody */
	struct target summary;
	struct target err;
	char name[NAME_SIZE];
} report;

static char report_text[REPORT_SIZE];

/* With an empty path the file that is open as `at`. */
static bool file_status(int at, const char *path, struct stat *st)
{
	return !syscall(SYS_newfstatat, at, path, st, AT_EMPTY_PATH);
}

static bool target_set(struct target *target, int fd, struct stat *st)
{
	target->fd = -1;
	if (fd < 0 || !file_status(fd, "", st))
		return false;
	*target = (struct target){ fd, st->st_dev, st->st_ino };
	return true;
}

static bool target_is_same(const struct target *target)
{
	struct stat st;

	return target->fd >= 0 && file_status(target->fd, "", &st) &&
	       st.st_dev == target->dev && st.st_ino == target->ino;
}

static void target_set_pipe(struct target *target, int fd)
{
	struct stat st;

	if (target_set(target, fd, &st) && !S_ISFIFO(st.st_mode))
		target->fd = -1;
}

/* A copy with a number of its own, which is not inherited by exec. */
static void target_set_stderr(struct target *target)
{
	struct stat st;
	int fd = (int)syscall(SYS_fcntl, STDERR_FILENO, F_DUPFD_CLOEXEC,
			      LOWEST_FD);

	target_set(target, fd < 0 ? STDERR_FILENO : fd, &st);
}

/* The number that the variable of the environment has; -1: none. Not by
 * getenv, which programs (bash) replace. */
static int environment_number(const char *name)
{
	size_t len = strlen(name);
	const char *at;
	int n = 0;

	for (char **string = environ; string && *string; string++) {
		if (strncmp(*string, name, len) || (*string)[len] != '=')
			continue;
		for (at = *string + len + 1; *at >= '0' && *at <= '9'; at++)
			if (__builtin_mul_overflow(n, 10, &n) ||
			    __builtin_add_overflow(n, *at - '0', &n))
				return -1;
		return *at || !(*string)[len + 1] ? -1 : n;
	}
	return -1;
}

/* Programs overwrite their arguments, so this is a copy. */
static void name_copy(char name[NAME_SIZE])
{
	const char *from = program_invocation_short_name;
	size_t i = 0;

	for (; from && from[i] && i < NAME_SIZE - 1; i++)
		name[i] = from[i] > ' ' && from[i] <= '~' ? from[i] : '?';
	name[i] = '\0';
}

static bool stats_go_to_stderr(void)
{
	return string_is(options.stats, "1");
}

static void complain_about_window(void)
{
	size_t wanted = options.window ? options.window : WINDOW_MAX_SIZE;

	if (vm.size > wanted)
		print_message("window=%zu: less than is possible; it has %zu "
			      "MiB", wanted, vm.size >> 20);
	/* The largest one has its tables inside. */
	else if (vm.map_end == NO_MAP_END &&
		 vm.size < align_down(wanted, PAGEBLOCK_SIZE))
		print_message("the window has %zu MiB of %zu: there is no room "
			      "for more (ulimit -v)", vm.size >> 20,
			      wanted >> 20);
}

static void complain_about_limits(void)
{
	for (size_t id = 0; *options.node_limit && id < NODE_IDS; id++)
		if (options_limit_of(options.node_limit, id) != SIZE_MAX &&
		    topology_find((int)id) < 0)
			print_message("node_limit=%zu:...: this process has "
				      "no memory on a node %zu", id, id);
}

/* Settings that cannot be followed as they are. */
static cold_path void complain_about_settings(void)
{
	complain_about_window();
	complain_about_limits();
}

static cold_path void start_given(void)
{
	int saved_errno = errno, pid, fd;

	if (report.started || !heap_start())
		return;
	if (options.verbose)
		complain_about_settings();
	if (!(options.summary || options.validate || options.stats[0]))
		return;
	pid = environment_number("ZBMALLOC_SUMMARY_PID");
	fd = environment_number("ZBMALLOC_SUMMARY_FD");
	report.start_pid = getpid();
	report.summary_pid = pid > 0 ? pid : 0;
	name_copy(report.name);
	target_set_stderr(&report.err);
	if (fd >= 0)
		target_set_pipe(&report.summary, fd);
	else
		report.summary = report.err;
	report.started = true;
	errno = saved_errno;
}

bool report_start(void)
{
	if (!options_are_given())
		return false;
	start_given();
	return report.started;
}

bool report_is_due(void)
{
	/* registry's page is in use in any case: the other one costs a page
	 * fault in a program that never allocates. */
	return registry.started && report.started;
}

/*
 * SIGPIPE and SIGXFSZ, in the kernel's form, are held back while we write.
 * Those that we caused are taken away afterwards.
 */
#define SIGNAL_BIT(n)	(1UL << ((n) - 1))
#define HELD_SIGNALS	(SIGNAL_BIT(SIGPIPE) | SIGNAL_BIT(SIGXFSZ))

struct held_signals {
	uint64_t mask, pending;		/* as they were */
};

static void signals_hold(struct held_signals *held)
{
	uint64_t set = HELD_SIGNALS;

	held->pending = 0;
	syscall(SYS_rt_sigpending, &held->pending, sizeof(set));
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, &held->mask,
		sizeof(set));
}

static void signals_release(const struct held_signals *held)
{
	const struct timespec now = { 0, 0 };
	uint64_t set = HELD_SIGNALS & ~held->pending;

	while (set && syscall(SYS_rt_sigtimedwait, &set, NULL, &now,
			      sizeof(set)) > 0)
		;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &held->mask, NULL,
		sizeof(set));
}

/* This thread was interrupted in the allocator and has not gone back: it
 * holds one of the locks that we would take. */
static bool ends_inside_allocator(void)
{
	struct zone *zone;
	bool outside = lock_fork_not_mine(&registry.lock) &&
		       pcp_fork_list(lock_fork_not_mine) &&
		       barn_fork(lock_fork_not_mine) &&
		       lock_fork_not_mine(&hotplug_lock) &&
		       lock_fork_not_mine(&meta.lock);

	for_each_zone(zone)
		outside = outside && lock_fork_not_mine(&zone->lock);
	return !outside;
}

/* The links of a process's task directory are its threads, and two. */
static bool other_threads_run(void)
{
	struct stat st;

	return !file_status(AT_FDCWD, "/proc/self/task", &st) ||
	       st.st_nlink != 3;
}

static void validate(void)
{
	if (other_threads_run()) {
		print_fd(report.err.fd, "zbmalloc: %s[%d]: not validated: "
			 "other threads are running\n", report.name,
			 getpid());
		return;
	}
	heap_validate();
	if (getpid() == report.start_pid)
		figures_validate();
}

static size_t summary_format(char line[LINE_SIZE])
{
	char calls[STATS_NUMBER], frees[STATS_NUMBER], live[STATS_NUMBER];
	char peak[STATS_NUMBER], resident[STATS_RESIDENT];
	char faults[STATS_NUMBER], purged[STATS_NUMBER];
	struct stats_process process;
	struct figures figures;
	size_t len;

	figures_gather(&figures);
	stats_process(&process);
	len = print_format(line, LINE_SIZE, "zbmalloc: %s[%d]: %s mallocs, "
		"%s frees, %s live, peak %s in use, resident %s, "
		"%s page faults, %s given back\n", report.name, getpid(),
		stats_number(calls, figures.nr_alloc),
		stats_number(frees, figures.nr_free),
		stats_bytes(live, figures.live_bytes),
		stats_bytes(peak, figures.zones.peak_used << PAGE_SHIFT),
		stats_resident(resident, &process),
		stats_number(faults, process.nr_faults),
		stats_bytes(purged, figures.zones.nr_purged << PAGE_SHIFT));
	return min(len, LINE_SIZE - 1UL);
}

static void print_summary(void)
{
	char line[LINE_SIZE];
	size_t len;

	if (report.summary_pid && report.summary_pid != getpid())
		return;
	if (!target_is_same(&report.summary))
		return;
	len = summary_format(line);
	print_write(report.summary.fd, line, len);
}

/* What it means where a file is made or added to; NULL: rare. */
static const char *open_error_text(int error)
{
	switch (error) {
	case ENOENT:
		return "there is no such folder";
	case ENOTDIR:
		return "what should be a folder is a file";
	case EISDIR:
		return "it is a folder";
	case EACCES:
	case EPERM:
		return "that is not permitted";
	case EROFS:
		return "the file system is read-only";
	case ENXIO:
		return "nobody reads from it";
	default:
		return NULL;
	}
}

static void complain_about_file(int error)
{
	const char *text = open_error_text(error);
	char number[STATS_NUMBER];

	if (!text) {
		print_format(number, sizeof(number), "error %d", error);
		text = number;
	}
	print_fd(report.err.fd, "zbmalloc: stats=%s: cannot be opened: %s\n",
		 options.stats, text);
}

static int stats_open(void)
{
	int fd;

	if (stats_go_to_stderr())
		return target_is_same(&report.err) ? report.err.fd : -1;
	/* A pipe that nobody reads is not waited for; one that is read is. */
	fd = (int)syscall(SYS_openat, AT_FDCWD, options.stats, O_WRONLY |
			  O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY |
			  O_NONBLOCK, 0666);
	if (fd >= 0)
		syscall(SYS_fcntl, fd, F_SETFL, O_APPEND);
	else if (target_is_same(&report.err))
		complain_about_file(errno);
	return fd;
}

static void print_stats(void)
{
	int fd = stats_open();

	if (fd < 0)
		return;
	/* In front of the text, so that it is written with it. */
	print_fd(fd, "zbmalloc: %s[%d] at its end\n", report.name, getpid());
	stats_print(fd, report_text, sizeof(report_text));
	if (!stats_go_to_stderr())
		syscall(SYS_close, fd);
}

static void print_nothing_known(void)
{
	print_fd(report.err.fd, "zbmalloc: %s[%d]: no report: it ended inside "
		 "the allocator, in a signal handler\n", report.name,
		 getpid());
}

void report_exit(void)
{
	int saved_errno = errno;
	struct held_signals held;

	if (!report_is_due())
		return;
	signals_hold(&held);
	if (ends_inside_allocator()) {
		if (target_is_same(&report.err))
			print_nothing_known();
	} else {
		if (options.validate)
			validate();
		if (options.summary)
			print_summary();
		if (options.stats[0])
			print_stats();
	}
	signals_release(&held);
	errno = saved_errno;
}
