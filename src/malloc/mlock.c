/*
 * mlock - what the C library means by locking all memory.
 *
 * 1. The allocator starts first, if nothing was allocated yet: what it reserves
 *    must not be brought into memory for a program that has MCL_FUTURE.
 */
#include "heap/thread_heap.h"
#include "malloc/malloc.h"
#include "mm/mlock.h"
#include "os/os.h"

static int result(int error)
{
	if (!error)
		return 0;
	errno = error;
	return -1;
}

int mem_mlockall(int flags)
{
	return result(heap_start() ? process_mlockall(flags) :
				     os_mlockall(flags));
}

int mem_munlockall(void)
{
	return result(process_munlockall());
}
