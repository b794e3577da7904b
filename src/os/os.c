#include "os/os.h"
#include "base/options.h"
#include "base/param.h"
#include "base/print.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4	/* Linux 5.7 */
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000	/* Linux 4.17 */
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23	/* Linux 5.14 */
#endif

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24	/* Linux 5.18 */
#endif

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT	1	/* Linux 4.4 */
#endif

struct os os;

const char *const os_refusal_names[NR_OS_REFUSALS] = {
	[OS_REFUSED_PURGE] = "MADV_DONTNEED",
	[OS_REFUSED_POPULATE] = "MADV_POPULATE_WRITE",
	[OS_REFUSED_HUGEPAGE] = "MADV_HUGEPAGE",
	[OS_REFUSED_MOVE] = "mremap(MREMAP_DONTUNMAP)",
	[OS_REFUSED_TOPOLOGY] = "get_mempolicy",
	[OS_REFUSED_BIND] = "mbind",
	[OS_REFUSED_NODES] = "/sys/devices/system/node",
};

void os_init(void)
{
	size_t size = getauxval(AT_PAGESZ);

	os.page_size = is_pow2(size) ? size : PAGE_SIZE;
}

cold_path void os_refuse(enum os_refusal what)
{
	uint64_t before = __atomic_fetch_add(&os.refused[what], 1,
					     __ATOMIC_RELAXED);

	if (before == 0 && options.verbose)
		print_message("%s was refused (error %d); going on without",
			      os_refusal_names[what], errno);
}

/* By number: a program or another library may wrap mmap, and allocate there.
 * NULL: refused. */
static void *os_map(void *addr, size_t size, int prot, int flags)
{
	int saved_errno = errno;
	long kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags;
	long map = syscall(SYS_mmap, addr, size, (long)prot, kind, -1L, 0L);

	errno = saved_errno;
	return map == -1 ? NULL : (void *)map;
}

/* A debugger writes what a process has mapped into its core dumps, be it TiB
 * that hold nothing. */
static void os_set_dumped(void *addr, size_t size, bool dumped)
{
	int saved_errno = errno;

	syscall(SYS_madvise, addr, size,
		dumped ? MADV_DODUMP : MADV_DONTDUMP);
	errno = saved_errno;
}

void *os_reserve(size_t size, size_t align, bool readable)
{
	size_t slack = align > os.page_size ? align : 0, total;
	void *map;

	if (__builtin_add_overflow(size, slack, &total))
		return NULL;
	map = os_map(NULL, total, readable ? PROT_READ : PROT_NONE, 0);
	if (!map)
		return NULL;
	os_set_dumped(map, total, false);
	/* What lies before and behind stays reserved: it costs nothing, and
	 * unmapping it two system calls. */
	return (void *)align_up((uintptr_t)map, align);
}

/* Where nothing is mapped. */
static bool os_map_at(void *addr, size_t size, int prot)
{
	void *map = os_map(addr, size, prot, MAP_FIXED_NOREPLACE);

	/* Linux before 4.17 takes the address for a hint. */
	if (map && map != addr)
		os_release(map, size);
	return map == addr;
}

bool os_reserve_at(void *addr, size_t size)
{
	if (!os_map_at(addr, size, PROT_NONE))
		return false;
	os_set_dumped(addr, size, false);
	return true;
}

void os_release(void *addr, size_t size)
{
	int saved_errno = errno;

	syscall(SYS_munmap, addr, size);
	errno = saved_errno;
}

/* 0 for the result of a system call that went well, or its error. */
static int os_error(long result, int saved_errno)
{
	int error = result ? errno : 0;

	errno = saved_errno;
	return error;
}

int os_mlock(void *addr, size_t size, bool at_touch)
{
	int saved_errno = errno;

	return os_error(at_touch ?
			syscall(SYS_mlock2, addr, size, MLOCK_ONFAULT) :
			syscall(SYS_mlock, addr, size), saved_errno);
}

int os_munlock(void *addr, size_t size)
{
	int saved_errno = errno;

	return os_error(syscall(SYS_munlock, addr, size), saved_errno);
}

int os_mlockall(int flags)
{
	int saved_errno = errno;

	return os_error(syscall(SYS_mlockall, flags), saved_errno);
}

