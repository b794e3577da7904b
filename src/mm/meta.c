#include "mm/meta.h"
#include "os/os.h"

/* One step of the commit frontier, bytes: at most this much is charged and
 * not used. */
#define META_CHUNK	(256UL << 10)

/* What must be left when memory is added, bytes. */
#define META_AHEAD	(16UL << 10)

/* What the smallest window comes with, bytes: a few threads' heaps. */
#define META_LEAST	(2 * META_CHUNK)

struct meta meta = { .lock = LOCK_INITIALIZER(LOCK_META) };

/* The end of so many bytes of address space, or of fewer; NULL: not even
 * those. */
static char *meta_place(size_t *size)
{
	char *base;

	while (!(base = os_reserve(*size, os.page_size, false))) {
		if (*size == META_CHUNK)
			return NULL;
		*size = max(align_down(*size / 2, META_CHUNK), META_CHUNK);
	}
	return base + *size;
}

/*
 * The largest need is 128 bytes for a slab of 8 KiB; a 32nd of the window
 * leaves room for heaps and sheaves. It counts against a limit of the address
 * space.
 */
bool meta_init(size_t window, char *end, size_t room)
{
	size_t size = align_up(window / 32, META_CHUNK);

	/* The handle of the last object fits, too. */
	size = min(max(size, META_LEAST), META_MAX_TOTAL - META_CHUNK);
	meta.end = size <= room ? end : meta_place(&size);
	meta.size = size;
	return meta.end;
}

static bool meta_commit(size_t end)
{
	size_t want = align_up(end, META_CHUNK);

	if (end <= meta.committed)
		return true;
	if (want > meta.size ||
	    !os_commit(meta.end - want, want - meta.committed))
		return false;
	/* Relaxed: meta_contains reads it without the lock. */
	__atomic_store_n(&meta.committed, want, __ATOMIC_RELAXED);
	return true;
}

bool meta_reserve(size_t size)
{
	bool ok;

	lock_acquire(&meta.lock);
	ok = meta_commit(max(size, min(meta.used + META_AHEAD, meta.size)));
	lock_release(&meta.lock);
	return ok;
}

static void *meta_cut(size_t size)
{
	/* A cache line never holds two objects; a page's worth is aligned. */
	size_t skew = size == META_SKEWED ? size / 2 : 0;
	size_t used = align_up(meta.used + size + skew,
			       min(size, PAGE_SIZE)) - skew;

	if (!meta_commit(used))
		return NULL;
	meta.used = used;
	return meta.end - used;
}

void *meta_alloc(size_t size)
{
	unsigned int order = meta_order(size);
	void *p;

	ASSERT(size <= META_MAX_SIZE);
	size = (size_t)META_UNIT << order;
	lock_acquire(&meta.lock);
	p = meta.free[order];
	if (p) {
		meta.free[order] = *(void **)p;
		*(void **)p = NULL;
	} else {
		p = meta_cut(size);
	}
	if (p)
		meta.in_use += size;
	lock_release(&meta.lock);
	return p;
}

void meta_free(void *p, size_t size)
{
	unsigned int order = meta_order(size);

	size = (size_t)META_UNIT << order;
	memset(p, 0, size);
	lock_acquire(&meta.lock);
	*(void **)p = meta.free[order];
	meta.free[order] = p;
	meta.in_use -= size;
	lock_release(&meta.lock);
}
