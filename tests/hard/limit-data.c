/*
 * limit-data - `ulimit -d`: the kernel counts memory that can be written, so
 * committing it fails although the reservation stands.
 */
#include "exhaust.h"

int main(int argc, char **argv __attribute__((unused)))
{
	static const size_t limits[] = { 12 * MIB, 40 * MIB, 150 * MIB };
	struct rlimit rl;
	unsigned int i;

	hard_start(55);
	if (argc > 1) {
		CHECK(!getrlimit(RLIMIT_DATA, &rl));
		/* 4 MiB: libraries' data and the stack. */
		exhaust_all((size_t)rl.rlim_cur - 4 * MIB);
		return 0;
	}
	for (i = 0; i < array_size(limits); i++) {
		int status = hard_run_self("limited", RLIMIT_DATA, limits[i]);

		if (status)
			hard_say("limit %zu MiB: wait status %#x\n",
				 limits[i] / MIB, status);
		CHECK_EQ(status, 0);
	}
	return 0;
}
