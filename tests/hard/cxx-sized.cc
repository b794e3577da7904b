/*
 * cxx-sized - only the sized operator delete is the program's own: the
 * others do not call it, and a delete expression that knows the size does.
 */
#include "cxx-replace.h"

static int deletes;

void operator delete(void *p, size_t n) noexcept
{
	deletes++;
	CHECK_OP(malloc_usable_size(p), >=, n);
	free(p);
}

int main()
{
	int none = 0;

	hard_start(30);
	for (int round = 0; round < 3; round++) {
		EXPECT(deletes, 1, ::operator delete(plain_new(), PLAIN));
		EXPECT(deletes, 0, ::operator delete(plain_new()));
		EXPECT(deletes, 0,
		       ::operator delete(plain_new(), std::nothrow));
		EXPECT(deletes, 0, ::operator delete[](plain_new()));
		EXPECT(deletes, 0, ::operator delete[](plain_new(), PLAIN));
		expect_news(none, 0, [](void *p) { ::operator delete(p); });
	}
#ifdef __cpp_sized_deallocation
	EXPECT(deletes, 1, delete hide(new long(3)));
#endif
	return 0;
}
