/*
 * cli - what the files of the zbmalloc command share.
 *
 * 1. The command is no part of the library: it uses the system's malloc and
 *    stdio, and ends when its one job is done, so it frees nothing.
 * 2. `run` ends with the status of the program; statuses of its own are
 *    those of env(1) and nohup(1), so that scripts can tell them apart.
 */
#ifndef ZBM_CLI_H
#define ZBM_CLI_H

#include "base/base.h"

enum cli_status {
	CLI_FAILED = 125,	/* zbmalloc itself: usage, library, fork */
	CLI_NOT_EXECUTABLE = 126,
	CLI_NOT_FOUND = 127,
};

/* zbmalloc.c: "zbmalloc: " + text + newline to stderr. */
void cli_message(const char *fmt, ...) printf_like(1, 2);
_Noreturn void cli_fail(enum cli_status status, const char *fmt, ...)
	printf_like(2, 3);

/* zbmalloc.c: the usage of all commands, to stdout. */
int cli_help(int argc, char **argv);

/* list.c: `zbmalloc options`. argv[0] is the name of the command. */
int cli_options(int argc, char **argv);

/* topology.c: `zbmalloc topology`. argv[0] is the name of the command. */
int cli_topology(int argc, char **argv);

/* run.c: `zbmalloc run`. */
int cli_run(int argc, char **argv);

/* library.c: the absolute path of libzbmalloc.so; does not return if none. */
char *library_find(void);

/* program.c: where execvp would find `name`; does not return if nowhere. */
char *program_find(const char *name);

/* Why `library` cannot be put under the program at `path`, or NULL. `*refuses`:
 * and why it is not to be tried. */
const char *program_obstacle(const char *path, const char *library,
			     bool *refuses);

/* Becomes the program; on failure it returns with errno set. */
void program_exec(const char *path, char **argv);

/* Says why exec of `path` failed with `error`; the status to end with. */
enum cli_status program_exec_failed(const char *path, int error);

/*
 * summary.c: runs the program as a child and prints its summary line.
 * `obstacle`: program_obstacle has found one. The status to end with.
 */
int summary_run(const char *path, char **argv, bool obstacle);

#endif
