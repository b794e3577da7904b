/*
 * test_bin - the stacks of a class: who pops and pushes which, how they change
 * places and grow, and what they tell of calls.
 */
#include "bins.h"

/* So that both stacks are there, and empty. */
static void empty_both(unsigned int class)
{
	allocate(class, 0, 1);
	release(0, 1);
	for (size_t i = 0; nr_kept(class); i++)
		allocate(class, i, i + 1);
}

static void test_what_is_freed_of_a_pair_waits(void **state)
{
	unsigned int class = size_class_of(96);
	struct bin *bin = bin_for(class);
	size_t main;

	(void)state;
	heap_flush();
	allocate(class, 0, 2);
	main = bin_main_count(bin);
	assert_true(main > 0);
	release(0, 2);
	assert_int_equal(bin_main_count(bin), main);
	assert_int_equal(bin_main_count(taker_for(class)), 2);
	/* Until main is used up. */
	for (size_t i = 0; i < main; i++) {
		allocate(class, i + 2, i + 3);
		assert_ptr_not_equal(objects[i + 2], objects[0]);
		assert_ptr_not_equal(objects[i + 2], objects[1]);
	}
	assert_ptr_equal(mem_malloc(96), objects[1]);
	assert_ptr_equal(mem_malloc(96), objects[0]);
	release(0, main + 2);
	heap_flush();
	finish();
}

static void test_the_stacks_of_a_pair_change_places(void **state)
{
	unsigned int class = size_class_of(112);
	struct bin *bin = bin_for(class);
	void *p[3];

	(void)state;
	heap_flush();
	empty_both(class);
	for (int i = 0; i < 3; i++)
		p[i] = mem_malloc(112);
	while (bin_main_count(bin))
		assert_non_null(mem_malloc(112));
	for (int i = 0; i < 3; i++)
		mem_free(p[i]);
	assert_int_equal(bin_main_count(taker_for(class)), 3);
	/* The warm ones first; below them may be others. */
	for (int i = 3; i-- > 0; )
		assert_ptr_equal(mem_malloc(112), p[i]);
	assert_int_equal(bin_main_count(taker_for(class)), 0);
	finish();
}

/* Of both stacks, once they have grown. */
static void test_what_is_freed_of_others_is_handed_out_next(void **state)
{
	unsigned int class = size_class_of(512);
	size_t most = size_classes[class].sheaf_max, n = most + 10;

	(void)state;
	heap_flush();
	for (int round = 0; round < 60; round++) {
		allocate(class, 0, n);
		release(0, n);
	}
	assert_in_range(bin_main_count(bin_for(class)), 10, most);
	assert_int_equal(bin_spare_count(bin_for(class)), most);
	for (size_t i = n; i--; )
		assert_ptr_equal(mem_malloc(512), objects[i]);
	release(0, n);
	heap_flush();
	finish();
}

static void test_objects_in_stacks_have_their_keys(void **state)
{
	unsigned int class = size_class_of(160);
	struct bin *bin = bin_for(class);

	(void)state;
	allocate(class, 0, 50);
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(*(uint64_t *)objects[i], 0);
	release(0, 50);
	for (size_t i = 0; i < 50; i++)
		assert_true(object_has_key(objects[i]));
	for (size_t i = 0; i < bin_main_count(bin); i++)
		assert_true(object_has_key(bin->lo[i]));
	finish();
}

/* `exact`: whether the numbers of calls are, or only what is live. */
static void assert_counts(bool exact)
{
	uint64_t seed = 11;
	size_t n[NR_CLASSES] = { 0 }, nr_alloc[NR_CLASSES] = { 0 };

	count_calls(before);
	for (size_t i = 0; i < MANY; i++) {
		size_t k = world_below(&seed, 500);
		unsigned int class = (unsigned int)(k % NR_CLASSES);

		if (objects[MANY - 1 - k]) {
			mem_free(objects[MANY - 1 - k]);
			objects[MANY - 1 - k] = NULL;
			n[class]--;
			continue;
		}
		allocate(class, MANY - 1 - k, MANY - k);
		n[class]++;
		nr_alloc[class]++;
		if (i % 512 == 0)
			heap_flush();
	}
	count_calls(after);
	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		assert_int_equal(live(after, class) - live(before, class),
				 n[class]);
		if (exact || class_is_paired(class) || !class_is_small(class))
			assert_int_equal(after[class].nr_alloc -
					 before[class].nr_alloc,
					 nr_alloc[class]);
		else
			assert_in_range(after[class].nr_alloc -
					before[class].nr_alloc,
					n[class], nr_alloc[class]);
	}
	for (size_t k = 0; k < 500; k++) {
		mem_free(objects[MANY - 1 - k]);
		objects[MANY - 1 - k] = NULL;
	}
	count_calls(after);
	for (unsigned int class = 0; class < NR_CLASSES; class++)
		assert_int_equal(live(after, class), live(before, class));
	finish();
}

