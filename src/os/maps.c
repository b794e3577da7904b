#include "os/maps.h"
#include "os/os.h"

#include <sys/syscall.h>
#include <unistd.h>

bool maps_open(struct maps *maps)
{
	maps->pos = maps->len = 0;
	maps->fd = os_open("/proc/self/maps");
	return maps->fd >= 0;
}

/* Returns -1 at the end. */
static int maps_getc(struct maps *maps)
{
	ssize_t n;

	if (maps->pos == maps->len) {
		n = os_read(maps->fd, maps->buf, sizeof(maps->buf));
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
bool maps_next(struct maps *maps, struct mapping *mapping)
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
	mapping->accessible = perms[0] == 'r' || perms[1] == 'w' ||
		perms[2] == 'x';
	mapping->writable = perms[1] == 'w';
	mapping->anonymous = inode == 0 && perms[0] == 'r' &&
		perms[1] == 'w' && perms[3] == 'p';
	if (c == '[' && maps_getc(maps) != 'a')
		mapping->anonymous = false;
	while (c != '\n' && c != -1)
		c = maps_getc(maps);
	return c == '\n';
}

void maps_close(struct maps *maps)
{
	syscall(SYS_close, maps->fd);
}
