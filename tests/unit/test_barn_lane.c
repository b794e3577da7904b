/*
 * test_barn_lane - sheaves change hands.
 *
 * Each test ends with empty barns and no page in use.
 */
#include "barns.h"

static void test_a_sheaf_fills_a_power_of_two_of_bytes(void **state)
{
	static const size_t wants[] = { 1, 6, 7, 14, 30, 62, 126 };
	size_t in_use = meta.in_use;

	(void)state;
	for (size_t i = 0; i < array_size(wants); i++) {
		struct sheaf *sheaf = sheaf_alloc(wants[i]);

		assert_non_null(sheaf);
		assert_true(sheaf->capacity >= wants[i]);
		assert_true(is_pow2(sizeof(*sheaf) + sheaf->capacity *
				    sizeof(void *)));
		assert_int_equal(sheaf->nr, 0);
		/* In its own line, and no object's key. */
		assert_in_range((uintptr_t)sheaf->end, (uintptr_t)sheaf,
				(uintptr_t)sheaf->object - 8);
		assert_false(object_has_key(sheaf->end));
		memset(sheaf->object, 1, sheaf->capacity * sizeof(void *));
		sheaf_free(sheaf);
	}
	/* The largest of each class wastes nothing. */
	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		size_t most = size_classes[class].sheaf_max;
		struct sheaf *sheaf = sheaf_alloc(most);

		assert_in_range(most, 2, SLAB_MAX_OBJECTS);
		assert_in_range(sheaf->capacity, most,
				most + class_group(class) - 1);
		sheaf_free(sheaf);
	}
	assert_int_equal(meta.in_use, in_use);
	finish();
}

static void drop_sheaf(struct sheaf *sheaf)
{
	barn_flush(&pcp, sheaf->object, sheaf->nr);
	sheaf_free(sheaf);
}

/* Sheaves with `want` objects each, into the first lane. */
static void put_new_sheaves(struct barn *barn, struct sheaf **sheaf, size_t n,
			    size_t want)
{
	for (size_t i = 0; i < n; i++) {
		sheaf[i] = full_sheaf(barn, want);
		assert_true(put_full(barn, 0, sheaf[i]));
	}
}

static void test_an_empty_sheaf_is_exchanged_for_a_full_one(void **state)
{
	struct barn *barn = barn_for(64);
	struct sheaf *empty = sheaf_alloc(30), *full = full_sheaf(barn, 30);

	(void)state;
	assert_null(barn_get_full(barn, 0, empty));
	assert_int_equal(barn_lane(barn, 0)->nr_empty, 0);
	assert_true(put_full(barn, 0, full));
	assert_int_equal(barn_lane(barn, 0)->nr_full, 1);
	validate();
	assert_ptr_equal(barn_get_full(barn, 0, empty), full);
	assert_int_equal(full->nr, 30);
	assert_int_equal(barn_lane(barn, 0)->nr_full, 0);
	assert_int_equal(barn_lane(barn, 0)->nr_empty, 1);
	validate();
	assert_ptr_equal(barn_get_empty(barn, 0, 30), empty);
	assert_int_equal(barn_lane(barn, 0)->nr_empty, 0);

	drop_sheaf(full);
	sheaf_free(empty);
	finish();
}

static void test_a_full_sheaf_is_put_for_an_empty_one(void **state)
{
	struct barn *barn = barn_for(64);
	struct sheaf *full = full_sheaf(barn, 14), *first, *empty;

	(void)state;
	/* There is none: a new one. */
	assert_true(barn_put_full(barn, 0, full, 30, &first));
	assert_true(first->capacity >= 30);
	assert_ptr_equal(barn_get_full(barn, 0, first), full);
	assert_int_equal(barn_lane(barn, 0)->nr_empty, 1);
	assert_true(barn_put_full(barn, 0, full, 14, &empty));
	assert_ptr_equal(empty, first);
	assert_int_equal(barn_lane(barn, 0)->nr_empty, 0);
	/* One that is too small does not count. */
	assert_ptr_equal(barn_get_full(barn, 0, empty), full);
	assert_true(barn_put_full(barn, 0, full, 100, &empty));
	assert_true(empty->capacity >= 100);
	sheaf_free(empty);
	validate();
	assert_ptr_equal(barn_get_full(barn, 0, NULL), full);
	drop_sheaf(full);
	finish();
}

