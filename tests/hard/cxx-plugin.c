/*
 * cxx-plugin - a C program opens a library that has the whole of C++ inside:
 * what it has no memory for is thrown by its own means.
 */
#include "hard.h"

typedef int plugin_fn(size_t);

int main(void)
{
	static const char *const names[] = {
		"plugin_throws", "plugin_nothrow", "plugin_handler",
	};
	const size_t sizes[] = { (size_t)1 << 46, PTRDIFF_MAX };
	void *handle = dlopen(hard_beside("plugin-cxx.so"), RTLD_NOW);
	unsigned int i, k;

	hard_start(20);
	CHECK(handle);
	for (i = 0; i < array_size(names); i++) {
		plugin_fn *plugin = (plugin_fn *)hard_symbol(
			handle, __FILE__, __LINE__, names[i]);

		for (k = 0; k < array_size(sizes); k++) {
			CHECK_EQ(plugin(hide(sizes[k])), 1);
			every_class_once();
		}
	}
	CHECK_EQ(((plugin_fn *)hard_symbol(handle, __FILE__, __LINE__,
					   "plugin_throws"))(hide(100UL)), 0);
	CHECK(!dlclose(handle));
	every_class_once();
	return 0;
}
