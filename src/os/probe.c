/*
 * probe - looking at addresses that may not be there.
 *
 * 1. To learn whether a word can be read, the kernel is asked to read it:
 *    rt_sigprocmask copies the new mask first, and only then finds that
 *    what it should do with it is invalid. Sandboxes allow this call where
 *    they forbid process_vm_readv or /proc.
 * 2. No function here is a cancellation point, as free must not be one.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "os/maps.h"
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
