/* case free-1-24 dies: (into|inside) a block */
/* case free-8-24 dies: (into|inside) a block */
/* case free-16-24 dies: (into|inside) a block */
/* case free-1-64 dies: (into|inside) a block */
/* case free-8-64 dies: (into|inside) a block */
/* case free-16-64 dies: (into|inside) a block */
/* case free-32-64 dies: (into|inside) a block */
/* case free-1-1000 dies: (into|inside) a block */
/* case free-8-1000 dies: (into|inside) a block */
/* case free-16-1000 dies: (into|inside) a block */
/* case free-512-1000 dies: (into|inside) a block */
/* case free-1-5000 dies: (into|inside) a block */
/* case free-8-5000 dies: (into|inside) a block */
/* case free-16-5000 dies: (into|inside) a block */
/* case free-4096-5000 dies: (into|inside) a block */
/* case free-1-64k dies: (into|inside) a block */
/* case free-8-64k dies: (into|inside) a block */
/* case free-16-64k dies: (into|inside) a block */
/* case free-4096-64k dies: (into|inside) a block */
/* case free-32768-64k dies: (into|inside) a block */
/* case free-1-1m dies: (into|inside) a block */
/* case free-8-1m dies: (into|inside) a block */
/* case free-16-1m dies: (into|inside) a block */
/* case free-4096-1m dies: (into|inside) a block */
/* case free-524288-1m dies: (into|inside) a block */
/* case free-1-5m dies: (into|inside) a block */
/* case free-8-5m dies: (into|inside) a block */
/* case free-16-5m dies: (into|inside) a block */
/* case free-4096-5m dies: (into|inside) a block */
/* case free-2097152-5m dies: (into|inside) a block */
/* case free-4194304-5m dies: (into|inside) a block */
/* case free-1-100m dies: (into|inside) a block */
/* case free-16-100m dies: (into|inside) a block */
/* case free-4096-100m dies: (into|inside) a block */
/* case free-67108864-100m dies: (into|inside) a block */
/* case free-103809024-100m dies: (into|inside) a block */
/* case realloc-1-64 dies: (into|inside) a block */
/* case realloc-16-64 dies: (into|inside) a block */
/* case realloc-1-5000 dies: (into|inside) a block */
/* case realloc-16-5000 dies: (into|inside) a block */
/* case realloc-1-64k dies: (into|inside) a block */
/* case realloc-16-64k dies: (into|inside) a block */
/* case realloc-1-5m dies: (into|inside) a block */
/* case realloc-16-5m dies: (into|inside) a block */
/* case realloc-1-100m dies: (into|inside) a block */
/* case realloc-16-100m dies: (into|inside) a block */
/* case usable-1-64 dies: (into|inside) a block */
/* case usable-16-64 dies: (into|inside) a block */
/* case usable-1-5000 dies: (into|inside) a block */
/* case usable-16-5000 dies: (into|inside) a block */
/* case usable-1-64k dies: (into|inside) a block */
/* case usable-16-64k dies: (into|inside) a block */
/* case usable-1-5m dies: (into|inside) a block */
/* case usable-16-5m dies: (into|inside) a block */
/* case usable-1-100m dies: (into|inside) a block */
/* case usable-16-100m dies: (into|inside) a block */
/* case aligned-1-100 dies: (into|inside) a block */
/* case aligned-16-100 dies: (into|inside) a block */
/* case aligned-64-100 dies: (into|inside) a block */
/* case aligned-16-70000 dies: (into|inside) a block */
/* case aligned-4096-70000 dies: (into|inside) a block */
/*
 * interior - a pointer into a live block is freed, resized or measured. The
 * case is the function, the offset and the size of the block.
 */
#include "death.h"

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const char *dash = strchr(name, '-');
	size_t n = size_of_case(name);
	char *p;

	if (!n || !dash)
		death_unknown(name);
	p = !strncmp(name, "aligned", 7) ? memalign(8192, n) : take(n);
	p = hide(p + strtoul(dash + 1, NULL, 10));
	if (!strncmp(name, "realloc", 7))
		hide(realloc(p, n * 2));
	else if (!strncmp(name, "usable", 6))
		hide((void *)malloc_usable_size(p));
	else
		free(p);
	return death_survived();
}
