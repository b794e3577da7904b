/*
 * deepbind - a library that is opened with RTLD_DEEPBIND shares the
 * allocator of the program: blocks go to and fro between them.
 */
#include "hard.h"

static void *handle;

#define FROM(type, name) \
	((type)hard_symbol(handle, __FILE__, __LINE__, name))

int main(void)
{
	void *(*their_malloc)(size_t);
	void *(*their_realloc)(void *, size_t);
	void (*their_free)(void *);
	size_t size;

	hard_start(20);
	CHECK(!dlopen("/nowhere/there-is-none.so", RTLD_NOW | RTLD_DEEPBIND));
	CHECK(strstr(dlerror(), "there-is-none.so"));
	handle = dlopen(hard_beside("plugin.so"), RTLD_NOW | RTLD_DEEPBIND);
	CHECK(handle);
	their_malloc = FROM(void *(*)(size_t), "plugin_malloc");
	their_realloc = FROM(void *(*)(void *, size_t), "plugin_realloc");
	their_free = FROM(void (*)(void *), "plugin_free");
	for (size = 1; size < 8 * MIB; size += size / 3 + 1) {
		char *ours = malloc(size), *theirs = their_malloc(size);

		CHECK(ours && theirs);
		fill(ours, size, 1);
		fill(theirs, size, 2);
		ours = their_realloc(ours, 2 * size);
		theirs = realloc(theirs, 2 * size);
		CHECK(ours && theirs);
		VERIFY_PART(ours, size, size, 1);
		VERIFY_PART(theirs, size, size, 2);
		their_free(ours);
		free(theirs);
	}
	CHECK(!dlclose(handle));
	return 0;
}
