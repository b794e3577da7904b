/*
 * test_barn_set - barns of several last-level caches, on a machine that need
 * not have them: who has which, and how slabs change hands.
 *
 * Each test ends with empty barns and no page in use.
 */
#include "barns.h"

#include "os/llc.h"
#include "slab/barn_list.h"

#define SIZE	256	/* bytes */

static size_t per_slab;	/* objects */

static struct barn *barn_at(int cache)
{
	return &barn_set_of(0, cache)->barn[size_class_of(SIZE)];
}

static int start_caches(void **state)
{
	int failed = start(state);

	per_slab = size_classes[size_class_of(SIZE)].nr_objects;
	assert_true(2 * per_slab < MANY);
	barn_at(1);
	barn_at(2);
	return failed;
}

static struct barn *barn_with(const void *p)
{
	return word_slab(page_word(pfn_to_page(address_to_pfn(p))))->barn;
}

/* Everything there is, as a list through its first words. */
static void *taken;

static void *take_meta(void)
{
	return meta_alloc(sizeof(struct barn_set));
}

static void return_meta(void *p)
{
	meta_free(p, sizeof(struct barn_set));
}

static void *take_page(void)
{
	struct page *page = alloc_pages(&pcp, GFP_USER, 0);

	return page ? page_address(page) : NULL;
}

static void return_page(void *p)
{
	free_pages(&pcp, pfn_to_page(address_to_pfn(p)), 0);
}

static void take_all(void *take(void))
{
	void **p;

	while ((p = take())) {
		*p = taken;
		taken = p;
	}
}

static void return_all(void give(void *))
{
	while (taken) {
		void *p = taken;

		taken = *(void **)p;
		give(p);
	}
}

static void test_each_cache_has_a_set(void **state)
{
	struct barn_set *first = barn_sets(0);

	(void)state;
	assert_int_equal(barn_set_cache(first), 1);
	assert_ptr_equal(barn_set_of(0, 1), first);
	assert_ptr_not_equal(barn_set_of(0, 2), first);
	assert_ptr_equal(barn_set_of(0, 2), barn_set_of(0, 2));
	assert_ptr_equal(barn_of(0, 3), &first->barn[3]);
	assert_int_equal(barn_set_cache(barn_set_of(0, 3)), 3);
	finish();
}

static void test_all_barns_are_visited_once(void **state)
{
	size_t n = 0, of_class[NR_CLASSES] = { 0 }, nr_sets = 0;

	(void)state;
	for (struct barn_set *set = barn_sets(0); set;
	     set = barn_set_next(set))
		nr_sets++;
	for_each_barn(barn) {
		of_class[barn->class]++;
		n++;
	}
	assert_int_equal(n, nr_sets * NR_CLASSES);
	for (unsigned int class = 0; class < NR_CLASSES; class++)
		assert_int_equal(of_class[class], nr_sets);
	finish();
}

static void ask_without_memory(void)
{
	struct barn_set *set;

	take_all(take_meta);
	set = barn_set_of(0, 99);
	CHECK(set == barn_sets(0));
	return_all(return_meta);
	CHECK(barn_set_of(0, 99) != set);
}

static void test_without_memory_the_first_set_serves(void **state)
{
	(void)state;
	assert_true(child_succeeds(ask_without_memory));
	finish();
}

static void test_one_partial_slab_is_left_where_it_is(void **state)
{
	struct barn *one = barn_at(1), *two = barn_at(2);

	(void)state;
	refill(one, 0, 1);
	assert_int_equal(one->nr_partial, 1);
	refill(two, 1, 2);
	assert_ptr_equal(barn_with(objects[0]), one);
	assert_ptr_equal(barn_with(objects[1]), two);
	assert_int_equal(one->nr_slabs, 1);
	assert_int_equal(two->nr_slabs, 1);
	flush(0, 2);
	finish();
}

static void test_what_its_threads_come_back_for_stays(void **state)
{
	struct barn *one = barn_at(1), *two = barn_at(2);

	(void)state;
	refill(one, 0, 2 * per_slab);
	flush(0, per_slab - 1);
	flush(per_slab, 2 * per_slab - 1);
	refill(two, 0, 1);
	assert_int_equal(one->nr_slabs, 2);
	assert_int_equal(two->nr_slabs, 1);
	flush(0, 1);
	flush(per_slab - 1, per_slab);
	flush(2 * per_slab - 1, 2 * per_slab);
	finish();
}

static void test_a_second_one_is_taken(void **state)
{
	struct barn *one = barn_at(1), *two = barn_at(2);
	size_t used, half = per_slab / 2;

	(void)state;
	refill(one, 0, 2 * per_slab);
	flush(0, half);
	flush(2 * per_slab - half, 2 * per_slab);
	barn_shrink_all(RECLAIM_IDLE);
	assert_int_equal(one->nr_partial, 2);
	used = world_used();
	refill(two, 0, 1);
	assert_int_equal(world_used(), used);
	assert_ptr_equal(barn_with(objects[0]), two);
	assert_int_equal(one->nr_slabs, 1);
	assert_int_equal(one->nr_partial, 1);
	assert_int_equal(two->nr_slabs, 1);
	validate();
	/* What is freed comes back to its new barn. */
	refill(two, 1, half);
	assert_int_equal(two->nr_partial, 0);
	flush(0, 1);
	assert_int_equal(two->nr_partial, 1);
	flush(1, 2 * per_slab - half);
	finish();
}

