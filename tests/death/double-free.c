/* case once-24 dies: double free */
/* case once-1000 dies: double free */
/* case once-5000 dies: double free */
/* case once-64k dies: double free */
/* case once-1m dies: double free */
/* case once-5m dies: double free|not allocated */
/* case once-100m dies: double free|not allocated */
/* case thread-24 dies: double free */
/* case thread-1000 dies: double free */
/* case thread-5000 dies: double free */
/* case thread-64k dies: double free */
/* case thread-1m dies: double free */
/* case thread-5m dies: double free|not allocated */
/* case thread-100m dies: double free|not allocated */
/* case twice-24 dies: double free */
/* case twice-1000 dies: double free */
/* case twice-5000 dies: double free */
/* case twice-64k dies: double free */
/* case twice-1m dies: double free */
/* case twice-5m dies: double free|not allocated */
/* case twice-100m dies: double free|not allocated */
/* case realloc-24 dies: double free */
/* case realloc-1000 dies: double free */
/* case realloc-5000 dies: double free */
/* case realloc-64k dies: double free */
/* case realloc-1m dies: double free */
/* case realloc-5m dies: double free|not allocated */
/* case realloc-100m dies: double free|not allocated */
/* case calloc-24 dies: double free */
/* case calloc-1000 dies: double free */
/* case calloc-5000 dies: double free */
/* case calloc-64k dies: double free */
/* case calloc-1m dies: double free */
/* case calloc-5m dies: double free|not allocated */
/* case calloc-100m dies: double free|not allocated */
/* case later-24 dies: double free */
/* case later-1000 dies: double free */
/* case later-5000 dies: double free */
/* case later-64k dies: double free|not allocated */
/* case later-1m dies: double free|not allocated */
/* case later-5m dies: double free|not allocated */
/* case later-100m dies: double free|not allocated */
/* case flush-24 dies: double free|not allocated */
/* case flush-1000 dies: double free|not allocated */
/* case flush-5000 dies: double free|not allocated */
/* case flush-64k dies: double free|not allocated */
/* case flush-1m dies: double free|not allocated */
/* case flush-5m dies: double free|not allocated */
/* case flush-100m dies: double free|not allocated */
/*
 * double-free - a block of each kind is freed twice: at once; from another
 * thread; allocated here and freed twice there; after realloc moved it away;
 * when it came from calloc; later, after thousands of other frees; after the
 * caches of its class were flushed.
 */
#include "death.h"

enum { NR_OTHERS = 100000 };

static void *others[NR_OTHERS];

static void *free_once(void *p)
{
	free(hide(p));
	return NULL;
}

static void *free_twice(void *p)
{
	free(hide(p));
	free(hide(p));
	return NULL;
}

/* Frees `n` blocks of all small sizes, none of them twice. */
static void free_many(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		free(take(1 + i * 37 % 9000));
}

/* Frees so much of its class that everything cached goes through. */
static void flush_class(void *p, size_t n)
{
	size_t count = n < 2000 ? NR_OTHERS : n < 100000 ? 2000 : 20, i;

	for (i = 0; i < count; i++)
		others[i] = take(n);
	free(hide(p));
	for (i = 0; i < count; i++)
		free(others[i]);
	malloc_trim(0);
}

/* realloc had to move it: the old address is free. */
static void *moved_by_realloc(size_t n)
{
	void *p = take(n), *beside = take(n), *q;
	size_t grown = n * 4 + 100;

	do {
		q = realloc(hide(p), grown);
		if (!q)
			exit(2);
		if (q != hide(p))
			break;
		beside = take(n);
		grown *= 2;
	} while (grown < 16384 * MIB);
	if (q == p) {
		fprintf(stderr, "realloc never moves\n");
		exit(2);
	}
	free(beside);
	return p;
}

static int starts(const char *name, const char *word)
{
	return !strncmp(name, word, strlen(word));
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	size_t n = size_of_case(name);
	void *p;

	if (!n)
		death_unknown(name);
	p = starts(name, "realloc") ? moved_by_realloc(n) :
	    starts(name, "calloc") ? calloc(1, n) : take(n);
	if (starts(name, "once") || starts(name, "calloc")) {
		free_twice(p);
	} else if (starts(name, "thread")) {
		free(hide(p));
		in_thread(free_once, p);
	} else if (starts(name, "twice")) {
		in_thread(free_twice, p);
	} else if (starts(name, "realloc")) {
		free(hide(p));
	} else if (starts(name, "later")) {
		free(hide(p));
		/* Other sizes, so that p itself is not handed out again. */
		for (unsigned int i = 0; i < 5000; i++)
			free(take(n < 2000 ? 2500 + i % 100 : 40 + i % 100));
		free(hide(p));
	} else if (starts(name, "flush")) {
		free_many(100);
		flush_class(p, n);
		free(hide(p));
	} else {
		death_unknown(name);
	}
	return death_survived();
}
