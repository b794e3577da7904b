/*
 * program - finds the program to run, and what keeps a library from it.
 *
 * 1. A name with a slash is a path; any other is looked for in PATH, as
 *    execvp does. A file that may not be executed does not end the search,
 *    but is named if nothing better comes.
 * 2. LD_PRELOAD is the work of the dynamic linker: a program that has none,
 *    one that runs with more rights than its user, and one of another
 *    machine type stay without the library.
 * 3. A sanitizer brings a malloc of its own: with another one in front of it
 *    a program does not start, or does not use it.
 * 4. A script is judged by its interpreter.
 */
#include "cli/cli.h"
#include "cli/image.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEFAULT_PATH	"/bin:/usr/bin"	/* of execvp, when PATH is not set */
#define SCRIPT_DEPTH	5	/* scripts run by scripts: what Linux follows */
#define FIRST_LINE_SIZE	256	/* bytes of a script that Linux reads */
#define HEADERS_MAX	64	/* program headers looked at */
#define DYNAMIC_MAX	128	/* entries of the dynamic section looked at */
#define NOTES_SIZE	1024	/* bytes of a segment of notes looked at */

/* Go's linker writes it into what it makes. */
#define GO_NOTE		"Go"
#define GO_BUILD_ID	4

/* 0, or the errno that execve would give. */
static int file_check(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? EISDIR : EACCES;
	return access(path, X_OK) ? errno : 0;
}

enum cli_status program_exec_failed(const char *path, int error)
{
	switch (error) {
	case ENOENT:
		cli_message("%s exists, but the interpreter that it names (in "
			    "its first line, or its dynamic linker) does not; "
			    "install that", path);
		break;
	case ENOEXEC:
		cli_message("%s: %s; is it built for this machine?", path,
			    strerror(error));
		break;
	default:
		cli_message("%s cannot be executed: %s", path,
			    strerror(error));
	}
	return CLI_NOT_EXECUTABLE;
}

static _Noreturn void not_executable(const char *path, int error)
{
	if (error == EISDIR)
		cli_fail(CLI_NOT_EXECUTABLE, "%s is a folder; name a program "
			 "in it", path);
	cli_fail(CLI_NOT_EXECUTABLE, "%s cannot be executed: %s; if it is a "
		 "program, allow it: chmod +x %s", path, strerror(error),
		 path);
}

char *program_find(const char *name)
{
	const char *at = getenv("PATH");
	char *path, *refused = NULL;
	int error, refused_error = 0;
	size_t len;

	if (strchr(name, '/')) {
		error = file_check(name);
		if (error == ENOENT || error == ENOTDIR)
			cli_fail(CLI_NOT_FOUND, "%s: %s; check the path", name,
				 strerror(error));
		if (error)
			not_executable(name, error);
		return strdup(name);
	}
	for (at = at ? at : DEFAULT_PATH; *name; at += len + 1) {
		len = strcspn(at, ":");
		/* An empty entry is the current folder. */
		if (asprintf(&path, "%.*s/%s", len ? (int)len : 1,
			     len ? at : ".", name) < 0)
			cli_fail(CLI_FAILED, "out of memory");
		error = file_check(path);
		if (!error)
			return path;
		/* EACCES may also be about a folder on the way. */
		if (error == EACCES && !refused && !access(path, F_OK)) {
			refused = path;
			refused_error = error;
		}
		if (!at[len])
			break;
	}
	if (refused)
		not_executable(refused, refused_error);
	cli_fail(CLI_NOT_FOUND, "'%s' is in no folder of PATH; install it, or "
		 "give its path (as in ./%s)", name, name);
}

static bool read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	return pread(fd, buf, size, (off_t)offset) == (ssize_t)size;
}

/* Whether a file without interpreter is a static PIE; ld.so is none. */
static bool dynamic_says_pie(int fd, const ElfW(Phdr) *dynamic)
{
	ElfW(Dyn) entry;
	size_t i;

	for (i = 0; i < DYNAMIC_MAX; i++) {
		if (!read_at(fd, &entry, sizeof(entry),
			     dynamic->p_offset + i * sizeof(entry)))
			return false;
		if (entry.d_tag == DT_NULL)
			return false;
		if (entry.d_tag == DT_FLAGS_1)
			return entry.d_un.d_val & DF_1_PIE;
	}
	return false;
}

static bool elf_is_static(int fd, const ElfW(Ehdr) *header)
{
	ElfW(Phdr) segment, dynamic = { 0 };
	int i;

	for (i = 0; i < min(header->e_phnum, HEADERS_MAX); i++) {
		if (!read_at(fd, &segment, sizeof(segment),
			     header->e_phoff + (size_t)i * sizeof(segment)))
			return false;
		if (segment.p_type == PT_INTERP)
			return false;
		if (segment.p_type == PT_DYNAMIC)
			dynamic = segment;
	}
	if (header->e_type == ET_EXEC)
		return true;
	return dynamic.p_type == PT_DYNAMIC && dynamic_says_pie(fd, &dynamic);
}

/* Whether a note of this type and owner stands in the segment. Go counts what
 * fills the name up to a word, too. */
