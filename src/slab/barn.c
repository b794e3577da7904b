#include "slab/barn.h"
#include "mm/page_alloc.h"
#include "os/os.h"
#include "slab/fault.h"

/* What a barn keeps at most. */
#define BARN_MAX_FULL	128		/* sheaves */
#define BARN_MAX_BYTES	(1UL << 20)	/* in full sheaves */
#define BARN_MAX_EMPTY	16		/* sheaves */

#define SWEEP_BATCH	64	/* slabs swept between two holds of the lock */

/* True: the barn has it now. */
static bool barn_push_empty(struct barn *barn, struct sheaf *empty)
{
	if (!empty)
		return true;
	if (barn->nr_empty >= BARN_MAX_EMPTY)
		return false;
	empty->nr = 0;
	sheaf_push(&barn->empty, &barn->nr_empty, empty);
	return true;
}

/* Read without the lock, as a hint. */
static void barn_set_overflowed(struct barn *barn, bool overflowed)
{
	__atomic_store_n(&barn->overflowed, overflowed, __ATOMIC_RELAXED);
}

struct sheaf *barn_get_full(struct barn *barn, struct sheaf *empty)
{
	struct sheaf *full;
	bool kept = true;

	if (!__atomic_load_n(&barn->nr_full, __ATOMIC_RELAXED) &&
	    !__atomic_load_n(&barn->overflowed, __ATOMIC_RELAXED))
		return NULL;
	lock_acquire(&barn->lock);
	full = sheaf_pop(&barn->full, &barn->nr_full);
	if (!full && barn->overflowed) {
		barn->max_full = (uint16_t)min(barn->max_full * 2,
					       BARN_MAX_FULL);
		barn_set_overflowed(barn, false);
	}
	if (full) {
		barn->low_full = min(barn->low_full, barn->nr_full);
		kept = barn_push_empty(barn, empty);
	}
	lock_release(&barn->lock);
	if (!kept)
		sheaf_free(empty);
	return full;
}

static bool barn_has_room(const struct barn *barn, const struct sheaf *full)
{
	size_t bytes = (size_t)full->nr * size_classes[barn->class].size;

	return barn->nr_full < barn->max_full &&
	       (barn->nr_full + 1) * bytes <= BARN_MAX_BYTES;
}

bool barn_put_full(struct barn *barn, struct sheaf *full)
{
	bool room;

	lock_acquire(&barn->lock);
	room = barn_has_room(barn, full);
	if (room)
		sheaf_push(&barn->full, &barn->nr_full, full);
	else
		barn_set_overflowed(barn, true);
	lock_release(&barn->lock);
	return room;
}

struct sheaf *barn_get_empty(struct barn *barn, size_t want)
{
	struct sheaf *empty = NULL;

	if (__atomic_load_n(&barn->nr_empty, __ATOMIC_RELAXED)) {
		lock_acquire(&barn->lock);
		empty = sheaf_pop(&barn->empty, &barn->nr_empty);
		lock_release(&barn->lock);
	}
	if (empty && empty->capacity < want) {
		sheaf_free(empty);
		empty = NULL;
	}
	return empty ? empty : sheaf_alloc(want);
}

/* A slab enters or leaves the partial list as its objects come and go. */
static void barn_link(struct barn *barn, struct slab *slab, bool front)
{
	if (front)
		list_add_head(&barn->partial, &slab->link);
	else
		list_add_tail(&barn->partial, &slab->link);
	__atomic_store_n(&barn->nr_partial, barn->nr_partial + 1,
			 __ATOMIC_RELAXED);
}

static void barn_unlink(struct barn *barn, struct slab *slab)
{
	list_del(&slab->link);
	__atomic_store_n(&barn->nr_partial, barn->nr_partial - 1,
			 __ATOMIC_RELAXED);
}

/* Back into the list of its barn, or into that of its new one. */
static void barn_putback(struct barn *barn, struct slab *slab)
{
	slab->isolated = false;
	barn->nr_unused += slab_is_unused(slab);
	barn_link(barn, slab, false);
}

static size_t barn_take(struct barn *barn, void **out, size_t n)
{
	size_t got = 0;

	while (got < n && !list_is_empty(&barn->partial)) {
		struct slab *slab = list_entry(barn->partial.next,
					       struct slab, link);

		barn->nr_unused -= slab_is_unused(slab);
		got += slab_take(slab, out + got, n - got);
		if (slab_is_full(slab))
			barn_unlink(barn, slab);
	}
	return got;
}

static bool barn_grow(struct barn *barn, struct pcp *pcp, gfp_t gfp)
{
	struct slab *slab;

	lock_release(&barn->lock);
	slab = slab_create(pcp, gfp, barn->class, barn->node);
	lock_acquire(&barn->lock);
	if (!slab)
		return false;
	slab->barn = barn;
	barn->nr_slabs++;
	barn->nr_unused++;
	barn_link(barn, slab, true);
	return true;
}

