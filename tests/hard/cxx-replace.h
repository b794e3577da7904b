/*
 * cxx-replace - helpers for the programs that replace some of the operators
 * and ask whether the others follow, as the standard wants:
 *
 * 1. new[] calls new; the nothrow forms call the throwing form of their
 *    kind and turn its exception into a null pointer.
 * 2. sized, nothrow and array delete call plain delete; the array forms go
 *    through delete[], so a replaced delete[] sees them first.
 * 3. The aligned forms have the same relations among themselves, and none
 *    with the others.
 */
#ifndef ZBM_CXX_REPLACE_H
#define ZBM_CXX_REPLACE_H

#include "hard.h"
#include <new>

/* That only some forms are replaced is what these programs are about. */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wsized-deallocation"
#endif

/* <new> hides these from a compiler whose delete expressions lack them. */
void operator delete(void *, size_t) noexcept;
void operator delete[](void *, size_t) noexcept;
void operator delete(void *, size_t, std::align_val_t) noexcept;
void operator delete[](void *, size_t, std::align_val_t) noexcept;

#define PLAIN	100UL

static const std::align_val_t cxx_align = std::align_val_t(64);

/* Runs `statement` and checks by how much `counter` rose. */
#define EXPECT(counter, n, statement) do { \
	int expect_before = (counter); \
	statement; \
	CHECK_EQ((counter) - expect_before, n); \
} while (0)

static inline void *keep(void *p)
{
	CHECK(p);
	CHECK_EQ((uintptr_t)p % 16, 0);
	memset(p, 1, PLAIN);
	return hide(p);
}

/* Blocks of the default operators, whatever deletes them. */
static inline void *plain_new()
{
	return keep(::operator new(PLAIN));
}

/* All forms of delete on blocks that `make` gives, each `times` calls. */
template<class Make>
static inline void expect_deletes(int &counter, int times, Make make)
{
	EXPECT(counter, times, ::operator delete(make()));
	EXPECT(counter, times, ::operator delete(make(), PLAIN));
	EXPECT(counter, times, ::operator delete(make(), std::nothrow));
	EXPECT(counter, times, ::operator delete[](make()));
	EXPECT(counter, times, ::operator delete[](make(), PLAIN));
	EXPECT(counter, times, ::operator delete[](make(), std::nothrow));
}

static inline void *aligned_new()
{
	void *p = keep(::operator new(PLAIN, cxx_align));

	CHECK_EQ((uintptr_t)p % 64, 0);
	return p;
}

template<class Make>
static inline void expect_aligned_deletes(int &counter, int times, Make make)
{
	std::align_val_t a = cxx_align;

	EXPECT(counter, times, ::operator delete(make(), a));
	EXPECT(counter, times, ::operator delete(make(), PLAIN, a));
	EXPECT(counter, times, ::operator delete(make(), a, std::nothrow));
	EXPECT(counter, times, ::operator delete[](make(), a));
	EXPECT(counter, times, ::operator delete[](make(), PLAIN, a));
	EXPECT(counter, times, ::operator delete[](make(), a, std::nothrow));
}

/* The four plain forms of new; each block is given to `drop`. */
template<class Drop>
static inline void expect_news(int &counter, int times, Drop drop)
{
	EXPECT(counter, times, drop(keep(::operator new(PLAIN))));
	EXPECT(counter, times, drop(keep(::operator new[](PLAIN))));
	EXPECT(counter, times,
	       drop(keep(::operator new(PLAIN, std::nothrow))));
	EXPECT(counter, times,
	       drop(keep(::operator new[](PLAIN, std::nothrow))));
}

template<class Drop>
static inline void expect_aligned_news(int &counter, int times, Drop drop)
{
	std::align_val_t a = cxx_align;

	EXPECT(counter, times, drop(keep(::operator new(PLAIN, a))));
	EXPECT(counter, times, drop(keep(::operator new[](PLAIN, a))));
	EXPECT(counter, times,
	       drop(keep(::operator new(PLAIN, a, std::nothrow))));
	EXPECT(counter, times,
	       drop(keep(::operator new[](PLAIN, a, std::nothrow))));
}

#endif
