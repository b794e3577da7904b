/*
 * program - a C++ program that a link test links with zbmalloc.
 *
 * 1. Without an argument it uses operator new directly, through the standard
 *    library and in a thread, prints "all served" and ends with 0.
 * 2. "malloc" deletes an object twice; "libc" frees twice what libc allocated.
 *    Neither comes back.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "zbmalloc.h"

struct alignas(256) wide {
	char bytes[256];
};

static void die(const char *what)
{
	puts(what);
	exit(1);
}

static void use()
{
	std::map<std::string, std::vector<int>> table;

	for (int i = 0; i < 1000; i++)
		table[std::string(i % 100 + 1, 'x')].push_back(i);
	if (table.size() != 100 || table["x"].size() != 10)
		die("map");
	std::unique_ptr<wide> object(new wide);
	if (reinterpret_cast<uintptr_t>(object.get()) % 256)
		die("aligned new");
}

static void use_exceptions()
{
	volatile size_t too_much = PTRDIFF_MAX;

	try {
		::operator delete(::operator new(too_much));
		die("bad_alloc is not thrown");
	} catch (const std::bad_alloc &) {
	}
	if (::operator new(too_much, std::nothrow))
		die("nothrow new");
	try {
		throw std::runtime_error(std::string(100, 'e'));
	} catch (const std::exception &e) {
		if (strlen(e.what()) != 100)
			die("exception");
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "malloc")) {
		void *p = ::operator new(100);
		void *volatile again = p;
		::operator delete(p);
		::operator delete(again);
	}
	if (argc > 1 && !strcmp(argv[1], "libc")) {
		void *p = strdup("by libc");
		void *volatile again = p;
		free(p);
		free(again);
	}
	if (argc > 1)
		die("lives on");
	if (!zbm_version()[0])
		die("zbm_version");
	use();
	use_exceptions();
	std::thread(use).join();
	puts("all served");
	return 0;
}
