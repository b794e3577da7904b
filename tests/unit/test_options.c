/*
 * test_options - the table and the parser of settings.
 *
 * Each message is caught in place of stderr and compared.
 */
#include "settings.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_default(const struct options *opts)
{
	assert_false(opts->verbose);
	assert_false(opts->summary);
	assert_false(opts->validate);
	assert_int_equal(opts->thp, THP_AUTO);
	assert_int_equal(opts->window, 0);
	assert_int_equal(opts->decay_ms, 1000);
	assert_int_equal(opts->cache, 2 << 20);
	assert_int_equal(opts->numa, NUMA_LOCAL_FIRST);
	assert_int_equal(opts->tier, TIER_NEAR);
	assert_string_equal(opts->node_limit, "");
	assert_false(opts->deepbind);
	assert_string_equal(opts->stats, "");
}

static void test_defaults_are_those_of_the_table(void **state)
{
	struct options opts;

	(void)state;
	memset(&opts, 0xff, sizeof(opts));
	options_set_defaults(&opts);
	assert_default(&opts);
}

static void test_every_default_can_be_written_by_a_user(void **state)
{
	struct options opts;
	char setting[512];
	size_t i;

	(void)state;
	memset(&opts, 0xff, sizeof(opts));
	for (i = 0; i < options_table_size; i++) {
		snprintf(setting, sizeof(setting), "%s=%s",
			 options_table[i].name, options_table[i].initial);
		parse(&opts, setting);
		assert_string_equal(printed, "");
	}
	assert_default(&opts);
}

static void test_every_option_has_a_sentence_of_help(void **state)
{
	size_t i, len;

	(void)state;
	for (i = 0; i < options_table_size; i++) {
		len = strlen(options_table[i].help);
		assert_true(len > 10);
		assert_int_equal(options_table[i].help[len - 1], '.');
	}
}

static void test_settings_are_separated_by_commas_and_space(void **state)
{
	struct options opts;

	(void)state;
	options_set_defaults(&opts);
	parse(&opts, ",verbose=1, ,summary=1\tthp=never\r\n"
		     "decay_ms=7 cache=3,,stats=/a/file");
	assert_string_equal(printed, "");
	assert_true(opts.verbose);
	assert_true(opts.summary);
	assert_int_equal(opts.thp, THP_NEVER);
	assert_int_equal(opts.decay_ms, 7);
	assert_int_equal(opts.cache, 3);
	assert_string_equal(opts.stats, "/a/file");
}

static void test_the_later_setting_wins(void **state)
{
	struct options opts;

	(void)state;
	options_set_defaults(&opts);
	parse(&opts, "thp=never,verbose,thp=system,verbose=0");
	assert_int_equal(opts.thp, THP_SYSTEM);
	assert_false(opts.verbose);
}

static void test_bools_have_four_words_each_way(void **state)
{
	static const char *const on[] = { "1", "on", "yes", "true" };
	static const char *const off[] = { "0", "off", "no", "false" };
	struct options opts = { 0 };
	char setting[32];
	size_t i;

	(void)state;
	for (i = 0; i < array_size(on); i++) {
		opts.verbose = false;
		snprintf(setting, sizeof(setting), "verbose=%s", on[i]);
		parse(&opts, setting);
		assert_true(opts.verbose);
		snprintf(setting, sizeof(setting), "verbose=%s", off[i]);
		parse(&opts, setting);
		assert_false(opts.verbose);
		assert_string_equal(printed, "");
	}
}

static void test_a_bare_bool_is_on(void **state)
{
	struct options opts = { 0 };

	(void)state;
	parse(&opts, "validate");
	assert_true(opts.validate);
	assert_string_equal(printed, "");
}

static void test_bad_bools_are_reported_and_ignored(void **state)
{
	struct options opts = { .verbose = true };

	(void)state;
	parse(&opts, "verbose=2");
	assert_string_equal(printed, "zbmalloc: TEST: 'verbose=2' ignored: "
				     "write verbose=0|1\n");
	parse(&opts, "verbose=");
	assert_non_null(strstr(printed, "'verbose=' ignored"));
	parse(&opts, "verbose=of");
	assert_non_null(strstr(printed, "'verbose=of' ignored"));
	assert_true(opts.verbose);
}

static void test_sizes_accept_suffixes(void **state)
{
	static const struct { const char *text; size_t value; } cases[] = {
		{ "window=0", 0 }, { "window=17", 17 },
		{ "window=16K", 16 << 10 }, { "window=2k", 2 << 10 },
		{ "window=3M", 3 << 20 }, { "window=3m", 3 << 20 },
		{ "window=5G", 5UL << 30 }, { "window=2T", 2UL << 40 },
		{ "window=0T", 0 }, { "window=0000000000000000000000001", 1 },
	};
	struct options opts = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < array_size(cases); i++) {
		opts.window = 12345;
		parse(&opts, cases[i].text);
		assert_string_equal(printed, "");
		assert_int_equal(opts.window, cases[i].value);
	}
}

