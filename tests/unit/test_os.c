/*
 * test_os - the kernel does what the contract says, and refuses politely.
 */
#include "world.h"

#include "os/topology.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>

#define SIZE	(4UL << 20)	/* bytes */

static char *area;

static int start(void **state)
{
	(void)state;
	os_init();
	topology_init();
	area = os_reserve(SIZE, 2UL << 20, false);
	assert_non_null(area);
	assert_true(os_commit(area, SIZE));
	return 0;
}

static size_t resident(const char *p, size_t size)
{
	unsigned char map[SIZE / 4096];
	size_t pages = size / os.page_size, n = 0;

	assert_int_equal(mincore((void *)(uintptr_t)p, size, map), 0);
	for (size_t i = 0; i < pages; i++)
		n += map[i] & 1;
	return n;
}

static void test_the_machine_is_known(void **state)
{
	(void)state;
	assert_int_equal(os.page_size, sysconf(_SC_PAGESIZE));
	assert_true(topology.nr_nodes >= 1);
	assert_true(topology.allowed != 0);
	assert_int_equal(topology_current_node(), 0);
	assert_int_equal(topology_distance(0, 0), LOCAL_DISTANCE);
	assert_true(topology_distance(0, 1) > LOCAL_DISTANCE);
}

static void test_reservations_are_aligned(void **state)
{
	(void)state;
	for (size_t align = os.page_size; align <= 1UL << 30; align *= 2) {
		char *p = os_reserve(1 << 20, align, false);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % align, 0);
		os_release(p, 1 << 20);
	}
}

static void test_what_cannot_be_reserved_is_refused(void **state)
{
	(void)state;
	errno = 77;
	assert_null(os_reserve(1UL << 60, 4096, false));
	assert_null(os_reserve(SIZE_MAX - 4096, 1UL << 21, true));
	assert_int_equal(errno, 77);
}

static void touch_reserved(void)
{
	char *p = os_reserve(1 << 20, 4096, false);

	CHECK(p);
	*(volatile char *)p = 1;
}

static void read_reserved(void)
{
	volatile char *p = os_reserve(1 << 20, 4096, true);

	CHECK(p && p[0] == 0 && p[(1 << 20) - 1] == 0);
}

static void write_readable(void)
{
	volatile char *p = os_reserve(1 << 20, 4096, true);

	CHECK(p);
	*p = 1;
}

static void test_a_place_is_had_only_while_nothing_is_there(void **state)
{
	char *p = os_reserve(1 << 20, 4096, false);

	(void)state;
	assert_true(os_commit(p, 4096));
	*p = 7;
	errno = 77;
	assert_false(os_reserve_at(p, 1 << 20));
	assert_false(os_reserve_at(p, 4096));
	assert_int_equal(errno, 77);
	assert_int_equal(*p, 7);
	os_release(p, 1 << 20);
	assert_true(os_reserve_at(p, 1 << 20));
	assert_true(os_commit(p, 4096));
	assert_int_equal(*p, 0);
	os_release(p, 1 << 20);
}

static void test_only_committed_memory_may_be_written(void **state)
{
	struct capture capture;

	(void)state;
	assert_int_not_equal(child_run(&capture, touch_reserved), 0);
	assert_int_not_equal(child_run(&capture, write_readable), 0);
	assert_true(child_succeeds(read_reserved));
}

static void is_refused(void)
{
	char *p = os_reserve(64UL << 20, 4096, true);

	CHECK(p);
	world_limit(RLIMIT_DATA, 8UL << 20);
	errno = 77;
	CHECK(os_commit(p, 4UL << 20));
	CHECK(!os_commit(p + (4UL << 20), 60UL << 20));
	CHECK(errno == 77);
	*(volatile char *)p = 1;
	CHECK(*(volatile char *)(p + (4UL << 20)) == 0);
}

static void test_commits_can_be_refused(void **state)
{
	(void)state;
	assert_true(child_succeeds(is_refused));
}

static void test_purged_memory_is_zero_and_not_resident(void **state)
{
	unsigned char incore[SIZE / PAGE_SIZE];
	uint64_t before = os.nr_purges;

	(void)state;
	memset(area, 1, SIZE);
	assert_int_equal(resident(area, SIZE), SIZE / os.page_size);
	errno = 77;
	assert_true(os_purge(area + os.page_size, SIZE - 2 * os.page_size));
	assert_int_equal(errno, 77);
	assert_int_equal(resident(area, SIZE), 2);
	if (os_incore(area, SIZE, incore))
		assert_int_equal((incore[0] & 1) + (incore[1] & 1), 1);
	assert_int_equal(os.nr_purges, before + 1);
	assert_int_equal(area[0], 1);
	assert_int_equal(area[os.page_size], 0);
	assert_int_equal(area[SIZE / 2], 0);
	assert_int_equal(area[SIZE - 1], 1);
}

