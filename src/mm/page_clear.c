/*
 * page_clear - the contents of pages that somebody owns become zero.
 *
 * 1. Pages that have not been dirty since the kernel gave them are zero.
 * 2. The others are written with zeros, or purged: where they are many, or
 *    most of them were never touched. What will be written anyway is not
 *    purged, for it would only have to come back.
 * 3. What cannot be purged is written.
 */
#include "mm/hugepage.h"
#include "mm/page_alloc.h"
#include "os/os.h"

/* Zeros of this many pages on are cheaper from the kernel than written:
 * above it the dirty pages are purged instead. */
#define CLEAR_BY_PURGE	(8 * PAGEBLOCK_PAGES)

/* From this many pages on it pays to ask which are in memory: it takes 2 us
 * for 1 MiB, zeros 50. */
#define CLEAR_ASK	32

/* Most of the pages are not in memory: the program never touched them. */
static bool mostly_absent(const void *start, size_t n)
{
	unsigned char resident[CLEAR_BY_PURGE];
	size_t count = 0;

	if (n < CLEAR_ASK || !os_incore(start, n << PAGE_SHIFT, resident))
		return false;
	for (size_t i = 0; i < n; i++)
		count += resident[i] & 1;
	return count <= n / 4;
}

static void clear_range(uint32_t pfn, size_t n, bool written)
{
	void *start = pfn_to_address(pfn);

	if (!written &&
	    (n >= CLEAR_BY_PURGE || mostly_absent(start, n)) &&
	    pages_purge(pfn, n))
		return;
	memset(start, 0, n << PAGE_SHIFT);
}

void clear_pages(struct page *page, size_t n, bool dirty, bool written)
{
	size_t pfn = page_to_pfn(page), end = pfn + n, run;

	if (dirty) {
		clear_range((uint32_t)pfn, n, written);
		return;
	}
	while (pfn < end) {
		size_t step = min(end - pfn, 64 - pfn % 64);

		if (!dirty_any(pfn, step)) {
			pfn += step;
			continue;
		}
		for (run = 0; pfn + run < end && dirty_any(pfn + run, 1); )
			run++;
		if (run)
			clear_range((uint32_t)pfn, run, written);
		pfn += max(run, 1UL);
	}
}
