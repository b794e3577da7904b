/*
 * node - memory of a NUMA node that the program names.
 *
 * 1. An object of a class comes from its node's slabs by itself, not by the
 *    thread's stacks; freed, it is as any other object of that node.
 */
#include "malloc/huge.h"
#include "malloc/malloc.h"
#include "os/topology.h"

static void *alloc_run_of(unsigned int class, int node)
{
	size_t n = size_classes[class].size >> PAGE_SHIFT;
	struct page *page = heap_alloc_pages(n, PAGE_SIZE, (int)class, node);

	return page ? page_address(page) : NULL;
}

static void *alloc_of(size_t size, int node)
{
	if (size <= SMALL_MAX)
		return heap_alloc_small_node(size_class_of(size), node);
	if (size <= CLASS_MAX)
		return alloc_run_of(size_class_of(size), node);
	return huge_alloc_node(size, PAGE_SIZE, false, node);
}

void *mem_malloc_node(size_t size, int nid)
{
	int node = -1;
	void *p;

	if (!heap_start())
		return mem_no_memory();
	if (nid != -1) {
		node = topology_node_of(nid);
		if (node < 0) {
			errno = EINVAL;
			return NULL;
		}
	}
	/* One that has just been found may not yet be online. */
	if (node < 0 || topology.max_nodes == 1 || !nodes[node])
		return mem_malloc(size);
	p = alloc_of(size, node);
	if (unlikely(!p)) {
		heap_flush();
		p = alloc_of(size, node);
	}
	return likely(p) ? p : mem_no_memory();
}
