/*
 * test_slab_sweep - pages of a slab sleep until they are needed, and when the
 * sweep finds all of their objects free.
 */
#include "slabs.h"

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
	return world_resident(slab->pfn, slab_pages(slab));
}

static size_t sweep(struct slab *slab)
{
	struct zone *zone = pfn_to_section(slab->pfn)->zone;
	uint64_t before = zone->nr_purged;
	size_t purged;

	slab->isolated = true;
	purged = slab_sweep(slab);
	slab->isolated = false;
	slab_validate(slab);
	assert_int_equal(zone->nr_purged - before, purged);
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

/* Objects of two and a half pages, of which the program writes the first few
 * bytes, or all: then those that come later are populated. */
static void test_large_objects_come_with_memory_if_others_were_written(
	void **state)
{
	unsigned int class = size_class_of(10240);
	struct slab *slab;

	(void)state;
	pcp_drain(&pcp, true);
	world_purge(SIZE_MAX, 0);
	slab = create(class);
	assert_int_equal(slab->stale, 0);
	assert_int_equal(take(slab, objects, 2), 2);
	assert_int_equal(resident(slab), 2);
	assert_int_equal(take(slab, objects + 2, 2), 2);
	assert_int_equal(resident(slab), 4);
	use(0, 4, 10240);
	assert_int_equal(resident(slab), 10);
	assert_int_equal(take(slab, objects + 4, 2), 2);
	assert_int_equal(resident(slab),
			 os.refused[OS_REFUSED_POPULATE] ? 12 : 15);
	slab_validate(slab);
	unuse(slab, 0, 6);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_pages_without_used_objects_sleep_and_wake),
		cmocka_unit_test(
			test_waking_a_page_restores_the_keys_on_it_alone),
		cmocka_unit_test(test_an_object_over_two_pages_wakes_both),
		cmocka_unit_test(
			test_a_page_is_touched_when_it_is_first_needed),
		cmocka_unit_test(
		 test_large_objects_come_with_memory_if_others_were_written),
		cmocka_unit_test(
			test_the_sweep_purges_pages_that_were_never_needed),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
