/*
 * heap_fork - the allocator survives fork.
 *
 * 1. Prepare takes all locks, by rank, so that what they protect is whole in
 *    the child; and before them that of the C library's list of streams
 *    (os/thread.h).
 * 2. A handler that interrupted the allocator may fork while others wait for
 *    what its own thread holds; what they hold meanwhile is not to be had.
 *    They wait at places where that is whole (before they take a zone's
 *    lock, or metadata's): it is left to them, and free in the child. Those
 *    that only wait for a CPU are waited for, which lock.c tells apart.
 * 3. Bins have no lock. In the child the other threads' heaps are orphans;
 *    what lay in their stacks is lost, unless their threads were gone before.
 *    Fork copies the page of a bin and that of its stack at different times, so
 *    a slot may name an object that went through the program to a surviving bin
 *    meanwhile, and nothing tells.
 * 4. A process of one thread forks itself as a whole and needs none of this.
 *    The handlers are registered when somebody else registers any
 *    (os/thread.h), or by the first thread that comes to take a lock after a
 *    second one was made; the others wait for that, for who forks meanwhile
 *    does so without.
 */
#include "heap/thread_heap.h"
#include "mm/hotplug.h"
#include "mm/vmscan.h"

#include <unistd.h>

static bool zones_fork(lock_fork_fn *lock_fork)
{
	struct zone *zone;

	for_each_zone(zone)
		if (!lock_fork(&zone->lock))
			return false;
	return true;
}

static bool fork_each_lock(lock_fork_fn *take)
{
	return take(&registry.start_lock) && take(&registry.shared_lock) &&
	       reclaim_fork(take) && take(&registry.lock) &&
	       pcp_fork_list(take) && barn_fork(take) && pcp_fork(take) &&
	       take(&hotplug_lock) && zones_fork(take) && take(&meta.lock);
}

/* The other way round: a list's lock after those of its members. */
static void fork_release_all(lock_fork_fn *release)
{
	release(&meta.lock);
	zones_fork(release);
	release(&hotplug_lock);
	pcp_fork(release);
	barn_fork(release);
	pcp_fork_list(release);
	release(&registry.lock);
	reclaim_fork(release);
	release(&registry.shared_lock);
	release(&registry.start_lock);
}

void heap_fork_prepare(void)
{
	bool interrupted = !fork_each_lock(lock_fork_not_mine);

	if (!interrupted)
		heap_reap();
	thread_fork_lock_streams();
	fork_each_lock(interrupted ? lock_fork_try : lock_fork_take);
}

void heap_fork_parent(void)
{
	fork_release_all(lock_fork_parent);
	thread_fork_unlock_streams();
}

void heap_fork_child(void)
{
	for (struct heap *heap = registry.heaps; heap; heap = heap->next) {
		if (heap->state != HEAP_OWNED)
			continue;
		if (heap->owner == lock_self()) {
			/* What it had in the parent the kernel knows not. */
			if (heap->marked)
				heap_mark(heap);
			continue;
		}
		registry.lost = true;
		heap->state = HEAP_ORPHAN;
		heap->marked = false;
		heap->owner = 0;
		registry.nr_idle++;
	}
	lock_fork_forget();
	fork_release_all(lock_fork_child);
	thread_fork_reset_streams();
}

/* Survives fork in the thread that is at it. */
static __thread bool registering
	__attribute__((tls_model("initial-exec")));

void heap_fork_register(void)
{
	int who = __atomic_load_n(&registry.fork_handlers, __ATOMIC_ACQUIRE);
	bool done;
	int self;

	if (who == FORK_HANDLERS_DONE || registering)
		return;
	self = getpid();
	who = 0;
	while (!__atomic_compare_exchange_n(&registry.fork_handlers, &who,
					    self, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_ACQUIRE)) {
		if (who == FORK_HANDLERS_DONE)
			return;
		/* Of another process: lost by a fork without handlers. */
		if (who != self)
			continue;
		lock_yield();
		who = 0;
	}
	registering = true;
	/* This may allocate. Without memory the next one tries again. */
	done = thread_at_fork(heap_fork_prepare, heap_fork_parent,
			      heap_fork_child);
	registering = false;
	/* Pairs with the acquire in heap_fork_watch. */
	__atomic_store_n(&registry.fork_handlers,
			 done ? FORK_HANDLERS_DONE : 0, __ATOMIC_RELEASE);
}

void heap_adopt(struct heap *heap)
{
	for (unsigned int i = 1; i < NR_BINS; i++) {
		struct bin *bin = &heap->bin[i];

		bin_point_main(bin, NULL, 0);
		bin->spare = NULL;
		bin->given = 0;
		bin->popped = 0;
	}
	for_each_alien(node, heap)
		memset(heap_node_bins(heap, (int)node), 0,
		       sizeof(heap->bin));
	heap->alien = 0;
	heap->cached_runs = 0;
}
