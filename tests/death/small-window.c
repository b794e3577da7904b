/* case double-24 dies: double free */
/* case double-3000 dies: double free */
/* case double-64k dies: double free */
/* case double-5m dies: double free */
/* case interior-24 dies: (into|inside) a block */
/* case interior-64k dies: (into|inside) a block */
/* case stack-24 dies: never handed out|not allocated */
/* case minus-one-24 dies: never handed out|not allocated */
/*
 * small-window - the mistakes of the other programs where the window is smaller
 * than it may be, and free finds its pages another way.
 */
#include "death.h"

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	char local[64] = "of main", *p;
	int i;

	if (!getenv("ZBMALLOC_OPTIONS")) {
		setenv("ZBMALLOC_OPTIONS", "window=256M", 1);
		execv("/proc/self/exe", argv);
		exit(2);
	}
	p = take(size_of_case(name));
	for (i = 0; i < 1000; i++)
		free(take((size_t)i * 100));
	if (strstr(name, "interior"))
		p += 16;
	else if (strstr(name, "stack"))
		p = local;
	else if (strstr(name, "minus-one"))
		p = (char *)-1L;
	free(hide(p));
	free(hide(p));
	return death_survived();
}
