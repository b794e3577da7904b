#!/bin/bash
# tools - small programs in pipes: tar, gzip, bzip2, zstd with threads,
# openssl, jq, m4, sort with threads, sed, find, curl, make, cmake and ninja.
#
# 1. Programs of this list that are not installed are left out, and named as
#    the reason to skip the test when all others have passed; tar, sort, sed and
#    awk must be there.
. "$(dirname "$0")/common"
needs tar sort sed awk find

# have PROGRAM...: whether all are installed.
have()
{
	local program

	for program; do
		[ -n "$(type -P "$program")" ] || return
	done
}

awk 'BEGIN {
	for (i = 0; i < 40000; i++)
		print (i * 7919) % 100003, "row", i, "of", i % 13, i * i
}' >"$input/rows"
mkdir -p "$input"/tree/{a,b}/{c,d}/{e,f}
for n in {1..200}; do
	head -n $((n * 3)) "$input/rows" >"$input/tree/a/c/e/file$n"
	head -n $n "$input/rows" >"$input/tree/b/d/f/file$n"
done
touch -d @1600000000 $(find "$input/tree")
mkdir "$input/project"
for n in {1..12}; do
	echo "int f$n(int x) { return x * $n; }" >"$input/project/f$n.c"
done
echo 'int main(void) { return 0; }' >"$input/project/main.c"
cat >"$input/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.10)
project(p C)
file(GLOB sources ${CMAKE_SOURCE_DIR}/*.c)
foreach(i RANGE 1 20)
  add_library(l${i} OBJECT ${sources})
  string(REPEAT "text ${i};" 200 text)
  list(LENGTH text n)
  list(SORT text)
  message(STATUS "list ${i} ${n}")
endforeach()
add_executable(p ${sources})
END

workload()
{
	sort --parallel=4 -S 4M -k1,1n "$input/rows" | cksum
	sort -R --random-source="$input/rows" "$input/rows" | sort -u | cksum
	sed -nE 'H;/9 row/{x;s/\n/;/g;p}' "$input/rows" | cksum
	awk '{ a[$1 % 5000] = a[$1 % 5000] $3; n[$5] += $6 }
		END { for (i = 0; i < 13; i++) print i, n[i], length(a[i]) }' \
		"$input/rows"
	find "$input/tree" -type f -printf '%s %P\n' | sort | cksum
	tar -C "$input" --sort=name --owner=0 --group=0 -cf tree.tar tree
	mkdir back
	tar -C back -xf tree.tar
	diff -r "$input/tree" back/tree
	gzip -9nc tree.tar >out/tree.gz
	if have bzip2; then
		bzip2 -9c tree.tar >out/tree.bz2
		bzip2 -dc out/tree.bz2 | cmp - tree.tar
	fi
	if have zstd; then
		zstd -q -T2 -7 --long=24 -B300000 tree.tar -o out/tree.zst
		zstd -q -T2 -16 "$input/rows" -o out/rows.zst
		zstd -qdc out/tree.zst | cmp - tree.tar
		zstd -q --train --maxdict=20000 "$input"/tree/a/c/e/* -o out/dictionary 2>&1
	fi
	if have openssl; then
		openssl dgst -sha512 -r tree.tar
		openssl enc -aes-256-cbc -pbkdf2 -S 0011223344556677 \
			-pass pass:x -in tree.tar | openssl enc -d \
			-aes-256-cbc -pbkdf2 -S 0011223344556677 -pass pass:x |
			cmp - tree.tar
		openssl genrsa -out key.pem 2048 2>/dev/null
		openssl req -x509 -key key.pem -subj /CN=x -days 9 -out c.pem
		openssl verify -CAfile c.pem c.pem
	fi
	if have jq; then
		jq -Rn '[inputs | split(" ") | {k: .[0], v: .[2:]}]
			| group_by(.k | tonumber % 100) | map({n: length,
			s: (map(.v | join("-")) | join("") | length)})' \
			< <(head -n 20000 "$input/rows") | cksum
	fi
	if have m4; then
		m4 <<-'END' | cksum
		define(`loop', `ifelse($1, 0, , `$1 loop(decr($1))')')
		loop(400) define(`x', `loop(200)') x x x len(x)
		END
	fi
	if have curl; then
		curl -sS file://"$input/rows" file://"$PWD/tree.tar" \
			-o rows.copy -o tree.copy
		cmp rows.copy "$input/rows"
		cmp tree.copy tree.tar
	fi
	if have make; then
		{
			echo 'all: $(foreach i,$(shell seq 300),t$(i))'
			echo 't%: ; @echo $(words $(subst $*,x y,$(all)))$*'
		} | make -s -j4 -f - | sort -n | cksum
	fi
	if have cmake ninja gcc; then
		cmake -G Ninja -S "$input/project" -B build |
			grep -E '^-- list' | cksum
		ninja -C build -j2 -t targets all | cksum
		ninja -C build -j2 p >/dev/null
		build/p
	fi
}

compare_runs
for program in bzip2 zstd openssl jq m4 curl make cmake ninja gcc; do
	have $program || left_out "$program is not installed"
done
check_served sort --parallel=4 "$input/rows"
check_served tar -C "$input" -czf "$top/again.tgz" tree
finish
