/*
 * heap_node - heaps on a machine with more than one NUMA node, or more than one
 * last-level cache.
 *
 * 1. A heap is of one node. Its thread leaves it for one of another node when
 *    it was seen to run there twice in a row; what the heap held goes to barns
 *    and zones.
 * 2. In front of the heap's own bins and behind them lie those of the other
 *    nodes: an object that is freed is pushed there as it is at home, and
 *    malloc never sees it. A full sheaf goes to the barn of its node, or into
 *    its slabs: remote memory is written once for many objects.
 * 3. A refill asks the slabs of the node first, then in the order of its
 *    zonelist those of the others, and only then for reclaim. With
 *    numa=interleave each refill begins at the next node.
 * 4. Every quarter of decay_ms (0: never) some thread's slow path looks for
 *    nodes that came or went. What is free then goes back to the kernel, to be
 *    placed anew.
 * 5. A heap goes to the barns of the cache at which its thread was last seen.
 *    What it holds is good anywhere on the node.
 */
#include "heap/thread_heap.h"
#include "mm/hotplug.h"
#include "mm/zonelist.h"
#include "os/llc.h"
#include "os/topology.h"

#define AWAY_TO_MOVE	2	/* looks in a row */

/* Objects in an alien sheaf: there is one for each thread, node and class. By
 * the model (docs/DESIGN.md) 125 hold 2.4 times the memory, and are a tenth
 * faster. */
#define ALIEN_MAX	32
#define ALIEN_MAX_SIZE	2048UL	/* bytes; of larger ones a smallest sheaf */

int heap_here(void)
{
	int node = topology_current_node();

	return nodes[node] ? node : 0;
}

struct barn_set *heap_barns_here(int node)
{
	struct barn_set *set = barn_sets(node);
	int nr = __atomic_load_n(&llc.nr, __ATOMIC_ACQUIRE);

	/* Somebody else makes sets: the next look will do. */
	if (likely(nr == 1) || !lock_try(&registry.start_lock))
		return set;
	if (!llc.nr)
		llc_init();
	if (llc_is_divided())
		set = barn_set_of(node, llc_current());
	lock_release(&registry.start_lock);
	return set;
}

static void heap_move(struct heap *heap, int here)
{
	struct heap *next = heap_take(here);

	if (!next)
		return;
	thread_set_heap(next);
	heap_leave_behind(heap);
	heap_watch_end(next);
}

/* New nodes come online, and all take their new places. */
static void nodes_apply(void)
{
	for (int node = 0; node < topology.nr_nodes; node++) {
		bool online = nodes[node];

		if (!online && barn_init_node(node)) {
			lock_acquire(&hotplug_lock);
			online = node_online(node);
			lock_release(&hotplug_lock);
		}
		if (!online)
			break;
	}
	/* Nobody takes memory of a node that is back before all of it has its
	 * place; what is free may lie where the kernel has moved it. */
	lock_acquire(&hotplug_lock);
	sections_place_all();
	lock_release(&hotplug_lock);
	reclaim_all();
	lock_acquire(&hotplug_lock);
	zonelists_rebuild();
	lock_release(&hotplug_lock);
}

static void nodes_follow(uint64_t now)
{
	static uint64_t due_ms;

	if (now < __atomic_load_n(&due_ms, __ATOMIC_RELAXED) ||
	    !options.decay_ms || !lock_try(&registry.start_lock))
		return;
	__atomic_store_n(&due_ms, decay_next_look(now), __ATOMIC_RELAXED);
	if (topology_follow())
		nodes_apply();
	lock_release(&registry.start_lock);
}

static struct heap *heap_follow_node(struct heap *heap, uint64_t now)
{
	int here;

	nodes_follow(now);
	here = heap_here();
	if (node_home(here) == heap->node) {
		heap->near = here;
		heap->away = 0;
	} else {
		heap->away++;
	}
	if (unlikely(heap->away == AWAY_TO_MOVE)) {
		heap->away = 0;
		heap_move(heap, here);
	}
	return thread_heap();
}

struct heap *heap_follow(struct heap *heap, uint64_t now)
{
	if (heap_is_shared(heap))
		return heap;
	if (topology.max_nodes > 1)
		heap = heap_follow_node(heap, now);
	if (llc_is_divided() && llc_current() != barn_set_cache(heap->barns))
		heap->barns = heap_barns_here(heap->node);
	return heap;
}

int heap_refill_node(struct heap *heap)
{
	uint64_t allowed = __atomic_load_n(&topology.allowed,
					   __ATOMIC_RELAXED);

	if (options.numa != NUMA_INTERLEAVED)
		return heap->near;
	do
		heap->next_node = (heap->next_node + 1) % topology.nr_nodes;
	while (!(allowed >> heap->next_node & 1) || !nodes[heap->next_node]);
	return heap->next_node;
}

static size_t refill_walk(const struct heap *heap, struct pcp *pcp, int node,
			  gfp_t gfp, struct barn *barn, void **out, size_t n)
{
	struct zone *const *at = node_zonelist(node, 0)->zone, *zone;
	size_t got = 0;

	for (; !got && (zone = zonelist_zone(at)); at++)
		if (zone->type == ZONE_NORMAL)
			got = barn_refill(zone->node == barn->node ? barn :
					  barn_of(zone->node, barn->class),
					  heap->number, pcp, gfp, out, n);
	return got;
}

size_t heap_refill_near(const struct heap *heap, struct pcp *pcp, int node,
			struct barn *barn, void **out, size_t n)
{
	uint32_t seq;
	size_t got;

	do {
		seq = zonelist_begin();
		got = refill_walk(heap, pcp, node, GFP_USER | GFP_NORETRY,
				  barn, out, n);
		if (unlikely(!got))
			got = refill_walk(heap, pcp, node, GFP_USER, barn,
					  out, n);
	} while (unlikely(!got) && zonelist_retry(seq));
	return got;
}

static size_t alien_most(unsigned int class)
{
	return size_classes[class].size <= ALIEN_MAX_SIZE ? ALIEN_MAX :
							    SHEAF_MIN_CAPACITY;
}

bool alien_make_room(struct heap *heap, struct bin *bin, uint64_t word)
{
	int node = word_node(word);
	unsigned int class = bin_class(word & PAGE_BIN_MASK);
	struct barn *home = barn_of(node, class);
	struct sheaf *main, *empty;

	if (!bin->want)
		bin_init(bin, class);
	heap->alien |= 1UL << node;
	main = bin_main(bin);
	if (main) {
		main->nr = (uint16_t)bin_main_count(bin);
		if (bin_count_miss(bin))
			bin_want_more(bin, alien_most(class));
		if (!barn_put_full(home, heap->number, main, bin->want,
				   &empty)) {
			bin_flush_main(heap, bin);
			return true;
		}
	} else {
		empty = barn_get_empty(home, heap->number, bin->want);
	}
	bin_set_main(heap, bin, empty, 0);
	return empty;
}

void heap_flush_alien(struct heap *heap)
{
	for_each_alien(node, heap)
		for (unsigned int class = 0; class < NR_SMALL_CLASSES; class++)
			bin_flush_main(heap,
				       heap_node_bin(heap, (int)node,
						     class_free_bin(class)));
}
