/*
 * barn_lane - full and empty sheaves change hands, under the lock of a lane.
 *
 * 1. A heap puts sheaves into its own lane, and takes them out of that first.
 * 2. When its own has no full one, it takes one of another lane's, and leaves
 *    its empty one there: whoever fills sheaves needs them. But not what that
 *    lane's heaps have come for lately, in vain or not, and will come for
 *    again, as far as it may lie in the cache of their CPU: threads that go on
 *    at the same time would have their objects mixed, down to pages and lines.
 *    When memory is short all may be taken.
 * 3. Who finds nothing in its own lane looks at a few others, on from the one
 *    that last gave, and the next time at the next ones.
 * 4. Counts are also read without the lock, as hints, so that a lane that has
 *    nothing to give costs a look. Limits of a barn are kept by hints, too.
 */
#include "slab/barn.h"

#define LANE_MAX_FULL	512		/* sheaves that a lane keeps at most */
#define BARN_MAX_BYTES	(16UL << 20)	/* in full sheaves; a lane may always
					 * have its part: of few lanes a 4th */
#define FEW_LANES	4U

/* Lanes of others that a heap looks at before it asks the slabs. */
#define LANE_LOOKS	4U

/* How many empty ones may stay: as many as it may get back full, and some. */
#define LANE_MIN_EMPTY	4		/* sheaves */

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
	__atomic_store_n(&lane->taken, taken, __ATOMIC_RELAXED);
	__atomic_store_n(&lane->most_taken, most, __ATOMIC_RELAXED);
}

static void lane_count_taken(struct lane *lane)
{
	uint16_t taken = (uint16_t)min(lane->taken + 1, LANE_MAX_FULL);

	lane_set_taken(lane, taken, max(lane->most_taken, taken));
}

/* Who is in the midst of a turn goes on with it. */
static void lane_restart_taken(struct lane *lane, bool forget)
{
	uint16_t before = forget ? 0 : lane->most_taken;
	uint16_t taken = forget ? 0 : lane->taken;

	__atomic_store_n(&lane->most_before, before, __ATOMIC_RELAXED);
	lane_set_taken(lane, taken, taken);
}

static size_t lane_nr_objects(const struct lane *lane)
{
	return __atomic_load_n(&lane->nr_objects, __ATOMIC_RELAXED);
}

static void lane_set_nr_objects(struct lane *lane, size_t n)
{
	__atomic_store_n(&lane->nr_objects, (uint32_t)n, __ATOMIC_RELAXED);
}

/* Heaps of other lanes may take one. Also without the lock, as a hint. */
static bool lane_has_surplus(const struct lane *lane, size_t size)
{
	int nr_full = __atomic_load_n(&lane->nr_full, __ATOMIC_RELAXED);
	int taken = __atomic_load_n(&lane->taken, __ATOMIC_RELAXED);
	int most = __atomic_load_n(&lane->most_taken, __ATOMIC_RELAXED);
	int before = __atomic_load_n(&lane->most_before, __ATOMIC_RELAXED);

	return nr_full > max(most, before) - taken ||
	       lane_nr_objects(lane) * size > CPU_CACHE_BYTES ||
	       (nr_full && reclaim_is_pressed());
}

/* It has refused a sheaf and is empty now. */
static bool lane_was_short(const struct lane *lane)
{
	return !__atomic_load_n(&lane->nr_full, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&lane->overflowed, __ATOMIC_RELAXED);
}

/* Also without the lock, as a hint. */
static bool lane_may_give(const struct lane *lane, bool own, size_t size)
{
	return own ? __atomic_load_n(&lane->nr_full, __ATOMIC_RELAXED) :
		     lane_has_surplus(lane, size);
}

static struct sheaf *lane_get_full(struct lane *lane, struct sheaf *empty,
				   bool own, size_t size)
{
	struct sheaf *full = NULL;
	bool kept = true;

	if (!own && !lane_may_give(lane, own, size) && !lane_was_short(lane))
		return NULL;
	lock_acquire(&lane->lock);
	if (own)
		lane_count_taken(lane);
	if (lane_may_give(lane, own, size)) {
		full = sheaf_pop(&lane->full, &lane->nr_full);
		lane->low_full = min(lane->low_full, lane->nr_full);
		lane_set_nr_objects(lane, lane->nr_objects - full->nr);
		kept = lane_push_empty(lane, empty);
	} else if (lane_was_short(lane)) {
		lane_keep_more(lane);
	}
	lock_release(&lane->lock);
	if (!kept)
		sheaf_free(empty);
	return full;
}

