/*
 * zbmalloc.h - what zbmalloc offers beyond the C library's own headers.
 *
 * 1. malloc, free and the rest of the C library's names are declared where
 *    they always were, in <stdlib.h> and <malloc.h>.
 * 2. Declared here are the extensions, which begin with zbm_, and the
 *    functions that other C libraries or newer standards have and this
 *    system's headers may lack.
 * 3. Link with -lzbmalloc, or put the library under a program with
 *    LD_PRELOAD.
 */
#ifndef ZBMALLOC_H
#define ZBMALLOC_H

#include <stddef.h>

#ifdef __cplusplus
#define ZBM_NOTHROW noexcept(true)
extern "C" {
#else
#define ZBM_NOTHROW __attribute__((nothrow))
#endif

/* The version of the library that is loaded, as "major.minor.patch". */
const char *zbm_version(void) ZBM_NOTHROW;

/* C23: free, by somebody who knows the size that was asked for. */
void free_sized(void *ptr, size_t size) ZBM_NOTHROW;

/* C23: free, of memory from aligned_alloc with this alignment and size. */
void free_aligned_sized(void *ptr, size_t align, size_t size) ZBM_NOTHROW;

/*
 * NetBSD: *(void **)ptr_of_ptr becomes room for `count` elements of `size`
 * bytes. Returns 0 or an error number; errno and, on failure, the pointer
 * and what it points to stay as they were.
 */
int reallocarr(void *ptr_of_ptr, size_t count, size_t size) ZBM_NOTHROW;

/* FreeBSD: as realloc, but on failure the old block is freed. */
void *reallocf(void *ptr, size_t size) ZBM_NOTHROW;

/* macOS: the bytes that an allocation of `size` bytes really has. */
size_t malloc_good_size(size_t size) ZBM_NOTHROW;

/* macOS: another name for malloc_usable_size. */
size_t malloc_size(const void *ptr) ZBM_NOTHROW;

/*
 * malloc of memory of the NUMA node that the kernel calls `nid`; -1: of the
 * node that the thread runs on. Of a node without memory it is the nearest
 * that has; where the node is full, the nearest that is not. Returns NULL with
 * EINVAL when there is no such node, with ENOMEM without memory. free it as
 * any other block. On a machine with one node, and where numa=off or a policy
 * of the process (numactl) decides, it is malloc, but for numbers of nodes that
 * do not exist.
 */
void *zbm_malloc_node(size_t size, int nid) ZBM_NOTHROW;

/* What was taken of a node since the start, in pages of 4 KiB, and in the
 * words of numastat(8). */
struct zbm_numastat {
	unsigned long long numa_hit;	/* of this node, as was wanted */
	unsigned long long numa_miss;	/* of it, though another was wanted */
	unsigned long long numa_foreign; /* of another, though it was wanted */
	unsigned long long interleave_hit; /* of it, by numa=interleave */
	unsigned long long local_node;	/* of it, by a thread that ran there */
	unsigned long long other_node;	/* of it, by a thread of another */
};

/* Fills *stat for the node that the kernel calls `nid`. Returns 0, or EINVAL
 * when this process has no memory there; errno is left alone. With one node
 * only, where nothing is counted, all are 0. */
int zbm_numastat(int nid, struct zbm_numastat *stat) ZBM_NOTHROW;

#ifdef __cplusplus
}
#endif

#endif
