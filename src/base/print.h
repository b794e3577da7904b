/*
 * print - messages, with write(2) and nothing else.
 *
 * 1. No allocation, no locks, no stdio; errno is preserved.
 * 2. A message is formatted in a buffer on the stack (1 KiB, cut at its end)
 *    and written by one write(2), so lines of threads do not mix.
 * 3. The conversions are %s %d %u %ld %lu %zu %x %lx %p %c %%, with field
 *    width, '-' and '0'. Anything else prints as it stands.
 */
#ifndef ZBM_PRINT_H
#define ZBM_PRINT_H

#include "base/base.h"
#include <stdarg.h>

/* As snprintf: the number of bytes the whole text needs. */
size_t print_format(char *buf, size_t size, const char *fmt, ...)
	printf_like(3, 4);
size_t print_vformat(char *buf, size_t size, const char *fmt, va_list ap);

/* Writes all of it to `fd`; gives up silently on errors other than EINTR. */
void print_fd(int fd, const char *fmt, ...) printf_like(2, 3);
void print_write(int fd, const void *buf, size_t size);

/* "zbmalloc: " + text + newline, to stderr. */
void print_message(const char *fmt, ...) printf_like(1, 2);

/* The same, then abort(): for corruption and for wrong frees. */
_Noreturn void print_fatal(const char *fmt, ...) printf_like(1, 2);

#endif
