/*
 * options_read - the two sources of what a user set.
 *
 * 1. The environment is walked here, not asked for by getenv: programs
 *    (bash) have a getenv of their own, which may allocate. For the same
 *    reason files are read with syscall(2).
 * 2. A file that is too long is reported and ignored as a whole.
 */
#include "base/options.h"

#include "base/param.h"
#include "base/print.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONFIG_FILE	"/etc/zbmalloc.conf"
#define VARIABLE	"ZBMALLOC_OPTIONS"

#define SOURCE_SIZE	4096	/* bytes read of a source, with the NUL */
#define READ_SIZE	512	/* bytes of /proc/self/environ at a time */

/* Reads up to `size` bytes from where `fd` stands; fewer at its end. */
static size_t fd_read(int fd, char *buf, size_t size)
{
	size_t len = 0;
	long got;

	while (len < size) {
		got = syscall(SYS_read, fd, buf + len, size - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	return len;
}

static int file_open(const char *path)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

/* The end of the text, too. */
static bool is_separator(char c)
{
	return strcspn((const char[]){ c, '\0' }, OPTION_SEPARATORS) == 0;
}

/* A # that begins a setting begins a comment. */
static void comments_blank(char *text, size_t len)
{
	bool comment = false;
	char before = '\n';
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] == '\n')
			comment = false;
		else if (text[i] == '#' && is_separator(before))
			comment = true;
		before = text[i];
		if (comment || !text[i])
			text[i] = ' ';
	}
}

/* Half a value would be a wrong value: nothing of it is read. */
static void source_too_long(const char *where)
{
	print_message("%s: ignored: it is longer than %d bytes", where,
		      SOURCE_SIZE - 1);
}

cold_path void options_read_file(struct options *opts, const char *path)
{
	char text[SOURCE_SIZE];
	size_t len;
	int fd = file_open(path);

	if (fd < 0)
		return;
	len = fd_read(fd, text, sizeof(text));
	syscall(SYS_close, fd);
	if (len == sizeof(text)) {
		source_too_long(path);
		return;
	}
	comments_blank(text, len);
	text[len] = '\0';
	options_parse(opts, text, path);
}

/* /proc/self/environ may have megabytes: read in small pieces. */
struct reader {
	int fd;
	size_t at, len;
	char buf[READ_SIZE];
};

/* The next byte, or -1 at the end. */
static int reader_next(struct reader *reader)
{
	if (reader->at == reader->len) {
		reader->at = 0;
		reader->len = fd_read(reader->fd, reader->buf,
				      sizeof(reader->buf));
		if (!reader->len)
			return -1;
	}
	return (unsigned char)reader->buf[reader->at++];
}

/* One string of the environment, as much as fits; its whole length, or -1. */
static long reader_string(struct reader *reader, char *buf, size_t size)
{
	size_t len = 0;
	int c = reader_next(reader);

	if (c < 0)
		return -1;
	for (; c > 0; c = reader_next(reader), len++)
		if (len < size - 1)
			buf[len] = (char)c;
	buf[min(len, size - 1)] = '\0';
	return (long)len;
}

static const char *variable_value(const char *string)
{
	static const char prefix[] = VARIABLE "=";
	size_t len = sizeof(prefix) - 1;

	/* Most strings are told apart without a look at `prefix`, which costs
	 * a page fault in a program that never allocates. */
	return *string != VARIABLE[0] || strncmp(string, prefix, len) ?
		NULL : string + len;
}

static cold_path void options_read_proc(struct options *opts)
{
	char string[SOURCE_SIZE];
	struct reader reader = { .fd = file_open("/proc/self/environ") };
	const char *value = NULL;
	long len;

	if (reader.fd < 0)
		return;
	do {
		len = reader_string(&reader, string, sizeof(string));
		value = len < 0 ? NULL : variable_value(string);
	} while (len >= 0 && !value);
	syscall(SYS_close, reader.fd);
	if (!value)
		return;
	if ((size_t)len < sizeof(string))
		options_parse(opts, value, VARIABLE);
	else
		source_too_long(VARIABLE);
}

static const char *environ_options(void)
{
	const char *value = NULL;
	char **string;

	for (string = environ; string && *string && !value; string++)
		value = variable_value(*string);
	return value;
}

static void options_read_environ(struct options *opts)
{
	const char *value = environ_options();

	if (value)
		options_parse(opts, value, VARIABLE);
	else if (!environ)
		/* The dynamic linker allocates before libc knows it. */
		options_read_proc(opts);
}

/* Known to be: a first malloc soon after does not look again. */
static bool file_is_missing;

static bool file_is_there(void)
{
	if (!syscall(SYS_faccessat, AT_FDCWD, CONFIG_FILE, F_OK))
		return true;
	file_is_missing = errno == ENOENT;
	return false;
}

bool options_are_given(void)
{
	int saved_errno = errno;
	bool given = environ_options() || file_is_there();

	errno = saved_errno;
	return given;
}

void options_init(void)
{
	int saved_errno = errno;

	options_set_defaults(&options);
	if (!getauxval(AT_SECURE)) {
		if (!file_is_missing)
			options_read_file(&options, CONFIG_FILE);
		options_read_environ(&options);
	}
	errno = saved_errno;
}
