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

/* Absent from static programs. */
extern struct r_debug debug_list __asm__("_r_debug") __attribute__((weak));

/* Of the object that this code is in. */
extern ElfW(Dyn) own_dynamic[] __asm__("_DYNAMIC")
	__attribute__((weak, visibility("hidden")));

/* ld.so's own, which a program's dynamic section names for debuggers: a program
 * that refers to _r_debug has put a copy in its place, shorter than it and as
 * it was at the start. NULL: no section names it. */
static const struct r_debug_extended *debug_find(void)
{
	const struct link_map *program = &debug_list ? debug_list.r_map : NULL;
	const ElfW(Dyn) *dyn = program ? program->l_ld : NULL;

	for (; dyn && dyn->d_tag != DT_NULL; dyn++)
		if (dyn->d_tag == DT_DEBUG)
			return (const struct r_debug_extended *)
				dyn->d_un.d_ptr;
	return NULL;
}

const struct r_debug_extended *
elf_next_space(const struct r_debug_extended *space)
{
	const struct r_debug_extended *own = debug_find();

	if (!space)
		return own ? own :
			     (const struct r_debug_extended *)&debug_list;
	/* The field came with this version. */
	return own && own->base.r_version >= 2 ? space->r_next : NULL;
}

/* Copies the entry at *at, and goes on to the next. False: the list ends. */
static bool map_read(uintptr_t *at, struct link_map *map)
{
	if (!*at || !probe_readable(*at) ||
	    !probe_readable(*at + sizeof(*map) - 1))
		return false;
	memcpy(map, (const void *)*at, sizeof(*map));
	*at = (uintptr_t)map->l_next;
	return true;
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

typedef bool map_wanted_fn(const struct link_map *map, const void *what);

/* The first entry that is wanted. */
static bool map_find(const struct r_debug_extended *space,
		     map_wanted_fn *wanted, const void *what,
		     struct link_map *map)
{
	uintptr_t at = (uintptr_t)space->base.r_map;

	for (size_t i = 0; i < MAX_OBJECTS && map_read(&at, map); i++)
		if (wanted(map, what))
			return true;
	return false;
}

static bool map_has_name(const struct link_map *map, const void *file_name)
{
	return path_ends_with((uintptr_t)map->l_name, file_name);
}

bool elf_find_object(const struct r_debug_extended *space,
		     const char *file_name, struct elf_object *object)
{
	struct link_map map;

	return map_find(space, map_has_name, file_name, &map) &&
	       probe_readable((uintptr_t)map.l_ld) &&
	       read_tables(&map, object);
}

static bool map_has_dynamic(const struct link_map *map, const void *dynamic)
{
	return map->l_ld == dynamic;
}

bool elf_find_beside(const char *file_name, struct elf_object *object)
{
	const struct r_debug_extended *space = elf_next_space(NULL);
	struct link_map map;

	for (; space; space = elf_next_space(space))
		if (map_find(space, map_has_dynamic, own_dynamic, &map))
			return elf_find_object(space, file_name, object);
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
	if (!head[0])
		return 0;
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

/* Its program headers, *nr of them; NULL: they are not in memory. */
static const ElfW(Phdr) *read_headers(const struct elf_object *object,
				      size_t *nr)
{
	uintptr_t bias = object->bias;
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)bias;

	if (!probe_readable(bias) ||
	    strncmp((const char *)header->e_ident, ELFMAG, SELFMAG))
		return NULL;
	*nr = header->e_phnum;
	return (const ElfW(Phdr) *)(bias + header->e_phoff);
}

bool elf_find_wanted(const struct r_debug_extended *space,
		     elf_wanted_fn *wanted, void *what)
{
	uintptr_t at = (uintptr_t)space->base.r_map;
	struct elf_object object;
	struct link_map map;

	for (size_t i = 0; i < MAX_OBJECTS && map_read(&at, &map); i++)
		if (probe_readable((uintptr_t)map.l_ld) &&
		    read_tables(&map, &object) && wanted(&object, what))
			return true;
	return false;
}

bool elf_object_holds(const struct elf_object *object, uintptr_t address)
{
	size_t nr = 0, i;
	const ElfW(Phdr) *segment = read_headers(object, &nr);

	for (i = 0; i < nr; i++, segment++)
		if (segment->p_type == PT_LOAD &&
		    address - object->bias - segment->p_vaddr <
		    segment->p_memsz)
			return true;
	return false;
}

/* They are in the first writable segment: .data, and .bss behind it. */
bool elf_find_data(const struct elf_object *object, uintptr_t *start,
		   uintptr_t *end)
{
	uintptr_t bias = object->bias;
	size_t nr = 0, i;
	const ElfW(Phdr) *segment = read_headers(object, &nr);

	for (i = 0; i < nr; i++, segment++) {
		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_W))
			continue;
		*start = align_up(bias + segment->p_vaddr, WORD);
		*end = align_down(bias + segment->p_vaddr + segment->p_memsz,
				  WORD);
		return true;
	}
	return false;
}
