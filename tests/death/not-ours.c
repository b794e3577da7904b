/* case free-stack dies: never handed out|not allocated */
/* case free-stack-odd dies: never handed out|not allocated */
/* case free-thread-stack dies: never handed out|not allocated */
/* case free-tls dies: never handed out|not allocated */
/* case free-global dies: never handed out|not allocated */
/* case free-bss dies: never handed out|not allocated */
/* case free-string dies: never handed out|not allocated */
/* case free-text dies: never handed out|not allocated */
/* case free-libc-text dies: never handed out|not allocated */
/* case free-environ dies: never handed out|not allocated */
/* case free-mmap dies: never handed out|not allocated */
/* case free-mmap-start dies: never handed out|not allocated */
/* case free-mmap-filled dies: never handed out|not allocated */
/* case free-mmap-none dies: never handed out|not allocated */
/* case free-unmapped dies: never handed out|not allocated */
/* case free-sbrk dies: never handed out|not allocated */
/* case free-int-1 dies: never handed out|not allocated */
/* case free-int-8 dies: never handed out|not allocated */
/* case free-int-16 dies: never handed out|not allocated */
/* case free-int-4096 dies: never handed out|not allocated */
/* case free-int-65536 dies: never handed out|not allocated */
/* case free-non-canonical dies: never handed out|not allocated */
/* case free-high-bit dies: never handed out|not allocated */
/* case free-kernel dies: never handed out|not allocated */
/* case free-minus-one dies: never handed out|not allocated */
/* case free-minus-16 dies: never handed out|not allocated */
/* case free-window dies: never handed out|not allocated */
/* case free-first dies: never handed out|not allocated */
/* case free-thread-first dies: never handed out|not allocated */
/* case realloc-stack dies: never handed out|not allocated */
/* case realloc-stack-odd dies: never handed out|not allocated */
/* case realloc-thread-stack dies: never handed out|not allocated */
/* case realloc-tls dies: never handed out|not allocated */
/* case realloc-global dies: never handed out|not allocated */
/* case realloc-bss dies: never handed out|not allocated */
/* case realloc-string dies: never handed out|not allocated */
/* case realloc-text dies: never handed out|not allocated */
/* case realloc-libc-text dies: never handed out|not allocated */
/* case realloc-environ dies: never handed out|not allocated */
/* case realloc-mmap dies: never handed out|not allocated */
/* case realloc-mmap-start dies: never handed out|not allocated */
/* case realloc-mmap-filled dies: never handed out|not allocated */
/* case realloc-mmap-none dies: never handed out|not allocated */
/* case realloc-unmapped dies: never handed out|not allocated */
/* case realloc-sbrk dies: never handed out|not allocated */
/* case realloc-int-1 dies: never handed out|not allocated */
/* case realloc-int-8 dies: never handed out|not allocated */
/* case realloc-int-16 dies: never handed out|not allocated */
/* case realloc-int-4096 dies: never handed out|not allocated */
/* case realloc-int-65536 dies: never handed out|not allocated */
/* case realloc-non-canonical dies: never handed out|not allocated */
/* case realloc-high-bit dies: never handed out|not allocated */
/* case realloc-kernel dies: never handed out|not allocated */
/* case realloc-minus-one dies: never handed out|not allocated */
/* case realloc-minus-16 dies: never handed out|not allocated */
/* case realloc-window dies: never handed out|not allocated */
/* case usable-stack dies: never handed out|not allocated */
/* case usable-stack-odd dies: never handed out|not allocated */
/* case usable-thread-stack dies: never handed out|not allocated */
/* case usable-tls dies: never handed out|not allocated */
/* case usable-global dies: never handed out|not allocated */
/* case usable-bss dies: never handed out|not allocated */
/* case usable-string dies: never handed out|not allocated */
/* case usable-text dies: never handed out|not allocated */
/* case usable-libc-text dies: never handed out|not allocated */
/* case usable-environ dies: never handed out|not allocated */
/* case usable-mmap dies: never handed out|not allocated */
/* case usable-mmap-start dies: never handed out|not allocated */
/* case usable-mmap-filled dies: never handed out|not allocated */
/* case usable-mmap-none dies: never handed out|not allocated */
/* case usable-unmapped dies: never handed out|not allocated */
/* case usable-sbrk dies: never handed out|not allocated */
/* case usable-int-1 dies: never handed out|not allocated */
/* case usable-int-8 dies: never handed out|not allocated */
/* case usable-int-16 dies: never handed out|not allocated */
/* case usable-int-4096 dies: never handed out|not allocated */
/* case usable-int-65536 dies: never handed out|not allocated */
/* case usable-non-canonical dies: never handed out|not allocated */
/* case usable-high-bit dies: never handed out|not allocated */
/* case usable-kernel dies: never handed out|not allocated */
/* case usable-minus-one dies: never handed out|not allocated */
/* case usable-minus-16 dies: never handed out|not allocated */
/* case usable-window dies: never handed out|not allocated */
/*
 * not-ours - pointers that no allocator of the process manages.
 *
 * 1. A mapping of the program's own may look like anything: it is tried
 *    empty and filled with what could be taken for a block's header.
 * 2. "window" lies where the allocator's own blocks could lie one day.
 * 3. "first" is the first call of the process, "thread-first" of a thread.
 */