static void test_an_unused_slab_is_counted_where_it_is(void **state)
{
	struct barn *one = barn_at(1), *two = barn_at(2);

	(void)state;
	refill(one, 0, 2 * per_slab);
	flush(0, per_slab + 1);
	/* A look that gives back no slab. */
	barn_restart_low(one);
	assert_int_equal(one->nr_unused, 1);
	assert_int_equal(one->nr_partial, 2);
	refill(two, 0, 1);
	assert_ptr_equal(barn_with(objects[0]), two);
	assert_int_equal(one->nr_unused, 0);
	assert_int_equal(two->nr_unused, 0);
	validate();
	flush(0, 1);
	assert_int_equal(two->nr_unused, 1);
	flush(per_slab + 1, 2 * per_slab);
	finish();
}

static void test_the_last_one_is_taken_when_there_are_no_pages(void **state)
{
	struct barn *one = barn_at(1), *two = barn_at(2);

	(void)state;
	refill(one, 0, 1);
	take_all(take_page);
	refill(two, 1, per_slab);
	assert_ptr_equal(barn_with(objects[1]), two);
	assert_ptr_equal(barn_with(objects[0]), two);
	assert_int_equal(one->nr_slabs, 0);
	assert_int_equal(barn_refill(two, 0, &pcp, GFP_USER, objects + MANY - 1,
				     1), 0);
	return_all(return_page);
	flush(0, per_slab);
	finish();
}

static void test_objects_of_several_caches_are_flushed_together(void **state)
{
	struct barn *barn[] = { barn_at(1), barn_at(2) };
	uint64_t seed = world_number("ZBM_SEED", 5);
	size_t held = 0;

	(void)state;
	for (size_t step = 0; step < 20000; step++) {
		size_t n = 1 + world_below(&seed, 40);

		if (held + n <= MANY && world_below(&seed, 2)) {
			refill(barn[world_below(&seed, 2)], held, held + n);
			held += n;
		} else {
			n = min(n, held);
			for (size_t i = held - n; i < held; i++) {
				size_t k = world_below(&seed, held);
				void *p = objects[k];

				objects[k] = objects[i];
				objects[i] = p;
			}
			flush(held - n, held);
			held -= n;
		}
		if (step % 256 == 0)
			validate();
		if (step % 1024 == 0)
			barn_shrink_all(RECLAIM_IDLE);
	}
	flush(0, held);
	finish();
}

static void test_cpus_are_sorted_by_cache(void **state)
{
	int nr = 0;

	(void)state;
	assert_true(llc_add(&nr, "0-3,8-11\n"));
	assert_true(llc_add(&nr, "4-7,12\n"));
	assert_int_equal(nr, 2);
	assert_int_equal(llc.of_cpu[0], 1);
	assert_int_equal(llc.of_cpu[11], 1);
	assert_int_equal(llc.of_cpu[4], 2);
	assert_int_equal(llc.of_cpu[12], 2);
	assert_int_equal(llc.of_cpu[13], 0);
	assert_false(llc_add(&nr, "13\n"));
	assert_false(llc_add(&nr, ""));
	/* Numbers end somewhere. */
	nr = LLC_MAX;
	assert_true(llc_add(&nr, "14-15,2040-3000"));
	assert_int_equal(nr, LLC_MAX);
	assert_int_equal(llc.of_cpu[LLC_CPUS - 1], LLC_MAX);
}

/* Whatever they are here. */
static void test_this_machine_has_caches(void **state)
{
	(void)state;
	memset(&llc, 0, sizeof(llc));
	llc_init();
	assert_in_range(llc.nr, 1, LLC_MAX);
	assert_int_equal(llc_is_divided(), llc.nr > 1);
	assert_in_range(llc_current(), 0, llc.nr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_cache_has_a_set),
		cmocka_unit_test(test_all_barns_are_visited_once),
		cmocka_unit_test(test_without_memory_the_first_set_serves),
		cmocka_unit_test(test_one_partial_slab_is_left_where_it_is),
		cmocka_unit_test(test_what_its_threads_come_back_for_stays),
		cmocka_unit_test(test_a_second_one_is_taken),
		cmocka_unit_test(test_an_unused_slab_is_counted_where_it_is),
		cmocka_unit_test(
			test_the_last_one_is_taken_when_there_are_no_pages),
		cmocka_unit_test(
			test_objects_of_several_caches_are_flushed_together),
		cmocka_unit_test(test_cpus_are_sorted_by_cache),
		cmocka_unit_test(test_this_machine_has_caches),
	};

	return cmocka_run_group_tests(tests, start_caches, NULL);
}
