/*
 * limit - how much memory the process may have, and how much is left of it.
 *
 * 1. The limit is that of the process's memory cgroup, of either version, or of
 *    one that this lies in, up to the root of what is mounted: the least of
 *    them, and the least that is left in any. Without one it is the machine's
 *    memory.
 * 2. What counts against it is all memory but page cache, of all processes
 *    that it holds for: the kernel drops page cache before it kills.
 * 3. Files of /proc and /sys are read, some ten system calls and three to nine
 *    for each group: not for a fast path. Where they are not to be had the
 *    answer is "no limit".
 */
#ifndef ZBM_LIMIT_H
#define ZBM_LIMIT_H

#include "base/base.h"

struct limit {
	size_t size;	/* bytes; SIZE_MAX: none known */
	size_t left;	/* bytes of it */
	bool of_group;	/* a cgroup's, not the machine's */
};

void limit_read(struct limit *limit);

/* What the paths of a cgroup's files in /proc and /sys begin with; for tests.
 * Not that of the machine's own. */
extern char limit_root[64];

#endif
