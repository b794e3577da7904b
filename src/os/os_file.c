/*
 * os_file - small files of /proc and /sys, and what stands in them.
 *
 * They are read into a buffer of the caller's, by system calls: nothing here
 * allocates or is a cancellation point.
 */
#include "os/os.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int os_open(const char *path)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

ssize_t os_read(int fd, char *buf, size_t size)
{
	ssize_t got;

	do
		got = syscall(SYS_read, fd, buf, size);
	while (got < 0 && errno == EINTR);
	return got;
}

long os_read_file(const char *path, char *buf, size_t size)
{
	int saved_errno = errno, fd = os_open(path);
	size_t n = 0;
	ssize_t got;

	if (fd < 0) {
		errno = saved_errno;
		return -1;
	}
	do {
		got = os_read(fd, buf + n, size - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0 && n < size - 1);
	syscall(SYS_close, fd);
	buf[n] = '\0';
	errno = saved_errno;
	return got < 0 ? -1 : (long)n;
}

/* Passes on what the buffer has of whole lines; what is left of it, which is
 * moved to the front. *cut: the first of them is the end of one that was too
 * long. */
static size_t pass_lines(char *buf, bool *cut,
			 void (*line)(char *text, void *arg), void *arg)
{
	char *at = buf, *end;
	size_t left;

	for (; *(end = at + strcspn(at, "\n")); at = end + 1) {
		*end = '\0';
		if (!*cut)
			line(at, arg);
		*cut = false;
	}
	left = strlen(at);
	memmove(buf, at, left + 1);
	return left;
}

void os_read_lines(const char *path, char *buf, size_t size,
		   void (*line)(char *text, void *arg), void *arg)
{
	int saved_errno = errno, fd = os_open(path);
	bool cut = false;
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && (got = os_read(fd, buf + n, size - 1 - n)) > 0) {
		buf[n + (size_t)got] = '\0';
		n = pass_lines(buf, &cut, line, arg);
		if (n == size - 1) {
			cut = true;
			n = 0;
		}
	}
	if (fd >= 0)
		syscall(SYS_close, fd);
	errno = saved_errno;
}

size_t os_parse_number(const char *text)
{
	size_t n = 0;

	while (*text == ' ' || *text == '\t')
		text++;
	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + (size_t)(*text - '0');
	return n;
}

size_t os_parse_kib(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? os_parse_number(at + strlen(name)) << 10 : 0;
}

static const char *skip_digits(const char *text)
{
	while (*text >= '0' && *text <= '9')
		text++;
	return text;
}

bool os_parse_range(const char **text, size_t *first, size_t *last)
{
	const char *at = *text, *end = skip_digits(at);

	if (end == at)
		return false;
	*first = *last = os_parse_number(at);
	if (*end == '-') {
		*last = os_parse_number(end + 1);
		end = skip_digits(end + 1);
	}
	*text = end + (*end == ',');
	return true;
}