/* What a lane's own heaps have taken lately, others do not: they would mix
 * their objects with those of a thread that wants them back. */
static void test_a_lane_keeps_what_its_heaps_come_back_for(void **state)
{
	struct barn *barn = busy_barn_for(64);
	struct sheaf *sheaf[3];

	(void)state;
	put_new_sheaves(barn, sheaf, array_size(sheaf), 30);
	for (int i = 2; i > 0; i--)
		assert_ptr_equal(barn_get_full(barn, 0, NULL), sheaf[i]);
	/* It may come for no more. */
	assert_ptr_equal(barn_get_full(barn, 1, NULL), sheaf[0]);
	for (int i = 0; i < 3; i++)
		assert_true(put_full(barn, 0, sheaf[i]));
	assert_ptr_equal(barn_get_full(barn, 1, NULL), sheaf[2]);
	assert_null(barn_get_full(barn, 1, NULL));
	assert_ptr_equal(barn_get_full(barn, 0, NULL), sheaf[1]);
	assert_null(barn_get_full(barn, 1, NULL));
	assert_true(put_full(barn, 0, sheaf[1]));
	/* A reclaim comes in the midst of that. */
	barn_shrink_all(RECLAIM_STALE);
	assert_null(barn_get_full(barn, 1, NULL));
	for (int i = 1; i >= 0; i--)
		assert_ptr_equal(barn_get_full(barn, 0, NULL), sheaf[i]);
	barn_shrink_all(RECLAIM_STALE);
	for (int i = 0; i < 2; i++)
		assert_true(put_full(barn, 0, sheaf[i]));
	assert_null(barn_get_full(barn, 1, NULL));
	/* When they come no longer their slabs have it. */
	for (int i = 0; i < 2; i++)
		barn_shrink_all(RECLAIM_STALE);
	assert_int_equal(barn_lane(barn, 0)->nr_full, 0);
	drop_sheaf(sheaf[2]);
	finish();
}

/* What its heaps have taken from slabs they will come back for, too. */
static void test_a_lane_keeps_what_was_asked_for_in_vain(void **state)
{
	struct barn *barn = busy_barn_for(64);
	struct sheaf *sheaf[3];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_null(barn_get_full(barn, 0, NULL));
	put_new_sheaves(barn, sheaf, array_size(sheaf), 30);
	assert_ptr_equal(barn_get_full(barn, 1, NULL), sheaf[2]);
	assert_null(barn_get_full(barn, 1, NULL));
	for (int i = 1; i >= 0; i--)
		assert_ptr_equal(barn_get_full(barn, 0, NULL), sheaf[i]);
	for (int i = 0; i < 3; i++)
		drop_sheaf(sheaf[i]);
	finish();
}

static void test_a_lane_keeps_no_more_than_a_cache_holds(void **state)
{
	struct barn *barn = busy_barn_for(14336);
	struct sheaf *sheaf[10];
	size_t left = 0;

	(void)state;
	for (size_t i = 0; i < array_size(sheaf); i++)
		sheaf[i] = full_sheaf(barn, 14);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < array_size(sheaf); i++)
			assert_true(put_full(barn, 0, sheaf[i]));
		for (size_t i = array_size(sheaf); !round && i--;)
			assert_ptr_equal(barn_get_full(barn, 0, NULL),
					 sheaf[i]);
	}
	while (barn_get_full(barn, 1, NULL))
		left++;
	assert_true(left > 0);
	left = array_size(sheaf) - left;
	assert_in_range(left * 14 * 14336, 1, 1 << 20);
	while (left--)
		assert_non_null(barn_get_full(barn, 0, NULL));
	for (size_t i = 0; i < array_size(sheaf); i++)
		drop_sheaf(sheaf[i]);
	finish();
}

