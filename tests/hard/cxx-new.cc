/*
 * cxx-new - only operator new is the program's own; delete is the default
 * and frees what malloc gave.
 */
#include "cxx-replace.h"

static int news, fail;

void *operator new(size_t n)
{
	void *p;

	news++;
	if (fail)
		throw std::bad_alloc();
	p = malloc(n ? n : 1);
	CHECK(p);
	return p;
}

int main()
{
	int none = 0;

	hard_start(30);
	for (int round = 0; round < 3; round++) {
		expect_news(news, 1, [](void *p) { ::operator delete(p); });
		expect_news(news, 1, [](void *p) { ::operator delete[](p); });
		expect_deletes(none, 0, plain_new);
		expect_aligned_news(news, 0, [](void *p) {
			::operator delete(p, cxx_align);
		});
	}
	EXPECT(news, 1, delete[] hide(new int[30]));
	fail = 1;
	EXPECT(news, 1, CHECK(!::operator new[](PLAIN, std::nothrow)));
	fail = 0;
	return 0;
}
