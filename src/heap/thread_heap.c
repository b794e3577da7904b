#include "heap/thread_heap.h"
#include "base/options.h"
#include "mm/page_alloc.h"
#include "mm/vmscan.h"
#include "os/os.h"
#include "os/thread.h"
#include "os/topology.h"

/* Objects of a new bin's first refill: a group, else what lies in one page,
 * at most a smallest sheaf. */
static uint16_t bin_first_want(unsigned int class)
{
	size_t n = PAGE_SIZE / size_classes[class].size;

	n = min(max(n, 1UL), (size_t)SHEAF_MIN_CAPACITY);
	return (uint16_t)max(n, (size_t)class_group(class));
}

union no_sheaf no_sheaf = { .sheaf = { .end = &sheaf_end } };

__thread struct heap *thread_heap_pointer
	__attribute__((tls_model("initial-exec")));

/* Its heap has been taken back, and it gets no other. */
static __thread bool thread_has_ended
	__attribute__((tls_model("initial-exec")));

/* The first thread's heap costs no allocation. */
static struct heap heap_first, heap_shared;

struct heap_registry registry = {
	.start_lock = LOCK_INITIALIZER(LOCK_START),
	.shared_lock = LOCK_INITIALIZER(LOCK_HEAP),
	.lock = LOCK_INITIALIZER(LOCK_HEAPS),
};

static void heap_init(struct heap *heap, int node)
{
	heap->node = node;
	heap->bins = (char *)heap - (size_t)node * HEAP_SIZE;
	heap->vm_base = vm.base;
	heap->vm_size = vm.size;
	heap->mem_map = vm.mem_map;
	heap->key = vm.key;
	memcpy(heap->bin_of_size, size_class_bins, sizeof(size_class_bins));
	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		struct bin *bin = heap_bin(heap, class_bin(class));

		bin_point_main(bin, NULL, 0);
		bin->class = (uint8_t)class;
		if (!class_is_small(class))
			bin->spare_end = bin->main_top;
		bin->want = bin_first_want(class);
		bin->magic = size_classes[class].magic;
		bin->slab_mask = (uint32_t)
			(PAGE_SIZE << size_classes[class].slab_order) - 1;
	}
	pcp_register(&heap->pcp, &nodes[node]->zone[ZONE_NORMAL]);
}

static void heap_add(struct heap *heap)
{
	lock_acquire(&registry.lock);
	heap->state = HEAP_OWNED;
	heap->owner = lock_self();
	heap->next = registry.heaps;
	registry.heaps = heap;
	/* Relaxed: read without the lock, as a hint. */
	__atomic_store_n(&registry.nr_heaps, registry.nr_heaps + 1,
			 __ATOMIC_RELAXED);
	lock_release(&registry.lock);
}

