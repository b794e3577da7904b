/*
 * options - the table and the parser of what a user may set.
 *
 * 1. Every option is a row of options_table; a value is stored through the
 *    row's offset, so a new option is a new field and a new row.
 * 2. Names, values and words are spans of the source text: nothing is copied
 *    but the value of an option that is text.
 * 3. Whatever is wrong costs the one setting it stands in: it is reported
 *    and ignored, the rest is read.
 */
#include "base/options.h"

#include "base/param.h"
#include "base/print.h"

#define SHOWN_SIZE	80	/* bytes of a wrong setting in a message */
#define VALUES_SIZE	64	/* bytes of option_format_values */
#define NAMES_SIZE	512	/* bytes of the list of all names */

struct options options;

/* Each process reads it: a literal would lie where some text ends, far from all
 * else that is read. */
static const char nothing[] = "";

#define FIELD(name) \
	.offset = offsetof(struct options, name), \
	.size = sizeof(options.name)

const struct option_entry options_table[] = {
	{ "verbose", OPTION_BOOL, NULL, "0",
	  "Say what the environment refused and what is done without, and "
	  "which settings cannot be followed.",
	  FIELD(verbose) },
	{ "summary", OPTION_BOOL, NULL, "0",
	  "Print one line at exit: who served the memory, and how much.",
	  FIELD(summary) },
	{ "validate", OPTION_BOOL, NULL, "0",
	  "Check every structure at exit (slow).",
	  FIELD(validate) },
	{ "thp", OPTION_ENUM, "never|auto|always|system", "auto",
	  "Huge pages: never; for small blocks of a heap that has grown and "
	  "large ones that are written to the end; wherever they fit; or as "
	  "the system has it.",
	  FIELD(thp) },
	{ "window", OPTION_SIZE, NULL, "0",
	  "Bytes of address space that malloc may have; 0: what the limits "
	  "allow. Under ulimit -v it is reserved only as needed.",
	  FIELD(window), .highest = WINDOW_MAX_SIZE },
	{ "decay_ms", OPTION_SIZE, NULL, "1000",
	  "Milliseconds after which idle free memory goes back to the system; "
	  "0: never by time alone.",
	  FIELD(decay_ms), .highest = 3600000 },
	{ "cache", OPTION_SIZE, NULL, "2M",
	  "Bytes of free blocks from 16 KiB up beyond which a thread passes "
	  "them on, to where all threads share them; there up to about 16 MiB "
	  "of each size stay for a while; with 0 nobody caches them.",
	  FIELD(cache), .highest = 1UL << 30 },
	{ "numa", OPTION_ENUM, "off|local|interleave", "local",
	  "NUMA nodes: not looked at; memory of the node a thread runs on; or "
	  "all of them in turn.",
	  FIELD(numa) },
	{ "tier", OPTION_ENUM, "near|far", "near",
	  "Which memory comes first: of nodes with CPUs, or of nodes without "
	  "(CXL).",
	  FIELD(tier) },
	{ "node_limit", OPTION_LIMITS, NULL, nothing,
	  "Memory to take of a node at most, as 0:2G,1:512M; what exceeds it "
	  "goes to the next nearest.",
	  FIELD(node_limit) },
	{ "deepbind", OPTION_BOOL, NULL, "0",
	  "Obey RTLD_DEEPBIND: libraries opened with it use the C library's "
	  "malloc.",
	  FIELD(deepbind) },
	{ "stats", OPTION_FILE, NULL, nothing,
	  "Report at exit: 0, none; 1, to standard error; else to the file "
	  "named here.",
	  FIELD(stats) },
};

const size_t options_table_size = array_size(options_table);

/* A piece of a source. */
struct span {
	const char *at;
	size_t len;
};

/* Where a piece stood, for messages. */
struct place {
	const char *where;
	size_t line;	/* 0: the source is a single line */
};

static bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && !strncmp(a.at, b.at, a.len);
}

static bool span_is(struct span span, const char *word)
{
	return span_equal(span, (struct span){ word, strlen(word) });
}

/* The part before the first `c`, which *span then loses together with `c`. */
static struct span span_split(struct span *span, char c)
{
	struct span head = { span->at, 0 };
	size_t gone;

