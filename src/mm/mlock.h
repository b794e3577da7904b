/*
 * mlock - all memory of the process is locked, but not the reservations.
 *
 * 1. mlockall(2) brings what is mapped into memory, and to the kernel the
 *    window and its tables are: tens of GiB of them can be read. So it is asked
 *    to lock what is touched (MCL_ONFAULT), the part of the reservations that
 *    is not committed is unlocked again, and what the program expects is
 *    brought in: the other mappings by mlock(2), and of the window the pages
 *    that are handed out. Committed memory that nobody has is left.
 * 2. Without privilege the kernel compares all address space with
 *    RLIMIT_MEMLOCK and refuses. Then the same mappings are locked one by one,
 *    if the sum of them is within it.
 * 3. With MCL_FUTURE os_commit locks what it commits.
 * 4. Where /proc is missing nothing more is brought in, and rule 2 is void.
 */
#ifndef ZBM_MM_MLOCK_H
#define ZBM_MM_MLOCK_H

#include "base/base.h"

/* mlockall(2): 0, or the error number. After memmap_init and meta_init. */
int process_mlockall(int flags);

/* munlockall(2), the same. */
int process_munlockall(void);

/* The first range of pages of one section, from *pfn on, that are handed out:
 * they start at *pfn then. Their number; 0: there are none. Which they are may
 * change right after. Under the hotplug lock. */
size_t pages_in_use(size_t *pfn);

#endif