static void test_locked_memory_is_purged_like_other(void **state)
{
	size_t size = 4 * os.page_size;
	uint64_t refused = os.refused[OS_REFUSED_PURGE];

	(void)state;
	memset(area, 1, SIZE);
	if (os_mlock(area + size, size, false))
		skip();
	errno = 77;
	assert_true(os_purge(area, SIZE));
	assert_int_equal(errno, 77);
	assert_int_equal(resident(area, SIZE), 0);
	assert_int_equal(area[size], 0);
	assert_int_equal(os.refused[OS_REFUSED_PURGE], refused);
	assert_int_equal(os_munlock(area + size, size), 0);
}

static void locks_what_is_new(void)
{
	size_t limit = os_lock_limit(), size = 8 * os.page_size;
	char *p = os_reserve(1 << 20, 4096, false);

	CHECK(p && limit >= size);
	CHECK(os_set_locks(MCL_FUTURE) == 0 && os_is_locked());
	CHECK(os_commit(p, size));
	CHECK(resident(p, size) == 0);
	CHECK(!os_remap(p, size) && !os_move(p, p + size, size));
	/* The purge of what is locked keeps the lock. */
	memset(p, 1, size);
	CHECK(madvise(p, size, MADV_DONTNEED) == -1 && errno == EINVAL);
	CHECK(os_purge(p, size));
	memset(p, 1, size);
	CHECK(os_set_locks(0) == MCL_FUTURE && !os_is_locked());
	CHECK(os_commit(p + size, size));
	memset(p + size, 1, size);
	CHECK(madvise(p + size, size, MADV_DONTNEED) == 0);
}

static void test_what_is_committed_is_locked_if_all_is(void **state)
{
	(void)state;
	if (os_lock_limit() < 8 * os.page_size)
		skip();
	assert_true(child_succeeds(locks_what_is_new));
}

static void has_no_locks(void)
{
	CHECK(!os_is_locked());
}

static void test_a_child_has_no_locks(void **state)
{
	(void)state;
	assert_int_equal(os_set_locks(MCL_FUTURE), 0);
	assert_true(child_succeeds(has_no_locks));
	assert_int_equal(os_set_locks(0), MCL_FUTURE);
}

/* As the kernel says itself: Linux 5.14. */
static bool kernel_populates(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool does;

	CHECK(p != MAP_FAILED);
	does = syscall(SYS_madvise, p, size, MADV_POPULATE_WRITE) == 0;
	munmap(p, size);
	return does;
}

static void test_populated_memory_is_resident(void **state)
{
	(void)state;
	memset(area, 1, os.page_size);
	assert_true(os_purge(area + os.page_size, SIZE - os.page_size));
	errno = 77;
	if (!os_populate(area, SIZE / 2)) {
		assert_false(kernel_populates());
		/* A kernel before 5.14: it is not asked again. */
		assert_int_equal(os.refused[OS_REFUSED_POPULATE], 1);
		assert_false(os_populate(area, SIZE / 2));
		assert_int_equal(os.refused[OS_REFUSED_POPULATE], 1);
		return;
	}
	assert_int_equal(errno, 77);
	assert_int_equal(resident(area, SIZE), SIZE / 2 / os.page_size);
	assert_int_equal(area[0], 1);
	assert_int_equal(area[os.page_size], 0);
}

static void refuses_to_populate(void)
{
	char *p = os_reserve(1 << 20, 4096, false);

	CHECK(p);
	errno = 77;
	CHECK(!os_populate(p, 1 << 20));
	CHECK(errno == 77);
	CHECK(os.refused[OS_REFUSED_POPULATE] == 1);
	CHECK(!os_populate(area, SIZE));
	CHECK(os.refused[OS_REFUSED_POPULATE] == 1);
}

static void test_what_cannot_be_populated_is_left_to_the_first_touch(
	void **state)
{
	(void)state;
	assert_true(child_succeeds(refuses_to_populate));
}

static void test_a_first_touch_is_timed(void **state)
{
	size_t before = os_resident();
	uint64_t ns;

	(void)state;
	errno = 77;
	ns = os_fault_ns();
	assert_int_equal(errno, 77);
	/* 20 ns: it was no fault; 10 ms: not one of them was undisturbed. */
	assert_in_range(ns, 20, 10000000);
	assert_true(os_resident() <= before + (1 << 20));
}

static void test_moved_memory_leaves_zeros_behind(void **state)
{
	char *to = area + SIZE / 2;

	(void)state;
	memset(area, 7, SIZE / 4);
	memset(to, 9, SIZE / 2);
	if (!os_move(area, to, SIZE / 4)) {
		assert_int_equal(os.refused[OS_REFUSED_MOVE], 1);
		return;
	}
	assert_int_equal(to[0], 7);
	assert_memory_equal(to, to + 1, SIZE / 4 - 1);
	assert_int_equal(to[SIZE / 4], 9);
	assert_int_equal(resident(area, SIZE / 4), 0);
	assert_int_equal(area[0], 0);
	area[0] = 1;
}

