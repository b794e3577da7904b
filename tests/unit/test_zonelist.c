/*
 * test_zonelist - which zones a request walks, with more nodes than this
 * machine has.
 */
#include "world.h"

#include "mm/zonelist.h"
#include "os/topology.h"

#include <setjmp.h>

#include <cmocka.h>

static int start(void **state)
{
	(void)state;
	world_start(8 * SECTION_SIZE);
	return 0;
}

static size_t length(const struct zonelist *list)
{
	size_t n = 0;

	while (list->zone[n])
		n++;
	return n;
}

static void test_node_zero_walks_its_own_zone(void **state)
{
	struct zonelist *list = node_zonelist(0, 0);

	(void)state;
	assert_int_equal(length(list), 1);
	assert_ptr_equal(list->zone[0], &nodes[0]->zone[ZONE_NORMAL]);
	assert_ptr_equal(zones, list->zone[0]);
	assert_null(zones->next);
	page_alloc_validate();
}

static void test_a_zone_knows_what_it_is(void **state)
{
	struct zone *zone = &nodes[0]->zone[ZONE_NORMAL];

	(void)state;
	assert_int_equal(zone->node, 0);
	assert_int_equal(zone->type, ZONE_NORMAL);
	assert_string_equal(zone->name, "Normal");
	assert_int_equal(zone->managed, 0);
	assert_int_equal(zone->lock.rank, LOCK_ZONE);
}

static void test_requests_name_their_zone_and_type(void **state)
{
	(void)state;
	assert_int_equal(gfp_zone(GFP_USER), ZONE_NORMAL);
	assert_int_equal(gfp_zone(GFP_USER | GFP_MOVABLE), ZONE_NORMAL);
	assert_int_equal(gfp_zone(GFP_HIGHMEM), ZONE_NORMAL);
	assert_int_equal(gfp_zone(GFP_HIGHMEM | GFP_MOVABLE), ZONE_MOVABLE);
	assert_int_equal(gfp_zone(GFP_DMA), ZONE_DMA);
	assert_int_equal(gfp_zone(GFP_DMA32), ZONE_DMA32);
	assert_int_equal(gfp_migratetype(GFP_USER), MIGRATE_UNMOVABLE);
	assert_int_equal(gfp_migratetype(GFP_RECLAIMABLE),
			 MIGRATE_RECLAIMABLE);
	assert_int_equal(gfp_migratetype(GFP_MOVABLE), MIGRATE_MOVABLE);
}

/*
 * Six nodes as the kernel would tell of them: 0 to 3 in a ring, with
 * neighbours at 16 and opposites at 22, and two of memory alone, which are
 * nearer to all than the opposites.
 */
#define NR_NODES	6
#define NR_WITH_CPU	4

static void make_topology(void)
{
	topology.nr_nodes = topology.max_nodes = NR_NODES;
	topology.allowed = (1UL << NR_NODES) - 1;
	for (int from = 0; from < NR_NODES; from++) {
		struct topology_node *node = &topology.node[from];

		node->id = 10 * from;
		node->has_cpu = from < NR_WITH_CPU;
		for (int to = 0; to < NR_NODES; to++) {
			int apart = (to - from) & (NR_WITH_CPU - 1);

			node->distance[to] = apart == 2 ? 22 : 16;
			if (from >= NR_WITH_CPU || to >= NR_WITH_CPU)
				node->distance[to] = 20;
		}
		node->distance[from] = LOCAL_DISTANCE;
	}
}

static void check_order(int node, const int *order, size_t n)
{
	struct zonelist *list = node_zonelist(node, GFP_USER);

	assert_int_equal(length(list), n);
	for (size_t i = 0; i < n; i++)
		assert_ptr_equal(list->zone[i],
				 &nodes[order[i]]->zone[ZONE_NORMAL]);
}

static void test_more_nodes_come_online(void **state)
{
	struct zone *zone;
	int n = 0;

	(void)state;
	make_topology();
	for (int node = 1; node < NR_NODES; node++) {
		assert_true(node_online(node));
		assert_int_equal(nodes[node]->node, node);
		assert_int_equal(length(node_zonelist(0, 0)), node + 1);
	}
	for_each_zone(zone)
		assert_int_equal(zone->node, n++);
	assert_int_equal(n, NR_NODES);
	page_alloc_validate();
}

