#!/bin/bash
# fully_static - C and C++ programs in which nothing is shared.
. "$ZBM_SOURCE/tests/link/common"

compile c $CC -static -I"$include" "$here/program.c" -pthread \
	"$lib/libzbmalloc.a"
must_define c malloc free realloc calloc
must_be_served c
compile cc $CXX -static -I"$include" "$here/program.cc" -pthread \
	"$lib/libzbmalloc.a"
must_define cc malloc free _Znwm _ZdlPv
must_be_served cc
