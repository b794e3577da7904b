/*
 * aligned - blocks at multiples of a power of two.
 *
 * 1. Sizes of classes have as few bits as their steps allow. So the class of a
 *    size that is a multiple of an alignment, up to a page, is one as well, and
 *    so are the addresses of its objects. Larger blocks start at pages.
 * 2. More than a page, up to its length, is the alignment of most runs.
 * 3. What is aligned to more than its length is a block of the page
 *    allocator's that starts there.
 */
#include "malloc/huge.h"
#include "os/os.h"

/* Up to a page: what size has this alignment (rule 1). 0 counts as 1. */
static inline size_t aligned_size(size_t align, size_t size)
{
	return align_up(size + !size, align);
}

/* NULL: there is more to it. */
static inline void *aligned_fast(size_t align, size_t size)
{
	return likely(align <= PAGE_SIZE && size <= LOOKUP_MAX) ?
		mem_malloc_fast(aligned_size(align, size)) : NULL;
}

/* The same for larger sizes. */
static inline void *aligned_large_fast(size_t align, size_t size)
{
	return align <= PAGE_SIZE && size > LOOKUP_MAX && size <= CLASS_MAX ?
		mem_malloc_large_fast(aligned_size(align, size)) : NULL;
}

static inline void *aligned_slow(size_t align, size_t size)
{
	if (size > PTRDIFF_MAX || !heap_start())
		return mem_no_memory();
	if (align <= PAGE_SIZE)
		return mem_malloc_slow(aligned_size(align, size));
	if (align <= size && size > SMALL_MAX && size <= CLASS_MAX)
		return mem_alloc_run(size, align);
	return huge_alloc(size, align, false);
}

static inline void *aligned_alloc_pow2(size_t align, size_t size)
{
	void *p = aligned_fast(align, size);

	if (unlikely(!p))
		p = aligned_slow(align, size);
	return likely(p) ? p : mem_no_memory();
}

static cold_path void *invalid(void)
{
	errno = EINVAL;
	return NULL;
}

/* What is no power of two counts as the next one, as in glibc. */
static cold_path void *memalign_rounded(size_t align, size_t size)
{
	size_t power = 1;

	if (align > SIZE_MAX / 2 + 1)
		return invalid();
	while (power < align)
		power *= 2;
	return aligned_alloc_pow2(power, size);
}

void *mem_memalign(size_t align, size_t size)
{
	if (unlikely(!is_pow2(align)))
		return memalign_rounded(align, size);
	return aligned_alloc_pow2(align, size);
}

/* C23 asks no more of `size`; and an alignment has to be one, as in glibc from
 * 2.38 on. */
void *mem_aligned_alloc(size_t align, size_t size)
{
	if (unlikely(!is_pow2(align)))
		return invalid();
	return aligned_alloc_pow2(align, size);
}

/* A failure leaves errno alone. To keep that costs as much as the bins do. */
static never_inline void *posix_memalign_slow(size_t align, size_t size)
{
	void *p = aligned_large_fast(align, size);
	int saved_errno;

	if (likely(p))
		return p;
	saved_errno = errno;
	p = aligned_slow(align, size);
	errno = saved_errno;
	return p;
}

int mem_posix_memalign(void **out, size_t align, size_t size)
{
	void *p;

	if (unlikely(!is_pow2(align) || align % sizeof(void *)))
		return EINVAL;
	p = aligned_fast(align, size);
	if (unlikely(!p))
		p = posix_memalign_slow(align, size);
	if (unlikely(!p))
		return ENOMEM;
	*out = p;
	return 0;
}

/* The machine's page, which programs mean to protect or map. */
static size_t os_page_size(void)
{
	heap_start();
	return os.page_size;
}

void *mem_valloc(size_t size)
{
	return mem_memalign(os_page_size(), size);
}

void *mem_pvalloc(size_t size)
{
	size_t page = os_page_size();

	if (size > PTRDIFF_MAX)
		return mem_no_memory();
	return mem_memalign(page, max(align_up(size, page), page));
}
