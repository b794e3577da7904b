/*
 * fault - the last words about a program that misused its memory.
 *
 * 1. Each prints one line, what was wrong and with which pointer, and
 *    aborts. The caller holds no lock, so that a handler of SIGABRT may
 *    allocate.
 * 2. `what` is the function that was called: "free", "realloc", ...
 */
#ifndef ZBM_FAULT_H
#define ZBM_FAULT_H

#include "base/base.h"

/* The pointer is not one to a live object: finds out why. */
_Noreturn void fault_bad_pointer(const char *what, const void *p);

/* A freed small object was written to. */
_Noreturn void fault_write_after_free(const void *p);

#endif
