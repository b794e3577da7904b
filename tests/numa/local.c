/*
 * local - memory of the node that a thread runs on.
 *
 *	nodes    a thread on each node with CPUs, one after the other, then all
 *		 at once: small objects, runs and huge blocks
 *	migrate  a thread that is moved to another node
 *	grow     blocks that a thread on another node has grown, and freed: what
 *		 it gets then is of its own node
 *	chroot   without the files of /sys, once they were read: as before
 */
#include "local.h"

/* What a thread may still get of its old node, after 5 ms. */
#define BOUND		2000	/* allocations of a size */
#define BOUND_BYTES	(32 * MIB)

struct worker {
	int id;
	struct local_figures figures;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	numa_run_on(worker->id);
	local_check(worker->id, &worker->figures);
	return NULL;
}

static void one_after_the_other(void)
{
	struct worker worker;

	for_each_cpu_node(worker.id) {
		numa_in_thread(work, &worker);
		local_say("alone", worker.id, &worker.figures);
	}
}

static void all_at_once(void)
{
	struct worker worker[MAX_NODES];
	pthread_t thread[MAX_NODES];
	int id;

	for_each_cpu_node(id) {
		worker[id].id = id;
		CHECK_EQ(pthread_create(&thread[id], NULL, work, &worker[id]),
			 0);
	}
	for_each_cpu_node(id) {
		CHECK_EQ(pthread_join(thread[id], NULL), 0);
		local_say("together", id, &worker[id].figures);
	}
}

/* Half of the bound is allocated, a little time passes, then the rest. */
static size_t move_over(struct blocks *blocks, struct pages *pages,
			size_t size, int to)
{
	size_t bound = BOUND_BYTES / size < BOUND ? BOUND_BYTES / size : BOUND;
	size_t i, last = 0;
	int status;

	for (i = 0; i < bound; i++) {
		void *p = malloc(hide(size));

		blocks_keep(blocks, pages, p, size);
		p = (void *)((uintptr_t)p & ~(PAGE - 1));
		CHECK_EQ(syscall(SYS_move_pages, 0, 1UL, &p, NULL, &status, 0),
			 0);
		if (status != to)
			last = i + 1;
		if (i == bound / 2)
			usleep(5000);
	}
	return last;
}

static void migrate(int from, int to, size_t size)
{
	struct blocks blocks;
	struct pages pages;
	int home = numa_nearest(to);
	size_t last;

	blocks_init(&blocks, 200000);
	pages_init(&pages);
	numa_run_on(from);
	move_over(&blocks, &pages, size, numa_nearest(from));
	pages_drop(&pages);
	blocks_fill(&blocks, &pages, 2 * MIB, size, size);
	pages_locate(&pages);
	CHECK_SHARE(&pages, numa_nearest(from), 99, "size %zu, before", size);
	numa_run_on(to);
	pages_drop(&pages);
	last = move_over(&blocks, &pages, size, home);
	pages_drop(&pages);
	blocks_fill(&blocks, &pages, 4 * MIB, size, size);
	pages_locate(&pages);
	CHECK_SHARE(&pages, home, 99, "size %zu, moved from node %d to %d",
		    size, from, to);
	hard_say("migrate: size %zu, node %d to %d: %zu allocations, then "
		 "%.2f %% of %zu pages\n", size, from, to, last,
		 pages_share(&pages, home), pages.n);
	blocks_free(&blocks);
	blocks_release(&blocks);
	pages_release(&pages);
}

static void *migrate_all(void *arg)
{
	static const size_t sizes[] = {
		64, 1000, 8192, 64 * KIB, 256 * KIB, 4 * MIB
	};
	size_t i;
	int k;

	(void)arg;
	for (i = 0; i < array_size(sizes); i++)
		for (k = 0; k < numa.nr_cpu && k < 4; k++)
			migrate(numa_cpu_node(k),
				numa_cpu_node((k + 1) % numa.nr_cpu),
				sizes[i]);
	return NULL;
}

enum { GROWN = 20 * MIB, NR_GROWN = 6 };

struct grower {
	int id;
	char *block[NR_GROWN];
};

static void *allocate_here(void *arg)
{
	struct grower *grower = arg;
	int i;

	numa_run_on(grower->id);
	for (i = 0; i < NR_GROWN; i++) {
		CHECK(grower->block[i] = (char *)malloc(GROWN));
		touch(grower->block[i], GROWN);
	}
	return NULL;
}

/* They lie beside each other, so that all but one move. */
static void *grow_here(void *arg)
{
	struct grower *grower = arg;
	int i, moved = 0;
	struct blocks blocks;
	struct pages pages;

	numa_run_on(grower->id);
	blocks_init(&blocks, 100);
	pages_init(&pages);
	for (i = 0; i < NR_GROWN; i++) {
		char *before = grower->block[i];

		CHECK(grower->block[i] = (char *)realloc(before, 2 * GROWN));
		moved += grower->block[i] != before;
		touch(grower->block[i], 2 * GROWN);
	}
	CHECK(moved);
	for (i = 0; i < NR_GROWN; i++)
		free(grower->block[i]);
	malloc_trim(0);
	blocks_fill(&blocks, &pages, 2 * NR_GROWN * GROWN, 2 * GROWN,
		    2 * GROWN);
	pages_locate(&pages);
	CHECK_SHARE(&pages, numa_nearest(grower->id), 99,
		    "node %d, after blocks of another", grower->id);
	blocks_free(&blocks);
	blocks_release(&blocks);
	pages_release(&pages);
	return NULL;
}

static void grow(int from, int to)
{
	struct grower grower = { .id = from };

	numa_in_thread(allocate_here, &grower);
	grower.id = to;
	numa_in_thread(grow_here, &grower);
}

static void grow_all(void)
{
	int k;

	for (k = 0; k < numa.nr_cpu && k < 4; k++)
		grow(numa_cpu_node(k), numa_cpu_node((k + 1) % numa.nr_cpu));
}

static void change_root(void)
{
	char empty[] = "/tmp/zbmalloc-XXXXXX";

	CHECK(mkdtemp(empty));
	CHECK_EQ(chroot(empty), 0);
}

/* Looks at the nodes are due, and find nothing to read; new sections of each
 * node are placed there all the same. */
static void check_without_files(void)
{
	void *(*malloc_node)(size_t size, int nid);
	struct blocks blocks;
	struct pages pages;
	int i, id;

	free(malloc(GROWN));
	*(void **)&malloc_node = dlsym(RTLD_DEFAULT, "zbm_malloc_node");
	CHECK(malloc_node);
	change_root();
	for (i = 0; i < 8; i++) {
		usleep(200000);
		every_class_once();
	}
	blocks_init(&blocks, 100);
	pages_init(&pages);
	for_each_memory_node(id) {
		pages_drop(&pages);
		for (i = 0; i < 5; i++)
			blocks_keep(&blocks, &pages, malloc_node(GROWN, id),
				    GROWN);
		pages_locate(&pages);
		CHECK_SHARE(&pages, id, 99, "without /sys, node %d", id);
	}
	blocks_free(&blocks);
	blocks_release(&blocks);
	pages_release(&pages);
}

int main(int argc, char **argv)
{
	hard_start(TIMEOUT);
	numa_read();
	if (argc > 1 && !strcmp(argv[1], "migrate")) {
		numa_need_nodes(2);
		numa_in_thread(migrate_all, NULL);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "grow")) {
		numa_need_nodes(2);
		grow_all();
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "chroot")) {
		check_without_files();
		return 0;
	}
	one_after_the_other();
	all_at_once();
	return 0;
}
