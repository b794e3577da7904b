/*
 * bignum - factors numbers with arithmetic that allocates each result.
 *
 * After: M. Morrison and J. Brillhart, "A Method of Factoring and the
 * Factorization of F7", Mathematics of Computation 29 (1975). As a test of
 * allocators a program of this kind, cfrac, is in D. Detlefs, A. Dosser and
 * B. Zorn, "Memory Allocation Costs in Large C and C++ Programs", 1994.
 *
 * 1. N is the product of two primes. The continued fraction of its square
 *    root gives A and Q with A^2 = (-1)^n Q (mod N) and Q < 2 sqrt(N). Those
 *    Q are kept that are products of the primes of the base.
 * 2. Elimination over GF(2) finds products of such relations that are squares
 *    on both sides: X^2 = Y^2 (mod N). Half of them split N.
 * 3. Q must divide N - P^2 without rest, each kept relation must hold, and
 *    the factors must be the two primes: what was read back wrongly shows.
 * 4. An operation is a term of the continued fraction.
 */
#include <assert.h>

#include "num.h"
#include "workload.h"

#define NR_NUMBERS	280	/* to factor */
#define PRIME_BITS	35
#define BASE_SIZE	96	/* primes, the first of which is 2 */
#define NR_RELATIONS	(BASE_SIZE + 31)	/* 30 chances to split N */
#define WORDS		2	/* that have a bit for each relation */
#define BASE_LIMIT	4096	/* no prime of the base is above */

static_assert(NR_RELATIONS <= 64 * WORDS, "a bit for each relation");
static_assert(1 + BASE_SIZE <= 64 * WORDS, "a bit for each power");

/* Q is the product of base[i]^powers[i]; powers[0] is that of -1. */
struct relation {
	struct num *a;
	uint8_t *powers;	/* 1 + BASE_SIZE */
};

/* A product of relations: the parity of its powers, and which they are. */
struct row {
	uint64_t parity[WORDS];
	uint64_t members[WORDS];
};

struct factoring {
	struct num *n;
	struct num *root;	/* floor(sqrt(n)) */
	uint32_t base[BASE_SIZE];
	struct relation *relations;
	size_t nr_relations, room;
	uint64_t operations;
};

/* The expansion at one term; see Morrison and Brillhart, section 2. */
struct term {
	struct num *a, *a_before;	/* A(n-1), A(n-2) modulo N */
	struct num *p, *q;		/* P(n), Q(n) */
	bool odd;			/* n */
};

static uint64_t power_mod(uint64_t base, uint64_t power, uint64_t modulus)
{
	unsigned __int128 result = 1, square = base % modulus;

	for (; power; power >>= 1) {
		if (power & 1)
			result = result * square % modulus;
		square = square * square % modulus;
	}
	return (uint64_t)result;
}

/* By Miller and Rabin; the bases suffice below 3 * 10^14. */
static bool is_prime(uint64_t n)
{
	static const uint64_t bases[] = { 2, 3, 5, 7, 11, 13, 17 };
	unsigned int twos;

	for (size_t i = 0; i < array_size(bases); i++) {
		if (n % bases[i] == 0)
			return n == bases[i];
	}
	twos = (unsigned int)__builtin_ctzl(n - 1);
	for (size_t i = 0; i < array_size(bases); i++) {
		uint64_t x = power_mod(bases[i], (n - 1) >> twos, n);
		unsigned int left = twos;

		if (x == 1)
			continue;
		while (x != n - 1 && --left)
			x = power_mod(x, 2, n);
		if (x != n - 1)
			return false;
	}
	return true;
}

static uint64_t draw_prime(struct random *random)
{
	uint64_t n = 3UL << (PRIME_BITS - 2) |
		random_below(random, 1UL << (PRIME_BITS - 2)) | 1;

	while (!is_prime(n))
		n += 2;
	return n;
}

/* Only primes for which N is a square can divide a Q. */
static void choose_base(struct factoring *factoring)
{
	size_t nr = 0;

	factoring->base[nr++] = 2;
	for (uint32_t prime = 3; nr < BASE_SIZE; prime += 2) {
		struct num *quotient;
		uint32_t rest;

		if (prime > BASE_LIMIT)
			workload_die("the base is too small");
		if (!is_prime(prime))
			continue;
		quotient = num_divide_small(factoring->n, prime, &rest);
		num_drop(quotient);
		if (power_mod(rest, (prime - 1) / 2, prime) == 1)
			factoring->base[nr++] = prime;
	}
}

