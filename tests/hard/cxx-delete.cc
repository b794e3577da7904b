/*
 * cxx-delete - only operator delete is the program's own; all blocks are
 * those of the default new.
 */
#include "cxx-replace.h"

static int deletes;

void operator delete(void *p) noexcept
{
	deletes++;
	free(p);
}

int main()
{
	int none = 0;

	hard_start(30);
	for (int round = 0; round < 3; round++) {
		expect_deletes(deletes, 1, plain_new);
		expect_news(none, 0, [](void *p) { ::operator delete(p); });
		expect_aligned_deletes(deletes, 0, aligned_new);
	}
	EXPECT(deletes, 1, delete hide(new long(3)));
	EXPECT(deletes, 1, delete[] hide(new int[30]));
	return 0;
}
