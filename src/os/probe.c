/*
 * probe - looking at addresses that may not be there.
 *
 * 1. To learn whether a word can be read, the kernel is asked to read it:
 *    rt_sigprocmask copies the new mask first, and only then finds that
 *    what it should do with it is invalid. Sandboxes allow this call where
 *    they forbid process_vm_readv or /proc.
 * 2. /proc/self/maps is read in small pieces into a buffer on the stack.
 *    No function here is a cancellation point, as free must not be one.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/probe.h"

#define SIGSET_SIZE	8	/* bytes, the kernel's */
#define INVALID_HOW	(-1)

static_assert(sizeof(uintptr_t) == SIGSET_SIZE, "a mask is a word");

bool probe_readable(uintptr_t addr)
{
	int saved = errno;
	bool readable = syscall(SYS_rt_sigprocmask, INVALID_HOW,
				align_down(addr, SIGSET_SIZE), NULL,
				SIGSET_SIZE) == 0 || errno != EFAULT;

	errno = saved;
	/* A mask at address 0 is no mask: the kernel does not read it. */
	return readable && addr >= SIGSET_SIZE;
}

bool probe_read(uintptr_t addr, uintptr_t *word)
{
	if (!probe_readable(addr))
		return false;
	*word = probe_word(addr);
	return true;
}

/* /proc/self/maps, character by character */
struct maps {
	int fd;
	size_t pos, len;
	char buf[1024];
};

struct mapping {
	uintptr_t start, end;
	bool anonymous;		/* and private and writable */
};

/* Returns -1 at the end. */
static int maps_getc(struct maps *maps)
{
	long n;

	if (maps->pos == maps->len) {
		do {
			n = syscall(SYS_read, maps->fd, maps->buf,
				    sizeof(maps->buf));
		} while (n < 0 && errno == EINTR);
		if (n <= 0)
			return -1;
		maps->pos = 0;
		maps->len = (size_t)n;
	}
	return (unsigned char)maps->buf[maps->pos++];
}

/* Reads a hexadecimal number and the one character after it. */
static uintptr_t maps_hex(struct maps *maps)
{
	uintptr_t value = 0;
	int c;

	for (;;) {
		c = maps_getc(maps);
		if (c >= '0' && c <= '9')
			value = value << 4 | (uintptr_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uintptr_t)(c - 'a' + 10);
		else
			return value;
	}
}

/* "start-end rw-p offset dev:dev inode   name\n"; false at the end. */
static bool maps_next(struct maps *maps, struct mapping *mapping)
{
	char perms[5];
	uintptr_t inode;
	size_t i;
	int c;

	mapping->start = maps_hex(maps);
	mapping->end = maps_hex(maps);
	for (i = 0; i < sizeof(perms); i++)
		perms[i] = (char)maps_getc(maps);
	maps_hex(maps);			/* offset */
	maps_hex(maps);			/* major */
	maps_hex(maps);			/* minor */
	/* Only a number that is 0 matters, so hexadecimal will do. */
	inode = 0;
	while ((c = maps_getc(maps)) >= '0' && c <= '9')
		inode |= (uintptr_t)(c - '0');
	while (c == ' ')
		c = maps_getc(maps);
	/* No name, or one that prctl gave to anonymous memory. */
	mapping->anonymous = inode == 0 && perms[0] == 'r' &&
		perms[1] == 'w' && perms[3] == 'p';
	if (c == '[' && maps_getc(maps) != 'a')
		mapping->anonymous = false;
	while (c != '\n' && c != -1)
		c = maps_getc(maps);
	return c == '\n';
}

bool probe_anonymous(uintptr_t start, uintptr_t end)
{
	int saved = errno;
	struct maps maps = { .pos = 0 };
	struct mapping mapping;

	maps.fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps",
			       O_RDONLY | O_CLOEXEC);
	if (maps.fd < 0) {
		errno = saved;
		return true;
	}
	/* The lines are in ascending order. */
	while (start < end && maps_next(&maps, &mapping)) {
		if (mapping.end <= start)
			continue;
		if (mapping.start > start || !mapping.anonymous)
			break;
		start = mapping.end;
	}
	syscall(SYS_close, maps.fd);
	errno = saved;
	return start >= end;
}
