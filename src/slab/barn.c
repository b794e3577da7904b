#include "slab/barn_list.h"
#include "mm/page_alloc.h"
#include "os/os.h"
#include "slab/fault.h"

/* Slabs of a list that are looked at for the emptiest. */
#define BORROW_LOOKS	8

/* Read without the lock, as a hint. It is of that heap's stock, or of none. */
static void slab_set_taker(struct slab *slab, uint8_t heap)
{
	__atomic_store_n(&slab->taker, heap, __ATOMIC_RELAXED);
}

static size_t barn_take(struct barn *barn, uint8_t heap, void **out, size_t n)
{
	struct stock *stock = barn_stock(barn, heap);
	struct slab *slab;
	size_t got = 0, some;

	while (got < n && (slab = stock_first(stock))) {
		barn->nr_unused -= slab_is_unused(slab);
		some = min(n - got, (size_t)slab->nr_free);
		got += slab_take(slab, out + n - got - some, some);
		slab_set_taker(slab, heap);
		if (slab_is_full(slab))
			barn_unlink(barn, slab);
	}
	if (unlikely(got < n))
		memmove(out, out + n - got, got * sizeof(*out));
	stock_add_free(barn, stock, -(ptrdiff_t)got);
	return got;
}

/* Of the first few. NULL: the list is empty. */
static struct slab *stock_emptiest(struct stock *stock)
{
	struct slab *slab = stock_first(stock), *emptiest = slab;

	for (size_t i = 1; slab && i < BORROW_LOOKS; i++) {
		slab = stock_slab(stock, slab->link.next);
		if (slab && slab->nr_free > emptiest->nr_free)
			emptiest = slab;
	}
	return emptiest;
}

/* It can do without a slab: as much lay free, or what is free does not lie in
 * its CPU's cache anyway. */
static bool stock_has_surplus(const struct stock *stock, unsigned int class)
{
	const struct size_class *sc = &size_classes[class];

	return stock->low_free >= sc->nr_objects ||
	       stock->nr_free * sc->size > CPU_CACHE_BYTES ||
	       reclaim_is_pressed();
}

/* What a stock gives away; what is taken of that lies among the objects of its
 * own heaps. */
enum borrow {
	BORROW_SURPLUS,		/* a slab of which half is free, if it can do
				 * without */
	BORROW_ANY,
};

static bool stock_may_give(const struct stock *stock, const struct slab *slab,
			   enum borrow how)
{
	return how == BORROW_ANY ||
	       (slab->nr_free >= slab->nr_objects / 2 &&
		stock_has_surplus(stock, slab->class));
}

static struct slab *barn_spare(struct barn *barn, enum borrow how)
{
	for_each_stock(stock, barn) {
		struct slab *slab = stock_emptiest(stock);

		if (slab && stock_may_give(stock, slab, how))
			return slab;
	}
	return NULL;
}

/* A slab changes over to the heap's stock, which has none. */
static bool barn_borrow(struct barn *barn, uint8_t heap, enum borrow how)
{
	struct slab *slab = barn_spare(barn, how);

	if (!slab)
		return false;
	barn_unlink(barn, slab);
	stock_sub_slab(barn, slab);
	slab_set_taker(slab, heap);
	stock_add_slab(barn, slab, slab->nr_free);
	barn_link(barn, slab, true);
	return true;
}

static bool barn_grow(struct barn *barn, uint8_t heap, struct pcp *pcp,
		      gfp_t gfp)
{
	struct slab *slab;

	lock_release(&barn->lock);
	slab = slab_create(pcp, gfp, barn->class, barn->node);
	lock_acquire(&barn->lock);
	if (!slab)
		return false;
	slab->barn = barn;
	slab_set_taker(slab, heap);
	barn_set_nr_slabs(barn, barn->nr_slabs + 1);
	stock_add_slab(barn, slab, slab->nr_objects);
	barn->nr_unused++;
	barn_link(barn, slab, true);
	return true;
}

/* A partial slab for another barn, and how many of its objects are free. It is
 * in no list until it is there; what is freed meanwhile is put into it all the
 * same. */
static struct slab *barn_give(struct barn *barn, struct barn *to, uint8_t heap,
			      enum borrow how, size_t *nr_free)
{
	struct slab *slab;

