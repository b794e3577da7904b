/*
 * barn_lane - full and empty sheaves change hands, under the lock of a lane.
 *
 * 1. A heap puts sheaves into its own lane, and takes them out of that first.
 * 2. When its own has no full one, it takes one of another lane's, and leaves
 *    its empty one there: whoever fills sheaves needs them. But not what that
 *    lane's heaps have come back for lately, as far as it fits the cache of
 *    their CPU: threads that go on at the same time would have their objects
 *    mixed, down to pages and lines.
 * 3. Counts are also read without the lock, as hints, so that a lane without
 *    anything costs a look.
 */
#include "mm/page_alloc.h"
#include "slab/barn.h"

/* What a lane keeps at most. */
#define LANE_MAX_FULL	512		/* sheaves */
#define LANE_MAX_BYTES	(16UL << 20)	/* in full sheaves */

/* What others may not take: about a CPU's own cache. */
#define LANE_OWN_BYTES	(1UL << 20)

/* How many empty ones, at least: else as many as it may get back full. */
#define LANE_MIN_EMPTY	16		/* sheaves */

static struct lane *lane_of(struct barn *barn, unsigned int heap)
{
	return &barn->lane[heap % BARN_LANES];
}

static size_t lane_max_full(const struct lane *lane)
{
	return BARN_MIN_FULL + (size_t)lane->more_full;
}

static size_t lane_max_empty(const struct lane *lane)
{
	return max(lane_max_full(lane), (size_t)LANE_MIN_EMPTY);
}

static void lane_set_overflowed(struct lane *lane, bool overflowed)
{
	__atomic_store_n(&lane->overflowed, overflowed, __ATOMIC_RELAXED);
}

/* True: the lane has it now. */
static bool lane_push_empty(struct lane *lane, struct sheaf *empty)
{
	if (!empty)
		return true;
	if (lane->nr_empty >= lane_max_empty(lane))
		return false;
	empty->nr = 0;
	sheaf_push(&lane->empty, &lane->nr_empty, empty);
	return true;
}

/* One that it refused is missed now. */
static void lane_keep_more(struct lane *lane)
{
	size_t most = min(2 * lane_max_full(lane), (size_t)LANE_MAX_FULL);

	lane->more_full = (uint16_t)(most - BARN_MIN_FULL);
	lane_set_overflowed(lane, false);
}

static void lane_set_taken(struct lane *lane, uint16_t taken, uint16_t most)
{
	lane->taken = taken;
	__atomic_store_n(&lane->most_taken, most, __ATOMIC_RELAXED);
}

static void lane_count_taken(struct lane *lane)
{
	uint16_t taken = (uint16_t)(lane->taken + 1);

	lane_set_taken(lane, taken, max(lane->most_taken, taken));
}

/* For other lanes' heaps. */
static bool lane_has_surplus(const struct lane *lane, size_t size)
{
	return lane->nr_full > lane->most_taken - lane->taken ||
	       lane->nr_objects * size > LANE_OWN_BYTES;
}

static struct sheaf *lane_get_full(struct lane *lane, struct sheaf *empty,
				   bool own, size_t size)
{
	struct sheaf *full = NULL;
	bool kept = true;

	if (!__atomic_load_n(&lane->nr_full, __ATOMIC_RELAXED) &&
	    !__atomic_load_n(&lane->overflowed, __ATOMIC_RELAXED))
		return NULL;
	lock_acquire(&lane->lock);
	if (own || lane_has_surplus(lane, size))
		full = sheaf_pop(&lane->full, &lane->nr_full);
	if (full && own)
		lane_count_taken(lane);
	if (full) {
		lane->low_full = min(lane->low_full, lane->nr_full);
		lane->nr_objects -= full->nr;
		kept = lane_push_empty(lane, empty);
	} else if (lane->overflowed && !lane->nr_full) {
		lane_keep_more(lane);
	}
	lock_release(&lane->lock);
	if (!kept)
		sheaf_free(empty);
	return full;
}

struct sheaf *barn_get_full(struct barn *barn, uint8_t heap,
			    struct sheaf *empty)
{
	size_t size = size_classes[barn->class].size;
	struct sheaf *full = NULL;

	for (unsigned int i = 0; i < BARN_LANES && !full; i++)
		full = lane_get_full(lane_of(barn, heap + i), empty, !i, size);
	return full;
}

static bool lane_has_room(const struct lane *lane, const struct sheaf *full,
			  size_t size)
{
	return lane->nr_full < lane_max_full(lane) &&
	       (lane->nr_objects + (size_t)full->nr) * size <= LANE_MAX_BYTES;
}

