/* case next-24 dies: double free|not allocated|never|a block */
/* case next-100 dies: double free|not allocated|never|a block */
/* case next-700 dies: double free|not allocated|never|a block */
/* case next-3000 dies: double free|not allocated|never|a block */
/* case next-20000 dies: double free|not allocated|never|a block */
/* case next-64k dies: double free|not allocated|never|a block */
/* case next-1m dies: double free|not allocated|never|a block */
/* case next-5m dies: double free|not allocated|never|a block */
/*
 * never-allocated - a pointer to where the next block of this size would
 * stand, which nobody was given.
 */
#include "death.h"

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	size_t n = size_of_case(name), room;
	char *p[3], *last;
	int i;

	if (!n)
		death_unknown(name);
	for (i = 0; i < 3; i++)
		p[i] = take(n);
	room = malloc_usable_size(p[0]);
	last = p[0];
	for (i = 1; i < 3; i++)
		if (p[i] > last)
			last = p[i];
	free(hide(last + room));
	/* It may show when the block is handed out a second time. */
	for (i = 0; i < 20000 && n < 4096; i++)
		take(n);
	return death_survived();
}