/* Who fills sheaves gets those back that another has emptied. */
static void test_a_sheaf_goes_round_from_lane_to_lane(void **state)
{
	struct barn *barn = barn_for(64);
	struct sheaf *full = full_sheaf(barn, 30), *empty = sheaf_alloc(30);

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_true(put_full(barn, 0, full));
		assert_ptr_equal(barn_get_full(barn, 1, empty), full);
		assert_int_equal(barn_lane(barn, 1)->nr_empty, 0);
		assert_ptr_equal(barn_get_empty(barn, 0, 30), empty);
		validate();
	}
	drop_sheaf(full);
	sheaf_free(empty);
	finish();
}

static void test_the_last_full_sheaf_in_is_the_first_out(void **state)
{
	struct barn *barn = busy_barn_for(48);
	struct sheaf *sheaf[3];

	(void)state;
	put_new_sheaves(barn, sheaf, array_size(sheaf), 14);
	for (int i = 2; i >= 0; i--) {
		assert_ptr_equal(barn_get_full(barn, 0, NULL), sheaf[i]);
		assert_true(put_full(barn, 0, sheaf[i]));
		assert_ptr_equal(barn_get_full(barn, 0, NULL), sheaf[i]);
		drop_sheaf(sheaf[i]);
	}
	assert_null(barn_get_full(barn, 0, NULL));
	finish();
}

static void test_a_lane_gets_its_own_back_first(void **state)
{
	struct barn *barn = busy_barn_for(48);
	struct sheaf *sheaf[2 * BARN_LANES], *got;

	(void)state;
	barn_lanes_open = BARN_LANES;
	for (unsigned int i = 0; i < array_size(sheaf); i++) {
		sheaf[i] = full_sheaf(barn, 14);
		assert_true(put_full(barn, i % BARN_LANES, sheaf[i]));
	}
	validate();
	for (unsigned int i = array_size(sheaf); i-- > BARN_LANES;)
		assert_ptr_equal(barn_get_full(barn, i % BARN_LANES, NULL),
				 sheaf[i]);
	/* One lane alone goes through those of the others. */
	for (unsigned int i = 0; i < BARN_LANES; i++) {
		got = barn_get_full(barn, 1, NULL);
		assert_ptr_equal(got, sheaf[(1 + i) % BARN_LANES]);
	}
	assert_null(barn_get_full(barn, 1, NULL));
	for (unsigned int i = 0; i < array_size(sheaf); i++)
		drop_sheaf(sheaf[i]);
	finish();
}

/* Puts sheaves until one is refused, which keeps its objects; how many. */
static size_t fill_barn(struct barn *barn, size_t want)
{
	struct sheaf *sheaf;
	size_t n = 0;

	while (put_full(barn, 0, sheaf = full_sheaf(barn, want)))
		assert_true(++n < 1000);
	assert_int_equal(barn_lane(barn, 0)->nr_full, n);
	assert_int_equal(sheaf->nr, want);
	drop_sheaf(sheaf);
	return n;
}

static void empty_barn(struct barn *barn)
{
	struct sheaf *sheaf;

	while ((sheaf = barn_get_full(barn, 0, NULL)))
		drop_sheaf(sheaf);
}

static void test_full_sheaves_are_kept_as_far_as_they_are_of_use(void **state)
{
	struct barn *barn = barn_for(16);
	size_t first = fill_barn(barn, 6), most = first, n;

	(void)state;
	assert_true(first >= 1 && first <= 4);
	/* Those that are missed after they were refused are kept next time. */
	for (int round = 0; round < 10; round++) {
		empty_barn(barn);
		n = fill_barn(barn, 6);
		assert_in_range(n, most, 2 * most);
		most = n;
	}
	assert_true(most >= 64 && most <= 512);
	/* What is put and never asked for is not. */
	barn_shrink_all(RECLAIM_STALE);
	barn_shrink_all(RECLAIM_STALE);
	assert_int_equal(barn_lane(barn, 0)->nr_full, 0);
	assert_int_equal(fill_barn(barn, 6), first);
	empty_barn(barn);
	finish();
}

