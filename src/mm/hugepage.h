/*
 * hugepage - which pages ask the kernel for huge ones.
 *
 * 1. With thp=auto, on a system that gives huge pages to who asks (setting
 *    "madvise"), the large runs of a program that writes to all of them ask
 *    (malloc/huge.h); nothing else does.
 * 2. The first touch of a pageblock that asks makes all of it resident. So
 *    it has an owner or is dirty: pages that become clean stop asking, their
 *    whole pageblocks with them. That is why pages are purged here.
 */
#ifndef ZBM_HUGEPAGE_H
#define ZBM_HUGEPAGE_H

#include "mm/memmap.h"

/* Asking is of use: by the option, and by the system's setting. */
bool hugepages_wanted(void);

/* The owner's n pages ask. */
void hugepages_ask(uint32_t pfn, size_t n);

/* None of the n pages asks any longer. */
void hugepages_drop(uint32_t pfn, size_t n);

/* As os_purge, of pages. */
bool pages_purge(uint32_t pfn, size_t n);

#endif
