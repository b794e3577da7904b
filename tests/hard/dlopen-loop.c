/*
 * dlopen-loop - a library that allocates in its constructor, per thread and
 * in its destructor is opened and closed many times, without growth.
 */
#include "hard.h"
#include <pthread.h>

static void *worker(void *arg)
{
	int (*work)(int) = *(int (**)(int))arg;

	CHECK_EQ(work(50), 50);
	CHECK_EQ(work(5000), 5000);
	CHECK_EQ(work(0) | work(1), 1);
	return NULL;
}

static void once(int flags, int with_thread)
{
	void *handle = dlopen(hard_beside("plugin.so"), flags);
	int (*work)(int);
	char *(*dup_it)(const char *);
	char *s;

	if (!handle) {
		hard_say("dlopen: %s\n", dlerror());
		_exit(1);
	}
	work = (int (*)(int))hard_symbol(handle, __FILE__, __LINE__,
					 "plugin_thread_work");
	dup_it = (char *(*)(const char *))hard_symbol(handle, __FILE__,
						      __LINE__,
						      "plugin_strdup");
	if (with_thread) {
		pthread_t thread;

		CHECK(!pthread_create(&thread, NULL, worker, &work));
		pthread_join(thread, NULL);
	}
	s = dup_it("a word that the program frees");
	CHECK(!dlclose(handle));
	CHECK(!strcmp(s, "a word that the program frees"));
	free(s);
}

int main(void)
{
	size_t before = 0;
	int i;

	hard_start(58);
	for (i = 0; i < 600; i++) {
		/* A thread leaves 5000 * 100 bytes behind, by design. */
		once(i % 2 ? RTLD_NOW : RTLD_LAZY | RTLD_GLOBAL, i < 4);
		if (i == 100)
			before = rss();
	}
	CHECK_OP(rss(), <, before + 2 * MIB);
	for (i = 0; i < 12; i++) {
		/* A whole second libc each time, and away with it. */
		void *handle = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);

		CHECK(handle);
		every_class_once();
		CHECK(!dlclose(handle));
	}
	return 0;
}