static void test_bad_sizes_are_reported_and_ignored(void **state)
{
	static const char *const values[] = {
		"", "K", "-1", "+1", "1KB", "1.5G", "0x10", "1e3", "1 K",
		"18446744073709551616", "18446744073709551615T",
		"16777216T", "M1", "1kk",
	};
	struct options opts = { .window = 99 };
	char setting[64];
	size_t i;

	(void)state;
	for (i = 0; i < array_size(values); i++) {
		snprintf(setting, sizeof(setting), "window=%s", values[i]);
		opts.window = 99;
		parse(&opts, setting);
		if (strcmp(values[i], "1 K")) {
			assert_int_equal(opts.window, 99);
			assert_non_null(strstr(printed, "ignored: write "
						       "window=0.."));
		} else {
			/* A space ends a setting: K is an unknown name. */
			assert_int_equal(opts.window, 1);
			assert_non_null(strstr(printed, "'K' ignored"));
		}
	}
}

static void test_ranges_end_where_the_table_says(void **state)
{
	struct options opts = { 0 };

	(void)state;
	parse(&opts, "decay_ms=3600000,cache=1G");
	assert_string_equal(printed, "");
	assert_int_equal(opts.decay_ms, 3600000);
	assert_int_equal(opts.cache, 1 << 30);
	parse(&opts, "decay_ms=3600001");
	assert_string_equal(printed, "zbmalloc: TEST: 'decay_ms=3600001' "
				     "ignored: write decay_ms=0..3600000\n");
	parse(&opts, "cache=1073741825");
	assert_non_null(strstr(printed, "write cache=0..1G\n"));
	assert_int_equal(opts.decay_ms, 3600000);
	assert_int_equal(opts.cache, 1 << 30);
}

static void test_a_window_is_as_large_as_pfns_allow(void **state)
{
	struct options opts = { 0 };
	char setting[64];

	(void)state;
	snprintf(setting, sizeof(setting), "window=%lu", WINDOW_MAX_SIZE);
	parse(&opts, setting);
	assert_string_equal(printed, "");
	assert_int_equal(opts.window, WINDOW_MAX_SIZE);
	snprintf(setting, sizeof(setting), "window=%lu", WINDOW_MAX_SIZE + 1);
	parse(&opts, setting);
	assert_non_null(strstr(printed, "write window=0.."));
	assert_int_equal(opts.window, WINDOW_MAX_SIZE);
}

static void test_enums_take_whole_words_only(void **state)
{
	struct options opts = { .thp = THP_AUTO };

	(void)state;
	parse(&opts, "thp=alway");
	assert_string_equal(printed, "zbmalloc: TEST: 'thp=alway' ignored: "
				     "write thp=never|auto|always|system\n");
	parse(&opts, "thp=never|auto");
	assert_non_null(strstr(printed, "'thp=never|auto' ignored"));
	parse(&opts, "thp=");
	assert_non_null(strstr(printed, "'thp=' ignored"));
	parse(&opts, "thp");
	assert_non_null(strstr(printed, "'thp' ignored"));
	assert_int_equal(opts.thp, THP_AUTO);
}

static void test_strings_may_hold_anything_that_fits(void **state)
{
	struct options opts = { 0 };
	char setting[512] = "stats=";
	size_t prefix = strlen(setting);

	(void)state;
	parse(&opts, "stats=/a=b#c");
	assert_string_equal(opts.stats, "/a=b#c");
	parse(&opts, "stats=");
	assert_string_equal(opts.stats, "");
	assert_string_equal(printed, "");

	memset(setting + prefix, 'p', sizeof(opts.stats));
	setting[prefix + sizeof(opts.stats) - 1] = '\0';
	parse(&opts, setting);
	assert_string_equal(printed, "");
	assert_string_equal(opts.stats, setting + prefix);

	parse(&opts, "stats=short");
	setting[prefix + sizeof(opts.stats) - 1] = 'p';
	setting[prefix + sizeof(opts.stats)] = '\0';
	parse(&opts, setting);
	assert_non_null(strstr(printed, "write stats=0|1|FILE, at most 255 "
					"bytes\n"));
	assert_string_equal(opts.stats, "short");
}

static void test_a_file_may_be_a_switch(void **state)
{
	static const char *const words[][2] = {
		{ "stats=1", "1" }, { "stats=0", "" }, { "stats=on", "1" },
		{ "stats=off", "" }, { "stats=yes", "1" }, { "stats=no", "" },
		{ "stats=true", "1" }, { "stats=false", "" },
		{ "stats=./0", "./0" }, { "stats=offs", "offs" },
	};
	struct options opts = { 0 };

	(void)state;
	for (size_t i = 0; i < array_size(words); i++) {
		strcpy(opts.stats, "before");
		parse(&opts, words[i][0]);
		assert_string_equal(printed, "");
		assert_string_equal(opts.stats, words[i][1]);
	}
}

