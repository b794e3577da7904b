/*
 * foreign - a pointer from outside our window, given to free, realloc or
 * malloc_usable_size.
 *
 * 1. glibc's pointer stands 16 bytes behind the start of its chunk, where
 *    two words say how large the chunk before it is (when that is free) and
 *    how large this one is; the low bits of the latter are flags.
 * 2. That much must fit together, as must the head of the next chunk. Then
 *    the place decides, by the flags:
 *    a. mapped alone: the header agrees with a mapping; any copy of glibc
 *       can free it, but one that has as much mapped should, as it counts;
 *    b. of a thread's arena: the heap it lies in, aligned to its largest
 *       size, names an arena that one copy has in its ring;
 *    c. else of a main arena: it lies in the one range of memory up to the
 *       arena's top, or the chunks after it lead to a top, or to the marks
 *       at the end of an older range.
 * 3. An older range names no arena. With one candidate the owner is sure;
 *    with several the block stays as it is: a leak is better than a free in
 *    the wrong arena.
 */
#include "base/param.h"
#include "malloc/foreign.h"
#include "malloc/glibc.h"
#include "os/probe.h"

#define CHUNK_HEADER	(2 * sizeof(size_t))
#define CHUNK_MIN	(4 * sizeof(size_t))

/* Flags in a chunk's size */
#define PREV_INUSE	1UL
#define IS_MMAPPED	2UL
#define NON_MAIN_ARENA	4UL
#define SIZE_FLAGS	7UL

/* Other threads may change what is read; a real chunk passes sooner. */
#define ATTEMPTS	4
#define MAX_STEPS	(1UL << 24)	/* chunks in a range */

struct chunk {
	uintptr_t start;
	size_t before;		/* size of the chunk before it, or offset */
	size_t size;
	size_t flags;
};

struct owner {
	struct glibc libc;
	bool sure;		/* else glibc's, but not known which copy's */
	struct chunk chunk;
};

static bool chunk_read(uintptr_t ptr, struct chunk *chunk)
{
	size_t head;

	if (ptr % MIN_ALIGN || ptr < CHUNK_HEADER)
		return false;
	chunk->start = ptr - CHUNK_HEADER;
	if (!probe_read(chunk->start, &chunk->before) ||
	    !probe_read(chunk->start + sizeof(size_t), &head))
		return false;
	chunk->size = head & ~SIZE_FLAGS;
	chunk->flags = head & SIZE_FLAGS;
	return chunk->size >= CHUNK_MIN && chunk->size % MIN_ALIGN == 0 &&
		chunk->size < PTRDIFF_MAX;
}

/* The chunk after it knows that this one is in use. */
static bool chunk_is_in_use(const struct chunk *chunk)
{
	uintptr_t next = chunk->start + chunk->size;
	size_t head, size;

	if (!probe_read(next + sizeof(size_t), &head))
		return false;
	size = head & ~SIZE_FLAGS;
	return head & PREV_INUSE && !(head & IS_MMAPPED) &&
		size >= CHUNK_HEADER && size % MIN_ALIGN == 0 &&
		size < PTRDIFF_MAX;
}

/* Here `before` is where the chunk begins in its mapping. */
static bool mapped_chunk_is_real(const struct chunk *chunk)
{
	uintptr_t start = chunk->start - chunk->before;
	uintptr_t end = chunk->start + chunk->size;

	return chunk->flags == IS_MMAPPED && chunk->before < chunk->start &&
		start % PAGE_SIZE == 0 && end % PAGE_SIZE == 0 &&
		probe_anonymous(start, end);
}

/* A copy that has as much mapped: with several, which one is a guess. */
static const struct glibc *mapped_chunk_owner(const struct chunk *chunk,
					      const struct glibc *copies,
					      size_t nr_copies)
{
	size_t i;

	for (i = 0; nr_copies > 1 && i < nr_copies; i++)
		if (glibc_mapped(&copies[i]) >= chunk->before + chunk->size)
			return &copies[i];
	return &copies[0];
}

/*
 * The arena that a heap around the chunk names, or 0. A heap begins with
 * its arena, the heap before it, and how many bytes of it are in use.
 */
static uintptr_t heap_find_arena(const struct chunk *chunk, size_t heap_max)
{
	uintptr_t heap = align_down(chunk->start, heap_max);
	uintptr_t arena;
	size_t size;

	if (!probe_read(heap, &arena) ||
	    !probe_read(heap + 2 * sizeof(size_t), &size))
		return 0;
	if (size > heap_max || chunk->start + chunk->size > heap + size)
		return 0;
	return arena;
}

static bool find_by_heap(const struct chunk *chunk, const struct glibc *copies,
			 size_t nr_copies, struct owner *owner)
{
	/* Largest size of a heap: the usual one, and four huge pages of the
	 * sizes that machines have (glibc.malloc.hugetlb). */
	static const size_t heap_max[] = {
		64UL << 20, 8UL << 20, 128UL << 20, 2UL << 30, 4UL << 30,
	};
	size_t i, k;

	for (k = 0; k < array_size(heap_max); k++) {
		uintptr_t arena = heap_find_arena(chunk, heap_max[k]);

		for (i = 0; arena && i < nr_copies; i++) {
			if (!glibc_has_arena(&copies[i], arena))
				continue;
			owner->libc = copies[i];
			owner->sure = true;
			return true;
		}
	}
	return false;
}

static bool find_by_range(const struct chunk *chunk,
			  const struct glibc *copies, size_t nr_copies,
			  struct owner *owner)
{
	size_t i;

