/*
 * operators - the 20 forms of operator new and delete of a program that
 * replaces none: alignment, room, failure, pairs of every kind.
 */
#include "cxx-replace.h"
#include <string>
#include <vector>

static const size_t sizes[] = { 0, 1, 24, 500, 5000, 70000, MIB, 5 * MIB };

static void *check(void *p, size_t n, size_t align)
{
	CHECK(p);
	CHECK_EQ((uintptr_t)p % align, 0);
	CHECK_OP(malloc_usable_size(p), >=, n);
	fill(p, n, 1);
	VERIFY(p, n, 1);
	return p;
}

static void test_plain_forms()
{
	for (size_t s : sizes) {
		size_t n = hide(s);
		const std::nothrow_t &nt = std::nothrow;

		::operator delete(check(::operator new(n), n, 16));
		::operator delete(check(::operator new(n, nt), n, 16));
		::operator delete(check(::operator new(n), n, 16), n);
		::operator delete(check(::operator new(n, nt), n, 16), nt);
		::operator delete[](check(::operator new[](n), n, 16));
		::operator delete[](check(::operator new[](n, nt), n, 16));
		::operator delete[](check(::operator new[](n), n, 16), n);
		::operator delete[](check(::operator new[](n), n, 16), nt);
	}
	void *p = ::operator new(hide(0UL)), *q = ::operator new(hide(0UL));

	CHECK(p != q);
	::operator delete(p);
	::operator delete(q);
}

static void test_aligned_forms()
{
	for (size_t a = 8; a <= 16 * MIB; a *= 8)
	for (size_t s : sizes) {
		std::align_val_t align = std::align_val_t(hide(a));
		const std::nothrow_t &nt = std::nothrow;
		size_t n = hide(s);

		::operator delete(check(::operator new(n, align), n, a),
				  align);
		::operator delete(check(::operator new(n, align), n, a), n,
				  align);
		::operator delete(check(::operator new(n, align, nt), n, a),
				  align, nt);
		::operator delete[](check(::operator new[](n, align), n, a),
				    align);
		::operator delete[](check(::operator new[](n, align), n, a),
				    n, align);
		::operator delete[](check(::operator new[](n, align, nt), n,
					  a), align, nt);
	}
}

static void *null()
{
	return hide(static_cast<void *>(nullptr));
}

static void test_delete_of_null()
{
	std::align_val_t align = std::align_val_t(64);

	::operator delete(null());
	::operator delete(null(), 10);
	::operator delete(null(), std::nothrow);
	::operator delete(null(), align);
	::operator delete(null(), 10, align);
	::operator delete(null(), align, std::nothrow);
	::operator delete[](null());
	::operator delete[](null(), 10);
	::operator delete[](null(), std::nothrow);
	::operator delete[](null(), align);
	::operator delete[](null(), 10, align);
	::operator delete[](null(), align, std::nothrow);
}

template<class F> static void check_throws(F f)
{
	bool thrown = false;

	try {
		f();
	} catch (const std::bad_alloc &e) {
		CHECK(e.what() && *e.what());
		thrown = true;
	}
	CHECK(thrown);
}

static int handler_calls;

static void counting_handler()
{
	if (++handler_calls == 3)
		std::set_new_handler(nullptr);
}

static void throwing_handler()
{
	handler_calls++;
	throw std::bad_alloc();
}

static void test_failure_throws_or_is_null()
{
	std::align_val_t align = std::align_val_t(64);

	for (size_t n : { static_cast<size_t>(PTRDIFF_MAX) + 1, SIZE_MAX,
			  static_cast<size_t>(1) << 47 }) {
		size_t big = hide(n);

		check_throws([=] { hide(::operator new(big)); });
		check_throws([=] { hide(::operator new[](big)); });
		check_throws([=] { hide(::operator new(big, align)); });
		check_throws([=] { hide(::operator new[](big, align)); });
		CHECK(!::operator new(big, std::nothrow));
		CHECK(!::operator new[](big, std::nothrow));
		CHECK(!::operator new(big, align, std::nothrow));
		CHECK(!::operator new[](big, align, std::nothrow));
	}
	check_throws([] {
		hide(new int[hide(static_cast<size_t>(PTRDIFF_MAX) / 4)]);
	});
}

static void test_the_new_handler_is_called()
{
	size_t big = hide(static_cast<size_t>(1) << 47);
	std::align_val_t align = std::align_val_t(64);

	/* Called again and again until none is set; then bad_alloc. */
	handler_calls = 0;
	std::set_new_handler(counting_handler);
	check_throws([=] { hide(::operator new(big)); });
	CHECK_EQ(handler_calls, 3);
	handler_calls = 0;
	std::set_new_handler(counting_handler);
	check_throws([=] { hide(::operator new[](big, align)); });
	CHECK_EQ(handler_calls, 3);
	handler_calls = 0;
	std::set_new_handler(counting_handler);
	CHECK(!::operator new(big, std::nothrow));
	CHECK_EQ(handler_calls, 3);
	/* What the handler throws ends inside the nothrow forms. */
	handler_calls = 0;
	std::set_new_handler(throwing_handler);
	CHECK(!::operator new(big, std::nothrow));
	CHECK(!::operator new[](big, std::nothrow));
	CHECK(!::operator new(big, align, std::nothrow));
	CHECK(!::operator new[](big, align, std::nothrow));
	check_throws([=] { hide(::operator new(big)); });
	CHECK_EQ(handler_calls, 5);
	std::set_new_handler(nullptr);
}

/* The pairs that programs of the old days mix. */
static void test_new_and_malloc_are_one_allocator()
{
	for (size_t s : sizes) {
		void *p = ::operator new(hide(s));

		free(p);
		p = malloc(hide(s));
		::operator delete(p);
		p = realloc(::operator new[](hide(s) + 1), s * 2 + 1);
		CHECK(p);
		::operator delete[](p);
	}
}

int main()
{
	hard_start(50);
	test_plain_forms();
	test_aligned_forms();
	test_delete_of_null();
	test_failure_throws_or_is_null();
	test_the_new_handler_is_called();
	test_new_and_malloc_are_one_allocator();
	std::vector<std::string> words;
	for (int i = 0; i < 20000; i++)
		words.push_back(std::to_string(i) + std::string(i % 100, 'x'));
	CHECK(words[777] == "777" + std::string(77, 'x'));
	return 0;
}