int os_munlockall(void)
{
	int saved_errno = errno;

	return os_error(syscall(SYS_munlockall), saved_errno);
}

/* Locks are not those of a child. */
static cold_path int os_locks_of_process(int locks)
{
	return __atomic_load_n(&os.locker, __ATOMIC_RELAXED) == getpid() ?
	       locks : 0;
}

/* MCL_CURRENT: what was there is locked. MCL_FUTURE: what comes, too. */
static int os_locks(void)
{
	int locks = __atomic_load_n(&os.locks, __ATOMIC_RELAXED);

	return likely(!locks) ? 0 : os_locks_of_process(locks);
}

bool os_is_locked(void)
{
	return os_locks() != 0;
}

int os_set_locks(int locks)
{
	int before = os_locks();

	__atomic_store_n(&os.locker, getpid(), __ATOMIC_RELAXED);
	__atomic_store_n(&os.locks, locks, __ATOMIC_RELAXED);
	return before;
}

/* What becomes writable is new to a program that wants all new memory locked;
 * false where mmap would be refused, too, at RLIMIT_MEMLOCK. */
static bool os_lock_if_all_is(void *addr, size_t size)
{
	int error;

	if (likely(!(os_locks() & MCL_FUTURE)))
		return true;
	error = os_mlock(addr, size, true);
	return error != ENOMEM && error != EAGAIN;
}

static bool os_protect(void *addr, size_t size, int prot)
{
	int saved_errno = errno;
	bool ok = syscall(SYS_mprotect, addr, size, prot) == 0;

	errno = saved_errno;
	return ok;
}

bool os_make_readable(void *addr, size_t size)
{
	return os_protect(addr, size, PROT_READ);
}

bool os_commit(void *addr, size_t size)
{
	__atomic_fetch_add(&os.nr_commits, 1, __ATOMIC_RELAXED);
	if (!os_protect(addr, size, PROT_READ | PROT_WRITE))
		return false;
	os_set_dumped(addr, size, true);
	return os_lock_if_all_is(addr, size);
}

/* The error `passing` is no refusal: it may not be there the next time. 0: each
 * one is. */
static bool os_advise(void *addr, size_t size, int advice,
		      enum os_refusal refusal, int passing)
{
	int saved_errno = errno;
	bool ok = syscall(SYS_madvise, addr, size, advice) == 0;

	if (!ok && errno != passing)
		os_refuse(refusal);
	errno = saved_errno;
	return ok;
}

static bool os_discard(void *addr, size_t size)
{
	return syscall(SYS_madvise, addr, size, MADV_DONTNEED) == 0;
}

/* A program has locked some of it, and freed it so. The lock stays for what is
 * touched later. An older kernel takes it away: nobody has this memory; but
 * not where all memory of the process shall be locked. */
static cold_path bool os_discard_locked(void *addr, size_t size)
{
	if (syscall(SYS_madvise, addr, size, MADV_DONTNEED_LOCKED) == 0)
		return true;
	return errno == EINVAL && !os_is_locked() &&
	       os_munlock(addr, size) == 0 && os_discard(addr, size);
}

bool os_purge(void *addr, size_t size)
{
	int saved_errno;
	bool ok;

	/* The kernel would round up, over what is not meant. */
	if (((uintptr_t)addr | size) & (os.page_size - 1))
		return false;
	__atomic_fetch_add(&os.nr_purges, 1, __ATOMIC_RELAXED);
	saved_errno = errno;
	ok = os_discard(addr, size) ||
	     (errno == EINVAL && os_discard_locked(addr, size));
	if (!ok)
		os_refuse(OS_REFUSED_PURGE);
	errno = saved_errno;
	return ok;
}

bool os_populate(void *addr, size_t size)
{
	/* An old kernel need not be asked again. */
	return !__atomic_load_n(&os.refused[OS_REFUSED_POPULATE],
				__ATOMIC_RELAXED) &&
	       os_advise(addr, size, MADV_POPULATE_WRITE,
			 OS_REFUSED_POPULATE, ENOMEM);
}

void os_fault_in(void *addr, size_t size)
{
	int saved_errno = errno;

	syscall(SYS_madvise, addr, size, MADV_POPULATE_WRITE);
	errno = saved_errno;
}

