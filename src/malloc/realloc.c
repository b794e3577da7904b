/*
 * realloc - a block with another size, in its place where that is possible.
 *
 * 1. A small object stays when the new size has its class, or is smaller but
 *    not less than half of it: giving back less is not worth the copy.
 * 2. Runs grow in place into free pages, or move to where they have room to go
 *    on growing; huge blocks also shrink there, or move (huge.h).
 * 3. A run that stays gives back what is behind its new size, if that is much:
 *    it has no class then.
 * 4. When it fails the old block is as it was. To make one smaller never fails:
 *    it stays where it is.
 */
#include "malloc/foreign.h"
#include "malloc/huge.h"

#define TRIM_MIN	(64UL << 10)	/* bytes; and a quarter of the run */

static void *copy_to(void *q, void *p, size_t size)
{
	memcpy(q, p, size);
	mem_free(p);
	return q;
}

/* The thread's bin does not have it. */
static never_inline void *realloc_copy_slow(void *p, size_t old_size,
					    size_t size)
{
	int saved_errno = errno;
	void *q = mem_malloc_slow(size);

	if (likely(q))
		return copy_to(q, p, min(old_size, size));
	if (size > old_size)
		return NULL;
	errno = saved_errno;
	return p;
}

static void *realloc_copy(void *p, size_t old_size, size_t size)
{
	void *q = mem_malloc_fast(size);

	return likely(q) ? copy_to(q, p, min(old_size, size)) :
			   realloc_copy_slow(p, old_size, size);
}

static inline bool size_stays(size_t old_size, size_t size)
{
	return size <= old_size && size >= old_size / 2;
}

static inline bool run_is_to_trim(size_t old_size, size_t size)
{
	return size < old_size &&
	       old_size - size >= max(old_size / 4, TRIM_MIN);
}

/* NULL: not so. */
static void *run_grow(void *p, const struct block *block, size_t size)
{
	struct page *to;

	if (word_type(block->word) != PAGE_RUN ||
	    word_class(block->word) < 0 || size <= block->size ||
	    size > CLASS_MAX)
		return NULL;
	to = heap_grow_run(block->page, size_class_of(size));
	if (to == block->page)
		return p;
	return to ? copy_to(page_address(to), p, block->size) : NULL;
}

static void *realloc_block(void *p, const struct block *block, size_t size)
{
	bool is_run = word_type(block->word) == PAGE_RUN;
	void *q = NULL;

	if (size > PTRDIFF_MAX)
		return mem_no_memory();
	if (is_run && word_class(block->word) < 0 && size > CLASS_MAX)
		q = huge_resize(block->page, size);
	else if (size_stays(block->size, size))
		q = p;
	else
		q = run_grow(p, block, size);
	if (!q)
		q = realloc_copy(p, block->size, size);
	if (q == p && is_run && run_is_to_trim(block->size, size))
		huge_trim(block->page, size);
	return q;
}

static cold_path void *realloc_other(void *p, size_t size)
{
	void *q;

	if (vm_contains(p) || !foreign_realloc(p, size, &q))
		fault_bad_pointer("realloc", p);
	return q;
}

static never_inline void *realloc_slow(void *p, size_t size)
{
	struct block block;

	if (unlikely(!mem_block_of(p, &block)))
		return realloc_other(p, size);
	if (unlikely(!size)) {
		mem_free(p);
		return NULL;
	}
	return realloc_block(p, &block, size);
}

/* Bytes of a live run of a class; 0: it is none, or there is more to it. */
static inline size_t run_size(const void *p)
{
	const struct page *end = thread_fast.map_end;
	ptrdiff_t place = map_place(end, p);
	uint64_t word;

	if (unlikely(!map_has_place(place)))
		return 0;
	word = page_word(&end[place]);
	return word_is_class_run(word, p, RUN_CACHED) ?
		size_classes[word_class(word)].size : 0;
}

void *mem_realloc(void *p, size_t size)
{
	size_t old_size = heap_object_size(p);

	if (size && size_stays(old_size, size))
		return p;
	if (old_size && size)
		return realloc_copy(p, old_size, size);
	if (!p)
		return mem_malloc(size);
	old_size = run_size(p);
	if (size && size_stays(old_size, size) &&
	    !run_is_to_trim(old_size, size))
		return p;
	return realloc_slow(p, size);
}
