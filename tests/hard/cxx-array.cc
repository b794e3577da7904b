/*
 * cxx-array - only the array forms are the program's own: their nothrow and
 * sized relatives follow, the plain forms do not.
 */
#include "cxx-replace.h"

static int news, deletes;

void *operator new[](size_t n)
{
	void *p = malloc(n);

	CHECK(p);
	news++;
	return p;
}

void operator delete[](void *p) noexcept
{
	deletes++;
	free(p);
}

int main()
{
	hard_start(30);
	for (int round = 0; round < 3; round++) {
		EXPECT(news, 1, free(keep(::operator new[](PLAIN))));
		EXPECT(news, 1, free(keep(::operator new[](PLAIN,
							   std::nothrow))));
		EXPECT(news, 0, free(keep(::operator new(PLAIN))));
		EXPECT(news, 0, free(keep(::operator new(PLAIN,
							 std::nothrow))));
		EXPECT(deletes, 1, ::operator delete[](plain_new()));
		EXPECT(deletes, 1, ::operator delete[](plain_new(), PLAIN));
		EXPECT(deletes, 1,
		       ::operator delete[](plain_new(), std::nothrow));
		EXPECT(deletes, 0, ::operator delete(plain_new()));
		EXPECT(deletes, 0, ::operator delete(plain_new(), PLAIN));
	}
	return 0;
}
