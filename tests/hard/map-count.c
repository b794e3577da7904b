/*
 * map-count - 200,000 live blocks of 256 KiB: the number of mappings stays
 * far below vm.max_map_count, and memory is what was touched.
 */
#include "hard.h"

enum { N = 200000 };

#define BLOCK	(256 * KIB)

int main(void)
{
	static char *p[N];
	size_t before;
	int i;

	hard_start(50);
	memset(p, 0, sizeof(p));
	before = rss();
	for (i = 0; i < N; i++) {
		p[i] = malloc(hide(BLOCK));
		if (!p[i])
			hard_say("block %d of %d\n", i, N);
		CHECK(p[i]);
		if (i % 32 == 0) {
			*(int *)(void *)p[i] = i;
			p[i][BLOCK - 1] = 1;
		}
	}
	CHECK_OP(count_mappings(), <, 20000);
	/* Two pages each of 6,250 blocks, and 0.5 % for the allocator. */
	CHECK_OP(rss(), <, before + 50 * MIB + N * BLOCK / 200);
	/* Every second one: the holes must not split mappings, either. */
	for (i = 0; i < N; i += 2) {
		if (i % 32 == 0)
			CHECK_EQ(*(int *)(void *)p[i], i);
		free(p[i]);
	}
	CHECK_OP(count_mappings(), <, 20000);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0) != MAP_FAILED);
	every_class_once();
	for (i = 1; i < N; i += 2)
		free(p[i]);
	malloc_trim(0);
	/* The pages are back; what describes them may stay. */
	CHECK_OP(rss(), <, before + N * BLOCK / 200);
	return 0;
}
