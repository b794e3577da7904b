/*
 * library - where libzbmalloc.so is.
 *
 * 1. What ZBMALLOC_LIBRARY names is taken, or refused: it is never replaced
 *    by another one.
 * 2. Else the build tree goes before the installed library, so that a fresh
 *    build is not tried with an older library.
 */
#include "cli/cli.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIBRARY	"libzbmalloc.so"

/* Seen from the folder of this command. */
static const char *const folders[] = {
	".libs", "../.libs", "../../.libs", ".", "../lib", "../lib64",
};

static char *library_check(char *path)
{
	char *absolute = realpath(path, NULL);

	if (!absolute || access(absolute, R_OK))
		return NULL;
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