static void test_full_sheaves_are_limited_in_bytes(void **state)
{
	struct barn *barn = busy_barn_for(14336);
	size_t n = fill_barn(barn, 29);

	(void)state;
	assert_in_range(n * 29 * 14336, 1, 16 << 20);
	assert_true((n + 1) * 29 * 14336 > 16 << 20);
	empty_barn(barn);
	finish();
}

static void test_empty_sheaves_are_limited(void **state)
{
	struct barn *barn = barn_for(32);
	size_t n = 0, in_use;

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct sheaf *full = full_sheaf(barn, 6);

		assert_true(put_full(barn, 0, full));
		assert_ptr_equal(barn_get_full(barn, 0, sheaf_alloc(6)), full);
		drop_sheaf(full);
		validate();
	}
	n = barn_lane(barn, 0)->nr_empty;
	assert_in_range(n, 1, 32);
	/* One that is too small is not given out. */
	in_use = meta.in_use;
	for (size_t i = 0; i < n; i++) {
		struct sheaf *sheaf = barn_get_empty(barn, 0, 62);

		assert_true(sheaf->capacity >= 62);
		sheaf_free(sheaf);
	}
	assert_int_equal(barn_lane(barn, 0)->nr_empty, 0);
	assert_true(meta.in_use < in_use);
	finish();
}

static void test_reclaim_reaches_all_lanes(void **state)
{
	struct barn *barn = busy_barn_for(80);

	(void)state;
	barn_lanes_open = BARN_LANES;
	for (unsigned int i = 0; i < 8 * BARN_LANES; i++)
		assert_true(put_full(barn, (uint8_t)i, full_sheaf(barn, 8)));
	for_each_lane(lane, barn)
		assert_int_equal(lane->nr_full, 8);
	/* The first visit only looks. */
	barn_shrink_all(RECLAIM_STALE);
	assert_int_equal(barn_nr_cached(barn), 8 * BARN_LANES * 8);
	for (unsigned int i = 0; i < BARN_LANES; i++)
		assert_true(put_full(barn, (uint8_t)i,
				     barn_get_full(barn, (uint8_t)i, NULL)));
	for_each_lane(lane, barn)
		assert_int_equal(lane->most_taken, 1);
	/* Seven of each lay there unused since. */
	barn_shrink_all(RECLAIM_STALE);
	for_each_lane(lane, barn) {
		assert_int_equal(lane->nr_full, 1);
		assert_int_equal(lane->most_taken, 0);
	}
	barn_shrink_all(RECLAIM_CACHES);
	assert_int_equal(barn_nr_cached(barn), 0);
	finish();
}

/* Of many lanes only a few are looked at each time, but in the end all. */
static void test_who_looks_again_finds_what_any_lane_has(void **state)
{
	struct barn *barn = busy_barn_for(80);
	struct sheaf *full = full_sheaf(barn, 8), *got = NULL;
	size_t looks = 0;

	(void)state;
	barn_lanes_open = BARN_LANES;
	assert_true(put_full(barn, BARN_LANES - 1, full));
	for (; !got && looks < BARN_LANES; looks++)
		got = barn_get_full(barn, 0, NULL);
	assert_ptr_equal(got, full);
	assert_true(looks > 1);
	/* That lane is asked first from now on. */
	assert_true(put_full(barn, BARN_LANES - 1, full));
	assert_ptr_equal(barn_get_full(barn, 0, NULL), full);
	/* When memory is short all are. */
	assert_true(put_full(barn, BARN_LANES - 2, full));
	reclaim_pressed = true;
	assert_ptr_equal(barn_get_full(barn, 0, NULL), full);
	reclaim_pressed = false;
	drop_sheaf(full);
	finish();
}

static void test_lanes_open_as_heaps_come(void **state)
{
	(void)state;
	barn_lanes_open = 1;
	for (unsigned int heap = 0; heap < 2 * BARN_LANES; heap++) {
		barn_open_lane(heap);
		assert_true(lane_number(heap) < nr_lanes());
		assert_int_equal(nr_lanes(),
				 min(heap + 1, (unsigned int)BARN_LANES));
	}
	barn_open_lane(0);
	assert_int_equal(nr_lanes(), BARN_LANES);
	barn_lanes_open = HEAPS;
}

