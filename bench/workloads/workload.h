/*
 * workload - what the workloads of zbm-workload share.
 *
 * 1. A workload does a fixed amount of work, drawn from constants and its
 *    own struct random: its checksum depends on neither the allocator nor
 *    the order in which threads run. Threads sum what they have into their
 *    own struct worker.
 * 2. It calls malloc, calloc, realloc and free and nothing else of an
 *    allocator. What it writes it reads back; what differs ends the program
 *    with a message and status 1.
 * 3. It frees all that it allocated before it returns; only day's leak stays,
 *    unless the run lingers.
 * 4. Operations are whatever the head of its file calls so.
 */
#ifndef ZBM_WORKLOAD_H
#define ZBM_WORKLOAD_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../splitmix.h"

#define array_size(a)	(sizeof(a) / sizeof((a)[0]))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define CACHE_LINE	64	/* bytes; every line of a block is used */
#define MAX_THREADS	256
#define KIB		1024UL
#define MIB		(1024 * KIB)

struct run {
	/* asked for by the command line, then constant */
	double scale;
	unsigned int nr_threads;
	bool lingers;
	/* by the main thread */
	uint64_t checksum;
	uint64_t operations;
	size_t peak_rss_kib;	/* highest of the samples */
	bool rests;		/* what is resident at the end counts */
};

struct workload {
	const char *name;
	const char *origin;	/* what it does and whose idea it is; a line */
	double seconds;		/* at scale 1, roughly, the mean of several
				   allocators: for a progress bar */
	bool threaded;
	void (*run)(struct run *run);
};

/* Two lines each: neighbouring lines are fetched in pairs. */
struct worker {
	alignas(2 * CACHE_LINE) struct run *run;
	void *shared;
	unsigned int index;
	uint64_t checksum;
	uint64_t operations;
};

extern const struct workload workload_active_false;
extern const struct workload workload_asymmetric;
extern const struct workload workload_bignum;
extern const struct workload workload_day;
extern const struct workload workload_fragment;
extern const struct workload workload_json;
extern const struct workload workload_kvstore;
extern const struct workload workload_larson;
extern const struct workload workload_logic;
extern const struct workload workload_maps;
extern const struct workload workload_nbody;
extern const struct workload workload_passive_false;
extern const struct workload workload_request;

/* The name of the workload that messages begin with. */
void workload_set_name(const char *name);

/* Prints the message after the workload's name and exits with status 1. */
_Noreturn void workload_die(const char *format, ...)
	__attribute__((format(printf, 1, 2), cold));

/* Resident memory now, by /proc/self/statm. */
size_t resident_kib(void);

/* The end of a phase, when memory may be at its highest: takes a sample. */
void run_sample(struct run *run);

/* Stays for a moment, so that whoever samples this process from outside sees
 * what is resident now. Not within the time of the work. */
void run_rest(void);

/* n at scale 1; at least 1. */
uint64_t run_scaled(const struct run *run, uint64_t n);

/* Starts `nr` threads in body(), waits for them and adds up what they have. */
void run_workers(struct run *run, unsigned int nr,
		 void (*body)(struct worker *worker), void *shared);

static inline void *need(void *block)
{
	if (unlikely(!block))
		workload_die("out of memory");
	return block;
}

static inline void *take(size_t size)
{
	return need(malloc(size));
}

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
	return splitmix_next(&random->state);
}

/* Uniform in 0 .. limit - 1. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
	return (uint64_t)(((unsigned __int128)random_next(random) * limit) >>
			  64);
}

/* Uniform in low .. high. */
static inline uint64_t random_between(struct random *random, uint64_t low,
				      uint64_t high)
{
	return low + random_below(random, high - low + 1);
}

/* In 1 .. 2^bits - 1, each power of two as likely as the next. */
static inline uint64_t random_skewed(struct random *random, unsigned int bits)
{
	uint64_t power = 1UL << random_below(random, bits);

	return power + random_below(random, power);
}

/*
 * Blocks without content of their own hold a number derived from `tag` in
 * each cache line and in their last eight bytes.
 */

static inline void word_put(char *p, uint64_t word)
{
	memcpy(p, &word, sizeof(word));
}

static inline uint64_t word_get(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static inline void block_fill(void *block, size_t size, uint64_t tag)
{
	char *p = block;

	if (size < sizeof(tag)) {
		memcpy(p, &tag, size);
		return;
	}
	for (size_t at = 0; at + 2 * sizeof(tag) <= size; at += CACHE_LINE)
		word_put(p + at, tag + at);
	word_put(p + size - sizeof(tag), ~tag);
}

_Noreturn void block_corrupt(const void *block, size_t size);

static inline void block_check(const void *block, size_t size, uint64_t tag)
{
	const char *p = block;
	uint64_t wrong = 0;

	if (size < sizeof(tag)) {
		if (unlikely(memcmp(p, &tag, size)))
			block_corrupt(block, size);
		return;
	}
	for (size_t at = 0; at + 2 * sizeof(tag) <= size; at += CACHE_LINE)
		wrong |= word_get(p + at) ^ (tag + at);
	wrong |= word_get(p + size - sizeof(tag)) ^ ~tag;
	if (unlikely(wrong))
		block_corrupt(block, size);
}

#endif
