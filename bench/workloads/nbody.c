/*
 * nbody - bodies that attract each other, by a tree that each step rebuilds.
 *
 * After: J. Barnes and P. Hut, "A hierarchical O(N log N) force-calculation
 * algorithm", Nature 324 (1986).
 *
 * 1. In each step a tree is built of all bodies: a cell halves its cube in
 *    each direction and has up to eight children, a leaf has one body. Each
 *    node is a block of its own, and all are freed at the end of the step.
 * 2. A cell whose side is less than OPENING times its distance acts as one
 *    body. Positions follow by the leapfrog method.
 * 3. The tree must hold every body and their whole mass until it is dropped,
 *    and in the first step some accelerations must be near the direct sum.
 * 4. An operation is a node made.
 */
#include <math.h>

#include "workload.h"

#define NR_BODIES	20000
#define NR_STEPS	72
#define STEP		1e-3	/* in units where G, mass and radius are 1 */
#define OPENING		1.2	/* theta of the paper */
#define SOFTENING2	1e-4	/* added to squared distances */
#define MAX_DEPTH	60	/* bodies closer than that share a place */
#define NR_COMPARED	20	/* bodies, with the direct sum */
#define TOLERANCE	0.1	/* mean difference of those, relative */

struct body {
	double position[3];
	double velocity[3];
	double acceleration[3];
	double mass;
};

struct node {
	double mass;
	double centre[3];	/* of mass */
	struct body *body;	/* NULL: this is the head of a cell */
};

struct cell {
	struct node node;
	double side;
	struct node *children[8];
};

struct cube {
	double low[3];
	double side;
};

struct system {
	struct body *bodies;
	uint64_t nr_made;
};

static struct node *make_leaf(struct system *system, struct body *body)
{
	struct node *leaf = take(sizeof(*leaf));

	leaf->mass = body->mass;
	memcpy(leaf->centre, body->position, sizeof(leaf->centre));
	leaf->body = body;
	system->nr_made++;
	return leaf;
}

static struct cell *make_cell(struct system *system, double side)
{
	struct cell *cell = need(calloc(1, sizeof(*cell)));

	cell->side = side;
	system->nr_made++;
	return cell;
}

static struct cell *node_cell(struct node *node)
{
	return (struct cell *)node;
}

/* The eighth of the cube where the position is; *cube becomes that. */
static unsigned int descend(struct cube *cube, const double *position)
{
	unsigned int octant = 0;

	cube->side /= 2;
	for (int i = 0; i < 3; i++) {
		if (position[i] < cube->low[i] + cube->side)
			continue;
		cube->low[i] += cube->side;
		octant |= 1u << i;
	}
	return octant;
}

static void insert(struct system *system, struct node **place,
		   struct cube cube, struct body *body)
{
	int depth = 0;

	for (; *place && !(*place)->body; depth++)
		place = &node_cell(*place)->children[descend(&cube,
							     body->position)];
	while (*place) {
		struct node *leaf = *place;
		struct cube inside = cube;
		struct cell *cell;

		if (depth++ == MAX_DEPTH)
			workload_die("two bodies at one place");
		cell = make_cell(system, cube.side);
		cell->children[descend(&inside, leaf->body->position)] = leaf;
		*place = &cell->node;
		place = &cell->children[descend(&cube, body->position)];
	}
	*place = make_leaf(system, body);
}

/* Fills in the masses of cells; returns the sum of the bodies' numbers. */
static uint64_t weigh(const struct system *system, struct node *node)
{
	uint64_t sum = 0;

	if (node->body)
		return (uint64_t)(node->body - system->bodies);
	for (int i = 0; i < 8; i++) {
		struct node *child = node_cell(node)->children[i];

		if (!child)
			continue;
		sum += weigh(system, child);
		node->mass += child->mass;
		for (int j = 0; j < 3; j++)
			node->centre[j] += child->mass * child->centre[j];
	}
	for (int j = 0; j < 3; j++)
		node->centre[j] /= node->mass;
	return sum;
}

/* A leaf must still be where its body is: bodies move after this. */
static void drop_tree(struct node *node)
{
	if (node->body) {
		if (memcmp(node->centre, node->body->position,
			   sizeof(node->centre)))
			block_corrupt(node, sizeof(*node));
	} else {
		struct cell *cell = node_cell(node);

		for (int i = 0; i < 8; i++) {
			if (cell->children[i])
				drop_tree(cell->children[i]);
		}
	}
	free(node);
}

static struct cube around_bodies(const struct system *system)
{
	struct cube cube = { .side = 0 };
	double reach = 0;

	for (size_t i = 0; i < NR_BODIES; i++) {
		for (int j = 0; j < 3; j++)
			reach = fmax(reach,
				     fabs(system->bodies[i].position[j]));
	}
	for (int j = 0; j < 3; j++)
		cube.low[j] = -reach;
	cube.side = 2.001 * reach;
	return cube;
}

