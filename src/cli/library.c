/*
 * library - where libzbmalloc.so is.
 *
 * 1. What ZBMALLOC_LIBRARY names is taken, or refused: it is never replaced
 *    by another one.
 * 2. Else the build tree goes before the installed library, so that a fresh
 *    build is not tried with an older library.
 */
#include "cli/cli.h"
#include "cli/image.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIBRARY	"libzbmalloc.so"

/* Seen from the folder of this command. */
static const char *const folders[] = {
	".libs", "../.libs", "../../.libs", ".", "../lib", "../lib64",
};

/* With anything else the dynamic linker would complain, if at all, and run the
 * program without. */
static bool library_is_ours(const char *path)
{
	struct image image;
	bool ours;

	if (!image_open(&image, path))
		return false;
	ours = image_is_library(&image) &&
	       image_has_symbol(&image, "zbm_version", true);
	image_close(&image);
	return ours;
}

/* NULL, with an error number: it cannot be read; ENOEXEC: it is not ours. */
static char *library_check(char *path)
{
	char *absolute = realpath(path, NULL);

	if (!absolute || access(absolute, R_OK))
		return NULL;
	if (!library_is_ours(absolute)) {
		errno = ENOEXEC;
		return NULL;
	}
	/* The dynamic linker has no way to quote them. */
	if (strpbrk(absolute, " :"))
		cli_fail(CLI_FAILED, "the path '%s' has a space or a colon, "
			 "which LD_PRELOAD cannot hold; copy the library and "
			 "name the copy by ZBMALLOC_LIBRARY", absolute);
	return absolute;
}

static char *library_check_in(const char *folder, const char *subfolder)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s/" LIBRARY, folder, subfolder);
	return library_check(path);
}

char *library_find(void)
{
	char *named = getenv("ZBMALLOC_LIBRARY");
	char here[PATH_MAX] = "";
	char *path = NULL, *slash;
	ssize_t len;
	size_t i;

	if (named && *named) {
		path = library_check(named);
		if (!path && errno == ENOEXEC)
			cli_fail(CLI_FAILED, "ZBMALLOC_LIBRARY names '%s', "
				 "which is no " LIBRARY " for this machine",
				 named);
		if (!path)
			cli_fail(CLI_FAILED, "ZBMALLOC_LIBRARY names '%s', "
				 "which cannot be read: %s", named,
				 strerror(errno));
		return path;
	}
	len = readlink("/proc/self/exe", here, sizeof(here) - 1);
	here[max(len, 0)] = '\0';
	slash = strrchr(here, '/');
	if (slash) {
		*slash = '\0';
		for (i = 0; i < array_size(folders) && !path; i++)
			path = library_check_in(here, folders[i]);
	}
	if (!path)
		path = library_check_in(ZBM_LIBDIR, ".");
	if (!path)
		cli_fail(CLI_FAILED, LIBRARY " is neither beside this command "
			 "(%s/.libs, %s/../lib) nor in " ZBM_LIBDIR "; name "
			 "it by ZBMALLOC_LIBRARY=/path/to/" LIBRARY, here,
			 here);
	return path;
}