/* As many empty sheaves stay as it may get back full. */
static void test_reclaim_frees_empty_sheaves(void **state)
{
	struct barn *barn = busy_barn_for(80);
	size_t in_use = meta.in_use;
	struct sheaf *sheaf[40];

	(void)state;
	for (size_t i = 0; i < array_size(sheaf); i++)
		assert_true(put_full(barn, 0, full_sheaf(barn, 8)));
	for (size_t i = 0; i < array_size(sheaf); i++)
		drop_sheaf(barn_get_full(barn, 0, sheaf_alloc(8)));
	assert_int_equal(barn_lane(barn, 0)->nr_empty, array_size(sheaf));
	barn_lane(barn, 0)->more_full = 0;
	barn_shrink_all(RECLAIM_STALE);
	assert_in_range(barn_lane(barn, 0)->nr_empty, 1, 8);
	validate();
	while (barn_lane(barn, 0)->nr_empty)
		sheaf_free(barn_get_empty(barn, 0, 8));
	barn_shrink_all(RECLAIM_ALL);
	assert_int_equal(meta.in_use, in_use);
	finish();
}

/* A lane that refused one and is empty keeps more when any heap misses it. */
static void test_who_misses_makes_any_lane_keep_more(void **state)
{
	struct barn *barn = barn_for(96);
	struct sheaf *sheaf[BARN_MIN_FULL + 1];

	(void)state;
	for (size_t i = 0; i < array_size(sheaf); i++) {
		sheaf[i] = full_sheaf(barn, 8);
		assert_int_equal(put_full(barn, 2, sheaf[i]),
				 i < BARN_MIN_FULL);
	}
	for (size_t i = BARN_MIN_FULL; i--;) {
		assert_int_equal(barn_lane(barn, 2)->more_full, 0);
		assert_ptr_equal(barn_get_full(barn, 1, NULL), sheaf[i]);
	}
	assert_null(barn_get_full(barn, 1, NULL));
	assert_int_equal(barn_lane(barn, 2)->more_full, BARN_MIN_FULL);
	assert_int_equal(barn_lane(barn, 1)->more_full, 0);
	for (size_t i = 0; i < array_size(sheaf); i++)
		drop_sheaf(sheaf[i]);
	finish();
}

/* Heaps that all have numbers of a kind share out the lanes. */
static void test_all_lanes_are_used(void **state)
{
	(void)state;
	for (unsigned int step = 1; step <= BARN_LANES; step *= 2) {
		unsigned int used = 0;

		for (unsigned int i = 0; i < BARN_LANES; i++)
			used |= 1U << lane_number(i * step);
		assert_int_equal(used, (1U << BARN_LANES) - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_sheaf_fills_a_power_of_two_of_bytes),
		cmocka_unit_test(
			test_an_empty_sheaf_is_exchanged_for_a_full_one),
		cmocka_unit_test(test_a_full_sheaf_is_put_for_an_empty_one),
		cmocka_unit_test(
			test_a_lane_keeps_what_its_heaps_come_back_for),
		cmocka_unit_test(
			test_a_lane_keeps_what_was_asked_for_in_vain),
		cmocka_unit_test(test_a_lane_keeps_no_more_than_a_cache_holds),
		cmocka_unit_test(test_a_sheaf_goes_round_from_lane_to_lane),
		cmocka_unit_test(test_the_last_full_sheaf_in_is_the_first_out),
		cmocka_unit_test(test_a_lane_gets_its_own_back_first),
		cmocka_unit_test(
			test_full_sheaves_are_kept_as_far_as_they_are_of_use),
		cmocka_unit_test(test_full_sheaves_are_limited_in_bytes),
		cmocka_unit_test(test_empty_sheaves_are_limited),
		cmocka_unit_test(test_who_looks_again_finds_what_any_lane_has),
		cmocka_unit_test(test_lanes_open_as_heaps_come),
		cmocka_unit_test(test_reclaim_reaches_all_lanes),
		cmocka_unit_test(test_reclaim_frees_empty_sheaves),
		cmocka_unit_test(test_who_misses_makes_any_lane_keep_more),
		cmocka_unit_test(test_all_lanes_are_used),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
