/*
 * debug-copy - a program that refers to _r_debug, of which the linker then
 * puts a copy into it, in place of ld.so's own. Blocks of a second C library
 * are known as such nevertheless.
 */
#include "hard.h"
#include <link.h>

int main(void)
{
	struct r_debug *list = hide(&_r_debug);
	void *(*other_malloc)(size_t);
	void *second;
	int i;

	hard_start(20);
	CHECK(list->r_map);
	second = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
	CHECK(second);
	other_malloc = (void *(*)(size_t))hard_symbol(second, __FILE__,
						      __LINE__, "malloc");
	for (i = 1; i < 100; i++) {
		char *p = other_malloc(hide((size_t)i * 100));

		fill(p, (size_t)i * 100, (unsigned int)i);
		CHECK_OP(malloc_usable_size(p), >=, i * 100);
		p = realloc(p, (size_t)i * 200);
		VERIFY(p, (size_t)i * 100, (unsigned int)i);
		free(p);
	}
	every_class_once();
	return 0;
}
