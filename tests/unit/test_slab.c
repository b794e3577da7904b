/*
 * test_slab - objects of one slab: carved, taken, put back, put to sleep.
 *
 * Each test makes the slabs that it needs and destroys them; the lock of a
 * barn is not needed where nobody else is.
 */
#include "world.h"

#include "slab/slab.h"

#include <setjmp.h>
#include <sys/mman.h>

#include <cmocka.h>

static struct pcp pcp;
static void *objects[SLAB_MAX_OBJECTS + 1];

static int start(void **state)
{
	(void)state;
	world_start(16 * SECTION_SIZE);
	pcp_register(&pcp, world_zone());
	return 0;
}

static struct slab *create(unsigned int class)
{
	struct slab *slab = slab_create(&pcp, GFP_USER, class, 0);

	assert_non_null(slab);
	slab_validate(slab);
	return slab;
}

static size_t slab_size(const struct slab *slab)
{
	return PAGE_SIZE << size_classes[slab->class].slab_order;
}

static char *slab_start(const struct slab *slab)
{
	return pfn_to_address(slab->pfn);
}

/* The lowest first. */
static size_t take(struct slab *slab, void **out, size_t n)
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
static void use(size_t from, size_t to, size_t size)
{
	for (size_t i = from; i < to; i++) {
		assert_true(object_has_key(objects[i]));
		memset(objects[i], 0x5a, size);
	}
}

static bool put_one(struct slab *slab, void *p)
{
	return slab_put(slab, &p, 1) == 1;
}

/* As free does. */
static void unuse(struct slab *slab, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		*(uint64_t *)objects[i] = object_key(objects[i]);
		assert_true(put_one(slab, objects[i]));
	}
}

static void destroy(struct slab *slab)
{
	slab_validate(slab);
	assert_true(slab_is_unused(slab));
	slab_destroy(&pcp, slab);
	pcp_drain(&pcp, true);
	assert_int_equal(world_used(), 0);
	page_alloc_validate();
}

static void test_each_class_has_slabs_that_all_objects_fit(void **state)
{
	(void)state;
	for (unsigned int class = 0; class < NR_SMALL_CLASSES; class++) {
		struct slab *slab = create(class);
		size_t size = size_classes[class].size, n;

		n = take(slab, objects, array_size(objects));
		assert_int_equal(n, size_classes[class].nr_objects);
		assert_true(n * size <= slab_size(slab));
		assert_true(slab_is_full(slab));
		for (size_t i = 0; i < n; i++) {
			assert_ptr_equal(objects[i],
					 slab_start(slab) + i * size);
			assert_true(slab_is_object(class, objects[i]));
		}
		use(0, n, size);
		assert_int_equal(take(slab, objects + n, 1), 0);
		slab_validate(slab);
		unuse(slab, 0, n);
		destroy(slab);
	}
}

static void test_every_page_s_word_names_the_slab(void **state)
{
	struct slab *slab = create(20);
	uint32_t pages = 1U << size_classes[20].slab_order;
	uint32_t end = slab->pfn + pages;
	size_t n = take(slab, objects, SLAB_MAX_OBJECTS);

	(void)state;
	assert_int_equal(slab->pfn % pages, 0);
	for (uint32_t pfn = slab->pfn; pfn < end; pfn++) {
		uint64_t word = page_word(pfn_to_page(pfn));

		assert_int_equal(word_type(word), PAGE_SLAB);
		assert_int_equal(word_node(word), 0);
		assert_ptr_equal(word_slab(word), slab);
		assert_int_equal(word & PAGE_BIN_MASK, class_bin(20));
	}
	unuse(slab, 0, n);
	destroy(slab);
	for (uint32_t pfn = end - pages; pfn < end; pfn++)
		assert_int_not_equal(word_type(page_word(pfn_to_page(pfn))),
				     PAGE_SLAB);
}

static void test_a_slab_serves_from_its_start(void **state)
{
	struct slab *slab = create(4);
	size_t size = size_classes[4].size;

	(void)state;
	assert_int_equal(take(slab, objects, 5), 5);
	for (size_t i = 0; i < 5; i++)
		assert_ptr_equal(objects[i], slab_start(slab) + i * size);
	assert_int_equal(slab->nr_free, slab->nr_objects - 5);
	assert_true(slab_has(slab, slab_start(slab) + 5 * size));
	slab_validate(slab);
	unuse(slab, 1, 3);
	/* What was freed comes before what is untouched. */
	assert_int_equal(take(slab, objects + 1, 4), 4);
	assert_ptr_equal(objects[2], slab_start(slab) + 2 * size);
	assert_ptr_equal(objects[4], slab_start(slab) + 6 * size);
	objects[3] = slab_start(slab) + 3 * size;
	slab_validate(slab);
	for (size_t i = 0; i < 7; i++)
		objects[i] = slab_start(slab) + i * size;
	unuse(slab, 0, 7);
	destroy(slab);
}

