/*
 * node - memory of a NUMA node that the program names.
 *
 * 1. Of the node whose memory the thread's heap holds it is malloc. Of others
 *    an object of a class comes from its node's slabs by itself; freed, it is
 *    as any other object of that node.
 */
#include "heap/thread_heap.h"
#include "malloc/huge.h"
#include "malloc/malloc.h"
#include "mm/zonelist.h"
#include "os/topology.h"

static void *alloc_run_of(unsigned int class, int node)
{
	size_t n = size_classes[class].size >> PAGE_SHIFT;
	struct page *page = heap_alloc_pages(0, n, PAGE_SIZE, (int)class, node);

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

/* The thread's heap has what is wanted, and is not about to be left for one
 * of another node. */
static bool is_heaps_own(int node)
{
	const struct heap *heap = thread_heap();

	return topology.max_nodes == 1 ||
	       (heap && heap->node == node && node_home(heap_here()) == node);
}

void *mem_malloc_node(size_t size, int nid)
{
	int node;
	void *p;

	if (!heap_start())
		return mem_no_memory();
	node = nid == -1 ? node_home(heap_here()) : topology_node_of(nid);
	if (node < 0) {
		errno = EINVAL;
		return NULL;
	}
	/* One that has just been found may not yet be online. */
	if (is_heaps_own(node) || !nodes[node])
		return mem_malloc(size);
	p = alloc_of(size, node);
	if (unlikely(!p)) {
		heap_flush();
		p = alloc_of(size, node);
	}
	return likely(p) ? p : mem_no_memory();
}
