/*
 * handoff - blocks that one thread allocates and another frees.
 *
 *	ring/SIZE	every second thread is a producer, which allocates; the
 *			next one its consumer, which frees
 *	remote/SIZE	threads in a circle: each allocates for the next, and
 *			frees what the one before it has allocated
 *
 * 1. Pointers go through rings of 1024, 64 at a time: one look at the other
 *    end per 64 pairs, so that the ring costs little beside the calls.
 * 2. Half of each pair of a ring/ row is done by either thread: a round of
 *    64 blocks counts as 32 iterations in each.
 * 3. `waits` says how often a thread, on average, gave its CPU away because
 *    the other end was not there yet: what the scheduler adds, or how unequal
 *    the two sides are.
 * 4. All threads do the same count of rounds, so that the rings are empty
 *    when the loop has ended.
 */
#include "rows.h"

#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/types.h>

#define RING_SIZE	1024	/* pointers; a power of two */
#define RING_SPINS	1000	/* tries before the CPU is given away */
#define RING_ALIGN	128	/* bytes; lines are fetched in pairs */

static_assert(RING_SIZE % BATCH == 0, "a batch is not divided");

struct ring {
	/* written by the producer */
	alignas(RING_ALIGN) _Atomic size_t head;
	/* written by the consumer */
	alignas(RING_ALIGN) _Atomic size_t tail;
	alignas(RING_ALIGN) void *slot[RING_SIZE];
};

static struct ring rings[MAX_THREADS];

struct ring_end {
	struct ring *ring;
	size_t at;
	int64_t nr_waits;
};

static void reset_rings(const struct shim_bench *bench)
{
	for (int i = 0; i < bench->threads; i++) {
		atomic_store(&rings[i].head, 0);
		atomic_store(&rings[i].tail, 0);
	}
}

/* Until `position`, the other end's, has come to `wanted`. */
static void ring_wait(struct ring_end *end, _Atomic size_t *position,
		      size_t wanted)
{
	unsigned int spins = 0;

	/* Pairs with the release in ring_put and ring_take. */
	while ((ssize_t)(atomic_load_explicit(position, memory_order_acquire) -
			 wanted) < 0)
		if (++spins % RING_SPINS == 0) {
			end->nr_waits++;
			sched_yield();
		}
}

static void ring_put(struct ring_end *end, const uint32_t *size)
{
	struct ring *ring = end->ring;

	if (end->at >= RING_SIZE)
		ring_wait(end, &ring->tail, end->at + BATCH - RING_SIZE);
	for (size_t i = 0; i < BATCH; i++)
		ring->slot[(end->at + i) % RING_SIZE] =
			micro_use(malloc(size[i]));
	end->at += BATCH;
	atomic_store_explicit(&ring->head, end->at, memory_order_release);
}

static void ring_take(struct ring_end *end)
{
	struct ring *ring = end->ring;

	ring_wait(end, &ring->head, end->at + BATCH);
	for (size_t i = 0; i < BATCH; i++)
		free(ring->slot[(end->at + i) % RING_SIZE]);
	end->at += BATCH;
	atomic_store_explicit(&ring->tail, end->at, memory_order_release);
}

static void report(struct shim_state *state, int64_t nr_waits)
{
	shim_set_items_processed(state, shim_iterations(state));
	shim_set_counter(state, "waits", (double)nr_waits, SHIM_AVERAGE);
}

static void run_ring(struct shim_state *state)
{
	int thread = shim_thread_index(state);
	struct ring_end end = { .ring = &rings[thread / 2] };
	struct micro_sizes sizes;

	micro_sizes_init(&sizes, shim_range(state, 0));
	while (shim_keep_running(state, BATCH / 2)) {
		if (thread % 2 == 0)
			ring_put(&end, micro_sizes_batch(&sizes));
		else
			ring_take(&end);
	}
	report(state, end.nr_waits);
}

static void run_remote(struct shim_state *state)
{
	int thread = shim_thread_index(state), nr = shim_threads(state);
	struct ring_end to = { .ring = &rings[thread] };
	struct ring_end from = { .ring = &rings[(thread + nr - 1) % nr] };
	struct micro_sizes sizes;

	micro_sizes_init(&sizes, shim_range(state, 0));
	while (shim_keep_running(state, BATCH)) {
		ring_put(&to, micro_sizes_batch(&sizes));
		ring_take(&from);
	}
	report(state, to.nr_waits + from.nr_waits);
}

void handoff_add_rows(int threads)
{
	static const int64_t size[] = { 16, 64, 512, 4096, 65536, MIXED };
	struct shim_bench row = { .setup = reset_rings, .threads = threads };

	if (threads == 1)
		return;
	for (size_t i = 0; i < array_size(size); i++) {
		row.range[0] = size[i];
		row.name = "ring";
		row.run = run_ring;
		micro_add(&row);
		row.name = "remote";
		row.run = run_remote;
		micro_add(&row);
	}
}
