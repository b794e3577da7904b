/*
 * cxx-aligned - only the aligned forms are the program's own.
 */
#include "cxx-replace.h"

static int news, deletes, fail;

void *operator new(size_t n, std::align_val_t align)
{
	void *p;

	news++;
	if (fail)
		throw std::bad_alloc();
	p = memalign(static_cast<size_t>(align), n);
	CHECK(p);
	return p;
}

void operator delete(void *p, std::align_val_t) noexcept
{
	deletes++;
	free(p);
}

struct wide {
	alignas(256) char bytes[300];
};

int main()
{
	hard_start(30);
	for (int round = 0; round < 3; round++) {
		expect_aligned_news(news, 1, [](void *p) {
			::operator delete(p, cxx_align);
		});
		expect_aligned_deletes(deletes, 1, aligned_new);
		expect_news(news, 0, [](void *p) { ::operator delete(p); });
		expect_deletes(deletes, 0, plain_new);
	}
	EXPECT(news, 1, delete hide(new wide));
	EXPECT(deletes, 1, delete[] hide(new wide[3]));
	fail = 1;
	EXPECT(news, 1,
	       CHECK(!::operator new(PLAIN, cxx_align, std::nothrow)));
	EXPECT(news, 1,
	       CHECK(!::operator new[](PLAIN, cxx_align, std::nothrow)));
	fail = 0;
	return 0;
}