#include "death.h"

static char global[64] = "a global";
static char bss[4096];
static __thread char tls[64];
extern char **environ;

static void apply(const char *function, void *p)
{
	p = hide(p);
	if (!strcmp(function, "free"))
		free(p);
	else if (!strcmp(function, "realloc"))
		hide(realloc(p, 500));
	else if (!strcmp(function, "usable"))
		hide((void *)malloc_usable_size(p));
	else
		death_unknown(function);
}

static char *map(int protection)
{
	char *p = mmap(NULL, 64 * KIB, protection,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(2);
	return p;
}

/* Sizes and flags, at every place where a header could stand. */
static char *map_filled(void)
{
	char *p = map(PROT_READ | PROT_WRITE);
	size_t i, *word = (size_t *)(void *)p;

	for (i = 0; i < 64 * KIB / sizeof(size_t); i++)
		word[i] = i % 2 ? 0x1002 : 0x31;
	return p;
}

static char *unmapped(void)
{
	char *p = map(PROT_READ);

	munmap(p, 64 * KIB);
	return p;
}

static void *pass_stack(void *arg)
{
	char local[64] = "of a thread";

	apply(arg, local + 16);
	return NULL;
}

static void *pass_minus_one(void *arg)
{
	apply(arg, (void *)-1L);
	return NULL;
}

struct kind {
	const char *name;
	void *p;
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const char *dash = strchr(name, '-');
	char function[16], local[64] = "of main";
	size_t i;

	if (!dash)
		death_unknown(name);
	snprintf(function, sizeof(function), "%.*s", (int)(dash - name),
		 name);
	name = dash + 1;
	if (!strcmp(name, "first"))
		pass_minus_one(function);
	/* So that there is a heap to be mistaken about. */
	for (i = 0; i < 100; i++)
		take(i * 100);
	if (!strcmp(name, "thread-stack")) {
		in_thread(pass_stack, function);
		return death_survived();
	}
	if (!strcmp(name, "thread-first")) {
		in_thread(pass_minus_one, function);
		return death_survived();
	}
	const struct kind kinds[] = {
		{ "stack", local + 16 - (uintptr_t)local % 16 },
		{ "stack-odd", local + 3 },
		{ "tls", tls + 16 },
		{ "global", global },
		{ "bss", bss + 2048 },
		{ "string", (void *)(uintptr_t)"a string" },
		{ "text", (void *)(uintptr_t)map_filled },
		{ "libc-text", (void *)(uintptr_t)strtoul },
		{ "environ", environ[0] },
		{ "mmap", map(PROT_READ | PROT_WRITE) + 16 },
		{ "mmap-start", map(PROT_READ | PROT_WRITE) },
		{ "mmap-filled", map_filled() + 16 },
		{ "mmap-none", map(PROT_NONE) + 4096 },
		{ "unmapped", unmapped() + 16 },
		{ "sbrk", (char *)sbrk(64 * KIB) + 4096 },
		{ "int-1", (void *)1 },
		{ "int-8", (void *)8 },
		{ "int-16", (void *)16 },
		{ "int-4096", (void *)4096 },
		{ "int-65536", (void *)65536 },
		{ "non-canonical", (void *)0xdeadbeefdeadbee0 },
		{ "high-bit", (char *)take(100) + (1UL << 63) },
		{ "kernel", (void *)0xffffffff81000000 },
		{ "minus-one", (void *)-1L },
		{ "minus-16", (void *)-16L },
		{ "window", (char *)take(100) + (3UL << 30) },
	};
	for (i = 0; i < array_size(kinds); i++)
		if (!strcmp(name, kinds[i].name))
			apply(function, kinds[i].p);
	return death_survived();
}
