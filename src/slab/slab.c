#include "slab/slab.h"
#include "base/bitmap.h"
#include "mm/hugepage.h"
#include "mm/page_alloc.h"

/* Small objects come and go, and touch each page of their slab: its pageblock
 * may be a huge page. Larger ones tend to stay and pin theirs, and need not
 * touch all of it: kept apart. */
#define RECLAIMABLE_MAX	PAGE_SIZE	/* bytes */

static size_t slab_pages(const struct slab *slab)
{
	return 1UL << size_classes[slab->class].slab_order;
}

static void slab_set_words(struct slab *slab, uint64_t word)
{
	struct page *page = pfn_to_page(slab->pfn);

	for (size_t i = 0; i < slab_pages(slab); i++)
		page_set_word(page + i, word);
}

/* Pages that are in memory although no object on them was taken. */
static uint32_t slab_stale_pages(const struct page *page, size_t n)
{
	uint32_t pfn = page_to_pfn(page), stale = 0;
	bool all = word_state(page_word(page)) & RUN_DIRTY;

	if (!all && !dirty_any(pfn, n))
		return 0;
	for (size_t i = 0; i < n; i++)
		if (all || dirty_any(pfn + i, 1))
			stale |= 1U << i;
	return stale;
}

struct slab *slab_create(struct pcp *pcp, gfp_t gfp, unsigned int class,
			 int node)
{
	const struct size_class *sc = &size_classes[class];
	struct slab *slab = meta_alloc(sizeof(*slab));
	struct page *page;

	if (!slab)
		return NULL;
	if (sc->size <= RECLAIMABLE_MAX)
		gfp |= GFP_RECLAIMABLE;
	/* It is its node's barn's. */
	page = alloc_pages_node(pcp, gfp | GFP_THISNODE, sc->slab_order, node);
	if (!page) {
		meta_free(slab, sizeof(*slab));
		return NULL;
	}
	list_init(&slab->link);
	slab->pfn = page_to_pfn(page);
	slab->class = (uint8_t)class;
	slab->nr_objects = sc->nr_objects;
	slab->nr_free = sc->nr_objects;
	slab->nr_asleep = (uint8_t)slab_pages(slab);
	slab->stale = slab_stale_pages(page, slab_pages(slab));
	bitmap_set_range(slab->free, 0, sc->nr_objects);
	slab_set_words(slab, word_make_slab(node, meta_handle(slab)));
	return slab;
}

void slab_destroy(struct pcp *pcp, struct slab *slab)
{
	unsigned int order = size_classes[slab->class].slab_order;
	struct page *page = pfn_to_page(slab->pfn);

	ASSERT(slab_is_unused(slab) && !list_is_linked(&slab->link));
	slab_set_words(slab, 0);
	meta_free(slab, sizeof(*slab));
	free_pages(pcp, page, order);
}

static char *slab_base(const struct slab *slab)
{
	return pfn_to_address(slab->pfn);
}

static void *slab_object(const struct slab *slab, size_t index)
{
	return slab_base(slab) + index * size_classes[slab->class].size;
}

/* A division, by the class's magic: a tenth of the time of freeing. */
static inline size_t index_of(uint64_t magic, const char *base, const void *p)
{
	unsigned __int128 product = magic;

	product *= (size_t)((const char *)p - base);
	return (size_t)(product >> 64);
}

static size_t slab_index(const struct slab *slab, const void *p)
{
	return index_of(size_classes[slab->class].magic, slab_base(slab), p);
}

/* Every free object that starts in the page gets its key. */
static void slab_wake_page(struct slab *slab, size_t page)
{
	size_t size = size_classes[slab->class].size;
	size_t start = page << PAGE_SHIFT;
	size_t end = min(start + PAGE_SIZE, slab->nr_objects * size);
	size_t i = (start + size - 1) / size;
	char *object = slab_base(slab) + i * size;
	char *last = slab_base(slab) + end;
	struct page *p = pfn_to_page(slab->pfn) + page;

	page_set_word(p, page_word(p) | class_bin(slab->class));
	slab->nr_asleep--;
	slab->stale &= ~(1U << page);
	for (; object < last; object += size, i++)
		if (bitmap_test(slab->free, i))
			*(uint64_t *)(void *)object = object_key(object);
}

/* The pages under n objects from `index` on that are about to be used; where
 * they end, in bytes from the start. */
static size_t slab_wake(struct slab *slab, size_t index, size_t n)
{
	size_t size = size_classes[slab->class].size;
	size_t page = index * size >> PAGE_SHIFT;
	size_t last = ((index + n) * size - 1) >> PAGE_SHIFT;

	for (; page <= last; page++)
		if (word_is_asleep(page_word(pfn_to_page(slab->pfn) + page)))
			slab_wake_page(slab, page);
	return page << PAGE_SHIFT;
}

/* The pages under the first n free objects. */
static void slab_wake_first(struct slab *slab, size_t n)
{
	size_t size = size_classes[slab->class].size, index, awake = 0;

	for (size_t i = 0; n; i++) {
		uint64_t word = slab->free[i];

		for (; word && n; word &= word - 1, n--) {
			index = i * 64 + (size_t)__builtin_ctzl(word);
			if (unlikely((index + 1) * size > awake))
				awake = slab_wake(slab, index, 1);
		}
	}
}

