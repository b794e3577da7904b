/*
 * options - what a user may set, read once.
 *
 * 1. /etc/zbmalloc.conf is read first, then ZBMALLOC_OPTIONS; the later one
 *    wins. Both have the form name=value, separated by commas, white space
 *    or newlines; in the file, # starts a comment. A comma in front of a
 *    digit is part of the value: no name starts with one.
 * 2. A name that is not in the table, or a value out of range, is reported
 *    with where it stood and what is allowed, and ignored.
 * 3. A setuid or setgid program (AT_SECURE) ignores both.
 * 4. Nothing here allocates. The table is the one source: `zbmalloc options`
 *    and the manual page are made from it.
 */
#ifndef ZBM_OPTIONS_H
#define ZBM_OPTIONS_H

#include "base/param.h"

enum thp_mode { THP_NEVER, THP_AUTO, THP_ALWAYS, THP_SYSTEM };
enum numa_mode { NUMA_OFF, NUMA_LOCAL_FIRST, NUMA_INTERLEAVED };
enum tier_mode { TIER_NEAR, TIER_FAR };

struct options {
	bool verbose;		/* say what the environment refused */
	bool summary;		/* one line at exit */
	bool validate;		/* X_validate() at exit */
	enum thp_mode thp;
	size_t window;		/* bytes of address space; 0: by limits */
	size_t decay_ms;	/* idle free memory goes back after this */
	size_t cache;		/* bytes a thread may cache of 16 KiB up */
	enum numa_mode numa;
	enum tier_mode tier;	/* which memory comes first */
	bool deepbind;		/* libraries may use the C library's malloc */
	char node_limit[12 * MAX_NUMNODES];	/* "ID:SIZE,..." */
	char stats[256];	/* "" off, "1" stderr, else a file's path */
};

extern struct options options;

/* When what lies unused, and nodes, are looked at again (decay_ms is not 0). */
static inline uint64_t decay_next_look(uint64_t now)
{
	return now + options.decay_ms / 4 + 1;
}

enum option_kind {
	OPTION_BOOL,
	OPTION_SIZE,
	OPTION_ENUM,
	OPTION_LIMITS,	/* "NUMBER:SIZE,..." */
	OPTION_FILE,	/* a switch's word, stored as "" or "1"; or a path */
};

struct option_entry {
	const char *name;
	enum option_kind kind;
	const char *values;	/* OPTION_ENUM: names separated by '|' */
	const char *initial;	/* the default, as text */
	const char *help;	/* one sentence */
	size_t offset;		/* in struct options */
	size_t size;		/* of the field, bytes */
	size_t highest;		/* OPTION_SIZE, of 0.. */
};

extern const struct option_entry options_table[];
extern const size_t options_table_size;

/* Reads both sources. Safe before libc is initialised. */
void options_init(void);

/* Whether either source is there, read or not. The environment must be. */
bool options_are_given(void);

/* The parts of options_init, one by one: */
void options_set_defaults(struct options *opts);
void options_read_file(struct options *opts, const char *path);

#define OPTION_SEPARATORS	", \t\r\n"

/* Parses `text`; `where` names it in messages. */
void options_parse(struct options *opts, const char *text, const char *where);

/* The size that stands with the number in a text of OPTION_LIMITS, the last
 * one when several do; SIZE_MAX: none does. */
size_t options_limit_of(const char *text, size_t number);

/*
 * What may stand after the = of this option, in few words ("0|1", "0..1G").
 * As print_format: the number of bytes the whole text needs.
 */
size_t option_format_values(const struct option_entry *entry, char *buf,
			    size_t size);

#endif
