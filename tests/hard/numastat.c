/*
 * numastat - zbm_numastat counts the pages that move_pages(2) finds there; and
 * nothing where there is one node, or somebody else's policy.
 */
#include "hard.h"
#include "zbmalloc.h"

#include <sys/syscall.h>

#define NR_IDS		1024	/* of nodes; the kernel has no more */
#define EACH		(20 * MIB)	/* of a size */
#define BATCH		512	/* pages asked of at a time */

typedef int numastat_fn(int nid, struct zbm_numastat *stat);

static numastat_fn *numastat;
static size_t pages[NR_IDS];		/* that move_pages found */
static struct zbm_numastat before[NR_IDS], after[NR_IDS];

static int has_several_nodes(void)
{
	int fd = open("/sys/devices/system/node/has_memory", O_RDONLY);
	unsigned long mask[NR_IDS / 64] = { 0 };
	char text[256] = "";
	int mode = 0, nr = 0;
	unsigned int i;

	if (fd >= 0) {
		CHECK(read(fd, text, sizeof(text) - 1) > 0);
		close(fd);
	}
	/* MPOL_F_MEMS_ALLOWED, and the policy of this thread */
	if (syscall(SYS_get_mempolicy, NULL, mask, (long)NR_IDS, NULL, 4L) ||
	    syscall(SYS_get_mempolicy, &mode, NULL, 0L, NULL, 0L))
		return 0;
	for (i = 0; i < array_size(mask); i++)
		nr += __builtin_popcountl(mask[i]);
	return strpbrk(text, ",-") && nr > 1 && mode == 0;
}

static void count_pages(char *block, size_t size)
{
	char *at = block - (uintptr_t)block % 4096;
	void *page[BATCH];
	int node[BATCH];
	size_t n, i;

	while (at < block + size) {
		for (n = 0; n < BATCH && at < block + size; at += 4096)
			page[n++] = at;
		CHECK_EQ(syscall(SYS_move_pages, 0L, n, page, NULL, node, 0L),
			 0);
		for (i = 0; i < n; i++) {
			CHECK_OP(node[i], <, NR_IDS);
			pages[node[i]]++;
		}
	}
}

static void read_all(struct zbm_numastat *stat)
{
	int i, nr = 0;

	errno = 777;
	for (i = 0; i < NR_IDS; i++) {
		int error = numastat(i, &stat[i]);

		CHECK(error == 0 || error == EINVAL);
		nr += error == 0;
	}
	CHECK_OP(nr, >, 0);
	CHECK_EQ(errno, 777);
}

/* Small ones, and runs that are no powers of two. */
static void allocate(void)
{
	static const size_t sizes[] = { 300, 20000, 300000, 5000000 };
	size_t i, n;

	for (i = 0; i < array_size(sizes); i++) {
		for (n = 0; n < EACH / sizes[i]; n++) {
			char *p = malloc(hide(sizes[i]));

			CHECK(p);
			memset(p, 1, sizes[i]);
			/* Of small ones that which begins the page. */
			if (sizes[i] >= 4096 || (uintptr_t)p % 4096 < sizes[i])
				count_pages(p, sizes[i]);
		}
	}
}

/* A large block grows in its place; at worst it moves, and is taken twice. */
static void grow(void)
{
	char *p = realloc(malloc(hide(3 * MIB)), hide(EACH));

	CHECK(p);
	memset(p, 1, EACH);
	count_pages(p, EACH);
}

static unsigned long long taken_of(int i)
{
	return after[i].numa_hit - before[i].numa_hit +
	       after[i].numa_miss - before[i].numa_miss;
}

static void check_node(int i, int several)
{
	const struct zbm_numastat *b = &after[i];
	unsigned long long taken = taken_of(i);

	CHECK_EQ(b->numa_hit + b->numa_miss, b->local_node + b->other_node);
	CHECK_OP(b->interleave_hit, <=, b->numa_hit);
	if (!several) {
		CHECK_EQ(b->numa_hit + b->numa_miss + b->numa_foreign, 0);
		return;
	}
	/* Slabs have ends that are not used, and some pages are cached. */
	CHECK_OP(taken, <=, pages[i] + pages[i] / 8 + 512);
	CHECK_OP(taken, >=, pages[i] - pages[i] / 8);
}

int main(void)
{
	unsigned long long miss = 0, foreign = 0;
	struct zbm_numastat stat;
	int i, several = has_several_nodes();

	hard_start(58);
	numastat = API(numastat_fn *, "zbm_numastat");
	CHECK_EQ(numastat(-1, &stat), EINVAL);
	CHECK_EQ(numastat(NR_IDS, &stat), EINVAL);
	read_all(before);
	allocate();
	read_all(after);
	for (i = 0; i < NR_IDS; i++) {
		check_node(i, several);
		miss += after[i].numa_miss;
		foreign += after[i].numa_foreign;
	}
	CHECK_EQ(miss, foreign);
	memcpy(before, after, sizeof(before));
	memset(pages, 0, sizeof(pages));
	grow();
	read_all(after);
	for (i = 0; several && i < NR_IDS; i++)
		CHECK_OP(taken_of(i), >=, pages[i] - pages[i] / 8);
	return 0;
}
