/*
 * node - zbm_malloc_node: of every node, of none, of none that exists.
 */
#include "numa.h"
#include "zbmalloc.h"

typedef void *malloc_node_fn(size_t size, int nid);

static malloc_node_fn *malloc_node;
static struct blocks blocks;
static struct pages pages;

/* Every size on node `nid` lies on `home`. */
static void check_node(int nid, int home)
{
	static const size_t sizes[] = {
		24, 500, 5000, 64 * KIB, 300 * KIB, 4 * MIB
	};
	double lowest = 100;
	size_t i, sum, total = 0;

	for (i = 0; i < array_size(sizes); i++) {
		pages_drop(&pages);
		/* Small nodes have little more to give. */
		for (sum = 0; sum < (sizes[i] < PAGE ? 1 : 4) * MIB;
		     sum += sizes[i])
			blocks_keep(&blocks, &pages,
				    malloc_node(sizes[i], nid), sizes[i]);
		pages_locate(&pages);
		CHECK_SHARE(&pages, home, 99, "zbm_malloc_node(%zu, %d)",
			    sizes[i], nid);
		if (pages_share(&pages, home) < lowest)
			lowest = pages_share(&pages, home);
		total += pages.n;
		blocks_free(&blocks);
	}
	hard_say("node: zbm_malloc_node(.., %d): %.2f %% of %zu pages on node "
		 "%d\n", nid, lowest, total, home);
}

/* They are blocks as any other. */
static void check_blocks(int nid)
{
	char *p = malloc_node(100, nid);

	CHECK(p);
	CHECK_OP(malloc_usable_size(p), >=, 100);
	fill(p, 100, 1);
	p = realloc(p, 100 * KIB);
	CHECK(p);
	VERIFY(p, 100, 1);
	free(p);
	p = malloc_node(0, nid);
	CHECK(p);
	free(p);
}

static void check_none(size_t size, int nid, int error)
{
	errno = 0;
	CHECK(!malloc_node(size, nid));
	CHECK_EQ(errno, error);
}

int main(void)
{
	int id;

	hard_start(TIMEOUT);
	numa_read();
	malloc_node = API(malloc_node_fn *, "zbm_malloc_node");
	blocks_init(&blocks, 200000);
	pages_init(&pages);
	numa_run_on(numa_cpu_node(0));
	for (id = 0; id < numa.nr_ids; id++) {
		if (!numa.node[id].online)
			continue;
		check_node(id, numa_nearest(id));
		check_blocks(id);
	}
	for_each_cpu_node(id) {
		numa_run_on(id);
		check_node(-1, numa_nearest(id));
	}
	if (numa.nr_memory > 1) {
		check_none(100, 999, EINVAL);
		check_none(100, 63 + (numa.nr_ids > 63), EINVAL);
		check_none(100, 1 << 20, EINVAL);
		check_none(100, INT32_MAX, EINVAL);
		check_none(100, -2, EINVAL);
		check_none(100, INT32_MIN, EINVAL);
	}
	check_none(hide(PTRDIFF_MAX), -1, ENOMEM);
	check_none(hide(PTRDIFF_MAX), numa_cpu_node(0), ENOMEM);
	return 0;
}
