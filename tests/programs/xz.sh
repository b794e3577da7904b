#!/bin/bash
# xz - compress with two threads and one, at several levels, and back.
. "$(dirname "$0")/common"
needs xz awk

# 3 MiB: text that compresses and numbers that hardly do.
awk 'BEGIN {
	srand(3)
	for (i = 0; i < 84000; i++)
		print "line " i " of " int(i / 7) " " rand()
}' | head -c 3145728 >"$input/data"

workload()
{
	local level

	xz -T2 --block-size=1MiB -4 -c "$input/data" >out/two.xz
	xz -T1 -1 -c "$input/data" >out/one.xz
	xz -T2 --block-size=300KiB -0 -C sha256 -c "$input/data" >out/small.xz
	for level in two one small; do
		xz -T2 -dc out/$level.xz | cmp - "$input/data"
		xz -lvv out/$level.xz | grep -E 'Uncompressed|Blocks'
	done
	xz -T2 --lzma2=preset=1,dict=64MiB -c "$input/data" >out/wide.xz
	xz -T2 -t out/wide.xz
	head -c 100000 out/two.xz | xz -dc 2>/dev/null | cksum || echo cut off
}

compare_runs
check_served xz -T2 -0 --block-size=1MiB -c "$input/data"
finish
