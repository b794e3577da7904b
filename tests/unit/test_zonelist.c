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
	world_start(4 * SECTION_SIZE);
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

/* Each node first itself, then the others, each once. */
static void check_order(int id, size_t nr_nodes)
{
	struct zonelist *list = node_zonelist(id, GFP_USER);
	uint64_t seen = 0;
	int distance = 0;

	assert_int_equal(length(list), nr_nodes);
	assert_int_equal(list->zone[0]->node, id);
	for (size_t i = 0; i < nr_nodes; i++) {
		int node = list->zone[i]->node;

		assert_false(seen >> node & 1);
		seen |= 1UL << node;
		assert_true(topology_distance(id, node) >= distance);
		distance = topology_distance(id, node);
		assert_ptr_equal(list->zone[i],
				 &nodes[node]->zone[ZONE_NORMAL]);
	}
	list = node_zonelist(id, GFP_USER | GFP_THISNODE);
	assert_int_equal(length(list), 1);
	assert_int_equal(list->zone[0]->node, id);
}

static void test_more_nodes_come_online(void **state)
{
	static const int ids[] = { 3, 1, 63 };
	int before = -1;
	struct zone *zone;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < array_size(ids); i++) {
		assert_true(node_online(ids[i]));
		assert_int_equal(nodes[ids[i]]->id, ids[i]);
		check_order(0, i + 2);
		for (size_t k = 0; k <= i; k++)
			check_order(ids[k], i + 2);
	}
	/* All zones, by node. */
	for_each_zone(zone) {
		assert_true(zone->node > before);
		before = zone->node;
		n++;
	}
	assert_int_equal(n, 4);
	page_alloc_validate();
}

static void test_a_request_falls_back_to_another_node(void **state)
{
	struct pcp pcp;
	struct page *page;

	(void)state;
	pcp_register(&pcp, &nodes[1]->zone[ZONE_NORMAL]);
	page = alloc_pages_nodemask(&pcp, GFP_USER, 0, 1, 1UL << 3);
	assert_non_null(page);
	assert_int_equal(page_zone(page)->node, 3);
	/* It goes home, not to the pcp of another node. */
	free_pages(&pcp, page, 0);
	assert_int_equal(pcp.count, 0);
	assert_int_equal(zone_used(&nodes[3]->zone[ZONE_NORMAL]), 0);

	page = alloc_pages(&pcp, GFP_USER, 2);
	assert_int_equal(page_zone(page)->node, 1);
	free_pages(&pcp, page, 2);
	assert_true(pcp.count > 0);
	pcp_drain(&pcp, true);
	list_del(&pcp.link);
	page_alloc_validate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_node_zero_walks_its_own_zone),
		cmocka_unit_test(test_a_zone_knows_what_it_is),
		cmocka_unit_test(test_requests_name_their_zone_and_type),
		cmocka_unit_test(test_more_nodes_come_online),
		cmocka_unit_test(test_a_request_falls_back_to_another_node),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
