/*
 * test_options_limits - settings of the form NUMBER:SIZE,..., whose commas are
 * part of the value.
 */
#include "settings.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static void test_a_comma_before_a_digit_is_part_of_the_value(void **state)
{
	struct options opts;

	(void)state;
	options_set_defaults(&opts);
	parse(&opts, "verbose,node_limit=0:2G,1:512M,thp=never,summary");
	assert_string_equal(printed, "");
	assert_string_equal(opts.node_limit, "0:2G,1:512M");
	assert_int_equal(opts.thp, THP_NEVER);
	assert_true(opts.verbose && opts.summary);
	parse(&opts, "node_limit=3:1\n\tcache=2,,node_limit=5:1,0:2,");
	assert_string_equal(printed, "");
	assert_string_equal(opts.node_limit, "5:1,0:2");
	assert_int_equal(opts.cache, 2);
	parse(&opts, "stats=/a,1/b,2 node_limit=");
	assert_string_equal(printed, "");
	assert_string_equal(opts.stats, "/a,1/b,2");
	assert_string_equal(opts.node_limit, "");
	/* So a value and its neighbour are wrong together. */
	parse(&opts, "thp=always,1,verbose=0");
	assert_string_equal(printed, "zbmalloc: TEST: 'thp=always,1' ignored: "
				     "write thp=never|auto|always|system\n");
	assert_int_equal(opts.thp, THP_NEVER);
	assert_false(opts.verbose);
	/* Two commas, or a space, end it. */
	parse(&opts, "node_limit=0:1,,1:1");
	assert_non_null(strstr(printed, "'1:1' ignored: no such option"));
	assert_string_equal(opts.node_limit, "0:1");
	parse(&opts, "node_limit=0:2, 1:1");
	assert_non_null(strstr(printed, "'1:1' ignored: no such option"));
	assert_string_equal(opts.node_limit, "0:2");
}

static void test_bad_limits_are_reported_and_ignored(void **state)
{
	static const char *const values[] = {
		"0:", ":2G", ":", "0", "2G", "a:2G", "0:2X", "0:G", "0-1:2G",
		"0:-1", "-1:2G", "+0:1", "0:2G:1", "0::2G", "0K:2G", "1K:2",
		"0x0:1", "0:1.5G", "0=2G", "0:1,1", "0:1,1:", "0:1,1:x",
		"0:1,1:1,2", "0:18446744073709551616", "0:16777216T",
		"18446744073709551616:1", "*:1G", "0;2:1G",
	};
	struct options opts = { .node_limit = "7:1G" };
	char setting[64], wanted[192];
	size_t i;

	(void)state;
	for (i = 0; i < array_size(values); i++) {
		snprintf(setting, sizeof(setting), "node_limit=%s",
			 values[i]);
		snprintf(wanted, sizeof(wanted), "zbmalloc: TEST: '%s' "
			 "ignored: write node_limit=NODE:SIZE,..., at most "
			 "%zu bytes\n", setting, sizeof(opts.node_limit) - 1);
		parse(&opts, setting);
		assert_string_equal(printed, wanted);
		assert_string_equal(opts.node_limit, "7:1G");
	}
	parse(&opts, "node_limit");
	assert_non_null(strstr(printed, "'node_limit' ignored"));
	parse(&opts, "node_limit=0:1,thp:2");
	assert_non_null(strstr(printed, "'thp:2' ignored: no such option"));
	assert_string_equal(opts.node_limit, "0:1");
}

/* As long as that of any machine, and not longer. */
static void test_limits_may_name_every_node(void **state)
{
	struct options opts = { 0 };
	char setting[2048] = "node_limit=";
	size_t prefix = strlen(setting), len = prefix, i;

	(void)state;
	for (i = 0; i < MAX_NUMNODES; i++)
		len += (size_t)snprintf(setting + len, sizeof(setting) - len,
					"%s%zu:%zuG", i ? "," : "", 960 + i,
					2000 + i);
	parse(&opts, setting);
	assert_string_equal(printed, "");
	assert_string_equal(opts.node_limit, setting + prefix);
	for (i = 0; i < MAX_NUMNODES; i++)
		assert_int_equal(options_limit_of(opts.node_limit, 960 + i),
				 (2000 + i) << 30);

	/* The field ends where one of these does: 4 divides its size. */
	for (len = prefix; len < prefix + sizeof(opts.node_limit); len += 4)
		memcpy(setting + len, "0:1,", 4);
	setting[prefix + sizeof(opts.node_limit) - 1] = '\0';
	parse(&opts, setting);
	assert_string_equal(printed, "");
	assert_int_equal(strlen(opts.node_limit),
			 sizeof(opts.node_limit) - 1);
	parse(&opts, "node_limit=1:1");
	memcpy(setting + prefix + sizeof(opts.node_limit) - 1, "1", 2);
	parse(&opts, setting);
	assert_non_null(strstr(printed, "write node_limit=NODE:SIZE,..., "
					"at most "));
	assert_string_equal(opts.node_limit, "1:1");
}

static void test_the_limit_of_a_number_is_found(void **state)
{
	static const char text[] = "0:2G,12:512M,3:7,1023:0,2:16T";

	(void)state;
	assert_int_equal(options_limit_of(text, 0), 2UL << 30);
	assert_int_equal(options_limit_of(text, 12), 512UL << 20);
	assert_int_equal(options_limit_of(text, 3), 7);
	assert_int_equal(options_limit_of(text, 1023), 0);
	assert_int_equal(options_limit_of(text, 2), 16UL << 40);
	assert_int_equal(options_limit_of(text, 1), SIZE_MAX);
	assert_int_equal(options_limit_of(text, 512), SIZE_MAX);
	assert_int_equal(options_limit_of("", 0), SIZE_MAX);
	/* As with options: the later one wins. */
	assert_int_equal(options_limit_of("1:5,0:2G,0:1G,2:3", 0), 1UL << 30);
	assert_int_equal(options_limit_of("00:5,000:6", 0), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_comma_before_a_digit_is_part_of_the_value),
		cmocka_unit_test(test_bad_limits_are_reported_and_ignored),
		cmocka_unit_test(test_limits_may_name_every_node),
		cmocka_unit_test(test_the_limit_of_a_number_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
