/*
 * limit-as - address space limits from comfortable to tiny: the reservation
 * shrinks until it fits, and exhaustion is an answer, not an end.
 */
#include "exhaust.h"

/* The bare program with its libraries; stacks of threads come on top. */
#define PROGRAM_SIZE	(8 * MIB)

/* Where there is room for a block there is some for one that is aligned. */
static void align_what_fits(size_t size)
{
	char *p = malloc(size);

	if (!p)
		return;
	free(p);
	CHECK(p = memalign(8 * KIB, size - 8 * KIB));
	CHECK_EQ((uintptr_t)p % (8 * KIB), 0);
	p[0] = p[size - 8 * KIB - 1] = 1;
	free(p);
}

static void run_limited(size_t limit)
{
	char *p = malloc(hide(1UL));

	CHECK(p);
	*p = 1;
	free(p);
	if (limit >= GIB) {
		/* Untouched blocks: the count alone tells. Of a size that no
		 * power of two pages holds nothing is left between. */
		size_t odd = fill_once(1280 * KIB), got = fill_once(4 * MIB);

		exhaust_largest = 4 * MIB;
		CHECK_OP(got, >=, limit / 100 * USABLE_PERCENT);
		CHECK_OP(got, <, limit);
		CHECK_OP(fill_once(10 * MIB), >=, got / 2);
		CHECK_OP(odd, >=, got / 10 * 8);
		CHECK_OP(fill_once(4 * MIB), >=, got - got / 10);
		/* By blocks of a page, some seconds of page faults. */
		exhaust_then_fork(64 * KIB);
		exhaust_then_realloc();
		return;
	}
	align_what_fits(20 * MIB);
	align_what_fits(33 * MIB);
	align_what_fits(40 * MIB);
	exhaust_all(limit - PROGRAM_SIZE);
}

int main(int argc, char **argv __attribute__((unused)))
{
	static const size_t limits[] = {
		20 * MIB, 32 * MIB, 64 * MIB, 100 * MIB, GIB,
	};
	struct rlimit rl;
	unsigned int i;

	hard_start(55);
	if (argc > 1) {
		CHECK(!getrlimit(RLIMIT_AS, &rl));
		run_limited((size_t)rl.rlim_cur);
		return 0;
	}
	for (i = 0; i < array_size(limits); i++) {
		int status = hard_run_self("limited", RLIMIT_AS, limits[i]);

		if (status)
			hard_say("limit %zu MiB: wait status %#x\n",
				 limits[i] / MIB, status);
		CHECK_EQ(status, 0);
	}
	return 0;
}