bool heap_is_shared(const struct heap *heap)
{
	return heap == &heap_shared;
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
		void **lo = bin->main_lo, **top = bin->main_top;
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

	/* By the clock its thread has done it just now. */
	if (how != RECLAIM_IDLE && own)
		heap_flush_bins(own, reclaim_is_total(how));
	if (heap_shared.vm_size && lock_try(&registry.shared_lock)) {
		heap_flush_bins(&heap_shared, true);
		lock_release(&registry.shared_lock);
	}
	lock_acquire(&registry.lock);
	for (struct heap *heap = registry.heaps; heap; heap = heap->next) {
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

static struct shrinker heap_shrinker = { .shrink = heap_shrink };
static struct shrinker barn_shrinker = { .shrink = barn_shrink_all };

static bool heap_start_locked(void)
{
	if (!os.page_size) {
		os_init();
		options_init();
		topology_init();
	}
	if (!vm.size && !memmap_init(options.window))
		return false;
	if (!meta.base && !meta_init(vm.size))
		return false;
	size_class_init();
	if (!page_alloc_init() || !barn_init_node(0))
		return false;
	/* The last one that is registered is called first: heaps to barns. */
	register_shrinker(&barn_shrinker);
	register_shrinker(&heap_shrinker);
	heap_init(&heap_first, 0);
	return true;
}

bool heap_start(void)
{
	bool first = false;

	if (__atomic_load_n(&registry.started, __ATOMIC_ACQUIRE))
		return true;
	lock_acquire(&registry.start_lock);
	if (!registry.started && heap_start_locked()) {
		thread_heap_pointer = &heap_first;
		heap_add(&heap_first);
		/* Pairs with the acquire above. */
		__atomic_store_n(&registry.started, true, __ATOMIC_RELEASE);
		first = true;
	}
	lock_release(&registry.start_lock);
	/* This may allocate. */
	if (first)
		thread_at_fork(heap_fork_prepare, heap_fork_parent,
			       heap_fork_child);
	return registry.started;
}

/* The end of a thread. What it frees from now on goes to the shared heap. */
static void heap_end(void *arg)
{
	struct heap *heap = arg;

	thread_has_ended = true;
	thread_heap_pointer = NULL;
	heap_flush_bins(heap, true);
	pcp_drain(&heap->pcp, true);
	lock_acquire(&registry.lock);
	heap->state = HEAP_FREE;
	heap->owner = 0;
	/* Relaxed: read without the lock, as a hint. */
	__atomic_store_n(&registry.nr_idle, registry.nr_idle + 1,
			 __ATOMIC_RELAXED);
	lock_release(&registry.lock);
}

static struct heap *heap_reuse(void)
{
	struct heap *heap = NULL;

	if (!__atomic_load_n(&registry.nr_idle, __ATOMIC_RELAXED))
		return NULL;
	lock_acquire(&registry.lock);
	for (heap = registry.heaps; heap; heap = heap->next)
		if (heap->state != HEAP_OWNED)
			break;
	if (heap) {
		if (heap->state == HEAP_ORPHAN)
			heap_adopt(heap);
		heap->state = HEAP_OWNED;
		heap->owner = lock_self();
		/* Relaxed: read without the lock, as a hint. */
		__atomic_store_n(&registry.nr_idle, registry.nr_idle - 1,
				 __ATOMIC_RELAXED);
	}
	lock_release(&registry.lock);
	return heap;
}

static struct heap *heap_create(void)
{
	struct heap *heap = meta_alloc(HEAP_SIZE);

	if (!heap)
		return NULL;
	heap_init(heap, topology_current_node());
	heap_add(heap);
	return heap;
}

/* The heap that this thread had before the loader gave its thread-local
 * values their first contents. */
static struct heap *heap_recover(void)
{
	struct heap *heap;

	lock_acquire(&registry.lock);
	for (heap = registry.heaps; heap; heap = heap->next)
		if (heap->state == HEAP_OWNED && heap->owner == lock_self())
			break;
	lock_release(&registry.lock);
	if (heap)
		thread_heap_pointer = heap;
	return heap;
}

static struct heap *heap_attach(void)
{
	struct heap *heap = heap_recover();

	if (heap)
		return heap;
	heap = heap_reuse();
	if (!heap)
		heap = heap_create();
	if (!heap)
		return NULL;
	thread_heap_pointer = heap;
	/* This allocates, from the heap that is in place now. */
	thread_at_exit(heap_end, heap);
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
	if (!heap_shared.vm_size)
		heap_init(&heap_shared, 0);
	return &heap_shared;
}

void heap_leave_shared(void)
{
	lock_release(&registry.shared_lock);
}

/* The first thread may end before the process, but only a process with more
 * threads has to know. */
static void heap_register_first(void)
{
	if (registry.first_registered ||
	    __atomic_load_n(&registry.nr_heaps, __ATOMIC_RELAXED) == 1)
		return;
	registry.first_registered = true;
	thread_at_exit(heap_end, &heap_first);
}

void heap_tick_slow(struct heap *heap, uint64_t now)
{
	if (heap_is_shared(heap) || !options.decay_ms)
		return;
	heap->due_ms = now + options.decay_ms / 2 + 1;
	if (heap == &heap_first)
		heap_register_first();
	heap_flush_bins(heap, false);
	reclaim_tick(now);
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

/* Other threads' bins are read while they move: what comes out torn is cut
 * to what can be. */
__attribute__((no_sanitize("thread")))
static void heap_count_one(const struct heap *heap, struct heap_counts *counts)
{
	counts->nr_heaps++;
	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		const struct bin *bin = &heap->bin[class + 1];
		const struct sheaf *sheaf = bin->spare;
		size_t most = size_classes[class].sheaf_max;
		size_t main = (size_t)(bin->main_top - bin->main_lo);
		size_t spare = sheaf ? (size_t)(bin->spare_top -
						sheaf->object) : 0;

		main = main > most ? 0 : main;
		spare = spare > most ? 0 : spare;
		counts->nr_cached[class] += main + spare;
		counts->nr_alloc[class] += heap->nr_alloc[class];
		counts->nr_free[class] += heap->nr_free[class];
		if (!class_is_small(class))
			continue;
		if (bin->main_given > main)
			counts->nr_alloc[class] += bin->main_given - main;
		if (spare > bin->spare_given)
			counts->nr_free[class] += spare - bin->spare_given;
	}
}

void heap_count(struct heap_counts *counts)
{
	*counts = (struct heap_counts){ 0 };
	lock_acquire(&registry.lock);
	if (heap_shared.vm_size)
		heap_count_one(&heap_shared, counts);
	for (struct heap *heap = registry.heaps; heap; heap = heap->next)
		heap_count_one(heap, counts);
	lock_release(&registry.lock);
}

void heap_validate(void)
{
	struct heap_counts counts;

	page_alloc_validate();
	for (int node = 0; node < MAX_NUMNODES; node++)
		for (unsigned int class = 0; nodes[node] && class < NR_CLASSES;
		     class++)
			barn_validate(barn_of(node, class));
	heap_count(&counts);
	for (unsigned int class = 0; class < NR_CLASSES; class++)
		CHECK(counts.nr_free[class] <= counts.nr_alloc[class]);
}
