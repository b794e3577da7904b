#include "cli/image.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_FILE	"/proc/self/exe"

/* NULL: it is not all in the file. */
static const void *image_part(const struct image *image, uint64_t offset,
			      uint64_t size)
{
	if (offset > image->size || size > image->size - offset)
		return NULL;
	return image->bytes + offset;
}

static const ElfW(Ehdr) *image_header(const struct image *image)
{
	return (const void *)image->bytes;
}

static bool is_elf(const struct image *image)
{
	const ElfW(Ehdr) *header = image_part(image, 0, sizeof(*header));
	int class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;

	return header && !memcmp(header->e_ident, ELFMAG, SELFMAG) &&
	       header->e_ident[EI_CLASS] == class;
}

static bool map_file(struct image *image, int fd)
{
	struct stat st;
	void *bytes;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size)
		return false;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	image->bytes = bytes;
	image->size = (size_t)st.st_size;
	return true;
}

bool image_open(struct image *image, const char *path)
{
	/* Something that waits for a writer is no file. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool mapped;

	if (fd < 0)
		return false;
	mapped = map_file(image, fd);
	close(fd);
	if (mapped && !is_elf(image)) {
		image_close(image);
		mapped = false;
	}
	return mapped;
}

void image_close(const struct image *image)
{
	munmap((void *)(uintptr_t)image->bytes, image->size);
}

bool image_is_library(const struct image *image)
{
	struct image own;
	bool same = true;

	if (image_open(&own, OWN_FILE)) {
		same = image_header(&own)->e_machine ==
		       image_header(image)->e_machine;
		image_close(&own);
	}
	return same && image_header(image)->e_type == ET_DYN;
}

/* NULL: there is none. */
static const ElfW(Shdr) *section_at(const struct image *image, size_t i)
{
	const ElfW(Ehdr) *header = image_header(image);

	if (i >= header->e_shnum || header->e_shentsize != sizeof(ElfW(Shdr)) ||
	    header->e_shoff % alignof(ElfW(Shdr)))
		return NULL;
	return image_part(image, header->e_shoff + i * sizeof(ElfW(Shdr)),
			  sizeof(ElfW(Shdr)));
}

static bool symbols_have(const struct image *image,
			 const ElfW(Shdr) *section, const char *name,
			 bool defined)
{
	const ElfW(Sym) *symbol = image_part(image, section->sh_offset,
					     section->sh_size);
	const ElfW(Shdr) *names = section_at(image, section->sh_link);
	const char *text = names ? image_part(image, names->sh_offset,
					      names->sh_size) : NULL;
	size_t n = section->sh_size / sizeof(*symbol), len = strlen(name) + 1;

	if (!symbol || !text || section->sh_offset % alignof(ElfW(Sym)))
		return false;
	for (; n; n--, symbol++)
		if (symbol->st_name < names->sh_size &&
		    names->sh_size - symbol->st_name >= len &&
		    !memcmp(text + symbol->st_name, name, len))
			return !defined || symbol->st_shndx != SHN_UNDEF;
	return false;
}

bool image_has_symbol(const struct image *image, const char *name,
		      bool defined)
{
	const ElfW(Shdr) *section;

	for (size_t i = 0; (section = section_at(image, i)); i++)
		if (section->sh_type == SHT_DYNSYM)
			return symbols_have(image, section, name, defined);
	return false;
}
