#!/bin/bash
# installed - what `make install` puts where, and that it works from there.
. "$ZBM_SOURCE/tests/link/common"

prefix=$work/prefix
unset MAKEFLAGS MFLAGS MAKELEVEL
make -s -C "$ZBM_BUILD" install prefix="$prefix" \
	exec_prefix="$prefix" libdir="$prefix/lib" >"$work/log" 2>&1 || {
	cat "$work/log"
	fail "make install: status $?"
}
for file in bin/zbmalloc include/zbmalloc.h lib/libzbmalloc.so \
	lib/libzbmalloc.a lib/pkgconfig/zbmalloc.pc share/man/man1/zbmalloc.1 \
	share/man/man3/zbmalloc.3; do
	[ -s "$prefix/$file" ] || fail "$file is not installed"
done

# zbmalloc.pc was made for the configured prefix.
flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config \
	--define-variable=prefix="$prefix" \
	--define-variable=exec_prefix="$prefix" \
	--define-variable=libdir="$prefix/lib" \
	--define-variable=includedir="$prefix/include" \
	--cflags --libs zbmalloc) || fail "pkg-config"
compile c $CC "$here/program.c" -pthread $flags -Wl,-rpath,"$prefix/lib"
must_be_served c

# The header is complete by itself, in C99 and in C++11.
echo '#include <zbmalloc.h>' >"$work/header.c"
$CC -std=c99 -pedantic -Wall -Wextra -Werror -I"$prefix/include" \
	-fsyntax-only "$work/header.c" || fail "zbmalloc.h in C99"
$CXX -std=c++11 -Wall -Wextra -Werror -I"$prefix/include" \
	-fsyntax-only -x c++ "$work/header.c" || fail "zbmalloc.h in C++11"

version=$("$prefix/bin/zbmalloc" version) || fail "zbmalloc version"
case $version in
*"$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig \
	pkg-config --modversion zbmalloc)"*) ;;
*) fail "zbmalloc version says $version" ;;
esac
said=$("$prefix/bin/zbmalloc" run -- "$work/c") || fail "zbmalloc run"
[ "$said" = "all served" ] || fail "zbmalloc run: $said"
