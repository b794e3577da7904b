/*
 * run - `zbmalloc run`: sets the environment, then becomes the program.
 *
 * 1. The library goes first in LD_PRELOAD; what stood there stays. A program
 *    that would not start with it is started without.
 * 2. Options go last in ZBMALLOC_OPTIONS, so they win.
 * 3. Without --summary this process is replaced by the program: nothing of
 *    the command is left.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPTIONS	"ZBMALLOC_OPTIONS"
#define PRELOAD	"LD_PRELOAD"

struct request {
	char *options;	/* of all -o, joined; NULL if none */
	bool summary;
	char **argv;	/* of the program */
};

static char *text_join(const char *left, const char *right, char separator)
{
	char *text;

	if (!left || !*left)
		text = strdup(right);
	else if (asprintf(&text, "%s%c%s", left, separator, right) < 0)
		text = NULL;
	if (!text)
		cli_fail(CLI_FAILED, "out of memory");
	return text;
}

static void environment_set(const char *name, const char *value)
{
	if (setenv(name, value, 1))
		cli_fail(CLI_FAILED, "%s cannot be set: %s", name,
			 strerror(errno));
}

/* Inside of another `zbmalloc run` the library is there already. */
static bool preload_begins_with(const char *preload, const char *library)
{
	size_t len = strlen(library);

	return !strncmp(preload, library, len) &&
	       (!preload[len] || strchr(" :", preload[len]));
}

static void preload_add(const char *library)
{
	const char *preload = getenv(PRELOAD);

	if (!preload || !*preload)
		environment_set(PRELOAD, library);
	else if (!preload_begins_with(preload, library))
		environment_set(PRELOAD, text_join(library, preload, ':'));
}

/* `library` may be NULL. */
static void environment_prepare(const struct request *request,
				const char *library)
{
	char *options = request->options;

	if (library)
		preload_add(library);
	if (request->summary)
		options = text_join(options, "summary=1", ',');
	if (options)
		environment_set(OPTIONS,
				text_join(getenv(OPTIONS), options, ','));
}

/* False if there is nothing to run: help was asked for. */
static bool request_parse(struct request *request, int argc, char **argv)
{
	static char name[] = "zbmalloc run";
	static const struct option long_options[] = {
		{ "options", required_argument, NULL, 'o' },
		{ "summary", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	argv[0] = name;
	/* + : what follows PROGRAM belongs to it */
	while ((c = getopt_long(argc, argv, "+o:sh", long_options, NULL)) !=
	       -1) {
		switch (c) {
		case 'o':
			request->options = text_join(request->options, optarg,
						     ',');
			break;
		case 's':
			request->summary = true;
			break;
		case 'h':
			return false;
		default:
			cli_fail(CLI_FAILED, "usage: zbmalloc run "
				 "[-o OPTIONS] [--summary] [--] PROGRAM "
				 "[ARG...]");
		}
	}
	if (optind == argc)
		cli_fail(CLI_FAILED, "run needs a program: zbmalloc run "
			 "[-o OPTIONS] [--summary] [--] PROGRAM [ARG...]");
	request->argv = argv + optind;
	return true;
}

int cli_run(int argc, char **argv)
{
	struct request request = { 0 };
	const char *obstacle;
	char *library, *path;
	bool refuses;

	if (!request_parse(&request, argc, argv))
		return cli_help(argc, argv);
	library = library_find();
	path = program_find(request.argv[0]);
	obstacle = program_obstacle(path, library, &refuses);
	if (obstacle)
		cli_message("%s runs without zbmalloc: %s", request.argv[0],
			    obstacle);
	environment_prepare(&request, refuses ? NULL : library);
	if (request.summary)
		return summary_run(path, request.argv, obstacle);
	program_exec(path, request.argv);
	return (int)program_exec_failed(path, errno);
}
