/*
 * nomem-new - operator new under a small address space limit: bad_alloc,
 * the new-handler, nothrow, and recovery.
 */
#include "hard.h"
#include <future>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static void *reserve;
static int nr_handler_calls;

static void handler()
{
	nr_handler_calls++;
	if (!reserve)
		throw std::bad_alloc();
	free(reserve);
	reserve = nullptr;
}

struct chain {
	chain *next;
};

static size_t exhaust_new(size_t size, chain *&list)
{
	size_t count = 0;

	list = nullptr;
	try {
		for (;; count++) {
			chain *c = static_cast<chain *>(
				::operator new(hide(size)));

			c->next = list;
			list = c;
		}
	} catch (const std::bad_alloc &) {
	}
	return count;
}

static void release(chain *list)
{
	while (list) {
		chain *next = list->next;

		::operator delete(list);
		list = next;
	}
}

static void test_new_throws_and_recovers(size_t size)
{
	chain *list;
	size_t first = exhaust_new(size, list), again;

	CHECK_OP(first, >, 10);
	CHECK(!::operator new(hide(4 * MIB + size), std::nothrow));
	try {
		delete[] hide(new char[hide(8 * MIB)]);
		CHECK(!"new[] succeeded without memory");
	} catch (const std::bad_alloc &) {
	}
	try {
		::operator delete(::operator new(hide(8 * MIB),
						 std::align_val_t(4096)),
				  std::align_val_t(4096));
		CHECK(!"aligned new succeeded without memory");
	} catch (const std::bad_alloc &) {
	}
	release(list);
	again = exhaust_new(size, list);
	release(list);
	CHECK_OP(again, >=, first - first / 4);
	std::vector<std::string> words(1000, std::string(300, 'x'));
	CHECK_EQ(words[999].size(), 300);
}

static void test_the_new_handler_is_called_until_it_helps()
{
	chain *list;

	reserve = malloc(hide(5 * MIB));
	CHECK(reserve);
	std::set_new_handler(handler);
	nr_handler_calls = 0;
	exhaust_new(60000, list);
	/* Once it freed the reserve, the second time it threw. */
	CHECK_EQ(nr_handler_calls, 2);
	/* The nothrow form calls it too and swallows what it throws. */
	CHECK(!::operator new(hide(20 * MIB), std::nothrow));
	CHECK_EQ(nr_handler_calls, 3);
	std::set_new_handler(nullptr);
	release(list);
}

static void test_threads_get_bad_alloc_too()
{
	std::vector<std::thread> threads;
	std::promise<void> all_started;
	std::shared_future<void> gate(all_started.get_future());
	int caught = 0;

	for (int i = 0; i < 3; i++)
		threads.emplace_back([&caught, gate] {
			chain *list;

			gate.wait();
			exhaust_new(20000, list);
			release(list);
			__atomic_fetch_add(&caught, 1, __ATOMIC_RELAXED);
		});
	all_started.set_value();
	for (std::thread &thread : threads)
		thread.join();
	CHECK_EQ(caught, 3);
}

int main(int argc, char **)
{
	hard_start(50);
	if (argc == 1) {
		/* Stacks of three threads take 24 MiB of it. */
		CHECK_EQ(hard_run_self("limited", RLIMIT_AS, 200 * MIB), 0);
		return 0;
	}
	test_threads_get_bad_alloc_too();
	test_new_throws_and_recovers(5000);
	test_new_throws_and_recovers(200);
	test_new_throws_and_recovers(300000);
	test_the_new_handler_is_called_until_it_helps();
	test_new_throws_and_recovers(64);
	return 0;
}
