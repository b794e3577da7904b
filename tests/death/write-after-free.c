/* case word-16 dies: write after free */
/* case word-24 dies: write after free */
/* case word-64 dies: write after free */
/* case word-100 dies: write after free */
/* case word-500 dies: write after free */
/* case word-1000 dies: write after free */
/* case word-3000 dies: write after free */
/* case zero-16 dies: write after free */
/* case zero-24 dies: write after free */
/* case zero-64 dies: write after free */
/* case zero-100 dies: write after free */
/* case zero-500 dies: write after free */
/* case zero-1000 dies: write after free */
/* case zero-3000 dies: write after free */
/* case bit-16 dies: write after free */
/* case bit-24 dies: write after free */
/* case bit-64 dies: write after free */
/* case bit-100 dies: write after free */
/* case bit-500 dies: write after free */
/* case bit-1000 dies: write after free */
/* case bit-3000 dies: write after free */
/* case fill-16 dies: write after free */
/* case fill-24 dies: write after free */
/* case fill-64 dies: write after free */
/* case fill-100 dies: write after free */
/* case fill-500 dies: write after free */
/* case fill-1000 dies: write after free */
/* case fill-3000 dies: write after free */
/* case thread-16 dies: write after free */
/* case thread-24 dies: write after free */
/* case thread-64 dies: write after free */
/* case thread-100 dies: write after free */
/* case thread-500 dies: write after free */
/* case thread-1000 dies: write after free */
/* case thread-3000 dies: write after free */
/* case refree-24 dies: double free|write after free */
/* case refree-100 dies: double free|write after free */
/* case refree-1000 dies: double free|write after free */
/*
 * write-after-free - the first word of a freed block is written, whatever
 * with; the allocator finds it when it hands the block out again.
 */
#include "death.h"

static void *free_it(void *p)
{
	free(hide(p));
	return NULL;
}

/* Blocks of this class until the spoilt one must have come by. */
static void take_many(size_t n)
{
	size_t count = 48 * MIB / n, i;

	for (i = 0; i < count; i++)
		take(n);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	size_t n = size_of_case(name), i;
	void *kept[50];
	uint64_t *p;

	if (!n)
		death_unknown(name);
	for (i = 0; i < array_size(kept); i++)
		kept[i] = take(n);
	p = take(n);
	if (!strncmp(name, "thread", 6))
		in_thread(free_it, p);
	else
		free(p);
	for (i = 0; i < array_size(kept); i += 2)
		free(kept[i]);
	p = hide(p);
	if (!strncmp(name, "zero", 4))
		*p = 0;
	else if (!strncmp(name, "bit", 3))
		*p ^= 1UL << 63;
	else if (!strncmp(name, "fill", 4))
		memset(p, 0xff, n);
	else
		*p = 0x4141414141414141;
	if (!strncmp(name, "refree", 6))
		free(hide(p));
	take_many(n);
	return death_survived();
}
