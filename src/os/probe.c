/*
 * probe - looking at addresses that may not be there.
 *
 * 1. To learn whether a word can be read, the kernel is asked to read it:
 *    futex(2) compares it with a number, and if they are the same waits for
 *    no time. Sandboxes allow this call where they forbid process_vm_readv or
 *    /proc, and tracing tools know it.
 * 2. No function here is a cancellation point, as free must not be one.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/maps.h"
#include "os/probe.h"

#define RARE_VALUE	0x9e3779b1u

bool probe_readable(uintptr_t addr)
{
	static const struct timespec no_time;
	int saved = errno;
	bool readable = syscall(SYS_futex, align_down(addr, sizeof(uintptr_t)),
				FUTEX_WAIT_PRIVATE, RARE_VALUE, &no_time,
				NULL, 0) == 0 || errno != EFAULT;

	errno = saved;
	return readable;
}

bool probe_read(uintptr_t addr, uintptr_t *word)
{
	if (!probe_readable(addr))
		return false;
	*word = probe_word(addr);
	return true;
}

bool probe_anonymous(uintptr_t start, uintptr_t end)
{
	int saved = errno;
	struct maps maps;
	struct mapping mapping;

	if (!maps_open(&maps)) {
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
	maps_close(&maps);
	errno = saved;
	return start >= end;
}
