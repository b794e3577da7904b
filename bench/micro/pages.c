/*
 * zbm-micro-pages - the page allocator by itself, of zbmalloc's own floors.
 *
 *	pages/pair/LISTS/ORDER		2^ORDER pages and at once back
 *	pages/batch/LISTS/ORDER		as many blocks as come to 8 MiB, 4 to
 *					64, given back in random order
 *
 * 1. A row reports nanoseconds per alloc_pages together with its free_pages.
 * 2. LISTS is pcp, with the thread's own lists of free pages, or zone: each
 *    call goes to the zone under its lock. The lists hold small orders only
 *    (PCP_MAX_ORDER); above, both ways are the same.
 * 3. The pages are not written: it is the allocator's work that counts, not
 *    the kernel's. Preloading another malloc changes nothing here.
 * 4. When all rows have run, every page must be back and every structure
 *    sound; else the program aborts.
 */
#include "micro.h"

#include "base/options.h"
#include "mm/meta.h"
#include "mm/page_alloc.h"
#include "mm/zonelist.h"
#include "os/os.h"
#include "slab/size_class.h"

#define WINDOW		(64 * SECTION_SIZE)	/* of address space */
#define MAX_ORDER	9			/* 2 MiB */
#define MAX_LIVE	2048			/* pages of a batch */
#define MIN_BLOCKS	4
#define NR_TABLES	16

struct batch {
	size_t nr_blocks;
	uint16_t table[NR_TABLES][BATCH];	/* orders of the frees */
	struct page *block[BATCH];
};

static struct pcp pcps[MAX_THREADS];

static struct pcp *pcp_of(const struct shim_state *state)
{
	return shim_range(state, 1) ? &pcps[shim_thread_index(state)] : NULL;
}

static void leave(struct pcp *pcp)
{
	if (pcp)
		pcp_drain(pcp, true);
}

static void run_pair(struct shim_state *state)
{
	unsigned int order = (unsigned int)shim_range(state, 0);
	struct pcp *pcp = pcp_of(state);

	while (shim_keep_running(state, BATCH))
		for (size_t i = 0; i < BATCH; i++) {
			struct page *page = alloc_pages(pcp, GFP_USER, order);

			if (!page)
				micro_die("out of pages");
			free_pages(pcp, page, order);
		}
	leave(pcp);
}

static size_t nr_blocks_of(unsigned int order)
{
	size_t n = MAX_LIVE >> order;

	if (n > BATCH)
		return BATCH;
	return n < MIN_BLOCKS ? MIN_BLOCKS : n;
}

static void init_batch(struct batch *batch, unsigned int order)
{
	uint64_t seed = 5;

	batch->nr_blocks = nr_blocks_of(order);
	for (size_t k = 0; k < NR_TABLES; k++) {
		for (size_t i = 0; i < batch->nr_blocks; i++)
			batch->table[k][i] = (uint16_t)i;
		micro_shuffle(batch->table[k], batch->nr_blocks, &seed);
	}
}

static void run_batch(struct shim_state *state)
{
	unsigned int order = (unsigned int)shim_range(state, 0);
	struct pcp *pcp = pcp_of(state);
	struct batch batch;
	size_t round = 0;

	init_batch(&batch, order);
	while (shim_keep_running(state, (int64_t)batch.nr_blocks)) {
		const uint16_t *table = batch.table[round++ % NR_TABLES];

		for (size_t i = 0; i < batch.nr_blocks; i++) {
			batch.block[i] = alloc_pages(pcp, GFP_USER, order);
			if (!batch.block[i])
				micro_die("out of pages");
		}
		for (size_t i = 0; i < batch.nr_blocks; i++)
			free_pages(pcp, batch.block[table[i]], order);
	}
	leave(pcp);
}

static void add_orders(const char *name, void (*run)(struct shim_state *),
		       bool with_pcp, int threads)
{
	for (int64_t order = 0; order <= MAX_ORDER; order++)
		micro_add(&(struct shim_bench){
			.name = name,
			.run = run,
			.range = { order, with_pcp },
			.threads = threads,
		});
}

/* What the start of a heap would start. */
static void start_floors(int nr_threads)
{
	os_init();
	options_set_defaults(&options);
	options.numa = NUMA_OFF;
	topology_init();
	if (!memmap_init(WINDOW) || !meta_init(vm.size, NULL, 0))
		micro_die("no address space");
	size_class_init();
	if (!node_online(0))
		micro_die("no node");
	for (int i = 0; i < nr_threads; i++)
		pcp_register(&pcps[i], &nodes[0]->zone[ZONE_NORMAL]);
}

int main(int argc, char **argv)
{
	int threads[3], status;
	size_t nr = micro_thread_counts(threads);

	start_floors(threads[nr - 1]);
	for (size_t i = 0; i < nr; i++) {
		add_orders("pages/pair/pcp", run_pair, true, threads[i]);
		add_orders("pages/pair/zone", run_pair, false, threads[i]);
		add_orders("pages/batch/pcp", run_batch, true, threads[i]);
		add_orders("pages/batch/zone", run_batch, false, threads[i]);
	}
	status = shim_main(argc, argv);
	page_alloc_validate();
	CHECK(zone_used(&nodes[0]->zone[ZONE_NORMAL]) == 0);
	return status;
}
