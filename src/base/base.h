/*
 * base - the words every room uses: annotations, the three strengths of
 * check, and arithmetic on powers of two.
 *
 * 1. static_assert: known to the compiler.
 * 2. ASSERT: proven; it costs nothing in a release build, but its expression
 *    is always compiled.
 * 3. CHECK: a mistake of the program can break it; always on.
 */
#ifndef ZBM_BASE_H
#define ZBM_BASE_H

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define never_inline	__attribute__((__noinline__))
#define cold_path	__attribute__((__noinline__, __cold__))
/* What is called often: where it starts within a line depends on all that lies
 * in front of it, and on that up to a fifth of its time. */
#define hot_path	__attribute__((__noinline__, __aligned__(64)))
#define force_inline	inline __attribute__((__always_inline__))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define array_size(a)	(sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define min(a, b) ({ \
	__auto_type min_a = (a); __auto_type min_b = (b); \
	min_a < min_b ? min_a : min_b; })
#define max(a, b) ({ \
	__auto_type max_a = (a); __auto_type max_b = (b); \
	max_a > max_b ? max_a : max_b; })

/* Fetches the line of any address, to be written. __builtin_prefetch takes
 * the instruction only where all processors have it; others skip it. */
static force_inline void prefetch_to_write(const void *p)
{
#ifdef __x86_64__
	__asm__("prefetchw (%0)" : : "r"(p));
#else
	__builtin_prefetch(p, 1);
#endif
}

#ifdef ZBM_DEBUG
#define DEBUG_ZBM	1
#else
#define DEBUG_ZBM	0
#endif

/* Built with ThreadSanitizer, which does not follow all that the kernel does:
 * only the core and its unit tests are. */
#ifdef __SANITIZE_THREAD__
#define TSAN_ZBM	1
#else
#define TSAN_ZBM	0
#endif

/* Print "file:line: what" with write(2), then abort. Never allocates. */
_Noreturn void base_assert_failed(const char *file, int line,
				  const char *what);

#define ASSERT(cond) do { \
	if (DEBUG_ZBM && unlikely(!(cond))) \
		base_assert_failed(__FILE__, __LINE__, #cond); \
} while (0)
#define CHECK(cond) do { \
	if (unlikely(!(cond))) \
		base_assert_failed(__FILE__, __LINE__, #cond); \
} while (0)

static inline bool is_pow2(size_t n)
{
	return n && !(n & (n - 1));
}

/* What strcmp would tell, without a name to look up at start. */
static inline bool string_is(const char *a, const char *b)
{
	for (; *a == *b && *a; a++, b++)
		;
	return *a == *b;
}

/* `align` is a power of two; the result wraps to 0 above SIZE_MAX - align. */
static inline size_t align_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static inline size_t align_down(size_t n, size_t align)
{
	return n & ~(align - 1);
}

/* floor(log2(n)), n > 0 */
static inline unsigned int log2_floor(size_t n)
{
	return 63 ^ (unsigned int)__builtin_clzl(n);
}

/* ceil(log2(n)), n > 0 */
static inline unsigned int log2_ceil(size_t n)
{
	return n <= 1 ? 0 : log2_floor(n - 1) + 1;
}

#endif