	if (!__atomic_load_n(&barn->nr_partial, __ATOMIC_RELAXED))
		return NULL;
	lock_acquire(&barn->lock);
	slab = barn_spare(barn, how);
	if (slab) {
		barn_remove(barn, slab);
		*nr_free = slab->nr_free;
		slab_set_taker(slab, heap);
		slab->isolated = true;
		/* Pairs with the acquire in barn_switch. */
		__atomic_store_n(&slab->barn, to, __ATOMIC_RELEASE);
	}
	lock_release(&barn->lock);
	return slab;
}

static never_inline bool barn_steal_from(struct barn_set *set,
					 struct barn *barn, uint8_t heap,
					 enum borrow how)
{
	struct slab *slab = NULL;
	size_t nr_free = 0;

	barn->nr_isolated++;
	lock_release(&barn->lock);
	for (; set && !slab; set = barn_set_next(set))
		if (&set->barn[barn->class] != barn)
			slab = barn_give(&set->barn[barn->class], barn, heap,
					 how, &nr_free);
	lock_acquire(&barn->lock);
	barn->nr_isolated--;
	if (!slab)
		return false;
	barn_set_nr_slabs(barn, barn->nr_slabs + 1);
	/* What was freed meanwhile is counted already. */
	stock_add_slab(barn, slab, nr_free);
	barn_putback(barn, slab);
	return true;
}

/* Takes a slab from one of the node's other barns of the class. */
static bool barn_steal(struct barn *barn, uint8_t heap, enum borrow how)
{
	struct barn_set *first = barn_sets(barn->node);

	return unlikely(barn_set_next(first)) &&
	       barn_steal_from(first, barn, heap, how);
}

/* The heap's stock has a slab now. Those that others use come last. */
static bool barn_find_slab(struct barn *barn, uint8_t heap, struct pcp *pcp,
			   gfp_t gfp)
{
	return barn_borrow(barn, heap, BORROW_SURPLUS) ||
	       barn_steal(barn, heap, BORROW_SURPLUS) ||
	       barn_grow(barn, heap, pcp, gfp) ||
	       barn_borrow(barn, heap, BORROW_ANY) ||
	       barn_steal(barn, heap, BORROW_ANY);
}

size_t barn_refill(struct barn *barn, uint8_t heap, struct pcp *pcp, gfp_t gfp,
		   void **out, size_t n)
{
	size_t got;

	ASSERT(class_is_small(barn->class));
	lock_acquire(&barn->lock);
	got = barn_take(barn, heap, out, n);
	/* What the partial slabs had is enough for now, if it is anything. */
	if (!got && barn_find_slab(barn, heap, pcp, gfp))
		got = barn_take(barn, heap, out, n);
	lock_release(&barn->lock);
	return got;
}

static uint64_t object_word(const void *object)
{
	return page_word(address_to_page(object));
}

bool barn_is_foreign(const void *object, uint8_t heap)
{
	return __atomic_load_n(&word_slab(object_word(object))->taker,
			       __ATOMIC_RELAXED) != heap;
}

/* Puts objects back, up to one that is not the slab's or wrong; how many. A
 * slab that is to be destroyed goes to `dead`. */
static size_t barn_put(struct barn *barn, struct slab *slab, void **objects,
		       size_t n, struct list *dead)
{
	struct stock *stock = barn_stock(barn, slab->taker);
	bool was_full = slab_is_full(slab);
	size_t put = slab_put(slab, objects, n);

	stock_add_free(barn, stock, (ptrdiff_t)put);
	if (was_full && put)
		barn_link(barn, slab, false);
	/* Of one that is isolated the sweep decides when it is done with it. */
	if (likely(!slab_is_unused(slab)) || !put || slab->isolated)
		return put;
	barn->nr_unused++;
	/* Another one can serve: give this one back. */
	if (barn->nr_unused > 1) {
		barn_remove(barn, slab);
		list_add_tail(dead, &slab->link);
	}
	return put;
}

void slab_destroy_list(struct pcp *pcp, struct list *dead)
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

static void slab_fetch(const void *object)
{
	const struct slab *slab = word_slab(object_word(object));

	prefetch_to_write(slab);
	prefetch_to_write(slab->free);
}

/* Objects that were freed far apart lie in as many slabs: the descriptors are
 * fetched so many objects ahead, not one after the other. */
