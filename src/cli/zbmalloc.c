/*
 * zbmalloc - the command: its sub-commands, help and version.
 *
 * 1. A sub-command is a row of `commands`; it gets argv from its own name on.
 * 2. Output that cannot be written is a failure.
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
	"Usage: zbmalloc run [-o OPTIONS] [--summary] [--] PROGRAM [ARG...]\n"
	"       zbmalloc options [--man]\n"
	"       zbmalloc topology\n"
	"       zbmalloc version\n"
	"       zbmalloc help\n"
	"\n"
	"run      run PROGRAM with zbmalloc as its malloc; the exit status is\n"
	"         that of PROGRAM\n"
	"           -o, --options=NAME=VALUE,...\n"
	"                           set options; may be repeated\n"
	"           -s, --summary   at the end, one line on stderr that says\n"
	"                           who served the memory\n"
	"options  list the options, their values and their defaults\n"
	"topology print the NUMA nodes and last-level caches that a program\n"
	"         started from here has;\n"
	"         ID is the kernel's number; a line has one of these forms:\n"
	"           mode: local|interleave, tier near|far, N nodes\n"
	"           mode: kernel, because REASON     (without the last three)\n"
	"           node ID: CPUs yes|no, total N MiB, free N MiB\n"
	"                    [, limit N MiB|, not used, served by node ID]\n"
	"           node ID: CPUs yes|no, no memory[, served by node ID]\n"
	"           cache NUMBER: CPUs LIST          (if there are several)\n"
	"           distances to: ID...\n"
	"           distances of ID: DISTANCE...\n"
	"           zonelist of node ID: ID|all ZONE, ID|all ZONE...\n"
	"version  print the version\n"
	"help     print this text\n"
	"\n"
	"Without this command: LD_PRELOAD=/path/to/libzbmalloc.so PROGRAM\n"
	"See zbmalloc(1) and zbmalloc(3).\n";

static void message_vprint(const char *fmt, va_list ap)
{
	fputs("zbmalloc: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void cli_message(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message_vprint(fmt, ap);
	va_end(ap);
}

void cli_fail(enum cli_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message_vprint(fmt, ap);
	va_end(ap);
	exit((int)status);
}

int cli_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs(usage, stdout);
	return EXIT_SUCCESS;
}

static int cli_version(int argc, char **argv)
{
	if (argc > 1)
		cli_fail(CLI_FAILED, "version takes no arguments, but got "
			 "'%s'", argv[1]);
	puts("zbmalloc " PACKAGE_VERSION);
	return EXIT_SUCCESS;
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", cli_run },
	{ "options", cli_options },
	{ "topology", cli_topology },
	{ "version", cli_version },
	{ "--version", cli_version },
	{ "-V", cli_version },
	{ "help", cli_help },
	{ "--help", cli_help },
	{ "-h", cli_help },
};

int main(int argc, char **argv)
{
	size_t i;
	int status;

	if (argc < 2) {
		fputs(usage, stderr);
		return CLI_FAILED;
	}
	for (i = 0; i < array_size(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			break;
	if (i == array_size(commands))
		cli_fail(CLI_FAILED, "there is no command '%s'; to run a "
			 "program: zbmalloc run -- %s; else see zbmalloc help",
			 argv[1], argv[1]);
	status = commands[i].run(argc - 1, argv + 1);
	if (fflush(stdout) || ferror(stdout))
		cli_fail(CLI_FAILED, "standard output: %s", strerror(errno));
	return status;
}
