/*
 * num - natural numbers of any size, each a small block of its own.
 *
 * 1. The arithmetic is that of D. Knuth, The Art of Computer Programming,
 *    volume 2, section 4.3.1 (1997): schoolbook methods, division by
 *    algorithm D.
 */
#include <stdlib.h>
#include <string.h>

#include "num.h"
#include "workload.h"

#define LIMB_BITS	32

static struct num *num_new(uint32_t nr)
{
	struct num *num = take(sizeof(*num) + nr * sizeof(num->limbs[0]));

	num->nr = nr;
	return num;
}

static struct num *num_trim(struct num *num)
{
	while (num->nr && !num->limbs[num->nr - 1])
		num->nr--;
	return num;
}

static uint32_t num_limb(const struct num *a, uint32_t i)
{
	return i < a->nr ? a->limbs[i] : 0;
}

struct num *num_from(uint64_t value)
{
	struct num *num = num_new(2);

	num->limbs[0] = (uint32_t)value;
	num->limbs[1] = (uint32_t)(value >> LIMB_BITS);
	return num_trim(num);
}

struct num *num_copy(const struct num *a)
{
	struct num *copy = num_new(a->nr);

	memcpy(copy->limbs, a->limbs, a->nr * sizeof(a->limbs[0]));
	return copy;
}

void num_drop(struct num *a)
{
	free(a);
}

int num_compare(const struct num *a, const struct num *b)
{
	if (a->nr != b->nr)
		return a->nr < b->nr ? -1 : 1;
	for (uint32_t i = a->nr; i--;) {
		if (a->limbs[i] != b->limbs[i])
			return a->limbs[i] < b->limbs[i] ? -1 : 1;
	}
	return 0;
}

bool num_is(const struct num *a, uint32_t value)
{
	return a->nr <= 1 && num_limb(a, 0) == value;
}

uint64_t num_to_u64(const struct num *a)
{
	return (uint64_t)num_limb(a, 1) << LIMB_BITS | num_limb(a, 0);
}

struct num *num_add(const struct num *a, const struct num *b)
{
	uint32_t nr = a->nr > b->nr ? a->nr : b->nr;
	struct num *sum = num_new(nr + 1);
	uint64_t carry = 0;

	for (uint32_t i = 0; i <= nr; i++) {
		carry += (uint64_t)num_limb(a, i) + num_limb(b, i);
		sum->limbs[i] = (uint32_t)carry;
		carry >>= LIMB_BITS;
	}
	return num_trim(sum);
}

struct num *num_sub(const struct num *a, const struct num *b)
{
	struct num *difference = num_new(a->nr);
	int64_t borrow = 0;

	for (uint32_t i = 0; i < a->nr; i++) {
		borrow += (int64_t)a->limbs[i] - num_limb(b, i);
		difference->limbs[i] = (uint32_t)borrow;
		borrow >>= LIMB_BITS;
	}
	if (borrow)
		workload_die("a difference is below zero");
	return num_trim(difference);
}

struct num *num_mul(const struct num *a, const struct num *b)
{
	struct num *product = num_new(a->nr + b->nr);

	memset(product->limbs, 0, product->nr * sizeof(product->limbs[0]));
	for (uint32_t i = 0; i < a->nr; i++) {
		uint64_t carry = 0;

		for (uint32_t j = 0; j < b->nr; j++) {
			carry += (uint64_t)a->limbs[i] * b->limbs[j] +
				product->limbs[i + j];
			product->limbs[i + j] = (uint32_t)carry;
			carry >>= LIMB_BITS;
		}
		product->limbs[i + b->nr] = (uint32_t)carry;
	}
	return num_trim(product);
}

struct num *num_divide_small(const struct num *a, uint32_t b,
			     uint32_t *remainder)
{
	struct num *quotient = num_new(a->nr);
	uint64_t rest = 0;

	for (uint32_t i = a->nr; i--;) {
		rest = rest << LIMB_BITS | a->limbs[i];
		quotient->limbs[i] = (uint32_t)(rest / b);
		rest %= b;
	}
	*remainder = (uint32_t)rest;
	return num_trim(quotient);
}

/* a * 2^shift, shift < LIMB_BITS, with one limb more, which may be 0. */
static struct num *num_shift_up(const struct num *a, unsigned int shift)
{
	struct num *shifted = num_new(a->nr + 1);
	uint64_t carry = 0;

	for (uint32_t i = 0; i <= a->nr; i++) {
		carry |= (uint64_t)num_limb(a, i) << shift;
		shifted->limbs[i] = (uint32_t)carry;
		carry >>= LIMB_BITS;
	}
	return shifted;
}

static struct num *num_shift_down(const struct num *a, unsigned int shift)
{
	struct num *shifted = num_new(a->nr);