static struct node *make_tree(struct system *system)
{
	struct cube cube = around_bodies(system);
	struct node *root = NULL;

	for (size_t i = 0; i < NR_BODIES; i++)
		insert(system, &root, cube, &system->bodies[i]);
	if (weigh(system, root) != NR_BODIES * (NR_BODIES - 1UL) / 2)
		workload_die("the tree has lost bodies");
	if (!(fabs(root->mass - 1) < 1e-9))
		workload_die("the tree weighs %g", root->mass);
	return root;
}

static void attract(double *acceleration, const double *difference,
		    double distance2, double mass)
{
	double softened = distance2 + SOFTENING2;
	double factor = mass / (softened * sqrt(softened));

	for (int i = 0; i < 3; i++)
		acceleration[i] += factor * difference[i];
}

static void add_tree(double *acceleration, struct node *node,
		     const struct body *body)
{
	const struct cell *cell = node_cell(node);
	double difference[3];
	double distance2 = 0;

	for (int i = 0; i < 3; i++) {
		difference[i] = node->centre[i] - body->position[i];
		distance2 += difference[i] * difference[i];
	}
	if (node->body || cell->side * cell->side <
	    OPENING * OPENING * distance2) {
		attract(acceleration, difference, distance2, node->mass);
		return;
	}
	for (int i = 0; i < 8; i++) {
		if (cell->children[i])
			add_tree(acceleration, cell->children[i], body);
	}
}

/* The sum over all bodies, one by one; returns the relative difference. */
static double compare_body(const struct system *system,
			   const struct body *body)
{
	double direct[3] = { 0 };
	double difference[3], off2 = 0, size2 = 0;

	for (size_t i = 0; i < NR_BODIES; i++) {
		double distance2 = 0;

		for (int j = 0; j < 3; j++) {
			difference[j] = system->bodies[i].position[j] -
				body->position[j];
			distance2 += difference[j] * difference[j];
		}
		attract(direct, difference, distance2,
			system->bodies[i].mass);
	}
	for (int j = 0; j < 3; j++) {
		double off = body->acceleration[j] - direct[j];

		off2 += off * off;
		size2 += direct[j] * direct[j];
	}
	return sqrt(off2 / size2);
}

static void compare_directly(const struct system *system)
{
	double sum = 0;

	for (size_t i = 0; i < NR_COMPARED; i++)
		sum += compare_body(system, &system->bodies[i *
				    (NR_BODIES / NR_COMPARED)]);
	if (!(sum / NR_COMPARED < TOLERANCE))
		workload_die("the tree's forces are wrong by %g",
			     sum / NR_COMPARED);
}

static void move_bodies(struct system *system)
{
	for (size_t i = 0; i < NR_BODIES; i++) {
		struct body *body = &system->bodies[i];

		for (int j = 0; j < 3; j++) {
			body->velocity[j] += STEP * body->acceleration[j];
			body->position[j] += STEP * body->velocity[j];
		}
	}
}

static double draw_unit(struct random *random)
{
	return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* A ball, denser towards its middle, at rest. */
static void draw_bodies(struct system *system, struct random *random)
{
	system->bodies = need(calloc(NR_BODIES, sizeof(struct body)));
	for (size_t i = 0; i < NR_BODIES; i++) {
		struct body *body = &system->bodies[i];
		double length2 = 0, shrink;

		do {
			length2 = 0;
			for (int j = 0; j < 3; j++) {
				body->position[j] = 2 * draw_unit(random) - 1;
				length2 += body->position[j] *
					body->position[j];
			}
		} while (length2 > 1);
		shrink = draw_unit(random);
		for (int j = 0; j < 3; j++)
			body->position[j] *= shrink;
		body->mass = 1.0 / NR_BODIES;
	}
}

static void nbody_run(struct run *run)
{
	uint64_t nr = run_scaled(run, NR_STEPS);
	struct random random = { .state = 1986 };
	struct system system = { .nr_made = 0 };

	draw_bodies(&system, &random);
	for (uint64_t step = 0; step < nr; step++) {
		struct node *root = make_tree(&system);

		for (size_t i = 0; i < NR_BODIES; i++) {
			struct body *body = &system.bodies[i];

			memset(body->acceleration, 0,
			       sizeof(body->acceleration));
			add_tree(body->acceleration, root, body);
		}
		if (!step)
			compare_directly(&system);
		if (step + 1 == nr)
			run_sample(run);
		drop_tree(root);
		move_bodies(&system);
	}
	for (size_t i = 0; i < NR_BODIES; i++) {
		uint64_t bits;

		memcpy(&bits, &system.bodies[i].position[0], sizeof(bits));
		run->checksum += mix(bits);
	}
	run->operations = system.nr_made;
	free(system.bodies);
}

const struct workload workload_nbody = {
	.name = "nbody",
	.origin = "gravity by an octree that each step builds and frees; "
		  "Barnes & Hut 1986",
	.seconds = 1.9,
	.run = nbody_run,
};
