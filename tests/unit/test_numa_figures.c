/*
 * test_numa_figures - what is told of single nodes, on a machine that has
 * three: made by hand, with numbers of the kernel's that are not ours.
 */
#include "heaps.h"

#include "base/print.h"
#include "malloc/introspect.h"
#include "malloc/stats.h"
#include "mm/zonelist.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#define NR_NODES	3
#define LIMIT		(512UL << 20)	/* bytes; of the last node */

static const int ids[NR_NODES] = { 0, 4, 11 };

static struct capture capture;
static char xml[1 << 16];

static void make_nodes(void)
{
	topology.nr_nodes = topology.max_nodes = NR_NODES;
	topology.allowed = (1UL << NR_NODES) - 1;
	for (int n = 0; n < NR_NODES; n++) {
		topology.node[n].id = ids[n];
		topology.node[n].has_cpu = true;
		memset(topology.node[n].distance, REMOTE_DISTANCE, NR_NODES);
		topology.node[n].distance[n] = LOCAL_DISTANCE;
	}
	strcpy(options.node_limit, "11:512M");
	for (int n = 1; n < NR_NODES; n++) {
		assert_true(barn_init_node(n));
		assert_true(node_online(n));
	}
}

static void set_stat(int node, enum numa_stat_item item, uint64_t n)
{
	nodes[node]->numa_stat[item] = n;
}

static void clear_stats(void)
{
	for (int n = 0; n < NR_NODES; n++)
		memset(nodes[n]->numa_stat, 0, sizeof(nodes[n]->numa_stat));
}

/* Node 1 served what node 2 could not, and threads of node 0. */
static void set_stats(void)
{
	clear_stats();
	set_stat(0, NUMA_HIT, 7);
	set_stat(0, NUMA_LOCAL, 7);
	set_stat(1, NUMA_HIT, 1000000);
	set_stat(1, NUMA_MISS, 234567);
	set_stat(1, NUMA_INTERLEAVE_HIT, 89);
	set_stat(1, NUMA_LOCAL, 1234500);
	set_stat(1, NUMA_OTHER, 67);
	set_stat(2, NUMA_FOREIGN, 234567);
}

static void look(void)
{
	FILE *stream = fmemopen(xml, sizeof(xml), "w");

	assert_non_null(stream);
	assert_int_equal(mem_info(0, stream), 0);
	fclose(stream);
	capture_begin(&capture);
	mem_stats();
	capture_end(&capture);
}

