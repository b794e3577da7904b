/*
 * cover - a function of two-level logic, as a list of cubes.
 *
 * 1. A cube has two bits per input: may it be 0, may it be 1? With both the
 *    input does not matter; with one it is a literal. No cube has an input
 *    with neither.
 * 2. A cover is true where any of its cubes is. Each cube is a block of its
 *    own, and so is the array that names them.
 * 3. What returns a cover returns a new one, which the caller drops.
 */
#ifndef ZBM_COVER_H
#define ZBM_COVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NR_INPUTS	14
#define INPUT_BOTH	3UL
#define CUBE_ONES	0x5555555555555555UL	/* the lower bit of each pair */
#define CUBE_FULL	((1UL << (2 * NR_INPUTS)) - 1)	/* true everywhere */

struct cube {
	uint64_t parts;
	uint64_t nr_literals;	/* of parts */
};

struct cover {
	size_t nr;
	size_t room;
	struct cube **cubes;
};

/* The part of a cube that says "input is value". */
static inline uint64_t literal(unsigned int input, unsigned int value)
{
	return 1UL << (2 * input + value);
}

static inline uint64_t both(unsigned int input)
{
	return INPUT_BOTH << (2 * input);
}

/* Is there a point where both cubes are true? */
static inline bool cubes_meet(uint64_t a, uint64_t b)
{
	uint64_t common = a & b;

	return !(~(common | common >> 1) & CUBE_ONES & CUBE_FULL);
}

static inline bool cube_covers(uint64_t a, uint64_t b)
{
	return !(b & ~a);
}

struct cover *cover_new(void);
struct cover *cover_copy(const struct cover *cover);
void cover_drop(struct cover *cover);
void cover_add(struct cover *cover, uint64_t parts);
/* The last cube takes the place of cube i. */
void cover_remove(struct cover *cover, size_t i);
void cover_sort(struct cover *cover);	/* cubes with many literals first */

uint64_t cover_nr_literals(const struct cover *cover);
/* A bit each for points 64 * n and the 63 behind it: is the cover true? Input i
 * of a point is bit i of its number. */
uint64_t cover_values(const struct cover *cover, uint64_t n);

/* What is left of the cover where `cube` is true; `without` is left out. */
struct cover *cover_cofactor(const struct cover *cover, uint64_t cube,
			     const struct cube *without);
bool cover_is_tautology(const struct cover *cover);
struct cover *cover_complement(const struct cover *cover);

/* Cubes that were made since the start. */
uint64_t cover_nr_made(void);

#endif