static void replace(struct num **place, struct num *by)
{
	num_drop(*place);
	*place = by;
}

static void term_first(struct term *term, const struct factoring *factoring)
{
	struct num *square = num_mul(factoring->root, factoring->root);

	term->a = num_copy(factoring->root);
	term->a_before = num_from(1);
	term->p = num_copy(factoring->root);
	term->q = num_sub(factoring->n, square);
	term->odd = true;
	num_drop(square);
}

static void term_drop(struct term *term)
{
	num_drop(term->a);
	num_drop(term->a_before);
	num_drop(term->p);
	num_drop(term->q);
}

static void term_next(struct term *term, const struct factoring *factoring)
{
	struct num *sum = num_add(factoring->root, term->p);
	struct num *partial, *product, *square, *difference, *next, *rest;

	num_divide(sum, term->q, &partial, NULL);
	num_drop(sum);

	product = num_mul(partial, term->a);
	sum = num_add(product, term->a_before);
	replace(&term->a_before, term->a);
	term->a = num_mod(sum, factoring->n);
	num_drop(sum);
	num_drop(product);

	product = num_mul(partial, term->q);
	replace(&term->p, num_sub(product, term->p));
	num_drop(product);
	num_drop(partial);

	square = num_mul(term->p, term->p);
	difference = num_sub(factoring->n, square);
	num_divide(difference, term->q, &next, &rest);
	if (!num_is(rest, 0))
		workload_die("a term of the fraction has a rest");
	replace(&term->q, next);
	num_drop(rest);
	num_drop(difference);
	num_drop(square);
	term->odd = !term->odd;
}

/* Divides q by the primes of the base; true when nothing else is left. */
static bool split_over_base(const struct factoring *factoring,
			    const struct num *q, uint8_t *powers)
{
	struct num *left = num_copy(q);
	bool smooth;

	for (size_t i = 0; i < BASE_SIZE; i++) {
		powers[1 + i] = 0;
		for (;;) {
			uint32_t rest;
			struct num *quotient =
				num_divide_small(left, factoring->base[i],
						 &rest);

			if (rest) {
				num_drop(quotient);
				break;
			}
			replace(&left, quotient);
			powers[1 + i]++;
		}
	}
	smooth = num_is(left, 1);
	num_drop(left);
	return smooth;
}

/* A^2 = (-1)^n Q (mod N) */
static void relation_check(const struct factoring *factoring,
			   const struct term *term)
{
	struct num *square = num_mul_mod(term->a, term->a, factoring->n);
	struct num *expected = term->odd ? num_sub(factoring->n, term->q) :
		num_copy(term->q);

	if (num_compare(square, expected))
		workload_die("a relation does not hold");
	num_drop(square);
	num_drop(expected);
}

static void keep_relation(struct factoring *factoring,
			  const struct term *term, uint8_t *powers)
{
	struct relation *relations = factoring->relations;

	if (factoring->nr_relations == factoring->room) {
		factoring->room = factoring->room ? 2 * factoring->room : 8;
		relations = need(realloc(relations, factoring->room *
					 sizeof(*relations)));
		factoring->relations = relations;
	}
	powers[0] = term->odd;
	relations[factoring->nr_relations++] = (struct relation){
		.a = num_copy(term->a),
		.powers = powers,
	};
}

static void collect_relations(struct factoring *factoring)
{
	uint8_t *powers = take(1 + BASE_SIZE);
	struct term term;

	term_first(&term, factoring);
	while (factoring->nr_relations < NR_RELATIONS) {
		factoring->operations++;
		if (split_over_base(factoring, term.q, powers)) {
			relation_check(factoring, &term);
			keep_relation(factoring, &term, powers);
			powers = take(1 + BASE_SIZE);
		}
		if (num_is(term.q, 1))
			workload_die("the fraction has too short a period");
		term_next(&term, factoring);
	}
	term_drop(&term);
	free(powers);
}

static bool bit_test(const uint64_t *words, size_t i)
{
	return words[i / 64] >> (i % 64) & 1;
}

static void bit_set(uint64_t *words, size_t i)
{
	words[i / 64] |= 1UL << (i % 64);
}

static struct row **make_rows(const struct factoring *factoring)
{
	struct row **rows = take(NR_RELATIONS * sizeof(rows[0]));

	for (size_t i = 0; i < NR_RELATIONS; i++) {
		rows[i] = need(calloc(1, sizeof(*rows[i])));
		bit_set(rows[i]->members, i);
		for (size_t j = 0; j <= BASE_SIZE; j++) {
			if (factoring->relations[i].powers[j] & 1)
				bit_set(rows[i]->parity, j);
		}
	}
	return rows;
}

