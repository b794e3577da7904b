/*
 * give-back - after everything was freed, resident memory falls under 5 % of
 * the peak within two seconds of small activity, or at once by malloc_trim.
 */
#include "give-back.h"

static struct heap heap;

/* The large blocks alone, freed in order: the easiest and largest case. */
static void build_large(void)
{
	size_t n;

	for (n = 0; n < 10; n++) {
		heap.block[heap.count] = malloc(hide(20 * MIB));
		CHECK(heap.block[heap.count]);
		memset(heap.block[heap.count++], 1, 20 * MIB);
	}
}

/* One small size only: every page comes back through the slabs. */
static void build_small(void)
{
	size_t n;

	for (n = 0; n < GIVE_BACK_BLOCKS; n++) {
		heap.block[heap.count] = malloc(hide(200UL));
		CHECK(heap.block[heap.count]);
		memset(heap.block[heap.count++], 1, 200);
	}
}

static void run_case(const char *name)
{
	int trim = strstr(name, "-trim") != NULL;
	size_t baseline, peak, left;

	heap_init(&heap, 200 * MIB, 77);
	free(malloc(hide(1UL)));
	baseline = rss();
	if (!strncmp(name, "large", 5))
		build_large();
	else if (!strncmp(name, "small", 5))
		build_small();
	else
		heap_build(&heap);
	peak = rss();
	CHECK_OP(peak, >, baseline + 70 * MIB);
	heap_free(&heap);
	if (!trim) {
		check_falls(baseline, peak);
		return;
	}
	malloc_trim(0);
	left = rss();
	CHECK_OP(left, <, baseline + (peak - baseline) / 20);
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		"mixed", "mixed-trim", "large", "large-trim", "small",
		"small-trim",
	};
	unsigned int i;

	hard_start(50);
	if (argc > 1) {
		run_case(argv[1]);
		return 0;
	}
	for (i = 0; i < array_size(names); i++)
		hard_case(names[i]);
	return 0;
}
