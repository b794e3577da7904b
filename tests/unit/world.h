/*
 * world - what a unit test stands on: the floors that a heap's start would
 * start, and a child process for what must not happen to the runner.
 *
 * 1. world_start is called once in a process: the floors have one state.
 * 2. Code that runs in a child checks with CHECK, whose message the parent
 *    shows. An assertion of cmocka's would go on with the next test there.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "base/options.h"
#include "capture.h"
#include "mm/meta.h"
#include "mm/page_alloc.h"
#include "mm/page_isolation.h"
#include "mm/pieces.h"
#include "mm/vmscan.h"
#include "mm/zonelist.h"
#include "os/os.h"
#include "slab/size_class.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Up to the page allocator, with a window of this many bytes, and one node. */
static inline void world_start(size_t window)
{
	os_init();
	options_set_defaults(&options);
	options.numa = NUMA_OFF;
	topology_init();
	CHECK(memmap_init(window));
	CHECK(meta_init(vm.size, NULL, 0));
	size_class_init();
	CHECK(node_online(0));
}

static inline struct zone *world_zone(void)
{
	return &nodes[0]->zone[ZONE_NORMAL];
}

/* Pages that somebody has: neither free nor being purged. */
static inline size_t world_used(void)
{
	return zone_used(world_zone());
}

/* Of n pages, those in memory. */
static inline size_t world_resident(uint32_t pfn, size_t n)
{
	unsigned char map[512];
	size_t count = 0, some;

	for (size_t at = pfn, end = at + n; at < end; at += some) {
		some = min(end - at, sizeof(map));
		CHECK(mincore(pfn_to_address(at), some << PAGE_SHIFT, map) ==
		      0);
		for (size_t i = 0; i < some; i++)
			count += map[i] & 1;
	}
	return count;
}

static inline size_t world_purge(size_t target, unsigned int min_order)
{
	size_t purged;

	lock_acquire(&reclaim_lock);
	purged = zone_purge(world_zone(), target, min_order);
	lock_release(&reclaim_lock);
	return purged;
}

/* As if the pageblocks under n pages, all of one section, had asked for huge
 * pages, whatever the system gives. */
static inline struct section *world_ask_hugepages(uint32_t pfn, size_t n)
{
	struct section *section = pfn_to_section(pfn);
	size_t end = ((pfn + n - 1) >> PAGEBLOCK_ORDER) + 1;

	for (size_t i = pfn >> PAGEBLOCK_ORDER; i < end; i++) {
		section->hugepages |= 1U << (i & (SECTION_PAGEBLOCKS - 1));
		section->zone->nr_asking += PAGEBLOCK_PAGES;
	}
	return section;
}

static inline void world_drop_hugepages(struct section *section)
{
	section->zone->nr_asking = 0;
	section->hugepages = 0;
}

/* A generator of numbers that look random; the same seed gives the same. */
static inline uint64_t world_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15UL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9UL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebUL;
	return x ^ x >> 31;
}

static inline size_t world_below(uint64_t *state, size_t n)
{
	return world_random(state) % n;
}

/* A number from the environment, or what is to be without it. */
static inline uint64_t world_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

/* ZBM_SEED, or another one each time. */
static inline uint64_t world_seed(void)
{
	return world_number("ZBM_SEED", (uint64_t)time(NULL) << 20 ^
					(uint64_t)getpid());
}

/* What the kernel counts, by its place in /proc/self/statm, bytes: 0 the
 * address space, 5 the memory that RLIMIT_DATA limits. */
static inline size_t world_statm(int index)
{
	unsigned long field[7] = { 0 };
	FILE *file = fopen("/proc/self/statm", "r");

	CHECK(file);
	for (int i = 0; i < 7; i++)
		CHECK(fscanf(file, "%lu", &field[i]) == 1);
	fclose(file);
	return field[index] * (size_t)sysconf(_SC_PAGESIZE);
}

/* Lets the process have this many bytes more than it has now. */
static inline void world_limit(int resource, size_t more)
{
	struct rlimit limit;

	CHECK(getrlimit((__rlimit_resource_t)resource, &limit) == 0);
	limit.rlim_cur = more + world_statm(resource == RLIMIT_AS ? 0 : 5);
	CHECK(setrlimit((__rlimit_resource_t)resource, &limit) == 0);
}

static inline void child_main(void (*fn)(void))
{
	static const int signals[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL,
				       SIGSEGV, SIGSYS };
	struct rlimit no_core = { 0, 0 };

	/* cmocka has handlers that would go on in the child. */
	for (size_t i = 0; i < array_size(signals); i++)
		signal(signals[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	fn();
	_exit(0);
}

/* Runs fn in a child; what it printed to stderr is in capture->text. Its
 * exit status, or 128 and the number of the signal that ended it. */
static inline int child_run(struct capture *capture, void (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	capture_begin(capture);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		child_main(fn);
	capture_end(capture);
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

/* The child must end well; else what it said is shown. */
static inline bool child_succeeds(void (*fn)(void))
{
	struct capture capture;
	int status = child_run(&capture, fn);

	if (status)
		fprintf(stderr, "the child ended with %d: %s", status,
			capture.text);
	return status == 0;
}

/* The child must abort with this in its message. */
static inline bool child_dies(void (*fn)(void), const char *message)
{
	struct capture capture;
	int status = child_run(&capture, fn);

	if (status == 128 + SIGABRT && strstr(capture.text, message))
		return true;
	fprintf(stderr, "the child ended with %d and said: %s\n", status,
		capture.text);
	return false;
}

#endif
