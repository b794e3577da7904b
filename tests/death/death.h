/*
 * death - what the wrong programs of this folder share.
 *
 * 1. A program is run once per case, with the case's name as its argument;
 *    a comment line `case NAME dies: REGEX` of its source lists each. A
 *    program without such lines has `dies: REGEX` in its first line and is
 *    run without an argument.
 * 2. REGEX (extended) must match a line of stderr that starts with
 *    "zbmalloc: ", and the process must end by SIGABRT. A program that gets
 *    to its end has survived its mistake: it says so and exits with 0.
 *    Without the library it does not begin.
 * 3. Compiled with -fno-builtin; hide() keeps the compiler from seeing the
 *    mistakes.
 */
#ifndef ZBM_DEATH_H
#define ZBM_DEATH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KIB	((size_t)1 << 10)
#define MIB	((size_t)1 << 20)
#define array_size(a) (sizeof(a) / sizeof((a)[0]))

__attribute__((constructor)) static void death_start(void)
{
	static const char text[] = "the library is not loaded\n";

	if (!dlsym(RTLD_DEFAULT, "zbm_version"))
		_exit(write(2, text, sizeof(text) - 1) < 0 ? 3 : 2);
}

static inline void *hide(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static inline void *take(size_t n)
{
	void *p = malloc(n);

	if (!p) {
		fprintf(stderr, "no memory for the test\n");
		exit(2);
	}
	memset(p, 0x5a, n < 4096 ? n : 4096);
	return hide(p);
}

/* The mistake went unnoticed; see whether what follows does better. */
static inline int death_survived(void)
{
	static const char text[] = "survived\n";

	return write(2, text, sizeof(text) - 1) < 0;
}

static inline _Noreturn void death_unknown(const char *name)
{
	fprintf(stderr, "unknown case %s\n", name);
	exit(2);
}

/* Does what a thread does, and waits for its end. */
static inline void in_thread(void *(*body)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, arg) ||
	    pthread_join(thread, NULL))
		exit(2);
}

/* "24", "5000", "64k", "100m" at the end of a name, after the last '-'. */
static inline size_t size_of_case(const char *name)
{
	const char *dash = strrchr(name, '-');
	char *end;
	size_t n = strtoul(dash ? dash + 1 : name, &end, 10);

	return *end == 'k' ? n * KIB : *end == 'm' ? n * MIB : n;
}

#endif