static void test_enums_have_the_order_of_their_words(void **state)
{
	static const struct { const char *text; int numa, tier; } cases[] = {
		{ "numa=off,tier=far", NUMA_OFF, TIER_FAR },
		{ "numa=local,tier=near", NUMA_LOCAL_FIRST, TIER_NEAR },
		{ "numa=interleave", NUMA_INTERLEAVED, TIER_NEAR },
	};
	struct options opts = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < array_size(cases); i++) {
		parse(&opts, cases[i].text);
		assert_string_equal(printed, "");
		assert_int_equal(opts.numa, cases[i].numa);
		assert_int_equal(opts.tier, cases[i].tier);
	}
	parse(&opts, "numa=on,tier=1");
	assert_non_null(strstr(printed, "'numa=on' ignored: write "
					"numa=off|local|interleave\n"));
	assert_non_null(strstr(printed, "'tier=1' ignored: write "
					"tier=near|far\n"));
	assert_int_equal(opts.numa, NUMA_INTERLEAVED);
}

static void test_unknown_names_are_reported_with_those_that_exist(void **state)
{
	struct options opts = { 0 };
	size_t i;

	(void)state;
	parse(&opts, "verbos=1,summary=1");
	assert_true(opts.summary);
	assert_false(opts.verbose);
	assert_non_null(strstr(printed, "TEST: 'verbos=1' ignored: no such "
					"option; there are verbose, "));
	for (i = 0; i < options_table_size; i++)
		assert_non_null(strstr(printed, options_table[i].name));
	parse(&opts, "=1");
	assert_non_null(strstr(printed, "'=1' ignored: no such option"));
	parse(&opts, "VERBOSE");
	assert_non_null(strstr(printed, "'VERBOSE' ignored"));
	assert_false(opts.verbose);
}

static void test_reports_are_short_and_printable(void **state)
{
	struct options opts = { 0 };
	char text[4000];

	(void)state;
	parse(&opts, "bell\a\033[1m");
	assert_non_null(strstr(printed, "'bell??[1m' ignored"));
	memset(text, 'n', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	parse(&opts, text);
	assert_true(strlen(printed) < 400);
	assert_non_null(strstr(printed, "nnn' ignored: no such option"));
}

static void test_values_are_described_in_few_words(void **state)
{
	static const char *const expected[][2] = {
		{ "verbose", "0|1" }, { "thp", "never|auto|always|system" },
		{ "decay_ms", "0..3600000" },
		{ "cache", "0..1G" }, { "stats", "0|1|FILE" },
		{ "numa", "off|local|interleave" }, { "tier", "near|far" },
		{ "node_limit", "NODE:SIZE,..." },
	};
	size_t i, j, found = 0;
	char values[64];

	(void)state;
	for (i = 0; i < array_size(expected); i++) {
		for (j = 0; j < options_table_size; j++) {
			if (strcmp(options_table[j].name, expected[i][0]))
				continue;
			option_format_values(&options_table[j], values,
					     sizeof(values));
			assert_string_equal(values, expected[i][1]);
			found++;
		}
	}
	assert_int_equal(found, array_size(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_those_of_the_table),
		cmocka_unit_test(test_every_default_can_be_written_by_a_user),
		cmocka_unit_test(test_every_option_has_a_sentence_of_help),
		cmocka_unit_test(
			test_settings_are_separated_by_commas_and_space),
		cmocka_unit_test(test_the_later_setting_wins),
		cmocka_unit_test(test_bools_have_four_words_each_way),
		cmocka_unit_test(test_a_bare_bool_is_on),
		cmocka_unit_test(test_bad_bools_are_reported_and_ignored),
		cmocka_unit_test(test_sizes_accept_suffixes),
		cmocka_unit_test(test_bad_sizes_are_reported_and_ignored),
		cmocka_unit_test(test_ranges_end_where_the_table_says),
		cmocka_unit_test(test_a_window_is_as_large_as_pfns_allow),
		cmocka_unit_test(test_enums_take_whole_words_only),
		cmocka_unit_test(test_strings_may_hold_anything_that_fits),
		cmocka_unit_test(test_a_file_may_be_a_switch),
		cmocka_unit_test(test_enums_have_the_order_of_their_words),
		cmocka_unit_test(
			test_unknown_names_are_reported_with_those_that_exist),
		cmocka_unit_test(test_reports_are_short_and_printable),
		cmocka_unit_test(test_values_are_described_in_few_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