	for (uint32_t i = 0; i < a->nr; i++) {
		uint64_t two = (uint64_t)num_limb(a, i + 1) << LIMB_BITS |
			a->limbs[i];

		shifted->limbs[i] = (uint32_t)(two >> shift);
	}
	return num_trim(shifted);
}

/* rest -= b * digit * 2^(32 * at); true when that was too much. */
static bool subtract_multiple(struct num *rest, const struct num *b,
			      uint64_t digit, uint32_t at)
{
	uint64_t carry = 0;
	int64_t borrow = 0;

	for (uint32_t i = 0; i <= b->nr; i++) {
		carry += digit * num_limb(b, i);
		borrow += (int64_t)rest->limbs[at + i] - (uint32_t)carry;
		rest->limbs[at + i] = (uint32_t)borrow;
		borrow >>= LIMB_BITS;
		carry >>= LIMB_BITS;
	}
	return borrow < 0;
}

static void add_back(struct num *rest, const struct num *b, uint32_t at)
{
	uint64_t carry = 0;

	for (uint32_t i = 0; i <= b->nr; i++) {
		carry += (uint64_t)rest->limbs[at + i] + num_limb(b, i);
		rest->limbs[at + i] = (uint32_t)carry;
		carry >>= LIMB_BITS;
	}
}

/* Step D3: the digit, at most 1 too large. `top` has its highest bit set. */
static uint64_t guess_digit(const struct num *rest, const struct num *b,
			    uint32_t at)
{
	uint64_t top = b->limbs[b->nr - 1];
	uint64_t two = (uint64_t)rest->limbs[at + b->nr] << LIMB_BITS |
		rest->limbs[at + b->nr - 1];
	uint64_t digit = two / top;
	uint64_t left = two % top;

	while (digit >> LIMB_BITS ||
	       digit * b->limbs[b->nr - 2] >
	       (left << LIMB_BITS | rest->limbs[at + b->nr - 2])) {
		digit--;
		left += top;
		if (left >> LIMB_BITS)
			break;
	}
	return digit;
}

/* Algorithm D, for a divisor of two limbs or more and a >= b. */
static void divide_long(const struct num *a, const struct num *b,
			struct num **quotient, struct num **remainder)
{
	unsigned int shift =
		(unsigned int)__builtin_clz(b->limbs[b->nr - 1]);
	struct num *divisor = num_trim(num_shift_up(b, shift));
	struct num *rest = num_shift_up(a, shift);
	struct num *digits = num_new(a->nr - b->nr + 1);

	for (uint32_t i = digits->nr; i--;) {
		uint64_t digit = guess_digit(rest, divisor, i);

		if (subtract_multiple(rest, divisor, digit, i)) {
			add_back(rest, divisor, i);
			digit--;
		}
		digits->limbs[i] = (uint32_t)digit;
	}
	*quotient = num_trim(digits);
	*remainder = num_shift_down(num_trim(rest), shift);
	num_drop(divisor);
	num_drop(rest);
}

void num_divide(const struct num *a, const struct num *b,
		struct num **quotient, struct num **remainder)
{
	struct num *q, *r;
	uint32_t small;

	if (num_is(b, 0))
		workload_die("division by zero");
	if (num_compare(a, b) < 0) {
		q = num_from(0);
		r = num_copy(a);
	} else if (b->nr == 1) {
		q = num_divide_small(a, b->limbs[0], &small);
		r = num_from(small);
	} else {
		divide_long(a, b, &q, &r);
	}
	if (quotient)
		*quotient = q;
	else
		num_drop(q);
	if (remainder)
		*remainder = r;
	else
		num_drop(r);
}

struct num *num_mod(const struct num *a, const struct num *b)
{
	struct num *remainder;

	num_divide(a, b, NULL, &remainder);
	return remainder;
}

struct num *num_mul_mod(const struct num *a, const struct num *b,
			const struct num *modulus)
{
	struct num *product = num_mul(a, b);
	struct num *remainder = num_mod(product, modulus);

	num_drop(product);
	return remainder;
}

/* Newton's method from above: each guess is less, until it is the root. */
struct num *num_sqrt(const struct num *a)
{
	struct num *guess = num_add(a, a);

	if (num_is(a, 0))
		return guess;
	for (;;) {
		struct num *quotient, *sum, *half;
		uint32_t odd;

		num_divide(a, guess, &quotient, NULL);
		sum = num_add(guess, quotient);
		half = num_divide_small(sum, 2, &odd);
		num_drop(quotient);
		num_drop(sum);
		if (num_compare(half, guess) >= 0) {
			num_drop(half);
			return guess;
		}
		num_drop(guess);
		guess = half;
	}
}

struct num *num_gcd(const struct num *a, const struct num *b)
{
	struct num *x = num_copy(a);
	struct num *y = num_copy(b);

	while (!num_is(y, 0)) {
		struct num *rest = num_mod(x, y);

		num_drop(x);
		x = y;
		y = rest;
	}
	num_drop(y);
	return x;
}
