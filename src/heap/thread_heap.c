#include "heap/thread_heap.h"
#include "base/options.h"
#include "mm/page_alloc.h"
#include "mm/vmscan.h"
#include "mm/zonelist.h"
#include "os/os.h"
#include "os/topology.h"

__thread struct thread_fast thread_fast
	__attribute__((tls_model("initial-exec"))) = { .map_end = NO_MAP_END };

/* Where destructors tell the end: it will be told; its heap has been taken
 * back, and it gets no other. */
static __thread bool end_is_told, thread_has_ended
	__attribute__((tls_model("initial-exec")));

/* The least number of threads that a window has room for the caches of: what
 * others cache is out of reach when memory runs out. */
#define WINDOW_CACHES	64

/* Where there is one node, these cost no allocation. In this order: a page of
 * the second is not touched for the first. */
static struct {
	struct heap of_first, of_all;
} single;

struct heap_registry registry = {
	.start_lock = LOCK_INITIALIZER(LOCK_START),
	.shared_lock = LOCK_INITIALIZER(LOCK_HEAP),
	.lock = LOCK_INITIALIZER(LOCK_HEAPS),
};

void thread_set_heap(struct heap *heap)
{
	thread_fast.size_end = 0;
	thread_fast.map_end = NO_MAP_END;
	/* A handler that interrupts this finds nothing, or all. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	thread_fast.heap = heap;
	if (!heap)
		return;
	thread_fast.bins = (char *)heap_node_bins(heap, 0);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	thread_fast.map_end = vm.map_end;
	thread_stop_watching();
}

void thread_stop_watching(void)
{
	if (!heap_counts_calls())
		thread_fast.size_end = LOOKUP_MAX + 1;
}

static void heap_init(struct heap *heap, int node)
{
	heap->node = node;
	heap->barns = barn_sets(node);
	memcpy(heap->bin_of_size, size_class_bins, sizeof(size_class_bins));
	for (unsigned int i = 1; i < NR_BINS; i++)
		bin_init(&heap->bin[i], bin_class((size_t)i << BIN_SHIFT));
	pcp_register(&heap->pcp, &nodes[node]->zone[ZONE_NORMAL]);
}

/* With room beside it for the bins of the other nodes. `single` serves where
 * there are none. NULL without memory. */
static struct heap *heap_create(struct heap *single, int here)
{
	int node = node_home(here);
	struct heap *heap = single;
	char *area;

	if (!single || topology.max_nodes > 1) {
		area = meta_alloc((size_t)topology.max_nodes * HEAP_SIZE);
		if (!area)
			return NULL;
		heap = (struct heap *)(void *)(area + node * HEAP_SIZE);
	}
	heap_init(heap, node);
	heap->near = here;
	return heap;
}

static void heap_own(struct heap *heap)
{
	heap->state = HEAP_OWNED;
	heap->owner = lock_self();
}

static void heap_add(struct heap *heap)
{
	lock_acquire(&registry.lock);
	heap_own(heap);
	heap->number = (uint8_t)registry.nr_heaps;
	barn_open_lane(heap->number);
	heap->next = registry.heaps;
	registry.heaps = heap;
	/* Relaxed: read without the lock, as a hint. */
	__atomic_store_n(&registry.nr_heaps, registry.nr_heaps + 1,
			 __ATOMIC_RELAXED);
	lock_release(&registry.lock);
}

/* Its thread is gone; the caller has its mark now. Under the registry lock. */
static bool heap_is_left(struct heap *heap)
{
	return heap->state == HEAP_OWNED && heap->marked &&
	       thread_mark_take(&heap->mark);
}

/* The heap waits for a thread. Under the registry lock. */
static void heap_put_back(struct heap *heap)
{
	if (heap->marked)
		thread_mark_drop(&heap->mark);
	heap->marked = false;
	heap->state = HEAP_FREE;
	heap->owner = 0;
	/* Relaxed: read without the lock, as a hint. */
	__atomic_store_n(&registry.nr_idle, registry.nr_idle + 1,
			 __ATOMIC_RELAXED);
}

static void heap_reap_one(struct heap *heap)
{
	if (!heap_is_left(heap))
		return;
	heap_put_back(heap);
	pcp_drain(&heap->pcp, true);
}

void heap_reap(void)
{
	lock_acquire(&registry.lock);
	for (struct heap *heap = registry.heaps; heap; heap = heap->next)
		heap_reap_one(heap);
	lock_release(&registry.lock);
}

/*
 * The cached runs of a thread that may be asleep, where they lie. Its bins
 * move while they are read, and the sheaves may be gone: what is read is
 * taken for what it is only if it names a cached run, whosesoever that is.
 */
__attribute__((no_sanitize("thread")))
static void heap_purge_runs(struct heap *heap, enum reclaim how)
{
	for (unsigned int class = NR_SMALL_CLASSES; class < NR_CLASSES;
	     class++) {
		const struct bin *bin = &heap->bin[class + 1];
		void **lo = bin->lo, **top = bin->top;
		bool still = heap->runs_seen[class - NR_SMALL_CLASSES] == top;

		heap->runs_seen[class - NR_SMALL_CLASSES] = top;
		if ((!reclaim_is_total(how) && !still) ||
		    !meta_contains(lo) ||
		    top - lo > size_classes[class].sheaf_max)
			continue;
		for (; lo < top; lo++)
			if (vm_contains(*lo))
				run_purge_cached(pfn_to_page(
						address_to_pfn(*lo)));
	}
}

/* Objects that nobody owns, those that everybody shares and, in need, those
 * of the calling thread: its bin that is being filled is empty. */
static void heap_shrink(enum reclaim how)
{
	struct heap *own = thread_heap();
	struct heap *shared = heap_shared();

	/* By the clock its thread has done it just now. */
	if (how != RECLAIM_IDLE && own)
		heap_flush_bins(own, reclaim_is_total(how));
	if (shared && lock_try(&registry.shared_lock)) {
		heap_flush_bins(shared, true);
		lock_release(&registry.shared_lock);
	}
	lock_acquire(&registry.lock);
	for (struct heap *heap = registry.heaps; heap; heap = heap->next) {
		if (heap != own)
			heap_reap_one(heap);
		if (heap->state == HEAP_OWNED) {
			if (heap != own && reclaim_purges(how))
				heap_purge_runs(heap, how);
			continue;
		}
		if (heap->state == HEAP_ORPHAN)
			heap_adopt(heap);
		heap->state = HEAP_FREE;
		heap_flush_bins(heap, true);
	}
	lock_release(&registry.lock);
}

/* The last one that is registered is called first: heaps to barns. */
static void heap_start_shrinkers(void)
{
	static struct shrinker heaps, barns;

	barns.count = barn_count_runs;
	barns.shrink = barn_shrink_all;
	register_shrinker(&barns);
	heaps.shrink = heap_shrink;
	register_shrinker(&heaps);
}

static bool heap_start_nodes(void)
{
	for (int node = 0; node < topology.nr_nodes; node++)
		if (!nodes[node] &&
		    !(barn_init_node(node) && node_online(node)))
			return false;
	return true;
}

static bool heap_start_locked(void)
{
	if (!os.page_size) {
		os_init();
		options_init();
		topology_init();
	}
	if (!vm.size && !memmap_init(options.window))
		return false;
	options.cache = min(options.cache, vm.size / WINDOW_CACHES);
	if (!meta.end &&
	    !meta_init(vm.size, pfn_to_address(0), vm.front_size))
		return false;
	size_class_init();
	if (!heap_start_nodes())
		return false;
	registry.first = heap_create(&single.of_first, heap_here());
	/* It must be there when there is no memory left. */
	if (topology.max_nodes > 1)
		registry.shared = heap_create(NULL, heap_here());
	if (!registry.first || (topology.max_nodes > 1 && !registry.shared))
		return false;
	heap_start_shrinkers();
	return true;
}

static bool heap_start_first(void)
{
	lock_acquire(&registry.start_lock);
	if (!registry.started && heap_start_locked()) {
		thread_set_heap(registry.first);
		heap_add(registry.first);
		/* Pairs with the acquire in heap_start. */
		__atomic_store_n(&registry.started, true, __ATOMIC_RELEASE);
	}
	lock_release(&registry.start_lock);
	if (!thread_sees_atfork())
		heap_fork_register();
	return registry.started;
}

bool heap_start(void)
{
	if (unlikely(!__atomic_load_n(&registry.started, __ATOMIC_ACQUIRE)) &&
	    !heap_start_first())
		return false;
	heap_fork_watch();
	return true;
}

void heap_leave_behind(struct heap *heap)
{
	heap_flush_bins(heap, true);
	pcp_drain(&heap->pcp, true);
	lock_acquire(&registry.lock);
	heap_put_back(heap);
	lock_release(&registry.lock);
}

/* The thread says that it ends. What it frees from now on goes to the shared
 * heap. */
static void heap_end(void *unused __attribute__((unused)))
{
	struct heap *heap = thread_heap();

	thread_has_ended = true;
	thread_set_heap(NULL);
	if (heap)
		heap_leave_behind(heap);
}

static struct heap *heap_reuse(int node)
{
	struct heap *heap = NULL;

	if (!__atomic_load_n(&registry.nr_idle, __ATOMIC_RELAXED) &&
	    !thread_marks_work())
		return NULL;
	lock_acquire(&registry.lock);
	for (heap = registry.heaps; heap; heap = heap->next)
		if (heap->node == node && (heap->state != HEAP_OWNED ||
					   heap_is_left(heap)))
			break;
	if (heap) {
		if (heap->state == HEAP_ORPHAN)
			heap_adopt(heap);
		/* Relaxed: read without the lock, as a hint. */
		if (heap->state != HEAP_OWNED)
			__atomic_store_n(&registry.nr_idle,
					 registry.nr_idle - 1,
					 __ATOMIC_RELAXED);
		heap_own(heap);
	}
	lock_release(&registry.lock);
	return heap;
}

struct heap *heap_take(int here)
{
	struct heap *heap = heap_reuse(node_home(here));

	if (heap) {
		heap->near = here;
	} else {
		heap = heap_create(NULL, here);
		if (!heap)
			return NULL;
		heap_add(heap);
	}
	heap->barns = heap_barns_here(heap->node);
	return heap;
}

/* The heap that this thread had before the loader gave its thread-local
 * values their first contents; or that of a thread that is gone, in whose
 * place in memory this one is. */
static struct heap *heap_recover(void)
{
	struct heap *heap;

	lock_acquire(&registry.lock);
	for (heap = registry.heaps; heap; heap = heap->next)
		if (heap->state == HEAP_OWNED && heap->owner == lock_self())
			break;
	/* If it is not this thread's already. */
	if (heap && heap->marked)
		thread_mark_take(&heap->mark);
	lock_release(&registry.lock);
	return heap;
}

static struct heap *heap_attach(void)
{
	struct heap *heap = heap_recover();

	if (!heap) {
		heap_fork_register();
		heap = heap_take(heap_here());
	}
	if (!heap)
		return NULL;
	thread_set_heap(heap);
	if (heap != registry.first)
		heap_watch_end(heap);
	/* What a thread that is gone has left lies among its objects. */
	heap_flush_bins(heap, true);
	return heap;
}

struct heap *heap_enter_slow(void)
{
	struct heap *heap = NULL;

	if (!heap_start())
		return NULL;
	if (thread_heap())
		heap = thread_heap();
	else if (!thread_has_ended)
		heap = heap_attach();
	if (heap)
		return heap;
	lock_acquire(&registry.shared_lock);
	if (!registry.shared)
		/* Pairs with the acquire in heap_shared. */
		__atomic_store_n(&registry.shared,
				 heap_create(&single.of_all, 0),
				 __ATOMIC_RELEASE);
	return registry.shared;
}

void heap_leave_shared(void)
{
	lock_release(&registry.shared_lock);
}

void heap_mark(struct heap *heap)
{
	thread_mark_init(&heap->mark);
	heap->marked = thread_mark_take(&heap->mark);
}

void heap_watch_end(struct heap *heap)
{
	if (heap->marked || end_is_told)
		return;
	if (thread_marks_work()) {
		lock_acquire(&registry.lock);
		heap_mark(heap);
		lock_release(&registry.lock);
	} else {
		end_is_told = true;
		/* This allocates, from the heap that is in place now. */
		thread_at_exit(heap_end, NULL);
	}
}

void heap_tick_slow(struct heap *heap, uint64_t now)
{
	if (heap_is_shared(heap) || !options.decay_ms)
		return;
	heap->due_ms = decay_next_look(now);
	/* The first thread may end before the process, but only a process with
	 * more threads has to know. */
	if (heap == registry.first && nr_heaps() > 1)
		heap_watch_end(heap);
	heap_flush_bins(heap, false);
	reclaim_tick(now);
	heap->watched = WATCHED_CALLS;
	thread_fast.size_end = 0;
}

void heap_flush(void)
{
	struct heap *heap = heap_enter();

	if (!heap)
		return;
	heap_flush_bins(heap, true);
	pcp_drain(&heap->pcp, true);
	heap_leave(heap);
}
