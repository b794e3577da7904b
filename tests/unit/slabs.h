/*
 * slabs - slabs over the page allocator: what their tests have in common.
 *
 * Each test makes the slabs that it needs and destroys them; the lock of a
 * barn is not needed where nobody else is.
 */
#ifndef TESTS_SLABS_H
#define TESTS_SLABS_H

#include "world.h"

#include "slab/slab.h"

#include <setjmp.h>

#include <cmocka.h>

static struct pcp pcp;
static void *objects[SLAB_MAX_OBJECTS + 1];

static inline int start(void **state)
{
	(void)state;
	world_start(16 * SECTION_SIZE);
	pcp_register(&pcp, world_zone());
	return 0;
}

static inline struct slab *create(unsigned int class)
{
	struct slab *slab = slab_create(&pcp, GFP_USER, class, 0);

	assert_non_null(slab);
	slab_validate(slab);
	return slab;
}

static inline size_t slab_size(const struct slab *slab)
{
	return PAGE_SIZE << size_classes[slab->class].slab_order;
}

static inline char *slab_start(const struct slab *slab)
{
	return pfn_to_address(slab->pfn);
}

/* The lowest first. */
static inline size_t take(struct slab *slab, void **out, size_t n)
{
	size_t got = slab_take(slab, out, n);

	for (size_t i = 0; i < got / 2; i++) {
		void *p = out[i];

		out[i] = out[got - 1 - i];
		out[got - 1 - i] = p;
	}
	return got;
}

/* As malloc does. */
static inline void use(size_t from, size_t to, size_t size)
{
	for (size_t i = from; i < to; i++) {
		assert_true(object_has_key(objects[i]));
		memset(objects[i], 0x5a, size);
	}
}

static inline bool put_one(struct slab *slab, void *p)
{
	return slab_put(slab, &p, 1) == 1;
}

/* As free does. */
static inline void unuse(struct slab *slab, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		*(uint64_t *)objects[i] = object_key(objects[i]);
		assert_true(put_one(slab, objects[i]));
	}
}

static inline void destroy(struct slab *slab)
{
	slab_validate(slab);
	assert_true(slab_is_unused(slab));
	slab_destroy(&pcp, slab);
	pcp_drain(&pcp, true);
	assert_int_equal(world_used(), 0);
	page_alloc_validate();
}

#endif
