/*
 * elf - the objects that ld.so has loaded, and what they define.
 *
 * 1. The lists begin at _r_debug, which debuggers read too.
 * 2. List entries may be freed at any time, so they are probed and copied
 *    before use.
 */
#include <elf.h>
#include <link.h>

#include "os/elf.h"
#include "os/probe.h"

#define WORD		sizeof(uintptr_t)
#define MAX_OBJECTS	65536	/* in a namespace: ends a broken list */
#define MAX_PATH	4096

/*
 * _r_debug with the field that versions from 2 on have; absent from static
 * programs.
 */
extern struct r_debug_extended first_space __asm__("_r_debug")
	__attribute__((weak));

const struct r_debug_extended *
elf_next_space(const struct r_debug_extended *space)
{
	if (!space)
		return &first_space;
	return first_space.base.r_version < 2 ? NULL : space->r_next;
}

/* Whether the last component of the path is `name`. Neither the path nor
 * its end need be there; it is read by words, as they lie in memory. */
static bool path_ends_with(uintptr_t path, const char *name)
{
	size_t len = strlen(name);
	size_t i, matched = 0;
	uintptr_t word = 0;
	char c;

	for (i = 0; i < MAX_PATH; i++, path++) {
		if ((i == 0 || path % WORD == 0) &&
		    !probe_read(align_down(path, WORD), &word))
			return false;
		c = ((const char *)&word)[path % WORD];
		if (c == '\0')
			return matched == len;
		if (c == '/')
			matched = 0;
		else if (matched < len && c == name[matched])
			matched++;
		else
			matched = len + 1;
	}
	return false;
}

static bool read_tables(const struct link_map *map, struct elf_object *object)
{
	const ElfW(Dyn) *dyn;

	*object = (struct elf_object) { .bias = map->l_addr };
	for (dyn = map->l_ld; dyn->d_tag != DT_NULL; dyn++) {
		uintptr_t addr = dyn->d_un.d_ptr;

		/* Relocated in place, except where the section is constant. */
		if (addr < object->bias)
			addr += object->bias;
		if (dyn->d_tag == DT_SYMTAB)
			object->symbols = addr;
		else if (dyn->d_tag == DT_STRTAB)
			object->strings = addr;
		else if (dyn->d_tag == DT_GNU_HASH)
			object->hash = addr;
	}
	return object->symbols && object->strings && object->hash;
}

bool elf_find_object(const struct r_debug_extended *space,
		     const char *file_name, struct elf_object *object)
{
	uintptr_t at = (uintptr_t)space->base.r_map;
	struct link_map map;
	size_t i;

	for (i = 0; at && i < MAX_OBJECTS; i++) {
		if (!probe_readable(at) ||
		    !probe_readable(at + sizeof(map) - 1))
			return false;
		memcpy(&map, (const void *)at, sizeof(map));
		if (path_ends_with((uintptr_t)map.l_name, file_name))
			return probe_readable((uintptr_t)map.l_ld) &&
				read_tables(&map, object);
		at = (uintptr_t)map.l_next;
	}
	return false;
}

/* The hash table is: nr_buckets, first symbol in it, words of the filter,
 * shift of the filter; filter; buckets; hash of each symbol, odd when it is
 * the last of its bucket. */
uintptr_t elf_find_symbol(const struct elf_object *object, const char *name)
{
	const ElfW(Sym) *symbols = (const ElfW(Sym) *)object->symbols;
	const char *strings = (const char *)object->strings;
	const uint32_t *head = (const uint32_t *)object->hash;
	const uint32_t *buckets = head + 4 + head[2] * (WORD / 4);
	const uint32_t *hashes = buckets + head[0];
	const unsigned char *c;
	uint32_t hash = 5381;
	uint32_t i;

	for (c = (const unsigned char *)name; *c; c++)
		hash = hash * 33 + *c;
	i = buckets[hash % head[0]];
	if (i < head[1])
		return 0;
	for (;; i++) {
		uint32_t other = hashes[i - head[1]];

		if ((other | 1) == (hash | 1) && symbols[i].st_shndx &&
		    string_is(strings + symbols[i].st_name, name))
			return object->bias + symbols[i].st_value;
		if (other & 1)
			return 0;
	}
}

/* They are in the first writable segment: .data, and .bss behind it. */
bool elf_find_data(const struct elf_object *object, uintptr_t *start,
		   uintptr_t *end)
{
	uintptr_t bias = object->bias;
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)bias;
	const ElfW(Phdr) *segment;
	size_t i;

	if (!probe_readable(bias) ||
	    strncmp((const char *)header->e_ident, ELFMAG, SELFMAG))
		return false;
	segment = (const ElfW(Phdr) *)(bias + header->e_phoff);
	for (i = 0; i < header->e_phnum; i++, segment++) {
		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_W))
			continue;
		*start = align_up(bias + segment->p_vaddr, WORD);
		*end = align_down(bias + segment->p_vaddr + segment->p_memsz,
				  WORD);
		return true;
	}
	return false;
}