bool os_incore(const void *addr, size_t size, unsigned char *incore)
{
	int saved_errno = errno;
	bool ok = os.page_size == PAGE_SIZE &&
		  syscall(SYS_mincore, addr, size, incore) == 0;

	errno = saved_errno;
	return ok;
}

bool os_hugepage(void *addr, size_t size, bool wanted)
{
	return os_advise(addr, size, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE,
			 OS_REFUSED_HUGEPAGE, 0);
}

void os_split_hugepage(void *addr, size_t size)
{
	int saved_errno = errno;

	/* Where it is refused the kernel splits when memory is short. */
	syscall(SYS_madvise, addr, size, MADV_COLD);
	errno = saved_errno;
}

/* 64 TiB; of 128 the kernel would say EINVAL without a look. */
#define PROBE_SIZE	((size_t)1 << 46)

bool os_is_one_mapping(void *addr, size_t size)
{
	int saved_errno = errno;
	/* More than there can be behind it, whose stack and libraries lie
	 * higher: nothing changes, and only what is not one mapping is told so
	 * (mremap(2)). */
	long at = syscall(SYS_mremap, addr, size, size + PROBE_SIZE, 0, NULL);
	bool one = at != -1 || errno != EFAULT;

	if (unlikely(at != -1))
		os_release((char *)addr + size, PROBE_SIZE);
	errno = saved_errno;
	return one;
}

/* Before Linux 6.17 the kernel unmaps the target first, and then refuses a
 * source of several mappings; later ones may stop in the middle of it. */
bool os_move(void *from, void *to, size_t size)
{
	int saved_errno = errno;
	long at;
	bool ok;

	/* The kernel takes the lock from the place that is left. */
	if (os_is_locked())
		return false;
	at = syscall(SYS_mremap, from, size, size, MREMAP_MAYMOVE |
		     MREMAP_FIXED | MREMAP_DONTUNMAP, to);
	ok = at == (long)to;
	if (!ok)
		os_refuse(OS_REFUSED_MOVE);
	errno = saved_errno;
	return ok;
}

bool os_remap(void *addr, size_t size)
{
	/* It would be unlocked, or filled at once. */
	return !os_is_locked() &&
	       os_map(addr, size, PROT_READ | PROT_WRITE, MAP_FIXED) == addr;
}

bool os_map_hole(void *addr, size_t size)
{
	return os_map_at(addr, size, PROT_READ | PROT_WRITE);
}

uint64_t os_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t os_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t os_touch_ns(void *page)
{
	uint64_t start = os_now_ns();

	*(volatile char *)page = 0;
	return os_now_ns() - start;
}

#define FAULTS	8	/* pages that are touched to learn what it takes */

uint64_t os_fault_ns(void)
{
	size_t size = FAULTS * os.page_size;
	char *pages = os_reserve(size, os.page_size, false);
	uint64_t least = UINT64_MAX;

	if (!pages)
		return 0;
	if (!os_commit(pages, size))
		least = 0;
	for (size_t i = 0; i < FAULTS && least; i++)
		least = min(least, os_touch_ns(pages + i * os.page_size));
	os_release(pages, size);
	return least;
}

/* The field `index` of /proc/self/statm, in bytes. */
static size_t os_statm(int index)
{
	char buf[128];
	const char *at = buf;

	if (os_read_file("/proc/self/statm", buf, sizeof(buf)) <= 0)
		return 0;
	while (index-- && *at) {
		while (*at && *at != ' ')
			at++;
		at += *at == ' ';
	}
	return os_parse_number(at) * os.page_size;
}

size_t os_resident(void)
{
	return os_statm(1);
}

static size_t os_rlimit(int resource)
{
	int saved_errno = errno;
	struct rlimit limit;

	if (syscall(SYS_prlimit64, 0, resource, NULL, &limit)) {
		errno = saved_errno;
		return SIZE_MAX;
	}
	return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit.rlim_cur;
}

size_t os_lock_limit(void)
{
	return os_rlimit(RLIMIT_MEMLOCK);
}

size_t os_address_space_left(void)
{
	size_t limit = os_rlimit(RLIMIT_AS), used;

	if (limit == SIZE_MAX)
		return SIZE_MAX;
	used = os_statm(0);
	return limit > used ? limit - used : 0;
}
