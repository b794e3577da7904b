/*
 * num - natural numbers of any size, each a small block of its own.
 *
 * 1. A number never changes once it is made. Each function returns a new one,
 *    which its caller drops by num_drop; arguments stay the caller's.
 * 2. Limbs are of 32 bits, the lowest first, and the highest is not 0: zero
 *    has no limbs.
 */
#ifndef ZBM_NUM_H
#define ZBM_NUM_H

#include <stdbool.h>
#include <stdint.h>

struct num {
	uint32_t nr;
	uint32_t limbs[];
};

struct num *num_from(uint64_t value);
struct num *num_copy(const struct num *a);
void num_drop(struct num *a);

/* Below 0, 0 or above 0, as a is less than, equal to or more than b. */
int num_compare(const struct num *a, const struct num *b);
bool num_is(const struct num *a, uint32_t value);
uint64_t num_to_u64(const struct num *a);	/* the low 64 bits */

struct num *num_add(const struct num *a, const struct num *b);
struct num *num_sub(const struct num *a, const struct num *b);	/* a >= b */
struct num *num_mul(const struct num *a, const struct num *b);

/* b > 0. Either result may be left out by NULL. */
void num_divide(const struct num *a, const struct num *b,
		struct num **quotient, struct num **remainder);
struct num *num_divide_small(const struct num *a, uint32_t b,
			     uint32_t *remainder);
struct num *num_mod(const struct num *a, const struct num *b);
struct num *num_mul_mod(const struct num *a, const struct num *b,
			const struct num *modulus);

struct num *num_sqrt(const struct num *a);	/* rounded down */
struct num *num_gcd(const struct num *a, const struct num *b);

#endif