/* A new one, and one that is partly in use. */
static void test_the_lowest_object_comes_last(void **state)
{
	struct slab *slab = create(4);
	size_t size = size_classes[4].size;
	void *out[8];

	(void)state;
	assert_int_equal(slab_take(slab, out, 4), 4);
	assert_int_equal(slab_take(slab, out + 4, 4), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_ptr_equal(out[3 - i], slab_start(slab) + i * size);
		assert_ptr_equal(out[7 - i], slab_start(slab) + (4 + i) * size);
	}
	assert_true(object_has_key(out[0]) && object_has_key(out[7]));
	assert_int_equal(slab_put(slab, out, 8), 8);
	destroy(slab);
}

static void test_each_object_that_is_taken_has_its_key(void **state)
{
	struct slab *slab = create(7);
	size_t n = take(slab, objects, 20);

	(void)state;
	use(0, n, size_classes[7].size);
	unuse(slab, 0, n);
	assert_int_equal(take(slab, objects, 30), 30);
	use(0, 30, size_classes[7].size);
	for (size_t i = 1; i < 30; i++)
		assert_int_not_equal(object_key(objects[i]),
				     object_key(objects[0]));
	unuse(slab, 0, 30);
	destroy(slab);
}

static void test_no_object_is_handed_out_twice(void **state)
{
	uint64_t seed = 7;
	struct slab *slab = create(1);
	bool used[SLAB_MAX_OBJECTS] = { false };
	size_t size = size_classes[1].size, n = slab->nr_objects;

	(void)state;
	for (size_t step = 0; step < 3000; step++) {
		size_t want = world_below(&seed, 9), i, got;
		void *p[8];

		got = take(slab, p, min(want, 8UL));
		while (got--) {
			i = (size_t)((char *)p[got] - slab_start(slab)) / size;
			assert_true(i < n && !used[i]);
			used[i] = true;
			assert_false(slab_has(slab, p[got]));
		}
		for (size_t k = world_below(&seed, 40); k; k--) {
			i = world_below(&seed, n);
			if (!used[i])
				continue;
			objects[0] = slab_start(slab) + i * size;
			unuse(slab, 0, 1);
			assert_true(slab_has(slab, objects[0]));
			used[i] = false;
		}
		if (step % 100 == 0)
			slab_validate(slab);
	}
	for (size_t i = 0; i < n; i++) {
		objects[0] = slab_start(slab) + i * size;
		if (used[i])
			unuse(slab, 0, 1);
	}
	destroy(slab);
}

static void test_an_object_put_twice_is_refused(void **state)
{
	struct slab *slab = create(5);

	(void)state;
	assert_int_equal(take(slab, objects, 3), 3);
	unuse(slab, 1, 2);
	assert_false(put_one(slab, objects[1]));
	assert_int_equal(slab->nr_free, slab->nr_objects - 2);
	slab_validate(slab);
	unuse(slab, 0, 1);
	unuse(slab, 2, 3);
	assert_false(put_one(slab, objects[0]));
	destroy(slab);
}

static void test_an_object_that_was_never_taken_is_refused(void **state)
{
	struct slab *slab = create(5);
	size_t size = size_classes[5].size;

	(void)state;
	assert_int_equal(take(slab, objects, 3), 3);
	assert_false(put_one(slab, slab_start(slab) + 3 * size));
	assert_false(put_one(slab, slab_start(slab) + slab_size(slab) - 1));
	assert_int_equal(slab->nr_free, slab->nr_objects - 3);
	slab_validate(slab);
	unuse(slab, 0, 3);
	destroy(slab);
}

static size_t slab_pages(const struct slab *slab)
{
	return slab_size(slab) >> PAGE_SHIFT;
}

static size_t asleep(const struct slab *slab)
{
	size_t n = 0;

	for (size_t i = 0; i < slab_pages(slab); i++)
		n += word_is_asleep(page_word(pfn_to_page(slab->pfn) + i));
	return n;
}