static bool notes_have(int fd, const ElfW(Phdr) *segment, const char *owner,
		       ElfW(Word) type)
{
	alignas(ElfW(Nhdr)) char notes[NOTES_SIZE];
	size_t size = min(segment->p_filesz, sizeof(notes)), at = 0, name;
	size_t len = strlen(owner) + 1;
	const ElfW(Nhdr) *note;

	if (!read_at(fd, notes, size, segment->p_offset))
		return false;
	while (at < size && size - at >= sizeof(*note)) {
		note = (const void *)(notes + at);
		name = at + sizeof(*note);
		if (note->n_type == type && note->n_namesz >= len &&
		    size - name >= len && !memcmp(notes + name, owner, len))
			return true;
		at = name + align_up((size_t)note->n_namesz, 4UL) +
		     align_up((size_t)note->n_descsz, 4UL);
	}
	return false;
}

static bool elf_has_note(int fd, const ElfW(Ehdr) *header, const char *owner,
			 ElfW(Word) type)
{
	ElfW(Phdr) segment;

	for (int i = 0; i < min(header->e_phnum, HEADERS_MAX); i++)
		if (read_at(fd, &segment, sizeof(segment), header->e_phoff +
			    (size_t)i * sizeof(segment)) &&
		    segment.p_type == PT_NOTE &&
		    notes_have(fd, &segment, owner, type))
			return true;
	return false;
}

/* Made by Go, and without the C library: that begins with a note, too. */
static bool elf_is_pure_go(int fd, const ElfW(Ehdr) *header)
{
	return elf_has_note(fd, header, GO_NOTE, GO_BUILD_ID) &&
	       !elf_has_note(fd, header, ELF_NOTE_GNU, NT_GNU_ABI_TAG);
}

static bool elf_read(int fd, ElfW(Ehdr) *header)
{
	return read_at(fd, header, sizeof(*header), 0) &&
	       !memcmp(header->e_ident, ELFMAG, SELFMAG);
}

/* Whether the kernel will set AT_SECURE: the linker then ignores paths. */
static bool file_is_secure(int fd)
{
	struct stat st;
	struct statvfs vfs;

	if (fstat(fd, &st) || fstatvfs(fd, &vfs) || vfs.f_flag & ST_NOSUID)
		return false;
	if (st.st_mode & S_ISUID && st.st_uid != getuid())
		return true;
	if (st.st_mode & S_ISGID && st.st_mode & S_IXGRP &&
	    st.st_gid != getgid())
		return true;
	return getuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

void program_exec(const char *path, char **argv)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ElfW(Ehdr) header;
	bool elf = fd >= 0 && elf_read(fd, &header);

	close(fd);
	/* execvp gives to the shell what the kernel does not take: a script
	 * without a first line, but also the program of another machine. */
	if (elf)
		execv(path, argv);
	else
		execvp(path, argv);
}

static bool same_machine(const ElfW(Ehdr) *header, const char *library)
{
	int fd = open(library, O_RDONLY | O_CLOEXEC);
	ElfW(Ehdr) ours;
	bool known = fd >= 0 && elf_read(fd, &ours);

	close(fd);
	return !known || (ours.e_machine == header->e_machine &&
			  ours.e_ident[EI_CLASS] == header->e_ident[EI_CLASS]);
}

static bool has_sanitizer(const char *path)
{
	static const char *const names[] = {
		"__asan_init", "__hwasan_init", "__msan_init", "__tsan_init",
	};
	struct image image;
	bool found = false;

	if (!image_open(&image, path))
		return false;
	for (size_t i = 0; i < array_size(names) && !found; i++)
		found = image_has_symbol(&image, names[i], false);
	image_close(&image);
	return found;
}

static const char *elf_obstacle(const char *path, int fd,
				const ElfW(Ehdr) *header, const char *library,
				bool *refuses)
{
	*refuses = has_sanitizer(path);
	if (!same_machine(header, library))
		return "it is built for another type of machine than "
		       "libzbmalloc.so";
	if (file_is_secure(fd))
		return "it is setuid, setgid or has capabilities, and the "
		       "dynamic linker then takes no library from its user";
	if (elf_is_static(fd, header) && elf_is_pure_go(fd, header))
		return "it is a Go program without the C library: its memory "
		       "is managed by Go, and there is no malloc in it that "
		       "could be replaced";
	if (elf_is_static(fd, header))
		return "it is statically linked, so no library can be put "
		       "under it; link it with libzbmalloc.a instead";
	if (*refuses)
		return "it is built with a sanitizer (-fsanitize), which "
		       "brings a malloc of its own and takes no other";
	return NULL;
}

/* The interpreter in the first line of a script, or false. */
static bool script_interpreter(int fd, char *line, size_t size)
{
	ssize_t len = pread(fd, line, size - 1, 0);
	char *at;

	if (len < 2 || memcmp(line, "#!", 2))
		return false;
	line[len] = '\0';
	at = line + 2 + strspn(line + 2, " \t");
	at[strcspn(at, " \t\n")] = '\0';
	memmove(line, at, strlen(at) + 1);
	return true;
}

const char *program_obstacle(const char *path, const char *library,
			     bool *refuses)
{
	char line[FIRST_LINE_SIZE];
	const char *obstacle = NULL;
	ElfW(Ehdr) header;
	bool script = true;
	int fd, depth;

	*refuses = false;
	for (depth = 0; script && depth < SCRIPT_DEPTH; depth++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		/* Executable and yet not readable: nobody knows. */
		if (fd < 0)
			return NULL;
		if (elf_read(fd, &header))
			obstacle = elf_obstacle(path, fd, &header, library,
						refuses);
		script = script_interpreter(fd, line, sizeof(line));
		path = line;
		close(fd);
	}
	return obstacle;
}
