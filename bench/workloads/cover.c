/*
 * cover - a function of two-level logic, as a list of cubes.
 *
 * 1. Complement and tautology split by the input that most cubes disagree
 *    about, until a cover is trivial.
 */
#include <stdlib.h>

#include "cover.h"
#include "workload.h"

#define LOW_INPUTS	6	/* of a point's number within a word */

static uint64_t nr_made;

uint64_t cover_nr_made(void)
{
	return nr_made;
}

static uint64_t count_literals(uint64_t parts)
{
	return 2 * NR_INPUTS - (uint64_t)__builtin_popcountl(parts);
}

struct cover *cover_new(void)
{
	struct cover *cover = take(sizeof(*cover));

	*cover = (struct cover){ 0 };
	return cover;
}

void cover_add(struct cover *cover, uint64_t parts)
{
	struct cube *cube = take(sizeof(*cube));

	cube->parts = parts;
	cube->nr_literals = count_literals(parts);
	nr_made++;
	if (cover->nr == cover->room) {
		cover->room = cover->room ? 2 * cover->room : 4;
		cover->cubes = need(realloc(cover->cubes, cover->room *
					    sizeof(cover->cubes[0])));
	}
	cover->cubes[cover->nr++] = cube;
}

static void cube_drop(struct cube *cube)
{
	if (cube->nr_literals != count_literals(cube->parts))
		block_corrupt(cube, sizeof(*cube));
	free(cube);
}

void cover_remove(struct cover *cover, size_t i)
{
	cube_drop(cover->cubes[i]);
	cover->cubes[i] = cover->cubes[--cover->nr];
}

void cover_drop(struct cover *cover)
{
	for (size_t i = 0; i < cover->nr; i++)
		cube_drop(cover->cubes[i]);
	free(cover->cubes);
	free(cover);
}

struct cover *cover_copy(const struct cover *cover)
{
	struct cover *copy = cover_new();

	for (size_t i = 0; i < cover->nr; i++)
		cover_add(copy, cover->cubes[i]->parts);
	return copy;
}

/* A total order, so that the result is not that of some qsort. */
static int compare_cubes(const void *a, const void *b)
{
	const struct cube *x = *(struct cube *const *)a;
	const struct cube *y = *(struct cube *const *)b;

	if (x->nr_literals != y->nr_literals)
		return x->nr_literals > y->nr_literals ? -1 : 1;
	return (x->parts > y->parts) - (x->parts < y->parts);
}

void cover_sort(struct cover *cover)
{
	if (cover->nr)
		qsort(cover->cubes, cover->nr, sizeof(cover->cubes[0]),
		      compare_cubes);
}

uint64_t cover_nr_literals(const struct cover *cover)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < cover->nr; i++)
		sum += cover->cubes[i]->nr_literals;
	return sum;
}

/* Where among 64 points is the cube true, as far as the low inputs say? */
static uint64_t low_values(uint64_t parts)
{
	static const uint64_t ones[LOW_INPUTS] = {
		0xaaaaaaaaaaaaaaaa, 0xcccccccccccccccc, 0xf0f0f0f0f0f0f0f0,
		0xff00ff00ff00ff00, 0xffff0000ffff0000, 0xffffffff00000000,
	};
	uint64_t values = UINT64_MAX;

	for (unsigned int i = 0; i < LOW_INPUTS; i++) {
		if (!(parts & literal(i, 0)))
			values &= ones[i];
		if (!(parts & literal(i, 1)))
			values &= ~ones[i];
	}
	return values;
}

uint64_t cover_values(const struct cover *cover, uint64_t n)
{
	uint64_t point = 0, values = 0;

	for (unsigned int i = LOW_INPUTS; i < NR_INPUTS; i++)
		point |= literal(i, n >> (i - LOW_INPUTS) & 1);
	for (size_t i = 0; i < cover->nr; i++) {
		uint64_t parts = cover->cubes[i]->parts;

		if (cube_covers(parts, point))
			values |= low_values(parts);
	}
	return values;
}

struct cover *cover_cofactor(const struct cover *cover, uint64_t cube,
			     const struct cube *without)
{
	struct cover *cofactor = cover_new();

	for (size_t i = 0; i < cover->nr; i++) {
		const struct cube *mine = cover->cubes[i];

		if (mine != without && cubes_meet(mine->parts, cube))
			cover_add(cofactor,
				  (mine->parts | ~cube) & CUBE_FULL);
	}
	return cofactor;
}

