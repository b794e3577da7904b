/*
 * bitmap - ranges of bits in an array of 64-bit words.
 *
 * 1. A range is (start, n) and may be empty; it is the caller's to know that
 *    the array is long enough.
 * 2. Words are read and written whole with relaxed atomics: writers hold a
 *    lock, and a reader without it sees each bit that nobody is changing.
 */
#ifndef ZBM_BITMAP_H
#define ZBM_BITMAP_H

#include "base/base.h"

#define BITMAP_WORDS(bits)	(((bits) + 63) / 64)

static inline uint64_t bitmap_word(const uint64_t *map, size_t i)
{
	return __atomic_load_n(&map[i], __ATOMIC_RELAXED);
}

static inline void bitmap_word_store(uint64_t *map, size_t i, uint64_t word)
{
	__atomic_store_n(&map[i], word, __ATOMIC_RELAXED);
}

static inline bool bitmap_test(const uint64_t *map, size_t bit)
{
	return bitmap_word(map, bit / 64) >> (bit % 64) & 1;
}

/* The bits of [start, start + n) that lie in the word of `start`. */
static inline uint64_t bitmap_mask(size_t start, size_t n)
{
	uint64_t ones = n >= 64 ? ~0UL : (1UL << n) - 1;

	return ones << start % 64;
}

#define bitmap_for_each_mask(start, n, i, mask) \
	for (size_t at_ = (start), left_ = (n), step_; \
	     left_ && (step_ = min(left_, 64 - at_ % 64), (i) = at_ / 64, \
		       (mask) = bitmap_mask(at_, step_), true); \
	     at_ += step_, left_ -= step_)

static inline void bitmap_set_range(uint64_t *map, size_t start, size_t n)
{
	size_t i;
	uint64_t mask;

	bitmap_for_each_mask(start, n, i, mask)
		bitmap_word_store(map, i, bitmap_word(map, i) | mask);
}

static inline void bitmap_clear_range(uint64_t *map, size_t start, size_t n)
{
	size_t i;
	uint64_t mask;

	bitmap_for_each_mask(start, n, i, mask)
		bitmap_word_store(map, i, bitmap_word(map, i) & ~mask);
}

/* Most often all bits are alike, and to count others is a function where the
 * machine may have no instruction for it. */
static inline size_t bitmap_count_word(uint64_t word)
{
	if (word == 0)
		return 0;
	return word == ~0UL ? 64 : (size_t)__builtin_popcountl(word);
}

static inline size_t bitmap_count_range(const uint64_t *map, size_t start,
					size_t n)
{
	size_t i, count = 0;
	uint64_t mask;

	bitmap_for_each_mask(start, n, i, mask)
		count += bitmap_count_word(bitmap_word(map, i) & mask);
	return count;
}

static inline bool bitmap_any_in_range(const uint64_t *map, size_t start,
				       size_t n)
{
	size_t i;
	uint64_t mask;

	bitmap_for_each_mask(start, n, i, mask)
		if (bitmap_word(map, i) & mask)
			return true;
	return false;
}

#endif
