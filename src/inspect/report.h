/*
 * report - what is said when the process ends: the summary line, the full
 * report, and the validation of all structures, by the options of these
 * names.
 *
 * 1. The summary goes to the pipe that `zbmalloc run --summary` named in the
 *    environment, by the process that it named; without these to stderr, by
 *    every process.
 * 2. stderr is what it was when the library was loaded: many programs close
 *    it before their end. Another file that has taken its number, or the
 *    pipe's, is not written to.
 * 3. The end of the process stays what it is: no signal comes of writing to
 *    a pipe that nobody reads, and a process that ends in a signal handler
 *    inside of the allocator is not kept waiting for its own lock.
 */
#ifndef ZBM_REPORT_H
#define ZBM_REPORT_H

#include "base/base.h"

/* Once, when the library is loaded. True: there will be something to say. */
bool report_start(void);

/* There is something to say when the process ends. */
bool report_is_due(void);

/* When the process ends; other threads may be at work. */
void report_exit(void);

#endif