/* A partial slab for another barn, if `keep` of them are left. It is in no
 * list until it is there; what is freed meanwhile is put into it all the
 * same. */
static struct slab *barn_give(struct barn *barn, struct barn *to, size_t keep)
{
	struct slab *slab = NULL;

	if (__atomic_load_n(&barn->nr_partial, __ATOMIC_RELAXED) <= keep)
		return NULL;
	lock_acquire(&barn->lock);
	if (barn->nr_partial > keep) {
		slab = list_entry(barn->partial.next, struct slab, link);
		barn->nr_unused -= slab_is_unused(slab);
		barn->nr_slabs--;
		barn_unlink(barn, slab);
		slab->isolated = true;
		/* Pairs with the acquire in barn_switch. */
		__atomic_store_n(&slab->barn, to, __ATOMIC_RELEASE);
	}
	lock_release(&barn->lock);
	return slab;
}

/* Takes a slab from one of the node's other barns of the class. */
static bool barn_steal(struct barn *barn, size_t keep)
{
	struct barn_set *set = barn_sets(barn->node);
	struct slab *slab = NULL;

	if (likely(!barn_set_next(set)))
		return false;
	lock_release(&barn->lock);
	for (; set && !slab; set = barn_set_next(set))
		if (&set->barn[barn->class] != barn)
			slab = barn_give(&set->barn[barn->class], barn, keep);
	lock_acquire(&barn->lock);
	if (!slab)
		return false;
	barn->nr_slabs++;
	barn_putback(barn, slab);
	return true;
}

size_t barn_refill(struct barn *barn, struct pcp *pcp, gfp_t gfp, void **out,
		   size_t n)
{
	size_t got;

	ASSERT(class_is_small(barn->class));
	lock_acquire(&barn->lock);
	got = barn_take(barn, out, n);
	/* What the partial slabs had is enough for now, if it is anything. */
	if (!got && (barn_steal(barn, 1) || barn_grow(barn, pcp, gfp) ||
		     barn_steal(barn, 0)))
		got = barn_take(barn, out, n);
	lock_release(&barn->lock);
	return got;
}

/* Puts one object back; a slab that is to be destroyed goes to `dead`. */
static bool barn_put(struct barn *barn, struct slab *slab, void *p,
		     struct list *dead)
{
	bool was_full = slab_is_full(slab);

	if (unlikely(!slab_put(slab, p)))
		return false;
	if (was_full)
		barn_link(barn, slab, false);
	if (likely(!slab_is_unused(slab)))
		return true;
	/* The sweep decides when it is done with it. */
	if (slab->isolated)
		return true;
	barn->nr_unused++;
	/* Another one can serve: give this one back. */
	if (barn->nr_unused > 1) {
		barn->nr_unused--;
		barn->nr_slabs--;
		barn_unlink(barn, slab);
		list_add_tail(dead, &slab->link);
	}
	return true;
}

static void slab_destroy_list(struct pcp *pcp, struct list *dead)
{
	while (!list_is_empty(dead)) {
		struct slab *slab = list_entry(dead->next, struct slab, link);

		list_del(&slab->link);
		slab_destroy(pcp, slab);
	}
}

/* Holds the lock of the slab's barn rather than that of `locked`. */
static struct barn *barn_switch(struct barn *locked, const struct slab *slab)
{
	struct barn *barn;

	/* Another barn may take the slab while this one's lock is awaited. */
	while ((barn = __atomic_load_n(&slab->barn, __ATOMIC_ACQUIRE)) !=
	       locked) {
		if (locked)
			lock_release(&locked->lock);
		lock_acquire(&barn->lock);
		locked = barn;
	}
	return locked;
}

void barn_flush(struct pcp *pcp, void **objects, size_t n)
{
	struct barn *locked = NULL;
	struct list dead;

	list_init(&dead);
	for (size_t i = 0; i < n; i++) {
		uint64_t word = page_word(pfn_to_page(
					address_to_pfn(objects[i])));
		struct slab *slab = word_slab(word);
		bool put = word_type(word) == PAGE_SLAB;

		if (likely(put)) {
			locked = barn_switch(locked, slab);
			put = barn_put(locked, slab, objects[i], &dead);
		}
		if (unlikely(!put)) {
			if (locked)
				lock_release(&locked->lock);
			fault_bad_pointer("free", objects[i]);
		}
	}
	if (locked)
		lock_release(&locked->lock);
	slab_destroy_list(pcp, &dead);
}

void barn_flush_runs(struct pcp *pcp, void **objects, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct page *page = pfn_to_page(address_to_pfn(objects[i]));

		ASSERT(word_type(page_word(page)) == PAGE_RUN);
		run_claim(page);
		free_pages_exact(pcp, page, run_nr_pages(page));
	}
}

