/*
 * mappings - what /proc/self/smaps says of the memory at an address.
 */
#ifndef TESTS_MAPPINGS_H
#define TESTS_MAPPINGS_H

#include "base/base.h"

#include <stdio.h>

#define MAPPING_LINE	256	/* bytes */

/* The line that begins so ("VmFlags:"), of the mapping that the address lies
 * in; "": there is none. */
static inline void mapping_line(const void *address, const char *name,
				char line[MAPPING_LINE])
{
	FILE *file = fopen("/proc/self/smaps", "r");
	uintptr_t from = 0, to = 0, at = (uintptr_t)address;
	bool found = false;

	while (file && !found && fgets(line, MAPPING_LINE, file))
		found = sscanf(line, "%lx-%lx ", &from, &to) != 2 &&
			at >= from && at < to &&
			!strncmp(line, name, strlen(name));
	if (!found)
		line[0] = '\0';
	if (file)
		fclose(file);
}

/* Bytes in huge pages, of all mappings that have some of these. */
static inline size_t mappings_huge(const void *address, size_t size)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	uintptr_t from = 0, to = 0, at = (uintptr_t)address;
	char line[MAPPING_LINE];
	size_t kib, sum = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx-%lx ", &from, &to) != 2 &&
		    from < at + size && to > at &&
		    sscanf(line, "AnonHugePages: %zu", &kib) == 1)
			sum += kib << 10;
	if (file)
		fclose(file);
	return sum;
}

#endif