static bool has_full_cube(const struct cover *cover)
{
	for (size_t i = 0; i < cover->nr; i++) {
		if (cover->cubes[i]->parts == CUBE_FULL)
			return true;
	}
	return false;
}

/*
 * The input with the most literals of the rarer kind, then of both kinds.
 * *binate: has it some of each kind?
 */
static unsigned int choose_input(const struct cover *cover, bool *binate)
{
	size_t counts[NR_INPUTS][2] = { 0 };
	size_t best_score = 0;
	unsigned int best = 0;

	for (size_t i = 0; i < cover->nr; i++) {
		for (unsigned int j = 0; j < NR_INPUTS; j++) {
			uint64_t pair = cover->cubes[i]->parts >> (2 * j) &
				INPUT_BOTH;

			counts[j][0] += pair == 1;
			counts[j][1] += pair == 2;
		}
	}
	*binate = false;
	for (unsigned int j = 0; j < NR_INPUTS; j++) {
		size_t zeros = counts[j][0], ones = counts[j][1];
		size_t rarer = zeros < ones ? zeros : ones;
		size_t score = rarer * 2 * (cover->nr + 1) + zeros + ones;

		*binate |= rarer > 0;
		if (score > best_score) {
			best_score = score;
			best = j;
		}
	}
	return best;
}

/* The cover where input is value. */
static struct cover *branch(const struct cover *cover, unsigned int input,
			    unsigned int value)
{
	uint64_t cube = CUBE_FULL & ~literal(input, !value);

	return cover_cofactor(cover, cube, NULL);
}

bool cover_is_tautology(const struct cover *cover)
{
	bool binate, answer = true;
	unsigned int input;

	if (has_full_cube(cover))
		return true;
	input = choose_input(cover, &binate);
	/* A cover that is unate is true everywhere only by a full cube. */
	if (!binate)
		return false;
	for (unsigned int value = 0; value < 2 && answer; value++) {
		struct cover *half = branch(cover, input, value);

		answer = cover_is_tautology(half);
		cover_drop(half);
	}
	return answer;
}

static struct cover *complement_cube(uint64_t parts)
{
	struct cover *complement = cover_new();

	for (unsigned int i = 0; i < NR_INPUTS; i++) {
		uint64_t not_there = both(i) & ~parts;

		if (not_there)
			cover_add(complement,
				  (CUBE_FULL & ~both(i)) | not_there);
	}
	return complement;
}

static bool has_cube(const struct cover *cover, uint64_t parts)
{
	for (size_t i = 0; i < cover->nr; i++) {
		if (cover->cubes[i]->parts == parts)
			return true;
	}
	return false;
}

/* input' zero + input one; a cube of both is taken once, without it. */
static struct cover *join(unsigned int input, const struct cover *zero,
			  const struct cover *one)
{
	struct cover *joined = cover_new();

	for (size_t i = 0; i < zero->nr; i++) {
		uint64_t parts = zero->cubes[i]->parts;

		if (!has_cube(one, parts))
			parts &= ~literal(input, 1);
		cover_add(joined, parts);
	}
	for (size_t i = 0; i < one->nr; i++) {
		uint64_t parts = one->cubes[i]->parts;

		if (!has_cube(zero, parts))
			cover_add(joined, parts & ~literal(input, 0));
	}
	return joined;
}

struct cover *cover_complement(const struct cover *cover)
{
	struct cover *halves[2], *complement;
	unsigned int input;
	bool binate;

	if (!cover->nr) {
		complement = cover_new();
		cover_add(complement, CUBE_FULL);
		return complement;
	}
	if (has_full_cube(cover))
		return cover_new();
	if (cover->nr == 1)
		return complement_cube(cover->cubes[0]->parts);
	input = choose_input(cover, &binate);
	for (unsigned int value = 0; value < 2; value++) {
		struct cover *half = branch(cover, input, value);

		halves[value] = cover_complement(half);
		cover_drop(half);
	}
	complement = join(input, halves[0], halves[1]);
	cover_drop(halves[0]);
	cover_drop(halves[1]);
	return complement;
}
