/*
 * stats - the figures as a text for people: malloc_stats(3), and the report
 * at exit.
 *
 * 1. Numbers have commas, sizes a unit. Classes, zones and rows without
 *    anything in them are left out. Nodes are told of where there are more
 *    than one, and then all of them.
 * 2. Nothing is allocated; errno is preserved.
 */
#ifndef ZBM_STATS_H
#define ZBM_STATS_H

#include "base/base.h"

/* Bytes that any number with its unit needs. */
#define STATS_NUMBER	32

/* Writes "1,234,567" into buf, and "12.3 MiB"; buf. */
const char *stats_number(char buf[STATS_NUMBER], uint64_t n);
const char *stats_bytes(char buf[STATS_NUMBER], uint64_t n);

/* The process as the kernel sees it. */
struct stats_process {
	size_t resident, peak_resident;	/* bytes; 0: unknown */
	uint64_t nr_faults;		/* minor ones, so far */
};

void stats_process(struct stats_process *process);

/* Bytes that the following needs. */
#define STATS_RESIDENT	(2 * STATS_NUMBER + 16)

/* Writes "12.3 MiB (peak 45.6 MiB)" or "unknown" into buf; buf. */
const char *stats_resident(char buf[STATS_RESIDENT],
			   const struct stats_process *process);

/* The whole text to `fd`, in pieces of whole lines that fit buf[size]. A
 * line has a hundred bytes or so. */
void stats_print(int fd, char *buf, size_t size);

#endif
