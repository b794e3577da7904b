/*
 * summary - `zbmalloc run --summary`: the program as a child, its summary
 * line through a pipe.
 *
 * 1. The library is told by ZBMALLOC_SUMMARY_PID which process is to report
 *    (its children inherit the options, but not the pid), and by
 *    ZBMALLOC_SUMMARY_FD where to.
 * 2. The pipe is read when the child has ended and never waited for: its
 *    own children may live on and hold it open.
 * 3. Signals that would end us are blocked and taken one by one with
 *    sigwaitinfo, so there are no handlers, and passed on. The child gets back
 *    the signal mask and dispositions that we were started with.
 * 4. SIGKILL cannot be passed on: the kernel sends it when we are gone.
 * 5. The end of the child is made ours: the same status, the same signal.
 */
#include "cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's end of the pipe: above what scripts and daemons number. */
#define SUMMARY_FD_LOWEST	100
#define SUMMARY_SIZE		4096	/* bytes; a line has a few hundred */

/* Those that end no process; SIGCHLD tells us of the child. */
static const int not_forwarded[] = {
	SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
};

/* What a terminal sends to all of a group. */
static const int of_terminal[] = { SIGINT, SIGQUIT, SIGHUP };

struct signals {
	sigset_t taken;
	sigset_t mask;			/* at our start */
	struct sigaction child_action;	/* at our start */
};

static void number_set(const char *name, long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	if (setenv(name, text, 1))
		cli_fail(CLI_FAILED, "%s cannot be set: %s", name,
			 strerror(errno));
}

static void signals_block(struct signals *signals)
{
	const struct sigaction action = { .sa_handler = SIG_DFL };
	size_t i;

	sigfillset(&signals->taken);
	for (i = 0; i < array_size(not_forwarded); i++)
		sigdelset(&signals->taken, not_forwarded[i]);
	sigprocmask(SIG_BLOCK, &signals->taken, &signals->mask);
	/* If it is ignored, no status of a child is kept. */
	sigaction(SIGCHLD, &action, &signals->child_action);
}

static void signals_restore(const struct signals *signals)
{
	sigaction(SIGCHLD, &signals->child_action, NULL);
	sigprocmask(SIG_SETMASK, &signals->mask, NULL);
}

static void pipe_make(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC))
		cli_fail(CLI_FAILED, "no pipe: %s", strerror(errno));
}

/* Moves the writing end to a high number that the program inherits. */
static int pipe_inherit(int fd)
{
	int high = fcntl(fd, F_DUPFD, SUMMARY_FD_LOWEST);

	if (high < 0)
		high = fcntl(fd, F_DUPFD, 0);
	if (high < 0)
		cli_fail(CLI_FAILED, "no file descriptor: %s",
			 strerror(errno));
	close(fd);
	return high;
}

static _Noreturn void child_exec(const char *path, char **argv, int report_fd,
				 const struct signals *signals, pid_t parent)
{
	int error;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It was gone before that. */
	if (getppid() != parent)
		_exit(CLI_FAILED);
	number_set("ZBMALLOC_SUMMARY_PID", getpid());
	signals_restore(signals);
	program_exec(path, argv);
	error = errno;
	if (write(report_fd, &error, sizeof(error)) != sizeof(error))
		_exit(CLI_FAILED);
	_exit(CLI_NOT_EXECUTABLE);
}

/* What a terminal sends, the child got too if it is in our group. */
static bool child_has_it(const siginfo_t *info, pid_t child)
{
	for (size_t i = 0; i < array_size(of_terminal); i++)
		if (info->si_signo == of_terminal[i])
			return info->si_code == SI_KERNEL &&
			       getpgid(child) == getpgrp();
	return false;
}

static void pass_on(const siginfo_t *info, pid_t child)
{
	if (child_has_it(info, child))
		return;
	if (info->si_code == SI_QUEUE)
		sigqueue(child, info->si_signo, info->si_value);
	else
		kill(child, info->si_signo);
}

static int child_wait(pid_t child, const struct signals *signals)
{
	siginfo_t info;
	int sig, status;

	for (;;) {
		sig = sigwaitinfo(&signals->taken, &info);
		if (sig == SIGCHLD && waitpid(child, &status, WNOHANG) == child)
			return status;
		if (sig > 0 && sig != SIGCHLD)
			pass_on(&info, child);
	}
}

/* What is in the pipe now. */
static size_t pipe_read(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t got;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (len < size && (got = read(fd, buf + len, size - len)) > 0)
		len += (size_t)got;
	return len;
}

static void summary_print(int fd, const char *name, int status,
			  bool obstacle)
{
	char text[SUMMARY_SIZE];
	size_t len = pipe_read(fd, text, sizeof(text));

	if (len) {
		fwrite(text, 1, len, stderr);
		if (text[len - 1] != '\n')
			fputc('\n', stderr);
	} else if (obstacle) {
		cli_message("no summary: %s ran without zbmalloc", name);
	} else if (WIFSIGNALED(status)) {
		cli_message("no summary: %s was ended by signal %d (%s)", name,
			    WTERMSIG(status), strsignal(WTERMSIG(status)));
	} else {
		cli_message("no summary: %s did not report; it may have ended "
			    "by _exit, become another program by exec, or "
			    "cleared its environment or closed its files",
			    name);
	}
}

static int status_mirror(int status)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t one;
	int sig;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	sig = WTERMSIG(status);
	/* The core to look at is that of the program. */
	setrlimit(RLIMIT_CORE, &no_core);
	signal(sig, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, sig);
	fflush(NULL);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + sig;
}

int summary_run(const char *path, char **argv, bool obstacle)
{
	struct signals signals;
	int summary_fds[2], report_fds[2], error, status;
	pid_t child, self = getpid();

	pipe_make(summary_fds);
	pipe_make(report_fds);
	summary_fds[1] = pipe_inherit(summary_fds[1]);
	number_set("ZBMALLOC_SUMMARY_FD", summary_fds[1]);
	signals_block(&signals);
	child = fork();
	if (child < 0)
		cli_fail(CLI_FAILED, "fork: %s", strerror(errno));
	if (!child)
		child_exec(path, argv, report_fds[1], &signals, self);
	close(summary_fds[1]);
	close(report_fds[1]);
	/* It closes without a word when exec succeeds. */
	if (read(report_fds[0], &error, sizeof(error)) == sizeof(error)) {
		waitpid(child, &status, 0);
		return (int)program_exec_failed(path, error);
	}
	status = child_wait(child, &signals);
	summary_print(summary_fds[0], argv[0], status, obstacle);
	return status_mirror(status);
}
