/*
 * foreign.h - what the tests of foreign pointers share.
 *
 * 1. The program's malloc is the system's, so what it returns is foreign and
 *    glibc's. Under a sanitizer it is not glibc's: those tests skip.
 */
#ifndef TESTS_FOREIGN_H
#define TESTS_FOREIGN_H

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/param.h"
#include "malloc/foreign.h"
#include "os/probe.h"

#define IS_MMAPPED	2	/* a flag in the word before the block */
#define BIG		(8UL << 20)	/* bytes; glibc maps such a block */

static inline bool malloc_is_glibc(void)
{
	void *(*real)(size_t) = malloc;
	Dl_info info;
	void *addr;

	memcpy(&addr, &real, sizeof(addr));
	return dladdr(addr, &info) && strstr(info.dli_fname, "/libc.so");
}

#define NEED_GLIBC() do { \
	if (!malloc_is_glibc()) \
		skip(); \
} while (0)

#endif