bool barn_put_full(struct barn *barn, uint8_t heap, struct sheaf *full,
		   size_t want, struct sheaf **empty)
{
	struct lane *lane = lane_of(barn, heap);
	bool room;

	*empty = NULL;
	lock_acquire(&lane->lock);
	room = lane_has_room(lane, full, size_classes[barn->class].size);
	if (room) {
		sheaf_push(&lane->full, &lane->nr_full, full);
		lane->nr_objects += full->nr;
		lane->taken -= lane->taken > 0;
		if (want)
			*empty = sheaf_pop(&lane->empty, &lane->nr_empty);
	} else {
		lane_set_overflowed(lane, true);
	}
	lock_release(&lane->lock);
	if (room && want)
		*empty = sheaf_fit(*empty, want);
	return room;
}

struct sheaf *barn_get_empty(struct barn *barn, uint8_t heap, size_t want)
{
	struct lane *lane = lane_of(barn, heap);
	struct sheaf *empty = NULL;

	if (__atomic_load_n(&lane->nr_empty, __ATOMIC_RELAXED)) {
		lock_acquire(&lane->lock);
		empty = sheaf_pop(&lane->empty, &lane->nr_empty);
		lock_release(&lane->lock);
	}
	return sheaf_fit(empty, want);
}

/* Takes `n` sheaves out. */
static struct sheaf *stack_detach(struct sheaf **stack, uint16_t *nr, size_t n)
{
	struct sheaf *list = NULL;
	uint16_t count = 0;

	while (n--)
		sheaf_push(&list, &count, sheaf_pop(stack, nr));
	return list;
}

static void sheaf_free_list(struct sheaf *sheaf)
{
	for (struct sheaf *next; sheaf; sheaf = next) {
		next = sheaf->next;
		sheaf_free(sheaf);
	}
}

static void flush_full(struct barn *barn, struct sheaf *full)
{
	for (struct sheaf *sheaf = full; sheaf; sheaf = sheaf->next)
		if (class_is_small(barn->class))
			barn_flush(NULL, sheaf->object, sheaf->nr);
		else
			barn_flush_runs(NULL, sheaf->object, sheaf->nr);
	sheaf_free_list(full);
}

/* Its full sheaves that lay unused, or all; empty ones beyond what it may
 * have then. */
static void lane_shrink(struct barn *barn, struct lane *lane, bool all)
{
	struct sheaf *full, *empty = NULL;

	lock_acquire(&lane->lock);
	full = stack_detach(&lane->full, &lane->nr_full,
			    all ? lane->nr_full : lane->low_full);
	for (struct sheaf *sheaf = full; sheaf; sheaf = sheaf->next)
		lane->nr_objects -= sheaf->nr;
	lane->more_full -= min(lane->more_full, lane->low_full);
	lane->low_full = lane->nr_full;
	lane_set_taken(lane, 0, 0);
	if (lane->nr_empty > lane_max_empty(lane))
		empty = stack_detach(&lane->empty, &lane->nr_empty,
				     lane->nr_empty - lane_max_empty(lane));
	lock_release(&lane->lock);
	flush_full(barn, full);
	sheaf_free_list(empty);
}

static bool lane_is_used(struct lane *lane)
{
	return __atomic_load_n(&lane->nr_full, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&lane->nr_empty, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&lane->most_taken, __ATOMIC_RELAXED);
}

void barn_shrink_lanes(struct barn *barn, enum reclaim how)
{
	for_each_lane(lane, barn)
		if (lane_is_used(lane))
			lane_shrink(barn, lane, reclaim_is_total(how));
}

size_t barn_nr_cached(struct barn *barn)
{
	size_t n = 0;

	for_each_lane(lane, barn) {
		lock_acquire(&lane->lock);
		n += lane->nr_objects;
		lock_release(&lane->lock);
	}
	return n;
}

void lane_validate(struct lane *lane)
{
	size_t nr_full = 0, nr_empty = 0, nr_objects = 0;

	lock_acquire(&lane->lock);
	for (struct sheaf *s = lane->full; s; s = s->next) {
		CHECK(s->nr && s->nr <= s->capacity);
		nr_objects += s->nr;
		nr_full++;
	}
	for (struct sheaf *s = lane->empty; s; s = s->next)
		nr_empty++;
	CHECK(nr_full == lane->nr_full && nr_empty == lane->nr_empty);
	CHECK(nr_objects == lane->nr_objects);
	CHECK(nr_full <= LANE_MAX_FULL && lane->taken <= lane->most_taken);
	lock_release(&lane->lock);
}