static void test_the_order_is_by_distance(void **state)
{
	/* Equal neighbours: each node begins with the next higher one. */
	static const int orders[][NR_NODES] = {
		{ 0, 1, 3, 2, 4, 5 },
		{ 1, 2, 0, 3, 4, 5 },
		{ 2, 3, 1, 0, 4, 5 },
		{ 3, 0, 2, 1, 4, 5 },
		{ 4, 0, 1, 2, 3, 5 },
		{ 5, 0, 1, 2, 3, 4 },
	};
	struct zonelist *alone;

	(void)state;
	for (int node = 0; node < NR_NODES; node++) {
		check_order(node, orders[node], NR_NODES);
		alone = node_zonelist(node, GFP_USER | GFP_THISNODE);
		assert_int_equal(length(alone), 1);
		assert_int_equal(alone->zone[0]->node, node);
	}
}

static void test_memory_alone_comes_first_on_request(void **state)
{
	static const int from_1[] = { 4, 5, 1, 2, 0, 3 };
	static const int from_5[] = { 5, 4, 0, 1, 2, 3 };

	(void)state;
	for (int node = 0; node < NR_NODES; node++)
		assert_int_equal(node_home(node), node);
	options.tier = TIER_FAR;
	zonelists_rebuild();
	assert_int_equal(node_home(0), 4);
	assert_int_equal(node_home(3), 4);
	assert_int_equal(node_home(5), 5);
	check_order(1, from_1, NR_NODES);
	check_order(5, from_5, NR_NODES);
	options.tier = TIER_NEAR;
	zonelists_rebuild();
}

static void test_nodes_that_are_forbidden_are_in_no_list(void **state)
{
	static const int from_0[] = { 0, 2, 4, 5 };
	static const int from_1[] = { 2, 0, 4, 5 };
	uint32_t seq = zonelist_begin();

	(void)state;
	topology.allowed &= ~(1UL << 1 | 1UL << 3);
	assert_false(zonelist_retry(seq));
	zonelists_rebuild();
	assert_true(zonelist_retry(seq));
	assert_false(zonelist_retry(zonelist_begin()));
	check_order(0, from_0, array_size(from_0));
	check_order(1, from_1, array_size(from_1));
	assert_int_equal(length(node_zonelist(1, GFP_THISNODE)), 0);
	topology.allowed |= 1UL << 1 | 1UL << 3;
	zonelists_rebuild();
	assert_int_equal(length(node_zonelist(1, 0)), NR_NODES);
}

static uint64_t counted(int node, enum numa_stat_item item)
{
	return nodes[node]->numa_stat[item];
}

static void test_a_full_zone_is_passed_over(void **state)
{
	struct zone *zone = &nodes[1]->zone[ZONE_NORMAL];
	static struct pcp pcp;	/* stays registered */
	struct page *page;

	(void)state;
	pcp_register(&pcp, zone);
	zone->limit = 3;
	page = alloc_pages(&pcp, GFP_USER, 2);
	assert_non_null(page);
	assert_int_equal(page_zone(page)->node, 2);
	assert_int_equal(counted(2, NUMA_MISS), 4);
	assert_int_equal(counted(2, NUMA_OTHER), 4);
	assert_int_equal(counted(1, NUMA_FOREIGN), 4);
	assert_null(alloc_pages(&pcp, GFP_USER | GFP_THISNODE, 2));
	/* It goes home, not to the pcp of another node. */
	free_pages(&pcp, page, 2);
	assert_int_equal(pcp.count, 0);
	assert_int_equal(zone_used(&nodes[2]->zone[ZONE_NORMAL]), 0);

	page = alloc_pages_exact(&pcp, GFP_USER, SECTION_PAGES + 1, PAGE_SIZE);
	assert_non_null(page);
	assert_int_equal(page_zone(page)->node, 2);
	free_pages_exact(&pcp, page, SECTION_PAGES + 1);
	zone->limit = SIZE_MAX;
	page = alloc_pages(&pcp, GFP_USER, 2);
	assert_int_equal(page_zone(page)->node, 1);
	assert_int_equal(counted(1, NUMA_HIT), 4);
	assert_int_equal(counted(1, NUMA_OTHER), 4);
	free_pages(&pcp, page, 2);
	assert_true(pcp.count > 0);
	pcp_drain(&pcp, true);
	page_alloc_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_node_zero_walks_its_own_zone),
		cmocka_unit_test(test_a_zone_knows_what_it_is),
		cmocka_unit_test(test_requests_name_their_zone_and_type),
		cmocka_unit_test(test_more_nodes_come_online),
		cmocka_unit_test(test_the_order_is_by_distance),
		cmocka_unit_test(test_memory_alone_comes_first_on_request),
		cmocka_unit_test(test_nodes_that_are_forbidden_are_in_no_list),
		cmocka_unit_test(test_a_full_zone_is_passed_over),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