static void test_calls_are_counted_exactly_where_that_is_wanted(void **state)
{
	(void)state;
	count_all_calls();
	assert_counts(true);
	count_no_calls();
}

static void test_what_is_live_is_counted_exactly(void **state)
{
	(void)state;
	assert_counts(false);
}

static void test_a_bin_that_runs_out_again_and_again_wants_more(void **state)
{
	unsigned int class = size_class_of(32);
	struct bin *bin = bin_for(class);
	size_t want = bin->want;

	(void)state;
	heap_flush();
	for (size_t i = 0; i < MANY; i++) {
		allocate(class, i, i + 1);
		assert_true(bin->want >= want);
		want = bin->want;
	}
	assert_int_equal(want, size_classes[class].sheaf_max);
	release(0, MANY);
	heap_flush();
	finish();
}

static void test_what_is_used_in_turn_becomes_more(void **state)
{
	unsigned int class = size_class_of(64), large = size_class_of(4096);
	size_t n;

	(void)state;
	heap_flush();
	bin_set_want(bin_for(class), 8);
	bin_set_want(bin_for(large), 1);
	for (int i = 0; i < 1000; i++) {
		mem_free(mem_malloc(64));
		mem_free(mem_malloc(4096));
	}
	n = nr_kept(class);
	assert_true(n >= 24 && n * 64 <= 2 * 4096);
	assert_int_equal(nr_kept(large), 1);
	heap_flush();
	finish();
}

/* Several stacks of each, again and again. */
static void work_with(unsigned int class)
{
	for (int round = 0; round < 60; round++) {
		allocate(class, 0, 500);
		release(0, 500);
	}
}

static size_t bulky_bytes(void)
{
	size_t sum = 0;

	for (unsigned int class = FIRST_BULKY_CLASS; class < NR_SMALL_CLASSES;
	     class++)
		sum += bin_extra_bytes(bin_for(class));
	return sum;
}

static void test_one_bulky_class_may_have_large_sheaves(void **state)
{
	(void)state;
	for (unsigned int class = FIRST_BULKY_CLASS; class < NR_SMALL_CLASSES;
	     class++) {
		const struct size_class *sc = &size_classes[class];
		size_t most = SHEAF_MIN_CAPACITY + BULKY_BYTES / sc->size;

		heap_flush();
		work_with(class);
		assert_int_equal(bin_for(class)->want,
				 min(most, (size_t)sc->sheaf_max));
	}
	heap_flush();
	finish();
}

static void test_all_bulky_classes_share_what_one_may_have(void **state)
{
	(void)state;
	heap_flush();
	for (unsigned int class = FIRST_BULKY_CLASS; class < NR_SMALL_CLASSES;
	     class++) {
		work_with(class);
		assert_true(bin_for(class)->want >= SHEAF_MIN_CAPACITY);
	}
	assert_in_range(bulky_bytes(), BULKY_BYTES - SMALL_MAX, BULKY_BYTES);
	heap_flush();
	finish();
}

static void test_who_has_lain_unused_gives_its_share_away(void **state)
{
	unsigned int class = size_class_of(14000), other = size_class_of(10000);

	(void)state;
	heap_flush();
	work_with(class);
	work_with(other);
	assert_in_range(bin_for(other)->want, SHEAF_MIN_CAPACITY,
			size_classes[other].sheaf_max - 1);
	/* Twice: what stands where it stood is seen at the second look. */
	heap_flush_bins(thread_heap(), false);
	allocate(other, 0, 1);
	heap_flush_bins(thread_heap(), false);
	assert_int_equal(bin_for(class)->want, SHEAF_MIN_CAPACITY);
	release(0, 1);
	work_with(other);
	assert_int_equal(bin_for(other)->want, size_classes[other].sheaf_max);
	heap_flush();
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_freed_of_a_pair_waits),
		cmocka_unit_test(test_the_stacks_of_a_pair_change_places),
		cmocka_unit_test(
			test_what_is_freed_of_others_is_handed_out_next),
		cmocka_unit_test(test_objects_in_stacks_have_their_keys),
		cmocka_unit_test(
			test_calls_are_counted_exactly_where_that_is_wanted),
		cmocka_unit_test(test_what_is_live_is_counted_exactly),
		cmocka_unit_test(
			test_a_bin_that_runs_out_again_and_again_wants_more),
		cmocka_unit_test(test_what_is_used_in_turn_becomes_more),
		cmocka_unit_test(test_one_bulky_class_may_have_large_sheaves),
		cmocka_unit_test(
			test_all_bulky_classes_share_what_one_may_have),
		cmocka_unit_test(test_who_has_lain_unused_gives_its_share_away),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
