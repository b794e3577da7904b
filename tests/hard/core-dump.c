/*
 * core-dump - what a debugger would write of this process is what it uses.
 *
 * 1. gcore(1) of gdb 13 writes every private mapping that the process has not
 *    excluded by madvise(MADV_DONTDUMP), be it readable or not: the kernel
 *    says "dd" in /proc/self/smaps of those that are.
 * 2. What holds blocks is not excluded.
 */
#include "hard.h"

#define NR_BLOCKS	300
#define MOST_DUMPED	(512 * MIB)

static char *block[NR_BLOCKS];

struct mapping {
	unsigned long start, end;
};

static size_t nr_blocks_in(const struct mapping *map)
{
	size_t i, n = 0;

	for (i = 0; i < NR_BLOCKS; i++)
		n += (unsigned long)block[i] >= map->start &&
		     (unsigned long)block[i] < map->end;
	return n;
}

int main(void)
{
	struct mapping map = { 0, 0 }, next;
	size_t i, dumped = 0, found = 0;
	char line[512];
	FILE *file;

	hard_start(20);
	CHECK(file = fopen("/proc/self/smaps", "r"));
	for (i = 0; i < NR_BLOCKS; i++) {
		CHECK(block[i] = (char *)malloc(i * KIB + 1));
		block[i][0] = 1;
	}
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &next.start, &next.end) == 2)
			map = next;
		if (strncmp(line, "VmFlags:", 8))
			continue;
		if (strstr(line, " dd")) {
			CHECK_EQ(nr_blocks_in(&map), 0);
			continue;
		}
		dumped += map.end - map.start;
		found += nr_blocks_in(&map);
	}
	CHECK_EQ(found, NR_BLOCKS);
	CHECK_OP(dumped, <, MOST_DUMPED);
	return 0;
}
