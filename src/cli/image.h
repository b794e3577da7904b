/*
 * image - the file of a program or a library, as it lies on disk.
 *
 * 1. Only what ELF's section headers say of the dynamic symbols is read; a file
 *    without such headers, which few tools make, has no symbols here.
 * 2. Nothing in the file is believed: what would lie outside of it is not
 *    there.
 */
#ifndef ZBM_IMAGE_H
#define ZBM_IMAGE_H

#include "base/base.h"

struct image {
	const char *bytes;
	size_t size;
};

/* False: it cannot be opened, or is no ELF file of this command's class. */
bool image_open(struct image *image, const char *path);
void image_close(const struct image *image);

/* It is a shared object for the machine that this command is for. */
bool image_is_library(const struct image *image);

/* The name is among its dynamic symbols; `defined`: and it defines it. */
bool image_has_symbol(const struct image *image, const char *name,
		      bool defined);

#endif
