/*
 * dlopen-threads - a library's constructor waits for threads that allocate:
 * for one that it has started, which never called malloc before, and for the
 * first thread, which goes on all the time. The loader's lock is held
 * meanwhile.
 */
#include "hard.h"
#include <pthread.h>

static size_t nr_calls;

static void *allocate(void *arg)
{
	every_class_once();
	return arg;
}

static void start_and_join(void)
{
	pthread_t thread[4];
	int i;

	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, allocate, NULL));
	for (i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
}

/*
 * So long that the first thread looks at the clock more than once. That it
 * stands still for a while may be the machine's doing; that it does not go on
 * at all ends the program by its alarm.
 */
static void wait_for_calls(void)
{
	size_t before = __atomic_load_n(&nr_calls, __ATOMIC_RELAXED);
	int i;

	for (i = 0; i < 20; i++) {
		do
			usleep(50000);
		while (__atomic_load_n(&nr_calls, __ATOMIC_RELAXED) == before);
		before = __atomic_load_n(&nr_calls, __ATOMIC_RELAXED);
	}
}

static void open_that_calls(void (*hook)(void))
{
	char address[32];
	void *handle;

	snprintf(address, sizeof(address), "%lx", (unsigned long)hook);
	CHECK(!setenv("PLUGIN_CALLS", address, 1));
	handle = dlopen(hard_beside("plugin.so"), RTLD_NOW);
	CHECK(handle);
	CHECK(!dlclose(handle));
}

static void *open_that_waits(void *done)
{
	free(malloc(hide(100UL)));
	open_that_calls(wait_for_calls);
	__atomic_store_n((int *)done, 1, __ATOMIC_RELEASE);
	return NULL;
}

int main(void)
{
	pthread_t thread;
	int done = 0;

	hard_start(50);
	open_that_calls(start_and_join);
	CHECK(!pthread_create(&thread, NULL, open_that_waits, &done));
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		every_class_once();
		__atomic_fetch_add(&nr_calls, 1, __ATOMIC_RELAXED);
	}
	CHECK(!pthread_join(thread, NULL));
	return 0;
}
