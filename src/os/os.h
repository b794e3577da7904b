/*
 * os - the kernel behind one contract.
 *
 * 1. Sizes and addresses are bytes; errno is preserved by every function, but
 *    for os_open and os_read.
 * 2. A refusal is an answer, never a failure of the process: it is counted,
 *    said once when verbose, and done without.
 * 3. Only what is needed to run comes first: address space (reserve), then
 *    the right to write (commit). Memory itself comes at first touch.
 */
#ifndef ZBM_OS_H
#define ZBM_OS_H

#include "base/base.h"

#include <sys/mman.h>
#include <sys/types.h>

#ifndef MCL_ONFAULT
#define MCL_ONFAULT	4	/* Linux 4.4 */
#endif

enum os_refusal {
	OS_REFUSED_PURGE,	/* MADV_DONTNEED */
	OS_REFUSED_POPULATE,	/* MADV_POPULATE_WRITE */
	OS_REFUSED_HUGEPAGE,	/* MADV_HUGEPAGE, MADV_NOHUGEPAGE */
	OS_REFUSED_MOVE,	/* mremap with MREMAP_DONTUNMAP */
	OS_REFUSED_TOPOLOGY,	/* get_mempolicy */
	OS_REFUSED_BIND,	/* mbind */
	OS_REFUSED_NODES,	/* what /sys tells of nodes */
	NR_OS_REFUSALS,
};

struct os {
	size_t page_size;	/* of the machine, bytes, a power of two */
	uint64_t refused[NR_OS_REFUSALS];
	uint64_t nr_commits, nr_purges;	/* system calls */
	/* atomic: see os_set_locks */
	int locks;		/* MCL_CURRENT, MCL_FUTURE */
	int locker;		/* the process that wanted them */
};

extern struct os os;

void os_init(void);

/* Address space, aligned to `align`; readable memory reads as zero. Neither
 * kind may be written before os_commit, and core dumps leave both out until
 * then. NULL when refused. */
void *os_reserve(size_t size, size_t align, bool readable);
void os_release(void *addr, size_t size);

/* The same at this very place, not readable; false when it is refused, or
 * something is there. */
bool os_reserve_at(void *addr, size_t size);

/* A part of what was reserved; false when the kernel refuses. */
bool os_make_readable(void *addr, size_t size);

/* Makes it writable; false when the kernel refuses (commit limit,
 * RLIMIT_DATA, and RLIMIT_MEMLOCK where all new memory is locked). The range is
 * a multiple of os.page_size. */
bool os_commit(void *addr, size_t size);

/* Gives the memory back to the kernel, locked or not; it reads as zero
 * afterwards. False: the contents stayed as they were, or some of them, because
 * the kernel refused or the range is not made of whole pages of the machine. */
bool os_purge(void *addr, size_t size);

/* Brings memory for pages that will be written, all at once: a fault for each
 * takes longer. False: there is none yet, the first touch brings it. */
bool os_populate(void *addr, size_t size);

/* The same for memory that a program wants to be there. Before Linux 5.14, and
 * where memory is short, the first touch brings it. */
void os_fault_in(void *addr, size_t size);

/* Sets bit 0 of incore[i] for each page i that is in memory; a page that is
 * not may yet be swapped out. False: unknown, or pages are not of PAGE_SIZE. */
bool os_incore(const void *addr, size_t size, unsigned char *incore);

/* Asks for huge pages, or for none. */
bool os_hugepage(void *addr, size_t size, bool wanted);

/* A huge page of which a part was purged counts as a whole until the kernel
 * splits it; it does when one of the pages that are left is called cold. For
 * a range of such pages, which keep their contents. */
void os_split_hugepage(void *addr, size_t size);

/* The range is one mapping to the kernel. True as well where that cannot be
 * known. */
bool os_is_one_mapping(void *addr, size_t size);

/*
 * Moves `size` bytes of page tables from one committed place, which is one
 * mapping, to another; the source reads as zero afterwards. False: nothing was
 * moved, but the target may have been unmapped. Since then another thread may
 * have got a mapping there.
 */
bool os_move(void *from, void *to, size_t size);

/* Maps the range afresh: zero, writable, as one piece with its neighbours.
 * False: it may have been unmapped, as above. */
bool os_remap(void *addr, size_t size);

/* Maps a range in which nothing is mapped, like os_remap. False: nothing was
 * changed, for something is, or the kernel refuses. */
bool os_map_hole(void *addr, size_t size);

/* mlock(2), munlock(2), mlockall(2) and munlockall(2): 0, or the error number.
 * What is locked at_touch does not come before. */
int os_mlock(void *addr, size_t size, bool at_touch);
int os_munlock(void *addr, size_t size);
int os_mlockall(int flags);
int os_munlockall(void);

/* The program has MCL_CURRENT, MCL_FUTURE, or both: no memory loses its lock by
 * being moved or mapped afresh, and with MCL_FUTURE what is committed is
 * locked. Returns what it was before. */
int os_set_locks(int locks);
bool os_is_locked(void);

/* What a process without privilege may lock, bytes. */
size_t os_lock_limit(void);

/* Milliseconds of a monotonic clock, with a few milliseconds resolution. */
uint64_t os_now_ms(void);

/* Nanoseconds, as exact as the machine tells. */
uint64_t os_now_ns(void);

/* What it takes to write a zero to the page, in nanoseconds. */
uint64_t os_touch_ns(void *page);

/* The same for the first touch of a page, the least of a few: 250 to 2,500, and
 * 10,000 where a hypervisor keeps page tables of its own. 0: unknown. */
uint64_t os_fault_ns(void);

/* How much address space the process may still map, or SIZE_MAX. */
size_t os_address_space_left(void);

/* Resident set of the process now, bytes; 0 when unknown. */
size_t os_resident(void);

/* open(2) to read, and read(2), not interrupted. */
int os_open(const char *path);
ssize_t os_read(int fd, char *buf, size_t size);

/* Reads at most size - 1 bytes and ends them with 0; -1 when refused. */
long os_read_file(const char *path, char *buf, size_t size);

/* Calls `line` for each line of a file, without its end, however long the file
 * is. Left out is a line that does not fit into the buffer, or has no end. */
void os_read_lines(const char *path, char *buf, size_t size,
		   void (*line)(char *text, void *arg), void *arg);

/* The decimal number at the start of the text, behind blanks and tabs; 0
 * without one. */
size_t os_parse_number(const char *text);

/* Bytes of the field "NAME   1234 kB" in a file of /proc or /sys; 0: there is
 * none. */
size_t os_parse_kib(const char *text, const char *name);

/* The next range of a list such as "0-3,7"; false: there is none. */
bool os_parse_range(const char **text, size_t *first, size_t *last);

/* What was refused, by its name in man pages. */
extern const char *const os_refusal_names[NR_OS_REFUSALS];

void os_refuse(enum os_refusal what);

#endif