/* Another lane's, for heaps of this one. */
static struct sheaf *lane_get_others(struct barn *barn, unsigned int number,
				     struct sheaf *empty)
{
	size_t size = size_classes[barn->class].size;
	struct lane *own = barn_lane(barn, number);
	unsigned int others = nr_lanes() - 1, looks = min(others, LANE_LOOKS);
	unsigned int at = __atomic_load_n(&own->next, __ATOMIC_RELAXED);
	struct sheaf *full = NULL;

	if (reclaim_is_pressed())
		looks = others;
	for (; looks && !full; looks--) {
		unsigned int n = (number + 1 + at) % (others + 1);

		full = lane_get_full(barn_lane(barn, n), empty, false, size);
		if (!full)
			at = at + 1 < others ? at + 1 : 0;
	}
	__atomic_store_n(&own->next, (uint8_t)at, __ATOMIC_RELAXED);
	return full;
}

struct sheaf *barn_get_full(struct barn *barn, uint8_t heap,
			    struct sheaf *empty)
{
	size_t size = size_classes[barn->class].size;
	unsigned int number = lane_number(heap);
	struct sheaf *full = lane_get_full(barn_lane(barn, number), empty,
					   true, size);

	return full ? full : lane_get_others(barn, number, empty);
}

size_t barn_nr_cached(struct barn *barn)
{
	size_t n = 0;

	for_each_lane(lane, barn)
		n += lane_nr_objects(lane);
	return n;
}

static bool lane_has_room(struct barn *barn, const struct lane *lane, size_t n)
{
	size_t size = size_classes[barn->class].size;
	size_t part = BARN_MAX_BYTES / max(nr_lanes(), FEW_LANES);

	return lane->nr_full < lane_max_full(lane) &&
	       ((lane->nr_objects + n) * size <= part ||
		(barn_nr_cached(barn) + n) * size <= BARN_MAX_BYTES);
}

bool barn_put_full(struct barn *barn, uint8_t heap, struct sheaf *full,
		   size_t want, struct sheaf **empty)
{
	struct lane *lane = barn_lane(barn, lane_number(heap));
	bool room;

	*empty = NULL;
	lock_acquire(&lane->lock);
	room = lane_has_room(barn, lane, full->nr);
	if (room) {
		sheaf_push(&lane->full, &lane->nr_full, full);
		lane_set_nr_objects(lane, lane->nr_objects + full->nr);
		if (lane->taken)
			lane_set_taken(lane, (uint16_t)(lane->taken - 1),
				       lane->most_taken);
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
	struct lane *lane = barn_lane(barn, lane_number(heap));
	struct sheaf *empty = NULL;

	if (__atomic_load_n(&lane->nr_empty, __ATOMIC_RELAXED)) {
		lock_acquire(&lane->lock);
		empty = sheaf_pop(&lane->empty, &lane->nr_empty);
		lock_release(&lane->lock);
	}
	return sheaf_fit(empty, want);
}

/* Takes out the n that have been there longest. */
static struct sheaf *stack_detach(struct sheaf **stack, uint16_t *nr, size_t n)
{
	struct sheaf *list;
	size_t left = *nr - n;

	__atomic_store_n(nr, (uint16_t)left, __ATOMIC_RELAXED);
	while (left--)
		stack = &(*stack)->next;
	list = *stack;
	*stack = NULL;
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
	size_t n = 0;

	lock_acquire(&lane->lock);
	full = stack_detach(&lane->full, &lane->nr_full,
			    all ? lane->nr_full : lane->low_full);
	for (struct sheaf *sheaf = full; sheaf; sheaf = sheaf->next)
		n += sheaf->nr;
	lane_set_nr_objects(lane, lane->nr_objects - n);
	lane->more_full -= min(lane->more_full, lane->low_full);
	lane->low_full = lane->nr_full;
	lane_restart_taken(lane, all);
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
