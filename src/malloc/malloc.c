#include "malloc/malloc.h"
#include "malloc/huge.h"
#include "mm/page_alloc.h"

cold_path void *mem_no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

/* An object of a small class. Without memory: once more after this thread
 * has given back what it caches. */
static void *alloc_small(unsigned int class)
{
	void *p = heap_alloc_small(class);

	if (unlikely(!p)) {
		heap_flush();
		p = heap_alloc_small(class);
	}
	return p;
}

static void *alloc_run(unsigned int class, size_t align, bool *dirty)
{
	void *p = heap_alloc_run(class, align, dirty);

	if (unlikely(!p)) {
		heap_flush();
		p = heap_alloc_run(class, align, dirty);
	}
	return p;
}

void *mem_alloc_run(size_t size, size_t align)
{
	bool dirty;

	return alloc_run(size_class_of(size), align, &dirty);
}

static void *mem_alloc(size_t size)
{
	if (size <= SMALL_MAX)
		return alloc_small(size_class_of(size));
	if (size <= CLASS_MAX)
		return mem_alloc_run(size, PAGE_SIZE);
	return huge_alloc(size, PAGE_SIZE, false);
}

/* On its own, so that what comes before needs no registers saved. */
static never_inline void *malloc_anew(size_t size)
{
	void *p = likely(heap_start()) ? mem_alloc(size) : NULL;

	return likely(p) ? p : mem_no_memory();
}

/* The bin is empty, and most often its other stack is not. */
static never_inline void *malloc_small(unsigned int class)
{
	void *p = alloc_small(class);

	return likely(p) ? p : mem_no_memory();
}

/* Of at most CLASS_MAX. NULL: the bin is empty. */
static force_inline void *pop_by_class(struct heap *heap, size_t size)
{
	unsigned int class = size_class_of(size);

	return class_is_small(class) ?
		bin_pop_counted(heap_bin(heap, class_bin(class))) :
		heap_pop_run(heap, class);
}

/* Too large for the table, and yet in the thread's bins. */
static hot_path void *malloc_by_class(struct heap *heap, size_t size)
{
	void *p = pop_by_class(heap, size);

	return likely(p) ? p : malloc_anew(size);
}

hot_path void *mem_malloc_large_fast(size_t size)
{
	struct heap *heap = thread_heap();

	return likely(heap) ? pop_by_class(heap, size) : NULL;
}

hot_path void *mem_malloc_slow(size_t size)
{
	struct heap *heap = thread_heap();

	if (unlikely(!heap) || size > CLASS_MAX)
		return malloc_anew(size);
	return size > LOOKUP_MAX ? malloc_by_class(heap, size) :
				   malloc_small(size_class_of(size));
}

static void *alloc_run_zeroed(unsigned int class)
{
	size_t n = size_classes[class].size >> PAGE_SHIFT;
	bool dirty;
	void *p = alloc_run(class, PAGE_SIZE, &dirty);

	if (p)
		clear_pages(address_to_page(p), n, dirty, false);
	return p;
}

void *mem_calloc(size_t n, size_t size)
{
	size_t total;
	void *p;

	if (unlikely(__builtin_mul_overflow(n, size, &total)))
		return mem_no_memory();
	if (total <= SMALL_MAX) {
		p = mem_malloc(total);
		/* Whole words: the last one may be read as a whole. */
		return p ? memset(p, 0, align_up(total, MIN_ALIGN)) : NULL;
	}
	if (!heap_start())
		return mem_no_memory();
	p = total <= CLASS_MAX ? alloc_run_zeroed(size_class_of(total)) :
				 huge_alloc(total, PAGE_SIZE, true);
	return likely(p) ? p : mem_no_memory();
}

size_t mem_good_size(size_t size)
{
	if (size <= CLASS_MAX)
		return heap_start() ? size_classes[size_class_of(size)].size :
				      size;
	return size > PTRDIFF_MAX ? size : align_up(size, PAGE_SIZE);
}
