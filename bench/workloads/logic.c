/*
 * logic - makes two-level logic small, with lists of small cubes.
 *
 * After: R. Brayton, G. Hachtel, C. McMullen and A. Sangiovanni-Vincentelli,
 * "Logic Minimization Algorithms for VLSI Synthesis", 1984. As a test of
 * allocators a program of this kind, espresso, is in D. Detlefs, A. Dosser
 * and B. Zorn, "Memory Allocation Costs in Large C and C++ Programs", 1994.
 *
 * 1. A function is drawn as a cover. Then, until nothing is gained: expand
 *    each cube as far as the complement allows, drop what others cover, drop
 *    what all others together cover, and reduce cubes to what only they cover.
 * 2. Complement, cofactor and tautology go by Shannon's expansion, and make
 *    and drop a list of cubes at each step.
 * 3. At the end the small cover must have the value of the drawn one at every
 *    point, and the complement the opposite.
 * 4. An operation is a cube made.
 */
#include "cover.h"
#include "workload.h"

#define NR_FUNCTIONS	600
#define NR_CUBES	80	/* of a drawn cover */
#define MIN_LITERALS	3	/* of a drawn cube */
#define MAX_LITERALS	8
#define MAX_PASSES	8

static struct cover *draw_cover(struct random *random)
{
	struct cover *cover = cover_new();

	for (int i = 0; i < NR_CUBES; i++) {
		uint64_t nr = random_between(random, MIN_LITERALS,
					     MAX_LITERALS);
		uint64_t parts = CUBE_FULL;

		while (nr) {
			unsigned int input = (unsigned int)
				random_below(random, NR_INPUTS);
			unsigned int value = (unsigned int)
				random_below(random, 2);

			if ((parts & both(input)) != both(input))
				continue;
			parts &= ~literal(input, value);
			nr--;
		}
		cover_add(cover, parts);
	}
	return cover;
}

static bool meets_any(const struct cover *cover, uint64_t parts)
{
	for (size_t i = 0; i < cover->nr; i++) {
		if (cubes_meet(cover->cubes[i]->parts, parts))
			return true;
	}
	return false;
}

static uint64_t expand_cube(uint64_t parts, const struct cover *off)
{
	for (unsigned int i = 0; i < NR_INPUTS; i++) {
		if ((parts & both(i)) == both(i))
			continue;
		if (!meets_any(off, parts | both(i)))
			parts |= both(i);
	}
	return parts;
}

static bool covered_by_one(const struct cover *cover, uint64_t parts)
{
	for (size_t i = 0; i < cover->nr; i++) {
		if (cube_covers(cover->cubes[i]->parts, parts))
			return true;
	}
	return false;
}

/* The smallest cubes first: they gain most, and then cover others. */
static struct cover *expand(struct cover *cover, const struct cover *off)
{
	struct cover *expanded = cover_new();

	cover_sort(cover);
	for (size_t i = 0; i < cover->nr; i++) {
		uint64_t parts = cover->cubes[i]->parts;

		if (!covered_by_one(expanded, parts))
			cover_add(expanded, expand_cube(parts, off));
	}
	for (size_t i = expanded->nr; i--;) {
		uint64_t parts = expanded->cubes[i]->parts;

		for (size_t j = 0; j < expanded->nr; j++) {
			if (j != i && cube_covers(expanded->cubes[j]->parts,
						  parts)) {
				cover_remove(expanded, i);
				break;
			}
		}
	}
	return expanded;
}

static void drop_redundant(struct cover *cover)
{
	cover_sort(cover);
	for (size_t i = 0; i < cover->nr;) {
		struct cube *cube = cover->cubes[i];
		struct cover *others = cover_cofactor(cover, cube->parts,
						      cube);

		if (cover_is_tautology(others))
			cover_remove(cover, i);
		else
			i++;
		cover_drop(others);
	}
}

/* Each cube becomes the smallest around the points that only it covers. */
static void reduce(struct cover *cover)
{
	cover_sort(cover);
	for (size_t i = cover->nr; i--;) {
		struct cube *cube = cover->cubes[i];
		struct cover *others = cover_cofactor(cover, cube->parts,
						      cube);
		struct cover *alone = cover_complement(others);
		uint64_t around = 0;

		for (size_t j = 0; j < alone->nr; j++)
			around |= alone->cubes[j]->parts;
		around &= cube->parts;
		cover_drop(others);
		cover_drop(alone);
		cover_remove(cover, i);
		if (around)
			cover_add(cover, around);
	}
}

static struct cover *minimise(const struct cover *drawn,
			      const struct cover *off)
{
	struct cover *cover = cover_copy(drawn);
	struct cover *best = NULL;

	for (int pass = 0; pass < MAX_PASSES; pass++) {
		struct cover *expanded = expand(cover, off);

		cover_drop(cover);
		cover = expanded;
		drop_redundant(cover);
		if (best && cover->nr >= best->nr &&
		    cover_nr_literals(cover) >= cover_nr_literals(best))
			break;
		if (best)
			cover_drop(best);
		best = cover_copy(cover);
		reduce(cover);
	}
	cover_drop(cover);
	return best;
}

static void compare_everywhere(const struct cover *drawn,
			       const struct cover *small,
			       const struct cover *off)
{
	for (uint64_t n = 0; n < (1UL << NR_INPUTS) / 64; n++) {
		uint64_t values = cover_values(drawn, n);

		if (cover_values(small, n) != values ||
		    cover_values(off, n) != ~values)
			workload_die("the covers differ near point %ju",
				     (uintmax_t)(64 * n));
	}
}

static void logic_run(struct run *run)
{
	uint64_t nr = run_scaled(run, NR_FUNCTIONS);
	struct random random = { .state = 1984 };

	for (uint64_t i = 0; i < nr; i++) {
		struct cover *drawn = draw_cover(&random);
		struct cover *off = cover_complement(drawn);
		struct cover *small = minimise(drawn, off);

		compare_everywhere(drawn, small, off);
		run->checksum += mix(i + small->nr);
		for (size_t j = 0; j < small->nr; j++)
			run->checksum += mix(small->cubes[j]->parts);
		cover_drop(drawn);
		cover_drop(off);
		cover_drop(small);
	}
	run->operations = cover_nr_made();
	run_sample(run);
}

const struct workload workload_logic = {
	.name = "logic",
	.origin = "two-level logic minimisation by lists of cubes; Brayton et "
		  "al. 1984, espresso of Detlefs et al. 1994",
	.seconds = 1.9,
	.run = logic_run,
};