	while (head.len < span->len && head.at[head.len] != c)
		head.len++;
	gone = min(head.len + 1, span->len);
	span->at += gone;
	span->len -= gone;
	return head;
}

static bool bool_parse(struct span value, bool *result)
{
	static const char *const off_on[][2] = {
		{ "0", "1" }, { "off", "on" }, { "no", "yes" },
		{ "false", "true" },
	};
	size_t i;

	for (i = 0; i < array_size(off_on); i++) {
		*result = span_is(value, off_on[i][1]);
		if (*result || span_is(value, off_on[i][0]))
			return true;
	}
	return false;
}

/* log2 of what the letter K, M, G or T multiplies by; 0 for any other. */
static unsigned int suffix_shift(char c)
{
	switch (c) {
	case 'k': case 'K':
		return 10;
	case 'm': case 'M':
		return 20;
	case 'g': case 'G':
		return 30;
	case 't': case 'T':
		return 40;
	default:
		return 0;
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool size_parse(struct span value, size_t *result)
{
	unsigned int shift;
	size_t i;

	if (!value.len)
		return false;
	shift = suffix_shift(value.at[value.len - 1]);
	if (shift)
		value.len--;
	*result = 0;
	for (i = 0; i < value.len; i++) {
		if (!is_digit(value.at[i]))
			return false;
		if (__builtin_mul_overflow(*result, 10, result) ||
		    __builtin_add_overflow(*result, value.at[i] - '0', result))
			return false;
	}
	return value.len &&
	       !__builtin_mul_overflow(*result, 1UL << shift, result);
}

static bool enum_parse(const char *names, struct span value,
		       unsigned int *result)
{
	struct span rest = { names, strlen(names) };
	struct span name;

	for (*result = 0; rest.len; ++*result) {
		name = span_split(&rest, '|');
		if (span_equal(name, value))
			return true;
	}
	return false;
}

/* One "NUMBER:SIZE". */
static bool limit_parse(struct span value, size_t *number, size_t *size)
{
	struct span head = span_split(&value, ':');

	/* A number of things has no suffix. */
	return head.len && is_digit(head.at[head.len - 1]) &&
	       size_parse(head, number) && size_parse(value, size);
}

static bool limits_are_good(struct span value)
{
	size_t number, size;

	while (value.len)
		if (!limit_parse(span_split(&value, ','), &number, &size))
			return false;
	return true;
}

size_t options_limit_of(const char *text, size_t number)
{
	struct span rest = { text, strlen(text) };
	size_t n, size, limit = SIZE_MAX;

	while (rest.len)
		if (limit_parse(span_split(&rest, ','), &n, &size) &&
		    n == number)
			limit = size;
	return limit;
}

/* False, and nothing stored, if the option cannot have this value. */
static bool option_set(struct options *opts, const struct option_entry *entry,
		       struct span value)
{
	char *field = (char *)opts + entry->offset;
	unsigned int index;
	size_t number;
	bool flag;

	switch (entry->kind) {
	case OPTION_BOOL:
		ASSERT(entry->size == sizeof(flag));
		if (!bool_parse(value, &flag))
			return false;
		memcpy(field, &flag, sizeof(flag));
		return true;
	case OPTION_SIZE:
		ASSERT(entry->size == sizeof(number));
		if (!size_parse(value, &number) || number > entry->highest)
			return false;
		memcpy(field, &number, sizeof(number));
		return true;
	case OPTION_ENUM:
		ASSERT(entry->size == sizeof(index));
		if (!enum_parse(entry->values, value, &index))
			return false;
		memcpy(field, &index, sizeof(index));
		return true;
	case OPTION_LIMITS:
		if (!limits_are_good(value))
			return false;
		break;
	case OPTION_FILE:
		/* The default is not compared: each process would read words
		 * that lie far from all else. */
		if (!value.len || !bool_parse(value, &flag))
			break;
		field[0] = flag ? '1' : '\0';
		field[1] = '\0';
		return true;
	}
	if (value.len >= entry->size)
		return false;
	memcpy(field, value.at, value.len);
	field[value.len] = '\0';
	return true;
}

/* Writes `n` in the shortest form that size_parse reads back. */
static size_t size_format(char *buf, size_t size, size_t n)
{
	static const char suffix[] = "KMGT";
	size_t i = 0;

	if (!n || n % 1024)
		return print_format(buf, size, "%zu", n);
	while (n % 1024 == 0 && suffix[i]) {
		n /= 1024;
		i++;
	}
	return print_format(buf, size, "%zu%c", n, suffix[i - 1]);
}

size_t option_format_values(const struct option_entry *entry, char *buf,
			    size_t size)
{
	char highest[24];

	switch (entry->kind) {
	case OPTION_BOOL:
		return print_format(buf, size, "0|1");
	case OPTION_SIZE:
		size_format(highest, sizeof(highest), entry->highest);
		return print_format(buf, size, "0..%s", highest);
	case OPTION_ENUM:
		return print_format(buf, size, "%s", entry->values);
	case OPTION_LIMITS:
		return print_format(buf, size, "NODE:SIZE,...");
	case OPTION_FILE:
		break;
	}
	return print_format(buf, size, "0|1|FILE");
}

/* "verbose, summary, ..." */
static void names_format(char *buf, size_t size)
{
	size_t len = 0, i;

	for (i = 0; i < options_table_size && len < size; i++)
		len += print_format(buf + len, size - len, "%s%s",
				    i ? ", " : "", options_table[i].name);
}

static cold_path void report(const struct place *place, struct span setting,
			     const struct option_entry *entry)
{
	char shown[SHOWN_SIZE], line[24] = "";
	char values[VALUES_SIZE], names[NAMES_SIZE];
	size_t i, len = min(setting.len, sizeof(shown) - 1);

	/* Control characters would reach the user's terminal. */
	for (i = 0; i < len; i++)
		shown[i] = setting.at[i] & 0x60 ? setting.at[i] : '?';
	shown[len] = '\0';
	if (place->line)
		print_format(line, sizeof(line), ":%zu", place->line);
	if (!entry) {
		names_format(names, sizeof(names));
		print_message("%s%s: '%s' ignored: no such option; there are "
			      "%s", place->where, line, shown, names);
		return;
	}
	option_format_values(entry, values, sizeof(values));
	if (entry->kind == OPTION_FILE || entry->kind == OPTION_LIMITS)
		print_message("%s%s: '%s' ignored: write %s=%s, at most %zu "
			      "bytes", place->where, line, shown, entry->name,
			      values, entry->size - 1);
	else
		print_message("%s%s: '%s' ignored: write %s=%s", place->where,
			      line, shown, entry->name, values);
}

static const struct option_entry *entry_find(struct span name)
{
	size_t i;

	for (i = 0; i < options_table_size; i++)
		if (span_is(name, options_table[i].name))
			return &options_table[i];
	return NULL;
}

static void setting_parse(struct options *opts, struct span setting,
			  const struct place *place)
{
	struct span value = setting;
	struct span name = span_split(&value, '=');
	const struct option_entry *entry = entry_find(name);
	bool bare = name.len == setting.len;

	if (entry && bare && entry->kind == OPTION_BOOL) {
		option_set(opts, entry, (struct span){ "1", 1 });
		return;
	}
	if (!entry || bare || !option_set(opts, entry, value))
		report(place, setting, entry);
}

/* Up to the next separator, but for commas that are part of the value. */
static struct span setting_at(const char *text)
{
	size_t len = strcspn(text, OPTION_SEPARATORS);

	while (len && text[len] == ',' && is_digit(text[len + 1]))
		len += 1 + strcspn(text + len + 1, OPTION_SEPARATORS);
	return (struct span){ text, len };
}

void options_parse(struct options *opts, const char *text, const char *where)
{
	struct place place = { where, text[strcspn(text, "\n")] ? 1 : 0 };
	struct span setting;

	while (*text) {
		setting = setting_at(text);
		if (setting.len) {
			setting_parse(opts, setting, &place);
			text += setting.len;
			continue;
		}
		if (*text == '\n')
			place.line++;
		text++;
	}
}

void options_set_defaults(struct options *opts)
{
	const struct option_entry *entry;
	bool known;

	memset(opts, 0, sizeof(*opts));
	for (entry = options_table; entry < options_table + options_table_size;
	     entry++) {
		known = option_set(opts, entry,
				   (struct span){ entry->initial,
						  strlen(entry->initial) });
		CHECK(known);
	}
}
