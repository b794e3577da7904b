/*
 * hugepage - which pages ask the kernel for huge ones.
 *
 * 1. With thp=auto, on a system that gives huge pages to who asks (setting
 *    "madvise"), two kinds of pageblocks ask: those under large runs, in a
 *    program that writes to all of them (malloc/huge.h); and those that slabs
 *    of small objects open in a zone that has grown (pcp.c), for such objects
 *    touch each page.
 * 2. The first touch of a pageblock that asks makes all of it resident. So
 *    it has an owner or is dirty: pages that become clean stop asking, their
 *    whole pageblocks with them. That is why pages are purged here.
 * 3. The first touch of some is timed. Where free memory goes back to the host
 *    of a virtual machine, huge pages are what does, and the next touch waits
 *    for the host: 5 ms instead of 0.25, for small ones 0.8. After such a touch
 *    HUGEPAGES_PAUSE pageblocks do without.
 * 4. Where the system would give them to everybody (setting "always") it is the
 *    same: all else is told to have none, before it can. Else a heap would hold
 *    more than its counters know, and reclaim give back less.
 * 5. Slabs do without where a first touch takes hugepages_dear_ns and more:
 *    a hypervisor keeps page tables of its own there, throws them away when a
 *    process has huge pages beside small ones, and makes each page anew. There
 *    "always" is left to the system, for it is the small ones that cost time;
 *    but in a memory cgroup, which ends who holds too much.
 */
#ifndef ZBM_HUGEPAGE_H
#define ZBM_HUGEPAGE_H

#include "mm/memmap.h"

/* In a zone from which so much is resident a huge page is an eighth at most. */
#define HUGEPAGES_GROWN	(8 * PAGEBLOCK_PAGES)	/* pages */

/* What is to be done, by the option and the system's setting. Before the first
 * page is used that could be part of a huge one; by one thread at a time. */
void hugepages_decide(void);

/* Tells the kernel so of pages whose mapping is new. */
void hugepages_advise(size_t pfn, size_t n);

/* Asking is of use. Not before that is decided. */
bool hugepages_wanted(void);

#define HUGEPAGES_PAUSE	32	/* pageblocks: 64 MiB */

/* So many microseconds are slow, and so many nanoseconds dear; 0: as
 * hugepage.c has it. For tests to change. */
extern uint64_t hugepages_slow_us, hugepages_dear_ns;

/* n pages more are about to be touched: may they ask? Not during a pause, of
 * which this takes n pages off. */
bool hugepages_may_ask(size_t n);

/* They are of use to slabs; not before that is known. */
bool hugepages_suit_slabs(void);

/* Finds that out, once, by some system calls: not under a zone's lock. */
void hugepages_learn(void);

/* A touch took so long. False: it waited. */
bool hugepages_note(uint64_t us);

/* Touches the owner's clean page, which asks; it stays zero. False: that
 * waited. */
bool hugepages_touch(uint32_t pfn);

/* The owner's n pages ask. */
void hugepages_ask(uint32_t pfn, size_t n);

/* The page's pageblock asks. */
bool hugepages_asked(uint32_t pfn);

/* None of the n pages asks any longer; true: some did. */
bool hugepages_drop(uint32_t pfn, size_t n);

/* As os_purge, of pages. What is left of huge pages is small ones. */
bool pages_purge(uint32_t pfn, size_t n);

#endif
