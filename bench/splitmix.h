/*
 * splitmix - numbers that look random: splitmix64 (Steele, Lea and Flood
 * 2014). The same state gives the same numbers everywhere.
 */
#ifndef BENCH_SPLITMIX_H
#define BENCH_SPLITMIX_H

#include <stdint.h>

/* Each number leads to another one, without pattern. */
static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static inline uint64_t splitmix_next(uint64_t *state)
{
	return mix(*state += 0x9e3779b97f4a7c15);
}

#endif
