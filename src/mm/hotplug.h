/*
 * hotplug - sections come online: how zones grow.
 *
 * 1. A section is online from its start up to section->online pages; it
 *    grows forward, to the end of a pageblock, and never shrinks, so the
 *    number of mappings stays small.
 * 2. A zone grows by what the request needs and an eighth of its size, within
 *    a section; by what the request needs when the kernel refuses more. Where
 *    no section has room for an aligned block, by a run that begins anywhere.
 * 3. Requests larger than a section take neighbouring sections whole. What
 *    they lack is committed with one call: refused, they take nothing.
 * 4. The section table and the frontier are under hotplug_lock, which is
 *    held over the system calls; zone locks are not.
 */
#ifndef ZBM_HOTPLUG_H
#define ZBM_HOTPLUG_H

#include "mm/memmap.h"

extern struct lock hotplug_lock;

/* Sections below this index belong to a zone. */
extern uint32_t nr_online_sections;

/* Lets the zone have a free block of at least `order`. False: refused. */
bool zone_grow(struct zone *zone, unsigned int order, enum migratetype type);

/* Lets the zone have n free pages behind each other, at any place, with what is
 * free where a section grows; for what finds no aligned block any more. The
 * first one, 0: refused. Somebody else may take them first. */
uint32_t zone_grow_run(struct zone *zone, size_t n);

/* n pages, any number, from the start of neighbouring free sections; their
 * words are 0. Returns the first pfn, 0: refused. */
uint32_t zone_alloc_contig(struct zone *zone, size_t n);

/* Gives n pages back, in any number of sections of the zone. */
void zone_free_contig(struct zone *zone, uint32_t pfn, size_t n);

/* As topology has changed: tells the kernel again where each section's pages
 * belong. What is there stays. Under the hotplug lock. */
void sections_place_all(void);

/* The section holds `pfn`, its online part ends there, and it grows by at
 * least n pages. False: refused, or it has no room. */
bool section_grow_at(struct zone *zone, uint32_t pfn, size_t n);

#endif
