/*
 * elf - the objects that ld.so has loaded, and what they define.
 *
 * 1. dlsym and dlopen may allocate and take locks, and dlsym may find
 *    somebody else's definition. This reads the lists and tables as they
 *    lie in memory; nothing here allocates, locks or changes errno.
 * 2. Each namespace has its own list: that of the program comes first, then
 *    those made by dlmopen.
 * 3. Lists that change while they are read are found out or end early; no
 *    read faults. An object that was found must not be unloaded while its
 *    tables are read.
 */
#ifndef ZBM_ELF_H
#define ZBM_ELF_H

#include "base/base.h"

struct elf_object {
	uintptr_t bias;		/* what its addresses are relative to */
	uintptr_t symbols, strings, hash;	/* its tables */
};

/* The next namespace; the first one after NULL. NULL at the end, and in
 * static programs, which have none. */
struct r_debug_extended;
const struct r_debug_extended *
elf_next_space(const struct r_debug_extended *space);

/* The object in `space` whose file has this name, without directories. */
bool elf_find_object(const struct r_debug_extended *space,
		     const char *file_name, struct elf_object *object);

/* The same, in the namespace that this code itself is in. */
bool elf_find_beside(const char *file_name, struct elf_object *object);

/* Shows each object in `space`, until `wanted` is content; false: it never
 * was. */
typedef bool elf_wanted_fn(const struct elf_object *object, void *what);
bool elf_find_wanted(const struct r_debug_extended *space,
		     elf_wanted_fn *wanted, void *what);

/* Whether the address is in it; false, too, where its headers are elsewhere
 * than at its start, as those of a program that is not position-independent. */
bool elf_object_holds(const struct elf_object *object, uintptr_t address);

/* The address of a symbol that the object defines, or 0. */
uintptr_t elf_find_symbol(const struct elf_object *object, const char *name);

/* Where its variables are, in whole words. */
bool elf_find_data(const struct elf_object *object, uintptr_t *start,
		   uintptr_t *end);

#endif
