/* case free-48 dies: not allocated */
/* case free-112 dies: not allocated */
/* case free-224 dies: not allocated */
/* case free-896 dies: not allocated */
/* case free-5000 dies: not allocated */
/* case realloc-112 dies: not allocated */
/* case usable-112 dies: not allocated */
/*
 * behind-last - a pointer to what is left of a slab behind its last block,
 * where the next one would start if there was room for it.
 */
#include "death.h"

#define N	2000

static int compare(const void *a, const void *b)
{
	char *const *x = a, *const *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	static char *p[N];
	const char *name = argc > 1 ? argv[1] : "";
	size_t n = size_of_case(name), room, i;
	char *behind = NULL;

	if (!n)
		death_unknown(name);
	for (i = 0; i < N; i++)
		p[i] = take(n);
	room = malloc_usable_size(p[0]);
	qsort(p, N, sizeof(*p), compare);
	for (i = 0; i + 1 < N && !behind; i++)
		if (p[i + 1] > p[i] + room && p[i + 1] < p[i] + 2 * room)
			behind = p[i] + room;
	if (!behind)
		death_unknown(name);
	if (!strncmp(name, "realloc", 7))
		hide(realloc(hide(behind), n * 2));
	else if (!strncmp(name, "usable", 6))
		hide((void *)malloc_usable_size(hide(behind)));
	else
		free(hide(behind));
	return death_survived();
}
