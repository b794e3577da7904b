/* run: alone */
/*
 * first-malloc - what a process of one malloc touches of the library.
 *
 * Of its code and constants the kernel maps up to 64 KiB around each page that
 * is touched. What such a process runs stands together (libzbmalloc.ld): a
 * function that is missing there costs 64 KiB more. What threads run besides is
 * in the next such piece. And a variable that does not begin as zero would be a
 * page of the file more, which is copied.
 */
#include "hard.h"

#include <link.h>
#include <pthread.h>

#define FAULT_AROUND	(64 * KIB)

#if defined(ZBM_DEBUG) || !defined(__OPTIMIZE__)
#define IN_ORDER	0	/* other functions are inline, and more run */
#else
#define IN_ORDER	1
#endif

static char smaps[1 << 18];

/* Not by stdio, which allocates. */
static void smaps_read(void)
{
	int fd = open("/proc/self/smaps", O_RDONLY);
	size_t size = 0;
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, smaps + size, sizeof(smaps) - 1 - size)) > 0)
		size += (size_t)n;
	close(fd);
	CHECK_OP(size, <, sizeof(smaps) - 1);
}

/* Of the mapping that the address lies in. */
static size_t resident_around(unsigned long address)
{
	unsigned long start, end;
	size_t kib = 0;
	int inside = 0;

	smaps_read();
	for (char *at = smaps; *at; at += strcspn(at, "\n") + 1) {
		if (sscanf(at, "%lx-%lx ", &start, &end) == 2)
			inside = start <= address && address < end;
		else if (inside && sscanf(at, "Rss: %zu kB", &kib) == 1)
			break;
	}
	return kib * KIB;
}

/* What the file has for the writable segment ends with what becomes read-only
 * once the library is loaded. */
static int variables_begin_as_zero(struct dl_phdr_info *info,
				   size_t size __attribute__((unused)),
				   void *found)
{
	uintptr_t offset = (uintptr_t)malloc - info->dlpi_addr, file = 0,
		  relro = 0;
	int ours = 0;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];

		if (phdr->p_type == PT_GNU_RELRO)
			relro = phdr->p_vaddr + phdr->p_memsz;
		if (phdr->p_type != PT_LOAD)
			continue;
		ours |= offset - phdr->p_vaddr < phdr->p_memsz;
		if (phdr->p_flags & PF_W)
			file = phdr->p_vaddr + phdr->p_filesz;
	}
	if (!ours)
		return 0;
	*(int *)found = file <= relro;
	return 1;
}

static void *one_malloc(void *unused)
{
	free(malloc(hide(100UL)));
	return unused;
}

int main(void)
{
	void *p = malloc(hide(100UL));
	int as_zero = 0;
	pthread_t thread;
	size_t resident;

	hard_start(10);
	CHECK(p);
	free(p);
	resident = resident_around((unsigned long)malloc);
	hard_say("%zu KiB of the library\n", resident / KIB);
	if (!IN_ORDER)
		SKIP("not in a debug build");
	dl_iterate_phdr(variables_begin_as_zero, &as_zero);
	CHECK(as_zero);
	CHECK_OP(resident, >, 0);
	CHECK_OP(resident, <=, FAULT_AROUND + FAULT_AROUND / 2);
	CHECK_EQ(pthread_create(&thread, NULL, one_malloc, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	resident = resident_around((unsigned long)malloc);
	hard_say("%zu KiB with threads\n", resident / KIB);
	CHECK_OP(resident, <=, 2 * FAULT_AROUND + FAULT_AROUND / 2);
	return 0;
}
