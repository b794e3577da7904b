/* case realloc-24 dies: freed block|double free */
/* case realloc-1000 dies: freed block|double free */
/* case realloc-5000 dies: freed block|double free */
/* case realloc-64k dies: freed block|double free */
/* case realloc-1m dies: freed block|double free */
/* case realloc-5m dies: freed block|double free|not allocated */
/* case realloc-100m dies: freed block|double free|not allocated */
/* case usable-24 dies: freed block */
/* case usable-1000 dies: freed block */
/* case usable-5000 dies: freed block */
/* case usable-64k dies: freed block */
/* case usable-1m dies: freed block */
/* case usable-5m dies: freed block|not allocated */
/* case usable-100m dies: freed block|not allocated */
/* case zero-realloc-100 dies: freed block|double free */
/* case reallocarray-100 dies: freed block|double free */
/* case empty-realloc-100 dies: double free */
/* case empty-realloc-5m dies: double free|not allocated */
/* case delete-100 dies: double free */
/* case sized-100 dies: double free */
/* case cfree-100 dies: double free */
/*
 * freed-block - realloc, malloc_usable_size and the relatives of free on a
 * block that was freed.
 */
#include "death.h"
#include <dlfcn.h>

static int starts(const char *name, const char *word)
{
	return !strncmp(name, word, strlen(word));
}

/* Calls a function of the library that this program is not linked with. */
static void call(const char *function, void *p, size_t n)
{
	void (*f)(void *, size_t) =
		(void (*)(void *, size_t))dlsym(RTLD_DEFAULT, function);

	if (!f)
		death_unknown(function);
	f(p, n);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	size_t n = size_of_case(name);
	void *p;

	if (!n)
		death_unknown(name);
	p = take(n);
	/* realloc to nothing is one way to free it. */
	if (starts(name, "empty")) {
		hide(realloc(p, 0));
		free(hide(p));
		return death_survived();
	}
	free(p);
	if (starts(name, "zero"))
		hide(realloc(hide(p), 0));
	else if (starts(name, "reallocarray"))
		hide(reallocarray(hide(p), n, 3));
	else if (starts(name, "realloc"))
		hide(realloc(hide(p), n * 2));
	else if (starts(name, "usable"))
		hide((void *)malloc_usable_size(hide(p)));
	else if (starts(name, "delete"))
		call("_ZdlPv", hide(p), n);
	else if (starts(name, "sized"))
		call("free_sized", hide(p), n);
	else if (starts(name, "cfree"))
		call("cfree", hide(p), n);
	else
		death_unknown(name);
	return death_survived();
}
