/*
 * test_limit - the limit that binds is found, in whatever group it is set.
 */
#include "world.h"

#include "groups.h"

static struct limit machine;

/* As a system without groups. */
static int start(void **state)
{
	(void)state;
	os_init();
	groups_start();
	limit_read(&machine);
	assert_false(machine.of_group);
	return 0;
}

static void put_group_v1(const char *group, size_t size, size_t used)
{
	put_number(group, "memory.limit_in_bytes", size);
	put_number(group, "memory.usage_in_bytes", used);
}

static void assert_limit(size_t size, size_t left)
{
	struct limit limit;

	errno = 77;
	limit_read(&limit);
	assert_int_equal(errno, 77);
	assert_true(limit.of_group);
	assert_int_equal(limit.size, size);
	assert_int_equal(limit.left, left);
}

static void assert_no_limit(void)
{
	struct limit limit;

	limit_read(&limit);
	assert_false(limit.of_group);
	assert_int_equal(limit.size, machine.size);
}

static void test_the_own_group_limits(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/a/b\n");
	assert_no_limit();
	put_group("/a/b", 4 * MIB, MIB);
	assert_limit(4 * MIB, 3 * MIB);
	/* What is cached and not shared is dropped first. */
	put("/sys/fs/cgroup/a/b/memory.stat",
	    "anon 1\nfile 1048000\nshmem 48000\n");
	assert_limit(4 * MIB, 3 * MIB + 1000000);
	put("/sys/fs/cgroup/a/b/memory.max", "max\n");
	assert_no_limit();
}

static void test_a_group_above_limits_as_well(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/slice/sub/leaf\n");
	put("/sys/fs/cgroup/slice/sub/leaf/memory.max", "max\n");
	put("/sys/fs/cgroup/slice/sub/memory.max", "max\n");
	put_group("/slice", 9 * MIB, 2 * MIB);
	assert_limit(9 * MIB, 7 * MIB);
	/* The least of all, and what is left of any. */
	put_group("/slice/sub/leaf", 5 * MIB, MIB);
	assert_limit(5 * MIB, 4 * MIB);
	put_group("/slice", 9 * MIB, 8 * MIB);
	assert_limit(5 * MIB, MIB);
	put_group("/slice/sub", 6 * MIB, 7 * MIB);
	assert_limit(5 * MIB, 0);
}

static void test_the_root_of_the_mount_limits(void **state)
{
	(void)state;
	put_group("", 8 * MIB, MIB);
	put("/proc/self/cgroup", "0::/\n");
	assert_limit(8 * MIB, 7 * MIB);
	put("/proc/self/cgroup", "0::/a\n");
	assert_limit(8 * MIB, 7 * MIB);
	put("/proc/self/cgroup", "0::a\n");
	assert_no_limit();
}

static void test_version_1_limits_in_all_groups(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "3:cpu:/x\n2:memory:/box/one\n0::/\n");
	put_group_v1("/memory", SIZE_MAX / 2, MIB);
	put_group_v1("/memory/box/one", SIZE_MAX / 2, MIB);
	assert_no_limit();
	put_group_v1("/memory/box", 6 * MIB, 4 * MIB);
	/* Of the groups in it, too. */
	put("/sys/fs/cgroup/memory/box/memory.stat",
	    "cache 7\nshmem 7\ntotal_cache 2097152\ntotal_shmem 1048576\n");
	assert_limit(6 * MIB, 3 * MIB);
}

/* As in a container of many controllers: in front of the line that counts. */
static void test_any_line_of_a_long_file_counts(void **state)
{
	char text[8192] = "", path[600];
	size_t n = 0;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (int i = 13; i > 2; i--)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "%d:c%d:/%s\n", i, i, path);
	snprintf(text + n, sizeof(text) - n, "2:memory:/m\n1:cpu:/%s\n0::/\n",
		 path);
	put("/proc/self/cgroup", text);
	put_group_v1("/memory/m", 6 * MIB, 4 * MIB);
	assert_limit(6 * MIB, 2 * MIB);
}

/* One that does not fit is not taken for another. */
static void test_a_line_that_is_too_long_is_left_out(void **state)
{
	char text[4096];
	size_t n = 3000;

	(void)state;
	memset(text, '/', n);
	memcpy(text, "0::/", 4);
	snprintf(text + n, sizeof(text) - n, "\n4:memory:/m");
	put_group("", 5 * MIB, MIB);
	put("/proc/self/cgroup", text);
	assert_no_limit();
	strcat(text, "\n");
	put("/proc/self/cgroup", text);
	put_group_v1("/memory/m", 6 * MIB, 4 * MIB);
	assert_limit(6 * MIB, 2 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_the_own_group_limits, groups_clear),
		cmocka_unit_test_setup(test_a_group_above_limits_as_well,
				       groups_clear),
		cmocka_unit_test_setup(test_the_root_of_the_mount_limits,
				       groups_clear),
		cmocka_unit_test_setup(test_version_1_limits_in_all_groups,
				       groups_clear),
		cmocka_unit_test_setup(test_any_line_of_a_long_file_counts,
				       groups_clear),
		cmocka_unit_test_setup(
			test_a_line_that_is_too_long_is_left_out, groups_clear),
	};

	return cmocka_run_group_tests(tests, start, groups_stop);
}
