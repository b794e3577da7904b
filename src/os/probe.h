/*
 * probe - looking at addresses that may not be there.
 *
 * 1. Any address may be asked about; nothing here faults, allocates, locks
 *    or changes errno.
 * 2. An answer is true when given. Another thread may unmap the memory right
 *    after.
 */
#ifndef ZBM_PROBE_H
#define ZBM_PROBE_H

#include "base/base.h"

/* Whether the aligned 8 bytes around `addr` can be read. */
bool probe_readable(uintptr_t addr);

/* The word at `addr`, a multiple of 8; it must be readable. It may belong
 * to whoever, to which sanitizers would object. */
__attribute__((no_sanitize("address"), no_sanitize("thread")))
static inline uintptr_t probe_word(uintptr_t addr)
{
	return *(const volatile uintptr_t *)addr;
}

/* Both: false when the word cannot be read. */
bool probe_read(uintptr_t addr, uintptr_t *word);

/*
 * Whether private anonymous writable memory covers all of start to end; the
 * brk heap, stacks with a name and shared memory are none. True when /proc
 * is not there to ask.
 */
bool probe_anonymous(uintptr_t start, uintptr_t end);

#endif