	for (i = 0; i < nr_copies; i++) {
		uintptr_t top = glibc_top(&copies[i]);
		uintptr_t end;
		size_t head;

		if (!glibc_is_contiguous(&copies[i]) ||
		    !probe_read(top + sizeof(size_t), &head))
			continue;
		end = top + (head & ~SIZE_FLAGS);
		if (end - chunk->start > glibc_system_mem(&copies[i]) ||
		    chunk->start + chunk->size > top)
			continue;
		owner->libc = copies[i];
		owner->sure = true;
		return true;
	}
	return false;
}

/* Two heads without chunks at the end of a page, which `at` is in. */
static bool range_ends(uintptr_t at, size_t size)
{
	return size == CHUNK_HEADER &&
		(at + 2 * CHUNK_HEADER) % PAGE_SIZE == 0 &&
		probe_word(at + CHUNK_HEADER + sizeof(size_t)) ==
		(CHUNK_HEADER | PREV_INUSE);
}

/*
 * The last chunk of the range: a top chunk, or the first of the two marks,
 * of 16 bytes each, before the end of an older range. 0: this is no range.
 */
static uintptr_t range_find_last(const struct chunk *chunk,
				 const struct glibc *copies, size_t nr_copies)
{
	uintptr_t at = chunk->start;
	uintptr_t known_page = 0;
	size_t i, step;

	for (step = 0; step < MAX_STEPS; step++) {
		uintptr_t word = at + sizeof(size_t);
		size_t head, size;

		for (i = 0; i < nr_copies; i++)
			if (at == glibc_top(&copies[i]))
				return at;
		if (align_down(word, PAGE_SIZE) != known_page &&
		    !probe_readable(word))
			return 0;
		known_page = align_down(word, PAGE_SIZE);
		head = probe_word(word);
		size = head & ~SIZE_FLAGS;
		if (head & (IS_MMAPPED | NON_MAIN_ARENA) || size % MIN_ALIGN)
			return 0;
		if (range_ends(at, size))
			return at;
		if (size < CHUNK_MIN || size >= PTRDIFF_MAX - at)
			return 0;
		at += size;
	}
	return 0;
}

static bool find_by_walk(const struct chunk *chunk,
			 const struct glibc *copies, size_t nr_copies,
			 struct owner *owner)
{
	uintptr_t last = range_find_last(chunk, copies, nr_copies);
	size_t candidates = 0;
	size_t i;

	if (!last)
		return false;
	for (i = 0; i < nr_copies; i++) {
		bool is_top = last == glibc_top(&copies[i]);

		/* One with a single range has no older one. */
		if (!is_top && glibc_is_contiguous(&copies[i]))
			continue;
		owner->libc = copies[i];
		candidates++;
		if (is_top) {
			candidates = 1;
			break;
		}
	}
	owner->sure = candidates == 1;
	return candidates > 0;
}

/* Not all copies are known when `all` is false. */
static bool find_among(struct owner *owner, const struct glibc *copies,
		       size_t nr_copies, bool all)
{
	const struct chunk *chunk = &owner->chunk;

	if (!nr_copies)
		return false;
	if (chunk->flags & IS_MMAPPED) {
		if (!all || !mapped_chunk_is_real(chunk))
			return false;
		owner->libc = *mapped_chunk_owner(chunk, copies, nr_copies);
		owner->sure = true;
		return true;
	}
	if (!chunk_is_in_use(chunk))
		return false;
	if (chunk->flags & NON_MAIN_ARENA)
		return find_by_heap(chunk, copies, nr_copies, owner);
	return find_by_range(chunk, copies, nr_copies, owner) ||
		(all && find_by_walk(chunk, copies, nr_copies, owner));
}

static bool owner_find(uintptr_t ptr, struct owner *owner)
{
	struct glibc copies[GLIBC_MAX_COPIES];
	size_t nr_copies;
	bool all;
	int i;

	for (i = 0; i < ATTEMPTS; i++) {
		if (!chunk_read(ptr, &owner->chunk))
			continue;
		/* First without the copies that are long to find. */
		all = i > 0;
		nr_copies = glibc_find(copies, all);
		if (find_among(owner, copies, nr_copies, all))
			return true;
	}
	return false;
}

/* All of the block that the program may write. */
static size_t owner_usable_size(const struct owner *owner, void *ptr)
{
	if (owner->sure)
		return owner->libc.usable_size(ptr);
	return owner->chunk.size - sizeof(size_t);
}

bool foreign_free(void *ptr)
{
	int saved = errno;
	struct owner owner;
	bool found = owner_find((uintptr_t)ptr, &owner);

	if (found && owner.sure)
		owner.libc.free(ptr);
	errno = saved;
	return found;
}

/* For a block whose owner is not sure: the old one is left behind. */
static void *owner_copy(const struct owner *owner, void *ptr, size_t size)
{
	void *copy = size ? owner->libc.malloc(size) : NULL;

	if (copy)
		memcpy(copy, ptr, min(size, owner_usable_size(owner, ptr)));
	return copy;
}

bool foreign_realloc(void *ptr, size_t size, void **out)
{
	int saved = errno;
	struct owner owner;
	bool found = owner_find((uintptr_t)ptr, &owner);

	if (found)
		*out = owner.sure ? owner.libc.realloc(ptr, size) :
			owner_copy(&owner, ptr, size);
	/* A copy of glibc in another namespace has an errno of its own. */
	errno = found && !*out && size ? ENOMEM : saved;
	return found;
}

bool foreign_usable_size(const void *ptr, size_t *size)
{
	int saved = errno;
	struct owner owner;
	bool found = owner_find((uintptr_t)ptr, &owner);

	if (found)
		*size = owner_usable_size(&owner, (void *)(uintptr_t)ptr);
	errno = saved;
	return found;
}
