/*
 * cxx-both - a program with its own operator new and delete, which put a
 * header before each block: any form that bypasses them is noticed.
 */
#include "cxx-replace.h"

static int news, deletes, fail;

struct header {
	unsigned long magic;
	unsigned long unused;
};

void *operator new(size_t n)
{
	header *h;

	news++;
	if (fail)
		throw std::bad_alloc();
	h = static_cast<header *>(malloc(n + sizeof(*h)));
	CHECK(h);
	h->magic = 0x600dc0de;
	return h + 1;
}

void operator delete(void *p) noexcept
{
	header *h = static_cast<header *>(p) - 1;

	deletes++;
	if (!p)
		return;
	CHECK_EQ(h->magic, 0x600dc0de);
	h->magic = 0;
	free(h);
}

struct wide {
	alignas(256) char bytes[300];
};

int main()
{
	hard_start(30);
	for (int round = 0; round < 3; round++) {
		expect_news(news, 1, [](void *p) { ::operator delete(p); });
		expect_deletes(deletes, 1, plain_new);
		/* Those with an alignment are not replaced. */
		expect_aligned_news(news, 0, [](void *p) {
			::operator delete(p, cxx_align);
		});
		expect_aligned_deletes(deletes, 0, aligned_new);
	}
	EXPECT(news, 0, delete hide(new wide));
	EXPECT(deletes, 1, delete[] hide(new int[30]));
	EXPECT(deletes, 1, delete hide(new long(5)));
	/* The nothrow forms swallow what the program's own form throws. */
	fail = 1;
	EXPECT(news, 1, CHECK(!::operator new(PLAIN, std::nothrow)));
	EXPECT(news, 1, CHECK(!::operator new[](PLAIN, std::nothrow)));
	EXPECT(news, 1, try {
		hide(::operator new[](PLAIN));
		CHECK(!"new[] did not throw");
	} catch (const std::bad_alloc &) {
	});
	fail = 0;
	return 0;
}