static void test_mappings_are_told_apart(void **state)
{
	char *map = os_reserve(SIZE, os.page_size, false),
	     *end = map + SIZE / 2;

	(void)state;
	assert_non_null(map);
	assert_true(os_commit(map, SIZE / 4));
	assert_true(os_is_one_mapping(map, SIZE / 4));
	assert_false(os_is_one_mapping(map, SIZE / 2));
	/* Nothing lies behind it, and nothing does afterwards. */
	os_release(end, SIZE / 2);
	assert_true(os_is_one_mapping(map + SIZE / 4, SIZE / 4));
	assert_true(os_reserve_at(end, SIZE / 2));
	os_release(map, SIZE);
}

static void test_remapped_memory_is_new(void **state)
{
	(void)state;
	memset(area, 5, SIZE);
	assert_true(os_remap(area, SIZE / 2));
	assert_int_equal(area[0], 0);
	assert_int_equal(area[SIZE / 2 - 1], 0);
	assert_int_equal(area[SIZE / 2], 5);
	area[0] = 1;
}

static void test_refusals_are_counted(void **state)
{
	uint64_t before = os.refused[OS_REFUSED_PURGE];
	char *p = os_reserve(1 << 20, 4096, false);

	(void)state;
	os_release(p, 1 << 20);
	errno = 77;
	assert_false(os_purge(p, 1 << 20));
	assert_int_equal(errno, 77);
	assert_int_equal(os.refused[OS_REFUSED_PURGE], before + 1);
}

static void refuses(void)
{
	options.verbose = true;
	errno = EPERM;
	os_refuse(OS_REFUSED_HUGEPAGE);
	os_refuse(OS_REFUSED_HUGEPAGE);
}

static void test_a_refusal_is_told_once_when_verbose(void **state)
{
	struct capture capture;
	const char *line;

	(void)state;
	assert_int_equal(child_run(&capture, refuses), 0);
	line = strstr(capture.text, "MADV_HUGEPAGE");
	assert_non_null(line);
	assert_null(strstr(line + 1, "MADV_HUGEPAGE"));
}

static void test_the_clock_goes_forward(void **state)
{
	uint64_t first = os_now_ms(), last = first;

	(void)state;
	usleep(30000);
	last = os_now_ms();
	assert_in_range(last - first, 10, 5000);
}

static void test_the_process_is_measured(void **state)
{
	size_t before, after;

	(void)state;
	assert_true(os_purge(area, SIZE));
	before = os_resident();
	memset(area, 1, SIZE);
	after = os_resident();
	assert_true(before > 0);
	assert_true(after >= before + SIZE / 2);
}

static void limits_address_space(void)
{
	CHECK(os_address_space_left() == SIZE_MAX);
	world_limit(RLIMIT_AS, 100UL << 20);
	CHECK(os_address_space_left() <= 100UL << 20);
	CHECK(os_address_space_left() >= 90UL << 20);
}

static void test_the_limit_on_address_space_is_known(void **state)
{
	(void)state;
	assert_true(child_succeeds(limits_address_space));
}

static void test_files_are_read_up_to_their_size(void **state)
{
	char buf[64];
	long n = os_read_file("/proc/self/stat", buf, sizeof(buf));

	(void)state;
	assert_int_equal(n, sizeof(buf) - 1);
	assert_int_equal(strlen(buf), n);
	errno = 77;
	assert_int_equal(os_read_file("/nonexistent", buf, sizeof(buf)), -1);
	assert_int_equal(os_read_file("/proc", buf, sizeof(buf)), -1);
	assert_int_equal(errno, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_machine_is_known),
		cmocka_unit_test(test_reservations_are_aligned),
		cmocka_unit_test(test_what_cannot_be_reserved_is_refused),
		cmocka_unit_test(
			test_a_place_is_had_only_while_nothing_is_there),
		cmocka_unit_test(test_only_committed_memory_may_be_written),
		cmocka_unit_test(test_commits_can_be_refused),
		cmocka_unit_test(test_purged_memory_is_zero_and_not_resident),
		cmocka_unit_test(test_locked_memory_is_purged_like_other),
		cmocka_unit_test(test_what_is_committed_is_locked_if_all_is),
		cmocka_unit_test(test_a_child_has_no_locks),
		cmocka_unit_test(test_populated_memory_is_resident),
		cmocka_unit_test(
		 test_what_cannot_be_populated_is_left_to_the_first_touch),
		cmocka_unit_test(test_a_first_touch_is_timed),
		cmocka_unit_test(test_moved_memory_leaves_zeros_behind),
		cmocka_unit_test(test_mappings_are_told_apart),
		cmocka_unit_test(test_remapped_memory_is_new),
		cmocka_unit_test(test_refusals_are_counted),
		cmocka_unit_test(test_a_refusal_is_told_once_when_verbose),
		cmocka_unit_test(test_the_clock_goes_forward),
		cmocka_unit_test(test_the_process_is_measured),
		cmocka_unit_test(test_the_limit_on_address_space_is_known),
		cmocka_unit_test(test_files_are_read_up_to_their_size),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
