/*
 * gfp - what a caller asks of the page allocator.
 *
 * The names are the kernel's ("get free pages"); what each means in user
 * space stands beside it. No caller of today passes DMA and DMA32, whose zones
 * have no memory, nor COLD: dirty memory is cheaper than clean even for calloc.
 */
#ifndef ZBM_GFP_H
#define ZBM_GFP_H

#include "mm/mmzone.h"

typedef unsigned int gfp_t;

#define GFP_DMA		0x0001u	/* ZONE_DMA */
#define GFP_DMA32	0x0002u	/* ZONE_DMA32 or below */
#define GFP_HIGHMEM	0x0004u	/* as on 64-bit kernels: ZONE_NORMAL */
#define GFP_MOVABLE	0x0008u	/* with HIGHMEM: ZONE_MOVABLE or below */
#define GFP_RECLAIMABLE	0x0010u	/* migrate type */
#define GFP_WAIT	0x0020u	/* may call the OS: grow, reclaim */
#define GFP_COLD	0x0040u	/* clean memory rather than dirty */
#define GFP_NORETRY	0x0080u	/* do not reclaim: fail */
#define GFP_THISNODE	0x0100u	/* no fallback to another node */
#define GFP_NORECLAIM	0x0200u	/* reclaim_at_high is the caller's, when it is
				 * known what memory the pages have */

#define GFP_USER	GFP_WAIT

static inline enum zone_type gfp_zone(gfp_t gfp)
{
	if (gfp & GFP_DMA)
		return ZONE_DMA;
	if (gfp & GFP_DMA32)
		return ZONE_DMA32;
	if ((gfp & (GFP_HIGHMEM | GFP_MOVABLE)) == (GFP_HIGHMEM | GFP_MOVABLE))
		return ZONE_MOVABLE;
	return ZONE_NORMAL;
}

static inline enum migratetype gfp_migratetype(gfp_t gfp)
{
	if (gfp & GFP_MOVABLE)
		return MIGRATE_MOVABLE;
	if (gfp & GFP_RECLAIMABLE)
		return MIGRATE_RECLAIMABLE;
	return MIGRATE_UNMOVABLE;
}

#endif
