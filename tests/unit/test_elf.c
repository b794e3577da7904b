/*
 * test_elf - the loaded objects, compared with what dlsym knows of them.
 */
#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "os/elf.h"

static int of_this_program;

static size_t count_spaces(void)
{
	const struct r_debug_extended *space = NULL;
	size_t n = 0;

	while ((space = elf_next_space(space)))
		n += space->base.r_map != NULL;
	return n;
}

static void test_symbols_are_those_of_dlsym(void **state)
{
	/* Functions of one version, and data. */
	static const char *const names[] = {
		"malloc", "free", "realloc", "malloc_usable_size", "strdup",
		"printf", "getpid", "environ", "stdout", "pthread_self",
	};
	void *handle = dlopen(LIBC_SO, RTLD_NOW | RTLD_NOLOAD);
	struct elf_object object;
	size_t i;

	(void)state;
	assert_non_null(handle);
	assert_true(elf_find_object(elf_next_space(NULL), LIBC_SO, &object));
	for (i = 0; i < array_size(names); i++)
		assert_int_equal(elf_find_symbol(&object, names[i]),
				 (uintptr_t)dlsym(handle, names[i]));
	dlclose(handle);
}

static void test_what_is_not_defined_is_not_found(void **state)
{
	static const char *const paths[] = {
		"/", "libc.so", "libc.so.60", "xlibc.so.6", "x86_64",
		"/libc.so.6",
	};
	struct elf_object object;
	char name[] = "no_such_name_0";
	size_t i;

	(void)state;
	for (i = 0; i < array_size(paths); i++)
		assert_false(elf_find_object(elf_next_space(NULL), paths[i],
					     &object));
	assert_true(elf_find_object(elf_next_space(NULL), LIBC_SO, &object));
	for (i = 0; i < 10; i++) {
		name[sizeof(name) - 2] = (char)('0' + i);
		assert_int_equal(elf_find_symbol(&object, name), 0);
	}
	assert_int_equal(elf_find_symbol(&object, ""), 0);
	/* libc uses this name of ld.so's, but does not define it. */
	assert_int_equal(elf_find_symbol(&object, "__tls_get_addr"), 0);
}

static void test_the_data_of_an_object_holds_its_variables(void **state)
{
	struct elf_object object;
	uintptr_t start, end, variable, function;

	(void)state;
	assert_true(elf_find_object(elf_next_space(NULL), LIBC_SO, &object));
	assert_true(elf_find_data(&object, &start, &end));
	assert_int_equal(start % sizeof(uintptr_t), 0);
	variable = elf_find_symbol(&object, "stdout");
	assert_in_range(variable, start, end - 1);
	variable = elf_find_symbol(&object, "_environ");
	assert_in_range(variable, start, end - 1);
	function = elf_find_symbol(&object, "malloc");
	assert_not_in_range(function, start, end - 1);
}

static void test_each_namespace_has_its_own_libc(void **state)
{
	const struct r_debug_extended *space = NULL;
	size_t before = count_spaces();
	void *handle = dlmopen(LM_ID_NEWLM, LIBC_SO, RTLD_NOW);
	uintptr_t seen[2] = { 0 };
	struct elf_object object;
	size_t n = 0;

	(void)state;
	assert_non_null(handle);
	assert_int_equal(count_spaces(), before + 1);
	while ((space = elf_next_space(space))) {
		if (!elf_find_object(space, LIBC_SO, &object))
			continue;
		assert_in_range(n, 0, 1);
		seen[n++] = elf_find_symbol(&object, "malloc");
	}
	assert_int_equal(n, 2);
	assert_int_not_equal(seen[0], seen[1]);
	assert_int_equal(seen[1], (uintptr_t)dlsym(handle, "malloc"));
	/* This program is in the first one. */
	assert_true(elf_find_beside(LIBC_SO, &object));
	assert_int_equal(elf_find_symbol(&object, "malloc"), seen[0]);
	assert_false(elf_find_beside("no_such_name.so", &object));
	dlclose(handle);
	assert_int_equal(count_spaces(), before);
}

/* The object that has the address. */
static bool is_around(const struct elf_object *object, void *what)
{
	return elf_object_holds(object, (uintptr_t)what) &&
	       elf_find_symbol(object, "no_such_name") == 0;
}

static bool count(const struct elf_object *object, void *n)
{
	(*(size_t *)n)++;
	return !object->bias && !object->symbols;
}

static void test_objects_are_found_by_what_lies_in_them(void **state)
{
	const struct r_debug_extended *space = elf_next_space(NULL);
	void *handle = dlopen(LIBC_SO, RTLD_NOW | RTLD_NOLOAD);
	struct elf_object object;
	size_t n = 0;

	(void)state;
	assert_non_null(handle);
	assert_true(elf_find_wanted(space, is_around, dlsym(handle, "printf")));
	assert_true(elf_find_wanted(space, is_around, dlsym(handle, "stdout")));
	assert_true(elf_find_wanted(space, is_around, &of_this_program));
	assert_false(elf_find_wanted(space, is_around, &n));
	assert_false(elf_find_wanted(space, is_around, NULL));
	assert_false(elf_find_wanted(space, count, &n));
	assert_true(n > 3);
	assert_true(elf_find_object(space, LIBC_SO, &object));
	assert_true(elf_object_holds(&object,
				     elf_find_symbol(&object, "malloc")));
	assert_false(elf_object_holds(&object, (uintptr_t)&of_this_program));
	dlclose(handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_symbols_are_those_of_dlsym),
		cmocka_unit_test(test_what_is_not_defined_is_not_found),
		cmocka_unit_test(
			test_the_data_of_an_object_holds_its_variables),
		cmocka_unit_test(test_each_namespace_has_its_own_libc),
		cmocka_unit_test(test_objects_are_found_by_what_lies_in_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
