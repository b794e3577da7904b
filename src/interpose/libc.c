/*
 * libc - the names of the C library's allocator, and nothing but names.
 *
 * 1. Every body is one call to the floor below. What calls other names of
 *    the allocator, by these names, stands in derived.c.
 * 2. This one object defines every name that glibc's own malloc.o defines
 *    and a program can use. In a static link the linker takes malloc.o out
 *    of libc.a when any one of them is missing, and then all the others
 *    are defined twice.
 * 3. This object is in every program that the library is in, so what is done
 *    when it is loaded and when the process ends stands here too.
 * 4. Aliases repeat the attributes of what they stand for; compilers warn
 *    otherwise.
 */
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/cdefs.h>
#include <sys/mman.h>

#include "base/base.h"
#include "inspect/report.h"
#include "malloc/introspect.h"
#include "malloc/malloc.h"
#include "os/thread.h"
#include "zbmalloc.h"

#define EXPORT		__attribute__((visibility("default")))
#define ALIAS(target)	EXPORT __attribute__((alias(target)))

/* Before all other constructors and after all other destructors of a program
 * that this is linked into; those of shared libraries have no such order. */
#define OUTERMOST	101

/* Not declared in today's <stdlib.h>. */
void cfree(void *ptr) __THROW;

/* Both for the end of a process that has something to report. */
static bool ends_after_all, has_destroyed;

/*
 * Registered when the library is loaded with the program, this comes after the
 * destructors of all libraries: the C library registers those later. And it
 * comes before ours when the library was loaded later.
 */
static void end_after_all(void *unused __attribute__((unused)))
{
	ends_after_all = false;
	if (has_destroyed)
		report_exit();
}

static cold_path void end_register(void)
{
	ends_after_all = thread_at_process_exit(end_after_all, NULL);
}

static cold_path void end_of_destructors(void)
{
	has_destroyed = true;
	if (!ends_after_all)
		report_exit();
}

__attribute__((constructor(OUTERMOST))) static void library_start(void)
{
	if (unlikely(report_start()))
		end_register();
}

__attribute__((destructor(OUTERMOST))) static void library_exit(void)
{
	if (unlikely(report_is_due()))
		end_of_destructors();
}

EXPORT void *malloc(size_t size)
{
	return mem_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	return mem_calloc(count, size);
}

EXPORT void *realloc(void *ptr, size_t size)
{
	return mem_realloc(ptr, size);
}

EXPORT void free(void *ptr)
{
	mem_free(ptr);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	return mem_posix_memalign(out, align, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	return mem_aligned_alloc(align, size);
}

EXPORT void *memalign(size_t align, size_t size)
{
	return mem_memalign(align, size);
}

EXPORT void *valloc(size_t size)
{
	return mem_valloc(size);
}

EXPORT void *pvalloc(size_t size)
{
	return mem_pvalloc(size);
}

EXPORT size_t malloc_usable_size(void *ptr)
{
	return mem_usable_size(ptr);
}

EXPORT void cfree(void *ptr)
{
	mem_free(ptr);
}

EXPORT size_t malloc_good_size(size_t size)
{
	return mem_good_size(size);
}

EXPORT int malloc_trim(size_t pad)
{
	return mem_trim(pad);
}

EXPORT void malloc_stats(void)
{
	mem_stats();
}

EXPORT int malloc_info(int options, FILE *stream)
{
	return mem_info(options, stream);
}

EXPORT struct mallinfo2 mallinfo2(void)
{
	return mem_mallinfo2();
}

/* The fields of the old mallinfo are ints: what is larger says INT_MAX. */
static int saturate(size_t n)
{
	return (int)min(n, (size_t)INT_MAX);
}

EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 info = mem_mallinfo2();

	return (struct mallinfo) {
		.arena = saturate(info.arena),
		.ordblks = saturate(info.ordblks),
		.smblks = saturate(info.smblks),
		.hblks = saturate(info.hblks),
		.hblkhd = saturate(info.hblkhd),
		.usmblks = saturate(info.usmblks),
		.fsmblks = saturate(info.fsmblks),
		.uordblks = saturate(info.uordblks),
		.fordblks = saturate(info.fordblks),
		.keepcost = saturate(info.keepcost),
	};
}

EXPORT int mallopt(int param, int value)
{
	return mem_mallopt(param, value);
}

/* Not of the allocator, but what they do to its reservations is. */
EXPORT int mlockall(int flags)
{
	return mem_mlockall(flags);
}

EXPORT int munlockall(void)
{
	return mem_munlockall();
}

EXPORT void *zbm_malloc_node(size_t size, int nid)
{
	return mem_malloc_node(size, nid);
}

EXPORT int zbm_numastat(int nid, struct zbm_numastat *stat)
{
	return mem_numastat(nid, stat);
}

EXPORT const char *zbm_version(void)
{
	return ZBM_VERSION;
}

/* For those who must know whether these names are still ours (cxx.c). */
#define OWN(target)	__attribute__((visibility("hidden"), alias(target)))

void *own_malloc(size_t size) __THROW __attribute_malloc__
	__attribute_alloc_size__((1)) OWN("malloc");
void *own_aligned_alloc(size_t align, size_t size) __THROW
	__attribute_malloc__ __attribute_alloc_align__((1))
	__attribute_alloc_size__((2)) OWN("aligned_alloc");
void own_free(void *ptr) __THROW OWN("free");

/* The names by which programs reach glibc's allocator behind malloc. */
void *__libc_malloc(size_t size) __THROW __attribute_malloc__
	__attribute_alloc_size__((1)) ALIAS("malloc");
void *__libc_calloc(size_t count, size_t size) __THROW __attribute_malloc__
	__attribute_alloc_size__((1, 2)) ALIAS("calloc");
void *__libc_realloc(void *ptr, size_t size) __THROW
	__attribute_warn_unused_result__ __attribute_alloc_size__((2))
	ALIAS("realloc");
void __libc_free(void *ptr) __THROW ALIAS("free");
void __libc_cfree(void *ptr) __THROW ALIAS("cfree");
void *__libc_memalign(size_t align, size_t size) __THROW __attribute_malloc__
	__attribute_alloc_align__((1)) __attribute_alloc_size__((2))
	ALIAS("memalign");
void *__libc_valloc(size_t size) __THROW __attribute_malloc__
	__attribute_alloc_size__((1)) ALIAS("valloc");
void *__libc_pvalloc(size_t size) __THROW __attribute_malloc__
	__attribute_alloc_size__((1)) ALIAS("pvalloc");
int __posix_memalign(void **out, size_t align, size_t size) __THROW
	__nonnull((1)) __wur ALIAS("posix_memalign");
struct mallinfo __libc_mallinfo(void) __THROW ALIAS("mallinfo");
int __libc_mallopt(int param, int value) __THROW ALIAS("mallopt");
