/*
 * capture - what a piece of code prints to stderr, as a string.
 *
 * 1. Between capture_begin and capture_end stderr is a pipe, so that at most
 *    64 KiB (what a pipe holds) may be printed in between.
 * 2. It has no assertions of cmocka: what fails here is no test result.
 */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

#include "base/base.h"

#include <unistd.h>

struct capture {
	int read_end;
	int saved_stderr;
	char text[8192];
};

/* Reads `fd` to its end into capture->text, and closes it. */
static inline void capture_drain(struct capture *capture, int fd)
{
	size_t len = 0;
	ssize_t got;

	do {
		got = read(fd, capture->text + len,
			   sizeof(capture->text) - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	capture->text[len] = '\0';
	close(fd);
}

static inline void capture_begin(struct capture *capture)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	capture->saved_stderr = dup(STDERR_FILENO);
	CHECK(dup2(fds[1], STDERR_FILENO) == STDERR_FILENO);
	close(fds[1]);
	capture->read_end = fds[0];
}

static inline void capture_end(struct capture *capture)
{
	CHECK(dup2(capture->saved_stderr, STDERR_FILENO) == STDERR_FILENO);
	close(capture->saved_stderr);
	capture_drain(capture, capture->read_end);
}

#endif
