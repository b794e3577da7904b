/*
 * plugin-cxx - a shared object that brings its own C++ library, for programs
 * that have none. Built as plugin-cxx.so in the folder of the programs.
 */
#include <cstddef>
#include <new>

static char *reserve;

/* The compiler may not drop a pair of calls. */
static char *keep(char *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static void handler()
{
	if (!reserve)
		throw std::bad_alloc();
	delete[] reserve;
	reserve = nullptr;
}

/* 1 when it is caught as bad_alloc, 2 when as anything else. */
extern "C" int plugin_throws(size_t size)
{
	try {
		delete[] keep(new char[size]);
	} catch (const std::bad_alloc &) {
		return 1;
	} catch (...) {
		return 2;
	}
	return 0;
}

/* The same for the nothrow form, which gives NULL. */
extern "C" int plugin_nothrow(size_t size)
{
	char *p = keep(new (std::nothrow) char[size]);

	delete[] p;
	return p == nullptr;
}

/* 1 when the new-handler was called until it threw. */
extern "C" int plugin_handler(size_t size)
{
	int caught;

	reserve = keep(new char[1000]);
	std::set_new_handler(handler);
	caught = plugin_throws(size) == 1 && plugin_nothrow(size);
	std::set_new_handler(nullptr);
	return caught && !reserve;
}
