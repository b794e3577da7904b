/*
 * aligned - blocks at multiples of a power of two.
 *
 * 1. An object of a class is as aligned as its size is even: the smallest
 *    class that is large enough and aligned enough serves.
 * 2. Beyond that a page's alignment is a run's, and more, up to its length,
 *    that of most runs.
 * 3. What is aligned to more than its length is a block of the page
 *    allocator's that starts there.
 */
#include "malloc/huge.h"
#include "os/os.h"

/* The first small class that suits; NR_SMALL_CLASSES: none. */
static unsigned int aligned_class(size_t align, size_t size)
{
	unsigned int class = size_class_of(max(size, align));

	while (class < NR_SMALL_CLASSES && class_align(class) < align)
		class++;
	return class;
}

static void *aligned_new(size_t align, size_t size)
{
	unsigned int class;

	if (align <= MIN_ALIGN)
		return mem_malloc(size);
	if (size > PTRDIFF_MAX || !heap_start())
		return mem_no_memory();
	if (size <= SMALL_MAX && align <= SMALL_MAX) {
		class = aligned_class(align, size);
		if (class < NR_SMALL_CLASSES)
			return mem_malloc(size_classes[class].size);
	}
	if (align <= PAGE_SIZE)
		return mem_malloc(max(size, SMALL_MAX + 1));
	if (align <= size && size > SMALL_MAX && size <= CLASS_MAX)
		return mem_alloc_run(size, align);
	return huge_alloc(size, align, false);
}

void *mem_memalign(size_t align, size_t size)
{
	void *p;

	if (unlikely(!is_pow2(align))) {
		errno = EINVAL;
		return NULL;
	}
	p = aligned_new(align, size);
	return likely(p) ? p : mem_no_memory();
}

/* C23 asks no more of `size`. */
void *mem_aligned_alloc(size_t align, size_t size)
{
	return mem_memalign(align, size);
}

int mem_posix_memalign(void **out, size_t align, size_t size)
{
	int saved_errno = errno;
	void *p;

	if (!is_pow2(align) || align % sizeof(void *))
		return EINVAL;
	p = aligned_new(align, size);
	errno = saved_errno;
	if (!p)
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
