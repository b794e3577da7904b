/*
 * limit - a bump allocator without free: the bound that memory sets.
 *
 * 1. malloc moves a pointer up a chunk that belongs to the thread; free does
 *    nothing; realloc copies unless the block was the last one. No lock, no
 *    search, no reuse: an allocator that reuses warm memory can beat it.
 * 2. A block's size stands in the 8 bytes before it, for realloc's sake.
 * 3. Fresh memory comes by mmap in chunks that double for each thread from
 *    CHUNK_MIN to CHUNK_MAX, so that a short thread wastes little address
 *    space. It is zero, and nobody had it before: calloc writes nothing.
 * 4. What a run may take is bounded from outside (RLIMIT_AS). At the bound
 *    the program ends with LIMIT_FULL and one line: that is no failure of
 *    the program, and the suite leaves the row out.
 */
#include <errno.h>
#include <malloc.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGNMENT	alignof(max_align_t)
#define HEADER		sizeof(size_t)
#define PAGE		4096UL
#define CHUNK_MIN	(1UL << 20)	/* bytes */
#define CHUNK_MAX	(64UL << 20)
#define SIZE_TOO_LARGE	(1UL << 46)	/* bytes; no machine has them */
#define LIMIT_FULL	111	/* exit status; bench/suite/peers.py knows it */

static __thread struct chunk {
	char *next;	/* the first byte not given out */
	char *end;
	size_t size;	/* of the chunk, to double it */
} chunk __attribute__((tls_model("initial-exec")));

static void end_full(void)
{
	static const char text[] = "limit: the memory allowed is used up\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)ignored;
	_exit(LIMIT_FULL);
}

static char *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		end_full();
	return p;
}

static size_t *header(void *p)
{
	return (size_t *)((char *)p - HEADER);
}

/* The block's place at or above `from`, its header below it. */
static char *place(char *from, size_t alignment)
{
	uintptr_t at = (uintptr_t)from + HEADER;

	return from + ((at + alignment - 1) / alignment * alignment -
		       (uintptr_t)from);
}

/* A new chunk, or for a block of half a chunk and more a mapping for it. */
static __attribute__((noinline)) char *alloc_slow(size_t size,
						  size_t alignment)
{
	size_t need = size + alignment + HEADER;
	char *p;

	if (need >= CHUNK_MAX / 2) {
		p = place(map((need + PAGE - 1) / PAGE * PAGE), alignment);
		*header(p) = size;
		return p;
	}
	do
		chunk.size = chunk.size ? chunk.size * 2 : CHUNK_MIN;
	while (chunk.size < need);
	if (chunk.size > CHUNK_MAX)
		chunk.size = CHUNK_MAX;
	chunk.next = map(chunk.size);
	chunk.end = chunk.next + chunk.size;
	p = place(chunk.next, alignment);
	chunk.next = p + size;
	*header(p) = size;
	return p;
}

static inline void *alloc(size_t size, size_t alignment)
{
	char *p = place(chunk.next, alignment);

	if (size > SIZE_TOO_LARGE || alignment > SIZE_TOO_LARGE) {
		errno = ENOMEM;
		return NULL;
	}
	if (p > chunk.end || size > (size_t)(chunk.end - p))
		return alloc_slow(size, alignment);
	chunk.next = p + size;
	*header(p) = size;
	return p;
}

static bool is_power_of_two(size_t n)
{
	return n && !(n & (n - 1));
}

static size_t at_least(size_t alignment)
{
	return alignment < ALIGNMENT ? ALIGNMENT : alignment;
}

void *malloc(size_t size)
{
	return alloc(size, ALIGNMENT);
}

void free(void *p)
{
	(void)p;
}

void *calloc(size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		total = SIZE_MAX;
	return alloc(total, ALIGNMENT);
}

/* The chunk's last block of this thread: its end moves. */
static bool resize_last(char *p, size_t old, size_t size)
{
	if (p + old != chunk.next || size > (size_t)(chunk.end - p))
		return false;
	if (size < old)
		/* calloc relies on it. */
		memset(p + size, 0, old - size);
	chunk.next = p + size;
	*header(p) = size;
	return true;
}

void *realloc(void *p, size_t size)
{
	size_t old;
	void *new;

	if (!p)
		return malloc(size);
	if (!size)
		return NULL;
	old = *header(p);
	if (resize_last(p, old, size))
		return p;
	if (size <= old)
		return p;
	new = malloc(size);
	if (new)
		memcpy(new, p, old);
	return new;
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, total);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
	void *new;

	if (!is_power_of_two(alignment) || alignment % sizeof(void *))
		return EINVAL;
	new = alloc(size, at_least(alignment));
	if (!new)
		return ENOMEM;
	*p = new;
	return 0;
}

void *aligned_alloc(size_t alignment, size_t size)
{
	if (!is_power_of_two(alignment)) {
		errno = EINVAL;
		return NULL;
	}
	return alloc(size, at_least(alignment));
}

void *memalign(size_t alignment, size_t size)
{
	return aligned_alloc(alignment, size);
}

void *valloc(size_t size)
{
	return alloc(size, PAGE);
}

void *pvalloc(size_t size)
{
	if (size > SIZE_TOO_LARGE)
		return alloc(size, PAGE);
	return alloc((size + PAGE - 1) / PAGE * PAGE, PAGE);
}

size_t malloc_usable_size(void *p)
{
	return p ? *header(p) : 0;
}