static size_t resident(const struct slab *slab)
{
	unsigned char map[1 << SLAB_MAX_ORDER];
	size_t n = slab_pages(slab), count = 0;

	assert_int_equal(mincore(slab_start(slab), n << PAGE_SHIFT, map), 0);
	for (size_t i = 0; i < n; i++)
		count += map[i] & 1;
	return count;
}

static size_t sweep(struct slab *slab)
{
	size_t purged;

	slab->isolated = true;
	purged = slab_sweep(slab);
	slab->isolated = false;
	slab_validate(slab);
	assert_int_equal(asleep(slab), slab->nr_asleep);
	return purged;
}

/* The objects [from, to) of n are used, the others freed; what overlaps no
 * used object goes to sleep, nothing else does. */
static void sweep_with_used(unsigned int class, size_t from, size_t to)
{
	struct slab *slab = create(class);
	size_t size = size_classes[class].size;
	size_t n = take(slab, objects, SLAB_MAX_OBJECTS);
	/* Without those behind the last object. */
	size_t pages = align_up(n * size, PAGE_SIZE) >> PAGE_SHIFT;
	size_t first = from * size >> PAGE_SHIFT;
	size_t last = (to * size - 1) >> PAGE_SHIFT;

	use(0, n, size);
	unuse(slab, 0, from);
	unuse(slab, to, n);
	assert_true(sweep(slab) >= pages - (last + 1 - first));
	assert_int_equal(resident(slab), last + 1 - first);
	assert_int_equal(asleep(slab), slab_pages(slab) - (last + 1 - first));
	for (size_t i = from; i < to; i++)
		for (size_t k = 0; k < size; k++)
			assert_int_equal(((char *)objects[i])[k], 0x5a);
	for (size_t i = first; i <= last; i++)
		assert_false(word_is_asleep(page_word(pfn_to_page(slab->pfn) +
						      i)));
	/* Once asleep, nothing is left to do. */
	assert_int_equal(sweep(slab), 0);

	/* Objects come back with their keys, and each just once. */
	unuse(slab, from, to);
	assert_int_equal(take(slab, objects, SLAB_MAX_OBJECTS), n);
	assert_int_equal(asleep(slab), slab_pages(slab) - pages);
	use(0, n, size);
	unuse(slab, 0, n);
	destroy(slab);
}

static void test_pages_without_used_objects_sleep_and_wake(void **state)
{
	(void)state;
	for (unsigned int class = 0; class < NR_SMALL_CLASSES; class++) {
		size_t n = size_classes[class].nr_objects;

		sweep_with_used(class, 0, 1);
		sweep_with_used(class, n - 1, n);
		sweep_with_used(class, n / 2, n / 2 + 1);
		sweep_with_used(class, n / 3, n / 2 + 1);
	}
}

static void test_waking_a_page_restores_the_keys_on_it_alone(void **state)
{
	/* Four pages, whose objects cross from one to the next. */
	unsigned int class = size_class_of(320);
	struct slab *slab = create(class);
	size_t n = take(slab, objects, SLAB_MAX_OBJECTS), before;
	void *p;

	(void)state;
	use(0, n, 320);
	unuse(slab, 0, n - 1);
	before = sweep(slab);
	assert_true(before >= 2);
	assert_int_equal(take(slab, &p, 1), 1);
	assert_ptr_equal(p, objects[0]);
	assert_true(object_has_key(p));
	assert_int_equal(slab->nr_asleep, before - 1);
	assert_int_equal(resident(slab),
			 slab_pages(slab) - (before - 1));
	slab_validate(slab);
	*(uint64_t *)p = object_key(p);
	assert_true(put_one(slab, p));
	unuse(slab, n - 1, n);
	destroy(slab);
}

static void test_an_object_over_two_pages_wakes_both(void **state)
{
	unsigned int class = size_class_of(320);
	struct slab *slab = create(class);
	size_t n = take(slab, objects, SLAB_MAX_OBJECTS);
	size_t crossing = PAGE_SIZE / 320, all;
	void *out[SLAB_MAX_OBJECTS];

	(void)state;
	use(0, n, 320);
	unuse(slab, 0, n - 1);
	all = sweep(slab);
	/* Up to and with the one that crosses into the second page. */
	assert_int_equal(take(slab, out, crossing + 1), crossing + 1);
	assert_ptr_equal(out[crossing], objects[crossing]);
	assert_int_equal(slab->nr_asleep, all - 2);
	slab_validate(slab);
	for (size_t i = 0; i <= crossing; i++) {
		assert_true(object_has_key(out[i]));
		assert_true(put_one(slab, out[i]));
	}
	unuse(slab, n - 1, n);
	destroy(slab);
}

