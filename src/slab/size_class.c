#include "slab/size_class.h"

struct size_class size_classes[NR_CLASSES];
uint16_t size_class_bins[LOOKUP_MAX / MIN_ALIGN + 1];

/* The n-th size above `from`, of so many per doubling. */
static size_t size_above(size_t from, unsigned int per_doubling, unsigned int n)
{
	return (from << n / per_doubling) / per_doubling *
	       (per_doubling + 1 + n % per_doubling);
}

/* See size_class_of. */
static size_t class_size(unsigned int class)
{
	if (class < 8)
		return 16 * ((size_t)class + 1);
	if (class < 20)
		return size_above(128, 4, class - 8);
	if (class < 44)
		return size_above(1024, 8, class - 20);
	return size_above(8192, 4, class - 44);
}

/* Enough objects to make a slab worth its descriptor, and at most a 32nd of
 * it lost behind the last one. */
static bool slab_order_suits(size_t size, unsigned int order)
{
	size_t bytes = PAGE_SIZE << order;
	size_t n = bytes / size;

	return n >= 32 && bytes - n * size <= bytes / 32;
}

static unsigned int slab_order(size_t size)
{
	unsigned int last = size <= PAGE_SIZE ? SLAB_MAX_ORDER - 1 :
						SLAB_MAX_ORDER;
	unsigned int order = 1;

	while (order < last && !slab_order_suits(size, order))
		order++;
	return order;
}

/* Objects of a sheaf: so many that they and the header fill a power of two
 * bytes. */
static unsigned int sheaf_max(size_t size)
{
	if (size < 2048)
		return SHEAF_MAX_OBJECTS;
	/* The first lines of these lie in one set of a first-level cache. */
	if (size == 4096 || size == 8192)
		return 13;
	if (size < 16384)
		return 29;
	/* The bytes that a thread may cache of runs are bounded besides. */
	return size <= 65536 ? 61 : 29;
}

void size_class_init(void)
{
	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		struct size_class *sc = &size_classes[class];
		size_t size = class_size(class);

		ASSERT(size_class_of(size) == class);
		sc->size = (uint32_t)size;
		sc->sheaf_max = (uint8_t)align_down(sheaf_max(size),
						    class_group(class));
		sc->magic = UINT64_MAX / size + 1;
		if (!class_is_small(class))
			continue;
		sc->slab_order = (uint8_t)slab_order(size);
		sc->nr_objects = (uint16_t)min((PAGE_SIZE << sc->slab_order) /
					       size,
					       (size_t)SLAB_MAX_OBJECTS);
	}
	for (size_t i = 0; i < array_size(size_class_bins); i++)
		size_class_bins[i] = (uint16_t)class_bin(
					size_class_of(i * MIN_ALIGN));
}
