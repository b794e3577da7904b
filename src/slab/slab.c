#include "slab/slab.h"
#include "base/bitmap.h"
#include "mm/hugepage.h"
#include "mm/page_alloc.h"
#include "os/os.h"

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

/* Where the objects end, in bytes from the start. */
static size_t slab_end(const struct slab *slab)
{
	return slab->nr_objects * size_classes[slab->class].size;
}

/* Above 2^32 / size by one at most: n * it >> 32 is n / size for any n in a
 * slab. To divide takes a tenth of the time of freeing. */
static uint64_t slab_reciprocal(const struct slab *slab)
{
	return (size_classes[slab->class].magic >> 32) + 1;
}

/* No object that starts in the page is in use: each gets its key, and so does
 * what is left behind the last one, for to free it would look like an object
 * by its place. */
static void slab_wake_page(struct slab *slab, size_t page)
{
	size_t size = size_classes[slab->class].size;
	size_t start = page << PAGE_SHIFT, end = start + PAGE_SIZE;
	size_t at = (start + size - 1) / size * size;
	char *object = slab_base(slab) + at;
	uint64_t key = object_key(object);
	struct page *p = pfn_to_page(slab->pfn) + page;

	page_set_word(p, page_word(p) | class_free_bin(slab->class));
	slab->nr_asleep--;
	slab->stale &= ~(1U << page);
	for (; at < end; at += size, object += size) {
		*(uint64_t *)(void *)object = key;
		key += size * KEY_FACTOR;
	}
}

static bool slab_page_is_resident(const struct slab *slab, size_t page)
{
	return slab->stale >> page & 1 ||
	       !word_is_asleep(page_word(pfn_to_page(slab->pfn) + page));
}

/* The pages from `page` on will be written. Those of objects up to a page are,
 * as they get their keys; others if all that lie before them were. */
static bool slab_is_written(const struct slab *slab, size_t page)
{
	unsigned char incore[1U << SLAB_MAX_ORDER];

	if (size_classes[slab->class].size <= PAGE_SIZE)
		return true;
	if (!page || !os_incore(slab_base(slab), page << PAGE_SHIFT, incore))
		return false;
	while (page && incore[page - 1] & 1)
		page--;
	return !page;
}

/* Brings memory for the pages of [page, end): rows of them at once. */
static void slab_populate(const struct slab *slab, size_t page, size_t end)
{
	for (size_t n; page < end; page += n + 1) {
		n = 0;
		while (page + n < end &&
		       !slab_page_is_resident(slab, page + n))
			n++;
		if (n > 1 && slab_is_written(slab, page))
			os_populate(slab_base(slab) + (page << PAGE_SHIFT),
				    n << PAGE_SHIFT);
	}
}

/* The pages under these two objects and all between them. */
static void slab_wake(struct slab *slab, const char *first, const char *last)
{
	size_t size = size_classes[slab->class].size;
	size_t page = (size_t)(first - slab_base(slab)) >> PAGE_SHIFT;
	size_t end = (size_t)(last - slab_base(slab)) + size;

	slab_populate(slab, page, align_up(end, PAGE_SIZE) >> PAGE_SHIFT);
	for (; page << PAGE_SHIFT < end; page++)
		if (word_is_asleep(page_word(pfn_to_page(slab->pfn) + page)))
			slab_wake_page(slab, page);
}

/* n in a row. */
static void **take_row(void **end, char *object, size_t size, size_t n)
{
	for (; n; n--, object += size)
		*--end = object;
	return end;
}

/* Most words have all bits set. To look for the runs of others is a guess as
 * often as it saves a step. */
static void slab_take_first(struct slab *slab, void **out, size_t n)
{
	size_t size = size_classes[slab->class].size;
	char *first = slab_base(slab);
	void **end = out + n;

	for (uint64_t *at = slab->free; end > out; at++, first += 64 * size) {
		uint64_t word = *at;

		if (word == ~0UL) {
			n = min((size_t)(end - out), 64UL);
			end = take_row(end, first, size, n);
			*at = word & ~bitmap_mask(0, n);
			continue;
		}
		for (; word && end > out; word &= word - 1)
			*--end = first + (size_t)__builtin_ctzl(word) * size;
		*at = word;
	}
}

size_t slab_take(struct slab *slab, void **out, size_t n)
{
	n = min(n, (size_t)slab->nr_free);
	slab_take_first(slab, out, n);
	/* No object that was free between the first and the last is left. */
	if (slab->nr_asleep && n)
		slab_wake(slab, out[n - 1], out[0]);
	slab->nr_free -= (uint16_t)n;
	return n;
}

size_t slab_put(struct slab *slab, void **objects, size_t n)
{
	uint64_t reciprocal = slab_reciprocal(slab), word = slab->free[0];
	size_t end = slab_end(slab), put = 0, at = 0, offset, index;
	char *base = slab_base(slab);

	for (; put < n; put++) {
		offset = (size_t)((char *)objects[put] - base);
		if (unlikely(offset >= end))
			break;
		index = offset * reciprocal >> 32;
		/* Most neighbours are of one word, which waits for no store. */
		if (index / 64 != at) {
			bitmap_word_store(slab->free, at, word);
			at = index / 64;
			word = bitmap_word(slab->free, at);
		}
		if (unlikely(word >> index % 64 & 1))
			break;
		word |= 1UL << index % 64;
	}
	/* A sweep may read it. */
	bitmap_word_store(slab->free, at, word);
	slab->nr_free += (uint16_t)put;
	return put;
}

bool slab_ends_before(const struct slab *slab, const void *p)
{
	return (size_t)((const char *)p - slab_base(slab)) >= slab_end(slab);
}

bool slab_has(const struct slab *slab, const void *p)
{
	size_t offset = (size_t)((const char *)p - slab_base(slab));

	return slab_ends_before(slab, p) ||
	       bitmap_test(slab->free,
			   offset / size_classes[slab->class].size);
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
	note_pages_purged(slab->pfn, purged);
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