static void test_a_page_is_touched_when_it_is_first_needed(void **state)
{
	struct slab *slab = create(size_class_of(512));
	size_t pages = slab_pages(slab), n = PAGE_SIZE / 512;

	(void)state;
	assert_int_equal(slab->nr_asleep, pages);
	assert_int_equal(take(slab, objects, n), n);
	assert_int_equal(slab->nr_asleep, pages - 1);
	assert_int_equal(take(slab, objects + n, 1), 1);
	assert_int_equal(slab->nr_asleep, pages - 2);
	slab_validate(slab);
	unuse(slab, 0, n + 1);
	destroy(slab);
}

/* What an earlier owner wrote there is memory like any other. */
static void test_the_sweep_purges_pages_that_were_never_needed(void **state)
{
	unsigned int class = size_class_of(512);
	unsigned int order = size_classes[class].slab_order;
	struct page *page = alloc_pages(&pcp, GFP_USER | GFP_RECLAIMABLE,
					order);
	struct slab *slab;

	(void)state;
	memset(page_address(page), 0x11, PAGE_SIZE << order);
	free_pages(&pcp, page, order);
	slab = create(class);
	assert_int_equal(slab->pfn, page_to_pfn(page));
	assert_int_equal(take(slab, objects, 1), 1);
	use(0, 1, 512);
	sweep(slab);
	assert_int_equal(resident(slab), 1);
	slab_validate(slab);
	unuse(slab, 0, 1);
	destroy(slab);
}

static void test_small_and_large_classes_prefer_other_pageblocks(void **state)
{
	static const struct {
		size_t size;
		enum migratetype type;
	} expected[] = {
		{ 16, MIGRATE_RECLAIMABLE }, { 4096, MIGRATE_RECLAIMABLE },
		{ 5120, MIGRATE_UNMOVABLE }, { 14336, MIGRATE_UNMOVABLE },
	};

	(void)state;
	/* Alone in the zone, a slab's type is that of its pageblock. */
	for (size_t i = 0; i < array_size(expected); i++) {
		struct slab *slab = create(size_class_of(expected[i].size));

		assert_int_equal(pageblock_migratetype(slab->pfn),
				 expected[i].type);
		destroy(slab);
	}
}

static void lose_a_key(void)
{
	struct slab *slab = create(3);

	CHECK(take(slab, objects, 2) == 2);
	*(uint64_t *)objects[0] = 1;
	CHECK(put_one(slab, objects[0]));
	slab_validate(slab);
}

static void miscount(void)
{
	struct slab *slab = create(3);

	CHECK(take(slab, objects, 2) == 2);
	slab->nr_free++;
	slab_validate(slab);
}

static void test_validate_notices_what_is_broken(void **state)
{
	(void)state;
	assert_true(child_dies(lose_a_key, "object_has_key"));
	assert_true(child_dies(miscount, "nr_free"));
	assert_int_equal(world_used(), 0);
	page_alloc_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_each_class_has_slabs_that_all_objects_fit),
		cmocka_unit_test(test_every_page_s_word_names_the_slab),
		cmocka_unit_test(test_a_slab_serves_from_its_start),
		cmocka_unit_test(test_the_lowest_object_comes_last),
		cmocka_unit_test(test_each_object_that_is_taken_has_its_key),
		cmocka_unit_test(test_no_object_is_handed_out_twice),
		cmocka_unit_test(test_an_object_put_twice_is_refused),
		cmocka_unit_test(
			test_an_object_that_was_never_taken_is_refused),
		cmocka_unit_test(
			test_pages_without_used_objects_sleep_and_wake),
		cmocka_unit_test(
			test_waking_a_page_restores_the_keys_on_it_alone),
		cmocka_unit_test(test_an_object_over_two_pages_wakes_both),
		cmocka_unit_test(
			test_a_page_is_touched_when_it_is_first_needed),
		cmocka_unit_test(
			test_the_sweep_purges_pages_that_were_never_needed),
		cmocka_unit_test(
			test_small_and_large_classes_prefer_other_pageblocks),
		cmocka_unit_test(test_validate_notices_what_is_broken),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
