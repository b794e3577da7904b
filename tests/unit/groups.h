/*
 * groups - a system of the test's own making, in which the process lies in a
 * memory cgroup.
 *
 * 1. Its files stand in a folder below /tmp that limit_root names:
 *    groups_start makes it, groups_clear empties it, groups_stop removes it.
 * 2. What /proc/meminfo says of the machine holds all the same.
 */
#ifndef TESTS_GROUPS_H
#define TESTS_GROUPS_H

#include "os/limit.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MIB	(1UL << 20)

static char groups_root[] = "/tmp/zbmalloc-limit-XXXXXX";

static inline void groups_start(void)
{
	assert_non_null(mkdtemp(groups_root));
	strcpy(limit_root, groups_root);
}

static inline int groups_stop(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", groups_root);
	return system(command);
}

static inline int groups_clear(void **state)
{
	int failed = groups_stop(state);

	return failed || mkdir(groups_root, 0700);
}

/* A file below the root, and the folders that it lies in. */
static inline void put(const char *path, const char *text)
{
	char whole[4096];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s%s", groups_root, path);
	for (char *at = whole + strlen(groups_root) + 1;
	     (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(whole, 0700);
		*at = '/';
	}
	file = fopen(whole, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline void put_number(const char *group, const char *name,
			      size_t number)
{
	char path[2048], text[32];

	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/%s", group, name);
	snprintf(text, sizeof(text), "%zu\n", number);
	put(path, text);
}

static inline void put_group(const char *group, size_t size, size_t used)
{
	put_number(group, "memory.max", size);
	put_number(group, "memory.current", used);
}

#endif
