/*
 * own-mmap - a program whose mmap allocates, as those of tracers do.
 *
 * The allocator maps memory under its locks: what it calls there must not come
 * back to it.
 */
#include "hard.h"
#include <sys/syscall.h>

static unsigned int nr_mapped;

void *mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *note = malloc(40);

	CHECK(note);
	free(note);
	nr_mapped++;
	return (void *)syscall(SYS_mmap, addr, size, (long)prot, (long)flags,
			       (long)fd, (long)offset);
}

int main(void)
{
	char *big;

	hard_start(20);
	every_class_once();
	CHECK(big = (char *)malloc(700 * MIB));
	big[1] = 1;
	free(big);
	malloc_trim(0);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0) != MAP_FAILED);
	CHECK(nr_mapped);
	return 0;
}
