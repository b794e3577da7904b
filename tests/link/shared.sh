#!/bin/bash
# shared - C and C++ programs linked with libzbmalloc.so.
. "$ZBM_SOURCE/tests/link/common"

link="-L$lib -lzbmalloc -Wl,-rpath,$lib"
compile c $CC -I"$include" "$here/program.c" -pthread $link
must_be_served c
compile cc $CXX -I"$include" "$here/program.cc" -pthread $link
must_be_served cc

# The libc names may have no version, the extensions must have theirs.
nm -D "$work/c" >"$work/names"
grep -q ' zbm_version@ZBMALLOC_0.1$' "$work/names" ||
	fail "zbm_version is linked without its version"
! grep ' malloc@' "$work/names" || fail "malloc is linked with a version"
