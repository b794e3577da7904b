/*
 * print - messages, with write(2) and nothing else.
 *
 * 1. A text is built by putting one character after the other into a
 *    `struct text`, which counts what did not fit.
 * 2. write is made by syscall(2): it is then no cancellation point, and a
 *    program or library that wraps write() (and may allocate there) is not
 *    called from inside the allocator.
 * 3. A text that does not fit ends in "..." and keeps its newline.
 */
#include "base/print.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MESSAGE_SIZE	1024	/* bytes on the stack, the final NUL included */
#define DIGITS_MAX	20	/* of a 64-bit number, base 10 */

struct text {
	char *buf;
	size_t size;	/* of buf; its last byte is kept for the NUL */
	size_t len;	/* of the whole text, also when it does not fit */
};

/* What stands between % and the conversion. */
struct spec {
	bool left;
	char pad;	/* ' ' or '0' */
	size_t width;
};

static void text_put(struct text *text, char c)
{
	if (text->len + 1 < text->size)
		text->buf[text->len] = c;
	text->len++;
}

static void text_put_bytes(struct text *text, const char *s, size_t n)
{
	while (n--)
		text_put(text, *s++);
}

static void text_put_padding(struct text *text, char c, size_t n)
{
	while (n--)
		text_put(text, c);
}

static void text_put_field(struct text *text, const struct spec *spec,
			   const char *s, size_t n)
{
	size_t padding = spec->width > n ? spec->width - n : 0;

	if (!spec->left)
		text_put_padding(text, ' ', padding);
	text_put_bytes(text, s, n);
	if (spec->left)
		text_put_padding(text, ' ', padding);
}

static void text_put_number(struct text *text, const struct spec *spec,
			    const char *sign, uint64_t value,
			    unsigned int base)
{
	char field[sizeof("0x") + DIGITS_MAX];
	char *at = field + sizeof(field);
	size_t sign_len = strlen(sign);
	size_t len, zeros;

	do {
		*--at = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);

	if (spec->pad == '0' && !spec->left) {
		len = (size_t)(field + sizeof(field) - at) + sign_len;
		zeros = spec->width > len ? spec->width - len : 0;
		text_put_bytes(text, sign, sign_len);
		text_put_padding(text, '0', zeros);
		text_put_bytes(text, at, len - sign_len);
		return;
	}
	at -= sign_len;
	memcpy(at, sign, sign_len);
	text_put_field(text, spec, at, (size_t)(field + sizeof(field) - at));
}

static void text_put_signed(struct text *text, const struct spec *spec,
			    long value)
{
	uint64_t magnitude = (uint64_t)value;

	if (value < 0)
		text_put_number(text, spec, "-", 0 - magnitude, 10);
	else
		text_put_number(text, spec, "", magnitude, 10);
}

static void text_put_string(struct text *text, const struct spec *spec,
			    const char *s)
{
	if (!s)
		s = "(null)";
	text_put_field(text, spec, s, strlen(s));
}

static const char *spec_parse(struct spec *spec, const char *at)
{
	*spec = (struct spec){ .pad = ' ' };
	for (; *at == '-' || *at == '0'; at++) {
		if (*at == '-')
			spec->left = true;
		else
			spec->pad = '0';
	}
	for (; *at >= '0' && *at <= '9' && spec->width < MESSAGE_SIZE; at++)
		spec->width = spec->width * 10 + (size_t)(*at - '0');
	return at;
}

size_t print_vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct text text = { .buf = buf, .size = size };
	struct spec spec;
	const char *percent;
	bool is_long;
	char c;

	while (*fmt) {
		if (*fmt != '%') {
			text_put(&text, *fmt++);
			continue;
		}
		percent = fmt;
		fmt = spec_parse(&spec, fmt + 1);
		is_long = *fmt == 'l' || *fmt == 'z';
		if (is_long)
			fmt++;
		switch (*fmt) {
		case 's':
			text_put_string(&text, &spec, va_arg(ap, char *));
			break;
		case 'c':
			c = (char)va_arg(ap, int);
			text_put_field(&text, &spec, &c, 1);
			break;
		case 'd':
			text_put_signed(&text, &spec, is_long ?
					va_arg(ap, long) : va_arg(ap, int));
			break;
		case 'u':
			text_put_number(&text, &spec, "", is_long ?
					va_arg(ap, unsigned long) :
					va_arg(ap, unsigned int), 10);
			break;
		case 'x':
			text_put_number(&text, &spec, "", is_long ?
					va_arg(ap, unsigned long) :
					va_arg(ap, unsigned int), 16);
			break;
		case 'p':
			text_put_number(&text, &spec, "0x",
					(uintptr_t)va_arg(ap, void *), 16);
			break;
		case '%':
			text_put(&text, '%');
			break;
		default:
			/* No conversion of ours: as it stands. */
			text_put_bytes(&text, percent, (size_t)(fmt - percent));
			continue;
		}
		fmt++;
	}
	if (size)
		buf[min(text.len, size - 1)] = '\0';
	return text.len;
}

size_t print_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = print_vformat(buf, size, fmt, ap);
	va_end(ap);
	return len;
}

void print_write(int fd, const void *buf, size_t size)
{
	const char *at = buf;
	int saved_errno = errno;
	long written;

	while (size) {
		written = syscall(SYS_write, fd, at, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			break;
		at += written;
		size -= (size_t)written;
	}
	errno = saved_errno;
}

/* The bytes of `buf` to write of a text that needs `len`. */
static size_t message_cut(char *buf, size_t len)
{
	static const char cut[] = "...\n";

	if (len < MESSAGE_SIZE)
		return len;
	memcpy(buf + MESSAGE_SIZE - sizeof(cut), cut, sizeof(cut));
	return MESSAGE_SIZE - 1;
}

void print_fd(int fd, const char *fmt, ...)
{
	char buf[MESSAGE_SIZE];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = print_vformat(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	print_write(fd, buf, message_cut(buf, len));
}

static void message_vprint(const char *fmt, va_list ap)
{
	static const char prefix[] = "zbmalloc: ";
	char buf[MESSAGE_SIZE];
	size_t len = sizeof(prefix) - 1;

	memcpy(buf, prefix, len);
	len += print_vformat(buf + len, sizeof(buf) - len, fmt, ap);
	if (len < sizeof(buf))
		buf[len] = '\n';
	print_write(STDERR_FILENO, buf, message_cut(buf, len + 1));
}

void print_message(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message_vprint(fmt, ap);
	va_end(ap);
}

void print_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message_vprint(fmt, ap);
	va_end(ap);
	abort();
}

void base_assert_failed(const char *file, int line, const char *what)
{
	print_fatal("%s:%d: this must hold and does not: %s", file, line,
		    what);
}
