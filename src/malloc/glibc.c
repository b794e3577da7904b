/*
 * glibc - the copies of glibc in this process, and their allocators.
 *
 * 1. A C library is known by its file name, and its functions come from its
 *    own symbol table: they are not those that the program's names mean.
 * 2. The main arena is a static variable without a symbol. An arena in use
 *    has a row of 127 bins, which are list heads that, when empty, point to
 *    16 bytes before themselves: such a row is searched in the data.
 * 3. The words around the row: the top chunk stands 2 words before it; 4
 *    half words (a bitmap), the next arena, the next free arena, a count and
 *    the arena's size in bytes follow.
 * 4. The arenas form a ring. The main arena begins where the ring closes,
 *    which also proves that the row was one.
 */
#include <gnu/lib-names.h>

#include "malloc/glibc.h"
#include "os/elf.h"
#include "os/probe.h"

#define WORD		sizeof(uintptr_t)
#define NR_BINS		127
#define BIN_SIZE	(2 * WORD)
#define TOP_OFFSET	(-2 * (intptr_t)WORD)	/* from the row of bins */
#define BITMAP_SIZE	(2 * WORD)
#define SYSTEM_MEM_OFFSET (3 * WORD)		/* from `next` */
#define MAX_BINS_OFFSET	256			/* of the row in an arena */
#define NONCONTIGUOUS	2			/* a flag of an arena */
#define MAX_ARENAS	65536	/* ends a broken ring */

/* The program's own copy never goes away. */
static struct {
	struct glibc libc;
	int state;		/* 0 unknown, 1 being written, 2 valid */
} base_copy;

static bool bin_is_empty(uintptr_t bin)
{
	return probe_word(bin) == bin - BIN_SIZE &&
		probe_word(bin + WORD) == bin - BIN_SIZE;
}

/* Empty, or its first chunk points back to it. */
static bool bin_is_valid(uintptr_t bin)
{
	uintptr_t back;

	return bin_is_empty(bin) ||
		(probe_read(probe_word(bin) + 3 * WORD, &back) &&
		 back == bin - BIN_SIZE);
}

/* Follows the ring from the main arena, if that begins at `arena`. */
static bool ring_find(uintptr_t arena, uintptr_t next, uintptr_t wanted)
{
	uintptr_t at = arena;
	size_t i;

	for (i = 0; i < MAX_ARENAS; i++) {
		if (!probe_read(at + (next - arena), &at))
			return false;
		if (at == wanted)
			return true;
		if (at == arena)
			return false;
	}
	return false;
}

/* Where the main arena begins, given its row of bins and its link. */
static bool arena_find_start(struct glibc *libc)
{
	/* The same in all copies. First tried is what was right before: a
	 * wrong guess is slow, as it leads to addresses that are none. */
	static size_t known_offset;
	size_t known = __atomic_load_n(&known_offset, __ATOMIC_RELAXED);
	size_t i, offset;

	for (i = 0; i < MAX_BINS_OFFSET / WORD; i++) {
		offset = i ? i * WORD : known;
		libc->arena = libc->bins - offset;
		if (!ring_find(libc->arena, libc->next, libc->arena))
			continue;
		__atomic_store_n(&known_offset, offset, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

static bool arena_find(struct glibc *libc)
{
	uintptr_t limit = libc->data_end - BITMAP_SIZE - 5 * WORD;
	uintptr_t at = libc->data + MAX_BINS_OFFSET;

	while (at < limit && !bin_is_empty(at))
		at += WORD;
	/* Bins before this one may have chunks in them; count from the end. */
	while (at < limit && bin_is_valid(at))
		at += BIN_SIZE;
	if (at >= limit || at < libc->data + NR_BINS * BIN_SIZE)
		return false;
	libc->bins = at - NR_BINS * BIN_SIZE;
	libc->next = at + BITMAP_SIZE;
	return arena_find_start(libc);
}

/* The copy of one namespace, if it has one and uses its malloc. */
static bool libc_find(const struct r_debug_extended *space,
		      struct glibc *libc)
{
	struct elf_object object;

	if (!elf_find_object(space, LIBC_SO, &object) ||
	    !elf_find_data(&object, &libc->data, &libc->data_end))
		return false;
	libc->malloc = (void *(*)(size_t))elf_find_symbol(&object, "malloc");
	libc->free = (void (*)(void *))elf_find_symbol(&object, "free");
	libc->realloc = (void *(*)(void *, size_t))
		elf_find_symbol(&object, "realloc");
	libc->usable_size = (size_t (*)(void *))
		elf_find_symbol(&object, "malloc_usable_size");
	libc->info = (struct mallinfo2 (*)(void))
		elf_find_symbol(&object, "mallinfo2");
	return libc->malloc && libc->free && libc->realloc &&
		libc->usable_size && arena_find(libc);
}

static void base_copy_publish(const struct glibc *libc)
{
	int unknown = 0;

	if (!__atomic_compare_exchange_n(&base_copy.state, &unknown, 1, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	base_copy.libc = *libc;
	/* Pairs with the load in glibc_find. */
	__atomic_store_n(&base_copy.state, 2, __ATOMIC_RELEASE);
}

size_t glibc_find(struct glibc copies[GLIBC_MAX_COPIES], bool all)
{
	const struct r_debug_extended *space = elf_next_space(NULL);
	size_t n = 0;

	/* Pairs with the store in base_copy_publish. */
	if (__atomic_load_n(&base_copy.state, __ATOMIC_ACQUIRE) == 2) {
		copies[n++] = base_copy.libc;
		if (!all)
			return n;
	} else if (space && libc_find(space, copies)) {
		base_copy_publish(copies);
		n++;
	}
	while (space && n < GLIBC_MAX_COPIES) {
		space = elf_next_space(space);
		if (space && libc_find(space, &copies[n]))
			n++;
	}
	return n;
}

uintptr_t glibc_top(const struct glibc *libc)
{
	return probe_word(libc->bins + (uintptr_t)TOP_OFFSET);
}

size_t glibc_system_mem(const struct glibc *libc)
{
	return probe_word(libc->next + SYSTEM_MEM_OFFSET);
}

bool glibc_is_contiguous(const struct glibc *libc)
{
	/* The flags are the second int, the higher half of the word. */
	return !(probe_word(libc->arena) >> 32 & NONCONTIGUOUS);
}

size_t glibc_mapped(const struct glibc *libc)
{
	return libc->info ? libc->info().hblkhd : 0;
}

bool glibc_has_arena(const struct glibc *libc, uintptr_t arena)
{
	return ring_find(libc->arena, libc->next, arena);
}
