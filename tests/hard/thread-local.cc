/*
 * thread-local - thread_local objects that allocate and free in their
 * constructors and destructors, in threads and in the main thread, together
 * with key destructors that run after them.
 */
#include "hard.h"
#include <memory>
#include <pthread.h>
#include <string>
#include <thread>
#include <vector>

static int destroyed;
static pthread_key_t key;

struct holder {
	std::vector<std::string> words;
	char *block;

	holder() : block(static_cast<char *>(malloc(5000)))
	{
		CHECK(block);
		fill(block, 5000, 3);
		for (int i = 0; i < 50; i++)
			words.push_back(std::string(i * 10, 'x'));
	}
	~holder()
	{
		VERIFY(block, 5000, 3);
		free(block);
		for (int i = 0; i < 50; i++)
			CHECK_EQ(words[i].size(), i * 10);
		every_class_once();
		/* Kept for later: freed by the key destructor. */
		pthread_setspecific(key, malloc(300));
		__atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED);
	}
};

static thread_local holder one;
static thread_local std::unique_ptr<holder> two;

static void key_destructor(void *p)
{
	CHECK(p);
	free(p);
	every_class_once();
}

static void body()
{
	CHECK_EQ(one.words.size(), 50);
	two.reset(new holder);
	std::thread([] { CHECK_EQ(one.words.size(), 50); }).join();
}

int main()
{
	hard_start(58);
	CHECK(!pthread_key_create(&key, key_destructor));
	size_t before = 0;

	for (int round = 0; round < 60; round++) {
		std::vector<std::thread> threads;

		for (int i = 0; i < 4; i++)
			threads.emplace_back(body);
		for (std::thread &thread : threads)
			thread.join();
		if (round != 9)
			continue;
		/* What is free may come and go: it does not count. */
		malloc_trim(0);
		before = rss();
	}
	malloc_trim(0);
	CHECK_EQ(destroyed, 60 * 4 * 3);
	CHECK_OP(rss(), <, before + 4 * MIB);
	/* The main thread's own are destroyed by exit. */
	CHECK_EQ(one.words.size(), 50);
	two.reset(new holder);
	return 0;
}
