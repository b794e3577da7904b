/*
 * own-family-cxx - a program with a malloc, free and their like of its own, and
 * the operators of the C++ library: these call the program's functions.
 */
#include "hard.h"
#include <new>

/* <new> hides these from a compiler whose delete expressions lack them. */
void operator delete(void *, size_t) noexcept;
void operator delete(void *, size_t, std::align_val_t) noexcept;

#define HEADER		32	/* bytes in front of a block: its size */
#define BUDGET		(8 * MIB)

static struct {
	alignas(4096) char pool[16 * MIB];
	size_t used;
	int nr_malloc, nr_aligned, nr_free;
} own;

static bool is_own(const void *p)
{
	return p >= own.pool && p < own.pool + sizeof(own.pool);
}

static void *take(size_t align, size_t size)
{
	size_t at = (own.used + HEADER + align - 1) & -align;

	if (size > BUDGET || at + size > BUDGET) {
		errno = ENOMEM;
		return nullptr;
	}
	own.used = at + size;
	return own.pool + at;
}

extern "C" void *malloc(size_t size)
{
	own.nr_malloc++;
	return take(16, size);
}

extern "C" void *calloc(size_t count, size_t size)
{
	return malloc(count * size);
}

extern "C" void *aligned_alloc(size_t align, size_t size)
{
	own.nr_aligned++;
	return take(align, size);
}

extern "C" void *realloc(void *, size_t)
{
	return nullptr;
}

extern "C" void free(void *p)
{
	if (!p)
		return;
	CHECK(is_own(p));
	own.nr_free++;
}

struct counts {
	int nr_malloc, nr_aligned, nr_free;
};

/* Since `before` there were so many calls. */
static void check_calls(const counts &before, int mallocs, int aligneds,
			int frees)
{
	CHECK_EQ(own.nr_malloc, before.nr_malloc + mallocs);
	CHECK_EQ(own.nr_aligned, before.nr_aligned + aligneds);
	CHECK_EQ(own.nr_free, before.nr_free + frees);
}

static counts now()
{
	return { own.nr_malloc, own.nr_aligned, own.nr_free };
}

static void test_each_form_calls_the_programs_functions()
{
	const std::align_val_t align = std::align_val_t(256);
	const size_t size = hide((size_t)100);
	const counts before = now();
	void *p[8];

	p[0] = ::operator new(size);
	p[1] = ::operator new[](size);
	p[2] = ::operator new(size, std::nothrow);
	p[3] = ::operator new[](size, std::nothrow);
	p[4] = ::operator new(size, align);
	p[5] = ::operator new[](size, align);
	p[6] = ::operator new(size, align, std::nothrow);
	p[7] = ::operator new[](size, align, std::nothrow);
	for (void *q : p) {
		CHECK(is_own(q));
		fill(q, size, 1);
	}
	check_calls(before, 4, 4, 0);
	::operator delete(p[0]);
	::operator delete[](p[1]);
	::operator delete(p[2], size);
	::operator delete[](p[3], std::nothrow);
	::operator delete(p[4], align);
	::operator delete[](p[5], align);
	::operator delete(p[6], size, align);
	::operator delete[](p[7], align, std::nothrow);
	check_calls(before, 4, 4, 8);
	/* Nothing is something, whatever that malloc says. */
	CHECK(is_own(::operator new(hide((size_t)0))));
	::operator delete(nullptr);
}

static void test_its_budget_holds()
{
	bool caught = false;

	CHECK(!::operator new(hide(2 * BUDGET), std::nothrow));
	CHECK(!::operator new(hide(2 * BUDGET), std::align_val_t(64),
			      std::nothrow));
	try {
		for (;;)
			CHECK(is_own(::operator new(hide(MIB))));
	} catch (const std::bad_alloc &) {
		caught = true;
	}
	CHECK(caught);
}

int main()
{
	hard_start(10);
	test_each_form_calls_the_programs_functions();
	test_its_budget_holds();
	return 0;
}