#define FLUSH_AHEAD	16UL

void barn_flush(struct pcp *pcp, void **objects, size_t n)
{
	struct barn *locked = NULL;
	struct list dead;

	list_init(&dead);
	for (size_t i = 0; i < min(n, FLUSH_AHEAD); i++)
		slab_fetch(objects[i]);
	for (size_t put; n; n -= put, objects += put) {
		uint64_t word = object_word(objects[0]);

		if (n > FLUSH_AHEAD)
			slab_fetch(objects[FLUSH_AHEAD]);
		put = 0;
		if (likely(word_type(word) == PAGE_SLAB)) {
			locked = barn_switch(locked, word_slab(word));
			put = barn_put(locked, word_slab(word), objects, n,
				       &dead);
		}
		if (unlikely(!put)) {
			if (locked)
				lock_release(&locked->lock);
			fault_bad_pointer("free", objects[0]);
		}
	}
	if (locked)
		lock_release(&locked->lock);
	slab_destroy_list(pcp, &dead);
}

/* Slabs that are worth it, and when they are nearly empty. */
#define SPARSE_MIN_BYTES	(256UL << 10)
#define SPARSE_SHARE		8

bool barn_is_sparse(const struct barn *barn)
{
	return barn_nr_taken(barn) < barn_nr_objects(barn) / SPARSE_SHARE &&
	       barn_slab_bytes(barn) > SPARSE_MIN_BYTES;
}

/* So much is free that slabs have several objects in a row. */
#define SCATTER_FREE_SHARE	4

/* Times as many steps to another page as objects in a row would take. */
#define SCATTER_STEPS		4

static bool sheaf_is_scattered(const struct sheaf *sheaf, size_t size)
{
	size_t steps = 0;

	for (size_t i = 1; i < sheaf->nr; i++)
		steps += ((uintptr_t)sheaf->object[i] ^
			  (uintptr_t)sheaf->object[i - 1]) >= PAGE_SIZE;
	return steps * PAGE_SIZE > SCATTER_STEPS * sheaf->nr * size;
}

bool barn_is_spread(const struct barn *barn, size_t nr_cpus)
{
	/* Rather in any order than wait for the lock. */
	return class_is_dense(barn->class) &&
	       barn_slab_bytes(barn) > CPU_CACHE_BYTES * nr_cpus &&
	       !lock_is_taken(&barn->lock);
}

bool barn_is_scattered(struct barn *barn, const struct sheaf *sheaf)
{
	size_t objects = barn_nr_objects(barn);
	size_t used = barn_nr_taken(barn);

	used -= min(used, barn_nr_cached(barn));
	return used <= objects - objects / SCATTER_FREE_SHARE &&
	       sheaf_is_scattered(sheaf, size_classes[barn->class].size);
}

void barn_flush_runs(struct pcp *pcp, void **objects, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct page *page = address_to_page(objects[i]);

		ASSERT(word_type(page_word(page)) == PAGE_RUN);
		run_claim(page);
		free_pages_exact(pcp, page, run_nr_pages(page));
	}
}

void barn_validate(struct barn *barn)
{
	size_t nr_partial = 0, nr_unused = 0, taken = 0, nr_free = 0;

	lock_acquire(&barn->lock);
	for_each_partial(slab, barn) {
		slab_validate(slab);
		CHECK(stock_ == barn_stock(barn, slab->taker));
		CHECK(slab->barn == barn && slab->class == barn->class &&
		      !slab_is_full(slab));
		nr_partial++;
		nr_unused += slab_is_unused(slab);
		taken += (size_t)slab->nr_objects - slab->nr_free;
	}
	CHECK(nr_partial == barn->nr_partial && nr_partial <= barn->nr_slabs);
	CHECK(nr_unused == barn->nr_unused);
	taken += (barn->nr_slabs - nr_partial) *
		 size_classes[barn->class].nr_objects;
	CHECK(taken == barn_nr_taken(barn) || barn->nr_isolated);
	for_each_stock(stock, barn) {
		CHECK(stock->low_free <= stock->nr_free);
		nr_free += stock->nr_free;
	}
	CHECK(nr_free == barn->nr_free);
	lock_release(&barn->lock);
	for_each_lane(lane, barn)
		lane_validate(lane);
}
