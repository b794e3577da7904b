/* run: options numa=off */
/*
 * node - zbm_malloc_node where there is one node for the library: it is malloc
 * for each node that the system has, and EINVAL for all others.
 */
#include "hard.h"
#include "zbmalloc.h"

#include <limits.h>

#define NR_IDS	1024	/* of nodes; the kernel has no more */
#define NODES	"/sys/devices/system/node"

typedef void *malloc_node_fn(size_t size, int nid);

static malloc_node_fn *malloc_node;

/* Without sysfs there is one, 0. */
static int node_exists(int nid)
{
	char path[64];

	if (access(NODES "/online", R_OK))
		return nid == 0;
	snprintf(path, sizeof(path), NODES "/node%d", nid);
	return access(path, F_OK) == 0;
}

static void check_none(size_t size, int nid, int error)
{
	errno = 0;
	CHECK(!malloc_node(size, nid));
	CHECK_EQ(errno, error);
}

/* Blocks of it are as any other. */
static void check_blocks(int nid)
{
	static const size_t sizes[] = {
		0, 1, 100, 5000, 16 * KIB, 300 * KIB, 4 * MIB, 9 * MIB,
	};
	unsigned int i;

	for (i = 0; i < array_size(sizes); i++) {
		size_t n = sizes[i];
		char *p, *q;

		errno = 77;
		p = malloc_node(hide(n), nid);
		q = malloc_node(hide(n), nid);
		CHECK(p && q && p != q);
		CHECK_EQ(errno, 77);
		CHECK_EQ((uintptr_t)p % 16, 0);
		CHECK_OP(malloc_usable_size(p), >=, n);
		fill(p, n, i);
		fill(q, n, i + 1);
		p = realloc(p, 2 * n + 1);
		CHECK(p);
		VERIFY_PART(p, n, n, i);
		VERIFY(q, n, i + 1);
		free(p);
		free(q);
	}
	check_none(hide(PTRDIFF_MAX), nid, ENOMEM);
	check_none(hide(SIZE_MAX), nid, ENOMEM);
}

int main(void)
{
	static const int never[] = {
		-2, -1000, INT_MIN, NR_IDS, 1 << 20, INT_MAX,
	};
	unsigned int i;
	int nid, nr = 0;

	hard_start(50);
	malloc_node = API(malloc_node_fn *, "zbm_malloc_node");
	/* The first call of all may be one that fails. */
	check_none(100, -2, EINVAL);
	check_blocks(-1);
	for (nid = 0; nid < NR_IDS; nid++) {
		if (node_exists(nid)) {
			check_blocks(nid);
			nr++;
		} else {
			check_none(100, nid, EINVAL);
		}
	}
	CHECK_OP(nr, >, 0);
	for (i = 0; i < array_size(never); i++) {
		check_none(100, never[i], EINVAL);
		check_none(0, never[i], EINVAL);
		check_none(hide(PTRDIFF_MAX), never[i], EINVAL);
	}
	return 0;
}
