/*
 * program - a C program that a link test links with zbmalloc.
 *
 * 1. Without an argument it uses the allocator directly, through libc, in
 *    threads and after fork, prints "all served" and ends with 0.
 * 2. "malloc" frees a block twice; "libc" does so with a block that libc
 *    allocated. Neither comes back.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zbmalloc.h"

static void die(const char *what)
{
	puts(what);
	exit(1);
}

static void *use(void *arg)
{
	void *p, *q;
	size_t n;

	for (n = 1; n < 4 << 20; n = n * 3 + 1) {
		p = malloc(n);
		q = calloc(1, n);
		if (!p || !q || malloc_usable_size(p) < n)
			die("malloc");
		memset(p, 1, n);
		p = realloc(p, 2 * n);
		if (!p || memchr(q, 1, n) || *((char *)p + n - 1) != 1)
			die("realloc");
		p = reallocarray(p, 3, n);
		if (!p || malloc_size(p) < 3 * n ||
		    *((char *)p + n - 1) != 1 || reallocarr(&p, 4, n) ||
		    malloc_usable_size(p) < 4 * n)
			die("reallocarray");
		p = reallocf(p, n);
		free(p);
		free(q);
		p = aligned_alloc(4096, n);
		if (!p || (uintptr_t)p % 4096)
			die("aligned_alloc");
		free(p);
	}
	return arg;
}

static void use_libc(void)
{
	char *line = NULL, *copy = strdup("strdup");
	size_t size = 0;
	FILE *file = fopen("/proc/self/status", "r");

	if (!copy || !file || getline(&line, &size, file) < 1)
		die("libc");
	free(line);
	free(copy);
	if (asprintf(&copy, "%s", "asprintf") < 0)
		die("asprintf");
	free(copy);
	fclose(file);
}

/* A thread is busy meanwhile: the child must find no lock held. */
static void use_fork(void)
{
	pthread_t thread;
	int i, status;

	if (pthread_create(&thread, NULL, use, NULL))
		die("thread");
	for (i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (!pid) {
			alarm(10);
			use(NULL);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			die("fork");
	}
	if (pthread_join(thread, NULL))
		die("thread");
}

static void free_twice(void *p)
{
	void *volatile again = p;

	free(p);
	free(again);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc > 1 && !strcmp(argv[1], "malloc"))
		free_twice(malloc(100));
	if (argc > 1 && !strcmp(argv[1], "libc"))
		free_twice(strdup("by libc"));
	if (argc > 1)
		die("lives on");
	if (!zbm_version()[0])
		die("zbm_version");
	use(NULL);
	use_libc();
	if (pthread_create(&thread, NULL, use, NULL) ||
	    pthread_join(thread, NULL))
		die("thread");
	use_fork();
	puts("all served");
	return 0;
}
