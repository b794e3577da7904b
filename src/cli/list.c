/*
 * list - `zbmalloc options`: the table of options, for people and for roff.
 *
 * 1. Both forms have all options, in the order of the table, with the words of
 *    the table: the library and its documents cannot say different things.
 * 2. The form for roff is what scripts/gen-options-man puts into zbmalloc(1).
 */
#include "cli/cli.h"

#include "base/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

/* The first column of the plain form: NAME=VALUES. */
#define COLUMN	26	/* characters */

static void list_plain(void)
{
	const struct option_entry *entry = options_table;
	char values[64], setting[96];

	printf("%-*s %-8s %s\n", COLUMN, "OPTION", "DEFAULT", "MEANING");
	for (; entry < options_table + options_table_size; entry++) {
		option_format_values(entry, values, sizeof(values));
		snprintf(setting, sizeof(setting), "%s=%s", entry->name,
			 values);
		printf("%-*s %-8s %s\n", COLUMN, setting,
		       *entry->initial ? entry->initial : "(empty)",
		       entry->help);
	}
	puts("\nSet by ZBMALLOC_OPTIONS=name=value,..., by zbmalloc run -o,\n"
	     "or in /etc/zbmalloc.conf. Numbers may end in K, M, G or T.");
}

/* Text that roff takes for a command or would change is escaped. */
static void roff_put(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

static void list_roff(void)
{
	const struct option_entry *entry = options_table;
	char values[64];

	for (; entry < options_table + options_table_size; entry++) {
		option_format_values(entry, values, sizeof(values));
		printf(".TP\n.BI %s= ", entry->name);
		roff_put(values);
		fputs("\n\\&", stdout);
		roff_put(entry->help);
		if (*entry->initial)
			printf("\nThe default is\n.BR %s .\n", entry->initial);
		else
			puts("\nThe default is empty.");
	}
}

int cli_options(int argc, char **argv)
{
	static char name[] = "zbmalloc options";
	static const struct option long_options[] = {
		{ "man", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	bool man = false;
	int c;

	argv[0] = name;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c != 'm')
			return CLI_FAILED;
		man = true;
	}
	if (optind < argc)
		cli_fail(CLI_FAILED, "options takes no arguments, but got "
			 "'%s'", argv[optind]);
	if (man)
		list_roff();
	else
		list_plain();
	return EXIT_SUCCESS;
}