/* The first n of a slab that is unused: all in a row. */
static void slab_take_row(struct slab *slab, void **out, size_t n)
{
	size_t size = size_classes[slab->class].size;
	char *object = slab_base(slab);

	if (slab->nr_asleep)
		slab_wake(slab, 0, n);
	for (size_t i = n; i; i--, object += size)
		out[i - 1] = object;
	bitmap_clear_range(slab->free, 0, n);
}

static void slab_take_first(struct slab *slab, void **out, size_t n)
{
	size_t size = size_classes[slab->class].size;
	char *first = slab_base(slab);
	void **end = out + n;

	if (slab->nr_asleep)
		slab_wake_first(slab, n);
	for (uint64_t *at = slab->free; end > out; at++, first += 64 * size) {
		uint64_t word = *at;

		for (; word && end > out; word &= word - 1)
			*--end = first + (size_t)__builtin_ctzl(word) * size;
		*at = word;
	}
}

size_t slab_take(struct slab *slab, void **out, size_t n)
{
	n = min(n, (size_t)slab->nr_free);
	if (slab_is_unused(slab))
		slab_take_row(slab, out, n);
	else
		slab_take_first(slab, out, n);
	slab->nr_free -= (uint16_t)n;
	return n;
}

size_t slab_put(struct slab *slab, void **objects, size_t n)
{
	size_t nr_objects = slab->nr_objects, put = 0;
	uint64_t magic = size_classes[slab->class].magic;
	char *base = slab_base(slab);

	for (; put < n; put++) {
		size_t index = index_of(magic, base, objects[put]);

		if (unlikely(index >= nr_objects ||
			     bitmap_test(slab->free, index)))
			break;
		bitmap_set(slab->free, index);
	}
	slab->nr_free += (uint16_t)put;
	return put;
}

bool slab_has(const struct slab *slab, const void *p)
{
	size_t index = slab_index(slab, p);

	return index >= slab->nr_objects || bitmap_test(slab->free, index);
}

/* All objects that overlap the page are free. */
static bool slab_page_is_idle(const struct slab *slab, size_t page)
{
	size_t size = size_classes[slab->class].size;
	size_t from = (page << PAGE_SHIFT) / size;
	size_t to = ((page + 1) << PAGE_SHIFT) / size;

	to += to * size < (page + 1) << PAGE_SHIFT;
	to = min(to, (size_t)slab->nr_objects);
	return from >= to ||
	       bitmap_count_range(slab->free, from, to - from) == to - from;
}

static bool slab_page_is_resident(const struct slab *slab, size_t page)
{
	return slab->stale >> page & 1 ||
	       !word_is_asleep(page_word(pfn_to_page(slab->pfn) + page));
}

/* Idle pages from `page` on, that are in memory. */
static size_t slab_idle_run(const struct slab *slab, size_t page)
{
	size_t n = 0;

	while (page + n < slab_pages(slab) &&
	       slab_page_is_resident(slab, page + n) &&
	       slab_page_is_idle(slab, page + n))
		n++;
	return n;
}

size_t slab_sweep(struct slab *slab)
{
	size_t purged = 0;

	ASSERT(slab->isolated);
	for (size_t page = 0, n; page < slab_pages(slab); page += n ? n : 1) {
		struct page *first = pfn_to_page(slab->pfn) + page;
		uint32_t pages;

		n = slab_idle_run(slab, page);
		if (!n)
			continue;
		/* Before the purge: from now on no free of an object there is
		 * right, and a wrong one is looked at. */
		for (size_t i = 0; i < n; i++)
			page_set_word(first + i, page_word(first + i) &
						 ~PAGE_BIN_MASK);
		pages = (uint32_t)(((1UL << n) - 1) << page);
		slab->stale |= pages;
		if (!pages_purge(slab->pfn + (uint32_t)page, n))
			break;
		slab->stale &= ~pages;
		purged += n;
	}
	slab->nr_asleep = 0;
	for (size_t page = 0; page < slab_pages(slab); page++)
		slab->nr_asleep += word_is_asleep(
			page_word(pfn_to_page(slab->pfn) + page));
	return purged;
}

static bool slab_sleeps_at(const struct slab *slab, size_t index)
{
	const void *p = slab_object(slab, index);

	return word_is_asleep(page_word(address_to_page(p)));
}

void slab_validate(const struct slab *slab)
{
	const struct size_class *sc = &size_classes[slab->class];
	uint64_t word = page_word(pfn_to_page(slab->pfn));
	size_t asleep = 0;

	CHECK(word_type(word) == PAGE_SLAB && word_slab(word) == slab);
	word &= ~PAGE_BIN_MASK;
	for (size_t i = 0; i < slab_pages(slab); i++) {
		uint64_t other = page_word(pfn_to_page(slab->pfn) + i);

		CHECK((other & ~PAGE_BIN_MASK) == word);
		asleep += word_is_asleep(other);
	}
	CHECK(asleep == slab->nr_asleep);
	CHECK(slab->nr_objects == sc->nr_objects);
	CHECK(bitmap_count_range(slab->free, 0, SLAB_MAX_OBJECTS) ==
	      slab->nr_free);
	CHECK(bitmap_count_range(slab->free, 0, slab->nr_objects) ==
	      slab->nr_free);
	for (size_t i = 0; i < slab->nr_objects; i++)
		if (bitmap_test(slab->free, i) && !slab_sleeps_at(slab, i))
			CHECK(object_has_key(slab_object(slab, i)));
}