static void assert_has(const char *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void assert_has(const char *text, const char *fmt, ...)
{
	char wanted[400];
	va_list ap;

	va_start(ap, fmt);
	print_vformat(wanted, sizeof(wanted), fmt, ap);
	va_end(ap);
	if (!strstr(text, wanted))
		fail_msg("'%s' is missing in:\n%s", wanted, text);
}

static bool stat_is_zero(const struct zbm_numastat *stat)
{
	static const struct zbm_numastat zero;

	return !memcmp(stat, &zero, sizeof(zero));
}

static void test_of_one_node_alone_nothing_is_told(void **state)
{
	struct zbm_numastat stat;

	(void)state;
	/* Nothing was allocated so far. */
	look();
	assert_null(strstr(capture.text, "zone Normal"));
	mem_free(mem_malloc(100));
	look();
	assert_null(strstr(xml, "<nodes>"));
	assert_null(strstr(capture.text, "numa_hit"));
	assert_has(xml, "<zone node=\"0\" name=\"Normal\"");
	assert_has(capture.text, "\nnode 0, zone Normal: ");
	memset(&stat, 0xff, sizeof(stat));
	errno = 4242;
	assert_int_equal(mem_numastat(0, &stat), 0);
	assert_true(stat_is_zero(&stat));
	assert_int_equal(mem_numastat(-1, &stat), EINVAL);
	assert_int_equal(mem_numastat(NODE_IDS, &stat), EINVAL);
	assert_int_equal(mem_numastat(INT32_MAX, &stat), EINVAL);
	assert_int_equal(errno, 4242);
	assert_true(stat_is_zero(&stat));
}

static void test_numastat_goes_by_the_number_of_the_kernel(void **state)
{
	struct zbm_numastat stat;

	(void)state;
	make_nodes();
	set_stats();
	errno = 4242;
	assert_int_equal(mem_numastat(4, &stat), 0);
	assert_int_equal(stat.numa_hit, 1000000);
	assert_int_equal(stat.numa_miss, 234567);
	assert_int_equal(stat.numa_foreign, 0);
	assert_int_equal(stat.interleave_hit, 89);
	assert_int_equal(stat.local_node, 1234500);
	assert_int_equal(stat.other_node, 67);
	/* Ours, but not the kernel's; and nobody's. */
	assert_int_equal(mem_numastat(1, &stat), EINVAL);
	assert_int_equal(mem_numastat(12, &stat), EINVAL);
	assert_int_equal(mem_numastat(-1, &stat), EINVAL);
	assert_int_equal(stat.numa_hit, 1000000);
	assert_int_equal(mem_numastat(11, &stat), 0);
	assert_int_equal(stat.numa_foreign, 234567);
	stat.numa_foreign = 0;
	assert_true(stat_is_zero(&stat));
	assert_int_equal(mem_numastat(0, &stat), 0);
	assert_int_equal(stat.local_node, 7);
	assert_int_equal(errno, 4242);
}

/* Memory of each node, so that the rows differ. */
static void test_each_node_has_a_row_and_an_element(void **state)
{
	struct page *page[NR_NODES];
	struct node_figures f[NR_NODES];
	void *p = mem_malloc(100);

	(void)state;
	for (int n = 1; n < NR_NODES; n++) {
		page[n] = alloc_pages_node(NULL, GFP_USER, 3 + (unsigned)n, n);
		assert_non_null(page[n]);
	}
	set_stats();
	look();
	for (int n = 0; n < NR_NODES; n++) {
		char a[STATS_NUMBER], b[STATS_NUMBER], c[STATS_NUMBER];
		const struct zone_figures *zones = &f[n].zones;

		assert_true(figures_of_node(&f[n], n));
		assert_int_equal(f[n].id, ids[n]);
		assert_true(zones->managed > 0);
		print_format(c, sizeof(c), "limit=\"%zu\"",
			     LIMIT >> PAGE_SHIFT);
		assert_has(xml, "<node id=\"%d\" page=\"4096\" "
			   "managed=\"%zu\" used=\"%zu\" free=\"%zu\" "
			   "dirty=\"%zu\"%s%s>\n    <numastat "
			   "numa_hit=\"%lu\"", ids[n], zones->managed,
			   zones->used, zones->free, zones->free_dirty,
			   n == 2 ? " " : "", n == 2 ? c : "",
			   f[n].numa_stat[NUMA_HIT]);
		assert_has(xml, "<zone node=\"%d\" name=\"Normal\"", ids[n]);
		assert_has(capture.text, "\nnode %d, zone Normal: ", ids[n]);
		assert_has(capture.text, "\n%4d %14s %14s ", ids[n],
			   stats_bytes(a, zones->managed << PAGE_SHIFT),
			   stats_bytes(b, zones->used << PAGE_SHIFT));
	}
	assert_int_equal(f[1].zones.used, 16);
	assert_int_equal(f[2].zones.used, 32);
	assert_int_equal(f[0].limit, SIZE_MAX);
	assert_int_equal(f[2].limit, LIMIT >> PAGE_SHIFT);
	assert_has(xml, "<numastat numa_hit=\"1000000\" numa_miss=\"234567\" "
		   "numa_foreign=\"0\" interleave_hit=\"89\" "
		   "local_node=\"1234500\" other_node=\"67\"/>\n  </node>\n");
	assert_has(capture.text, " -\n%4d ", ids[1]);
	assert_has(capture.text, " 512.0 MiB\n");
	assert_has(capture.text, "\n   4   1,000,000     234,567            0 "
		   "            89   1,234,500          67\n");
	assert_has(capture.text, "\n  11           0           0      234,567 "
		   "             0           0           0\n");
	for (int n = 1; n < NR_NODES; n++)
		free_pages(NULL, page[n], 3 + (unsigned)n);
	mem_free(p);
	clear_stats();
	figures_validate();
}

static void test_the_text_stays_within_80_columns(void **state)
{
	(void)state;
	for (int n = 0; n < NR_NODES; n++) {
		topology.node[n].id = NODE_IDS - NR_NODES + n;
		for (int i = 0; i < NR_NUMA_STAT_ITEMS; i++)
			set_stat(n, (enum numa_stat_item)i, 999999999);
	}
	look();
	assert_has(capture.text, "\n1023 999,999,999 999,999,999 ");
	for (const char *at = capture.text; *at; at = strchr(at, '\n') + 1)
		assert_true(strcspn(at, "\n") <= 80);
	for (int n = 0; n < NR_NODES; n++)
		topology.node[n].id = ids[n];
	clear_stats();
}

static void test_a_zone_on_all_nodes_is_no_node_s(void **state)
{
	struct zone *zone = &nodes[1]->zone[ZONE_NORMAL];
	struct node_figures before, after;

	(void)state;
	assert_true(figures_of_node(&before, 1));
	assert_true(before.zones.managed > 0);
	zone->placement = PLACE_INTERLEAVED;
	assert_true(figures_of_node(&after, 1));
	assert_int_equal(after.zones.managed, 0);
	look();
	assert_has(xml, "<zone node=\"all\" name=\"Normal\"");
	assert_has(capture.text, "\nnode all, zone Normal: ");
	zone->placement = PLACE_NODE;
	figures_validate();
}

static void test_a_node_that_never_came_is_not_told_of(void **state)
{
	struct node *node = nodes[2];
	struct node_figures figures;
	struct zbm_numastat stat;

	(void)state;
	nodes[2] = NULL;
	assert_false(figures_of_node(&figures, 2));
	assert_int_equal(mem_numastat(11, &stat), EINVAL);
	look();
	assert_null(strstr(xml, "<node id=\"11\""));
	assert_has(xml, "<node id=\"4\"");
	nodes[2] = node;
}

static void lose_a_page(void)
{
	set_stat(1, NUMA_HIT, 1);
	figures_validate();
}

static void miss_without_a_foreign(void)
{
	set_stat(1, NUMA_MISS, 1);
	set_stat(1, NUMA_OTHER, 1);
	figures_validate();
}

static void interleave_without_a_hit(void)
{
	set_stat(2, NUMA_INTERLEAVE_HIT, 1);
	figures_validate();
}

static void agree(void)
{
	set_stats();
	figures_validate();
}

static void test_validation_finds_counters_that_disagree(void **state)
{
	(void)state;
	assert_true(child_succeeds(agree));
	assert_true(child_dies(lose_a_page, "stat[NUMA_HIT] + "));
	assert_true(child_dies(miss_without_a_foreign, "miss == foreign"));
	assert_true(child_dies(interleave_without_a_hit,
			       "stat[NUMA_INTERLEAVE_HIT] <= "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_one_node_alone_nothing_is_told),
		cmocka_unit_test(
			test_numastat_goes_by_the_number_of_the_kernel),
		cmocka_unit_test(test_each_node_has_a_row_and_an_element),
		cmocka_unit_test(test_the_text_stays_within_80_columns),
		cmocka_unit_test(test_a_zone_on_all_nodes_is_no_node_s),
		cmocka_unit_test(test_a_node_that_never_came_is_not_told_of),
		cmocka_unit_test(test_validation_finds_counters_that_disagree),
	};

	/* Of this machine one node is seen, however many it has. */
	setenv("ZBMALLOC_OPTIONS", "numa=off", 1);
	return cmocka_run_group_tests(tests, start, NULL);
}
