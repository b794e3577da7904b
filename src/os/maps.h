/*
 * maps - the mappings of the process, from /proc/self/maps.
 *
 * 1. The list is read in small pieces into a buffer of the caller's, who has
 *    it on the stack. Nothing here allocates, locks or is a cancellation
 *    point.
 * 2. Mappings come in ascending order. When they change meanwhile, one that
 *    has merged with others may come again as a larger one.
 */
#ifndef ZBM_MAPS_H
#define ZBM_MAPS_H

#include "base/base.h"

struct maps {
	int fd;
	size_t pos, len;
	char buf[1024];
};

struct mapping {
	uintptr_t start, end;
	bool accessible;	/* for anything */
	bool writable;
	bool anonymous;		/* and private, readable and writable */
};

/* False: /proc is not there to ask. Changes errno, as the others do. */
bool maps_open(struct maps *maps);

/* False at the end. */
bool maps_next(struct maps *maps, struct mapping *mapping);
void maps_close(struct maps *maps);

#endif
