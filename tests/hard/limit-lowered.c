/* run: options window=4G */
/*
 * limit-lowered - a program lowers its RLIMIT_AS while it runs. With a window
 * that leaves room below the limit its mmap and its threads have that room.
 */
#include "hard.h"
#include <pthread.h>

#define LIMIT	(6 * GIB)	/* 2 more than the window */
#define ROOM	GIB

static void *body(void *arg)
{
	void *p = malloc(hide(MIB));

	CHECK(p);
	memset(p, 1, MIB);
	free(p);
	every_class_once();
	return arg;
}

static void start_threads(void)
{
	pthread_t thread[8];
	unsigned int i;

	for (i = 0; i < array_size(thread); i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, body, NULL), 0);
	for (i = 0; i < array_size(thread); i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
}

/* Untouched memory of the window, which the limit has counted already. */
static void use_window(void)
{
	char *p = malloc(hide(2 * GIB));

	CHECK(p);
	p[0] = p[2 * GIB - 1] = 1;
	free(p);
}

int main(void)
{
	struct rlimit limit;
	void *p;

	hard_start(50);
	p = malloc(hide(1000UL));
	CHECK(p);
	CHECK(!getrlimit(RLIMIT_AS, &limit));
	if (limit.rlim_cur <= LIMIT)
		SKIP("the address space is limited already");
	limit.rlim_cur = LIMIT;
	CHECK(!setrlimit(RLIMIT_AS, &limit));
	munmap(hard_map(ROOM), ROOM);
	start_threads();
	use_window();
	p = realloc(p, 100 * MIB);
	CHECK(p);
	free(p);
	/* The limit is one. */
	CHECK(mmap(NULL, 3 * GIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
		   MAP_NORESERVE, -1, 0) == MAP_FAILED);
	return 0;
}
