/*
 * test_slab - objects of one slab: carved, taken, put back.
 */
#include "slabs.h"

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

/* Below it, behind its last object, and above it. */
static void test_what_is_not_its_object_ends_a_row(void **state)
{
	unsigned int class = size_class_of(48);
	struct slab *slab = create(class);
	char *start = slab_start(slab);
	size_t size = size_classes[class].size;
	char *others[] = {
		start - size, start + slab->nr_objects * size,
		start + slab_size(slab), start + (1UL << 33),
	};

	(void)state;
	assert_true(slab->nr_objects * size < slab_size(slab));
	for (size_t i = 0; i < array_size(others); i++) {
		assert_int_equal(slab_take(slab, objects, 3), 3);
		objects[3] = others[i];
		assert_int_equal(slab_put(slab, objects, 4), 3);
		assert_true(slab_has(slab, others[i]));
		slab_validate(slab);
	}
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
		cmocka_unit_test(test_what_is_not_its_object_ends_a_row),
		cmocka_unit_test(
			test_small_and_large_classes_prefer_other_pageblocks),
		cmocka_unit_test(test_validate_notices_what_is_broken),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
