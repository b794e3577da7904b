/*
 * barns - a node's barns over the page allocator, with a pcp: what their tests
 * start from, and what must hold after each.
 */
#ifndef TESTS_BARNS_H
#define TESTS_BARNS_H

#include "world.h"

#include "mm/vmscan.h"
#include "slab/barn.h"

#include <setjmp.h>

#include <cmocka.h>

#define MANY	4096	/* objects */
#define HEAPS	4	/* that there are, unless a test opens lanes for more */

static struct pcp pcp;
static void *objects[MANY];

static inline int start(void **state)
{
	(void)state;
	world_start(16 * SECTION_SIZE);
	assert_true(barn_init_node(0));
	barn_open_lane(HEAPS - 1);
	pcp_register(&pcp, world_zone());
	return 0;
}

static inline struct barn *barn_for(size_t size)
{
	return barn_of(0, size_class_of(size));
}

static inline void validate(void)
{
	for_each_barn(barn)
		barn_validate(barn);
	pcp_validate(&pcp);
	page_alloc_validate();
}

static inline void finish(void)
{
	validate();
	barn_shrink_all(RECLAIM_ALL);
	pcp_drain(&pcp, true);
	for_each_barn(barn) {
		assert_int_equal(barn->nr_slabs, 0);
		assert_int_equal(barn_nr_cached(barn), 0);
	}
	assert_int_equal(world_used(), 0);
	validate();
	barn_lanes_open = HEAPS;
}

static inline void refill(struct barn *barn, size_t from, size_t to)
{
	size_t size = size_classes[barn->class].size;

	while (from < to) {
		size_t got = barn_refill(barn, 0, &pcp, GFP_USER,
					 objects + from, to - from);

		assert_true(got > 0 && got <= to - from);
		for (; got; got--, from++) {
			assert_true(object_has_key(objects[from]));
			memset(objects[from], 0x3c, size);
		}
	}
}

static inline void mark_freed(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		*(uint64_t *)objects[i] = object_key(objects[i]);
}

static inline void flush(size_t from, size_t to)
{
	mark_freed(from, to);
	barn_flush(&pcp, objects + from, to - from);
}

/* The lane hands out no empty sheaf for it. */
static inline bool put_full(struct barn *barn, uint8_t heap,
			    struct sheaf *full)
{
	struct sheaf *empty;
	bool room = barn_put_full(barn, heap, full, 0, &empty);

	assert_null(empty);
	return room;
}

/* A sheaf with n objects of the barn's class. */
static inline struct sheaf *full_sheaf(struct barn *barn, size_t n)
{
	struct sheaf *sheaf = sheaf_alloc(n);

	assert_non_null(sheaf);
	assert_true(sheaf->capacity >= n);
	while (sheaf->nr < n)
		sheaf->nr += (uint16_t)barn_refill(barn, 0, &pcp, GFP_USER,
						   sheaf->object + sheaf->nr,
						   n - sheaf->nr);
	return sheaf;
}

/* As if many had been of use. */
static inline struct barn *busy_barn_for(size_t size)
{
	struct barn *barn = barn_for(size);

	for (unsigned int i = 0; i < BARN_LANES; i++)
		barn_lane(barn, i)->more_full = 64 - BARN_MIN_FULL;
	return barn;
}

#endif