static void row_add(struct row *row, const struct row *other)
{
	for (size_t i = 0; i < WORDS; i++) {
		row->parity[i] ^= other->parity[i];
		row->members[i] ^= other->members[i];
	}
}

/* Rows from the returned one on are products with even powers only. */
static size_t eliminate(struct row **rows)
{
	size_t nr_pivots = 0;

	for (size_t column = 0; column <= BASE_SIZE; column++) {
		size_t pivot = nr_pivots;
		struct row *row;

		while (pivot < NR_RELATIONS &&
		       !bit_test(rows[pivot]->parity, column))
			pivot++;
		if (pivot == NR_RELATIONS)
			continue;
		row = rows[pivot];
		rows[pivot] = rows[nr_pivots];
		rows[nr_pivots++] = row;
		for (size_t i = nr_pivots; i < NR_RELATIONS; i++) {
			if (bit_test(rows[i]->parity, column))
				row_add(rows[i], row);
		}
	}
	return nr_pivots;
}

/* gcd(X + Y, N) with X^2 = Y^2 (mod N): 1 and N are of no use. */
static struct num *try_row(const struct factoring *factoring,
			   const struct row *row)
{
	struct num *x = num_from(1), *y = num_from(1), *sum, *factor;
	uint32_t powers[BASE_SIZE] = { 0 };

	for (size_t i = 0; i < NR_RELATIONS; i++) {
		const struct relation *relation = &factoring->relations[i];

		if (!bit_test(row->members, i))
			continue;
		replace(&x, num_mul_mod(x, relation->a, factoring->n));
		for (size_t j = 0; j < BASE_SIZE; j++)
			powers[j] += relation->powers[1 + j];
	}
	for (size_t j = 0; j < BASE_SIZE; j++) {
		struct num *prime = num_from(factoring->base[j]);

		for (uint32_t k = 0; k < powers[j] / 2; k++)
			replace(&y, num_mul_mod(y, prime, factoring->n));
		num_drop(prime);
	}
	sum = num_add(x, y);
	factor = num_gcd(sum, factoring->n);
	num_drop(sum);
	num_drop(x);
	num_drop(y);
	return factor;
}

/* A prime factor of N, from the relations. */
static uint64_t combine_relations(const struct factoring *factoring)
{
	struct row **rows = make_rows(factoring);
	uint64_t found = 0;

	for (size_t i = eliminate(rows); i < NR_RELATIONS && !found; i++) {
		struct num *factor = try_row(factoring, rows[i]);

		if (!num_is(factor, 1) && num_compare(factor, factoring->n))
			found = num_to_u64(factor);
		num_drop(factor);
	}
	for (size_t i = 0; i < NR_RELATIONS; i++)
		free(rows[i]);
	free(rows);
	return found;
}

static void factoring_end(struct factoring *factoring)
{
	for (size_t i = 0; i < factoring->nr_relations; i++) {
		num_drop(factoring->relations[i].a);
		free(factoring->relations[i].powers);
	}
	free(factoring->relations);
	num_drop(factoring->n);
	num_drop(factoring->root);
}

static void factor_product(struct run *run, uint64_t p, uint64_t q)
{
	struct num *p_num = num_from(p), *q_num = num_from(q);
	struct factoring factoring = { .n = num_mul(p_num, q_num) };
	uint64_t found;

	factoring.root = num_sqrt(factoring.n);
	choose_base(&factoring);
	collect_relations(&factoring);
	found = combine_relations(&factoring);
	if (found != p && found != q)
		workload_die("%ju is no factor of the product of %ju and %ju",
			     (uintmax_t)found, (uintmax_t)p, (uintmax_t)q);
	run->checksum += mix(found + factoring.operations);
	run->operations += factoring.operations;
	factoring_end(&factoring);
	num_drop(p_num);
	num_drop(q_num);
}

static void bignum_run(struct run *run)
{
	uint64_t nr = run_scaled(run, NR_NUMBERS);
	struct random random = { .state = 1975 };

	for (uint64_t i = 0; i < nr; i++) {
		uint64_t p = draw_prime(&random);

		factor_product(run, p, draw_prime(&random));
	}
	run_sample(run);
}

const struct workload workload_bignum = {
	.name = "bignum",
	.origin = "continued fraction factoring, a small block per number; "
		  "Morrison & Brillhart 1975, cfrac of Detlefs et al. 1994",
	.seconds = 2,
	.run = bignum_run,
};