/* Takes `n` full sheaves out. */
static struct sheaf *barn_detach_full(struct barn *barn, size_t n)
{
	struct sheaf *list = NULL, *sheaf;
	uint16_t count = 0;

	while (n-- && (sheaf = sheaf_pop(&barn->full, &barn->nr_full)))
		sheaf_push(&list, &count, sheaf);
	return list;
}

static void barn_detach_unused(struct barn *barn, struct list *dead)
{
	struct list *node, *next;

	for (node = barn->partial.next; node != &barn->partial; node = next) {
		struct slab *slab = list_entry(node, struct slab, link);

		next = node->next;
		if (!slab_is_unused(slab))
			continue;
		barn->nr_unused--;
		barn->nr_slabs--;
		barn_unlink(barn, slab);
		list_add_tail(dead, &slab->link);
	}
}

/* Worth a look: it could give back a page, and lay still since the last
 * time. */
static bool slab_wants_sweep(struct barn *barn, struct slab *slab, bool all)
{
	size_t bytes = (size_t)slab->nr_free * size_classes[slab->class].size;
	bool still = all || slab->seen_free == slab->nr_free;

	slab->sweep = barn->sweep;
	slab->seen_free = slab->nr_free;
	return still && bytes >= PAGE_SIZE;
}

/* Up to SWEEP_BATCH partial slabs for the sweep; how many. */
static size_t barn_isolate(struct barn *barn, struct slab **out, bool all)
{
	struct list *node, *next;
	size_t n = 0;

	for (node = barn->partial.next; node != &barn->partial; node = next) {
		struct slab *slab = list_entry(node, struct slab, link);

		next = node->next;
		if (slab->sweep == barn->sweep || slab_is_unused(slab) ||
		    !slab_wants_sweep(barn, slab, all))
			continue;
		barn_unlink(barn, slab);
		slab->isolated = true;
		out[n++] = slab;
		if (n == SWEEP_BATCH)
			break;
	}
	return n;
}

static void barn_sweep(struct barn *barn, bool all)
{
	struct slab *slab[SWEEP_BATCH];
	size_t n;

	if (!class_is_small(barn->class) || os.page_size != PAGE_SIZE)
		return;
	lock_acquire(&barn->lock);
	barn->sweep++;
	while ((n = barn_isolate(barn, slab, all))) {
		lock_release(&barn->lock);
		for (size_t i = 0; i < n; i++)
			slab_sweep(slab[i]);
		lock_acquire(&barn->lock);
		while (n)
			barn_putback(barn, slab[--n]);
	}
	lock_release(&barn->lock);
}

static void barn_shrink(struct barn *barn, enum reclaim how)
{
	struct sheaf *full, *next;
	struct list dead;

	lock_acquire(&barn->lock);
	full = barn_detach_full(barn, reclaim_is_total(how) ? barn->nr_full :
							     barn->low_full);
	lock_release(&barn->lock);
	for (; full; full = next) {
		next = full->next;
		if (class_is_small(barn->class))
			barn_flush(NULL, full->object, full->nr);
		else
			barn_flush_runs(NULL, full->object, full->nr);
		sheaf_free(full);
	}

	if (reclaim_purges(how))
		barn_sweep(barn, how == RECLAIM_ALL);

	list_init(&dead);
	lock_acquire(&barn->lock);
	barn->max_full = (uint16_t)max(barn->max_full - barn->low_full,
				       BARN_MIN_FULL);
	barn->low_full = barn->nr_full;
	if (barn->nr_unused)
		barn_detach_unused(barn, &dead);
	lock_release(&barn->lock);
	slab_destroy_list(NULL, &dead);
}

void barn_shrink_all(enum reclaim how)
{
	for_each_barn(barn)
		barn_shrink(barn, how);
}

void barn_validate(struct barn *barn)
{
	size_t nr_partial = 0, nr_unused = 0, nr_full = 0, nr_empty = 0;
	struct list *node;

	lock_acquire(&barn->lock);
	list_for_each(node, &barn->partial) {
		struct slab *slab = list_entry(node, struct slab, link);

		slab_validate(slab);
		CHECK(slab->barn == barn && slab->class == barn->class &&
		      !slab_is_full(slab));
		nr_partial++;
		nr_unused += slab_is_unused(slab);
	}
	for (struct sheaf *s = barn->full; s; s = s->next, nr_full++)
		CHECK(s->nr && s->nr <= s->capacity);
	for (struct sheaf *s = barn->empty; s; s = s->next)
		nr_empty++;
	CHECK(nr_partial == barn->nr_partial && nr_partial <= barn->nr_slabs);
	CHECK(nr_unused == barn->nr_unused);
	CHECK(nr_full == barn->nr_full && nr_empty == barn->nr_empty);
	lock_release(&barn->lock);
}
