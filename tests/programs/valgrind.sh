#!/bin/bash
# valgrind - puts its own allocator in front of the library's, in ls and in a
# small program, and must find nothing wrong with either.
. "$(dirname "$0")/common"
needs valgrind gcc

# An older valgrind ends at debugging information that clang writes.
if LD_PRELOAD=$ZBM_LIB valgrind true 2>&1 | grep -q 'debuginfo reader'; then
	echo "skip $NAME: it cannot read the library's debugging information"
	exit 77
fi

cat >"$input/arrays.c" <<'END'
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
	char *p = reallocarray(NULL, 10, 10), *q = strdup("copy");
	strcpy(p, "right");
	p = reallocarray(p, 1000, 10);
	q = realloc(q, 5000);
	puts(p);
	free(p);
	free(q);
	return 0;
}
END

workload()
{
	gcc -g -O0 "$input/arrays.c" -o arrays
	valgrind -q --error-exitcode=9 --leak-check=full ./arrays
	valgrind -q --error-exitcode=9 ls /
	valgrind -q --tool=none perl -e 'print 1' 2>&1
}

compare_runs
finish
