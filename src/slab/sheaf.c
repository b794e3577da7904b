#include "slab/sheaf.h"
#include "mm/meta.h"

static size_t sheaf_bytes(size_t capacity)
{
	return sizeof(struct sheaf) + capacity * sizeof(void *);
}

struct sheaf *sheaf_alloc(size_t want)
{
	size_t size = (size_t)META_UNIT << meta_order(sheaf_bytes(want));
	struct sheaf *sheaf = meta_alloc(size);

	if (sheaf) {
		sheaf->end = &sheaf->end;
		sheaf->nr = 0;
		sheaf->capacity = (uint16_t)((size - sizeof(*sheaf)) /
					     sizeof(void *));
	}
	return sheaf;
}

void sheaf_free(struct sheaf *sheaf)
{
	meta_free(sheaf, sheaf_bytes(sheaf->capacity));
}

struct sheaf *sheaf_fit(struct sheaf *sheaf, size_t want)
{
	struct sheaf *fit;

	if (sheaf && sheaf->capacity >= want)
		return sheaf;
	fit = sheaf_alloc(want);
	if (!fit)
		return sheaf;
	if (sheaf)
		sheaf_free(sheaf);
	return fit;
}
