#!/bin/bash
# topology_test.sh - zbmalloc topology, on whatever nodes the machine has.
#
#	ZBMALLOC=PATH tests/topology_test.sh
#
# 1. ZBMALLOC is the built command (default: $ZBM_BUILD/zbmalloc).
# 2. Cases are written as tests/cases.sh says. Most need several nodes; of one
#    node there is little to tell. scripts/numa-guest makes machines with more.

set -u
export LC_ALL=C
source=$(cd "$(dirname "$0")/.." && pwd)
command=${ZBMALLOC:-${ZBM_BUILD:?}/zbmalloc}
folder=/sys/devices/system/node
. "$source/tests/cases.sh"
unset ZBMALLOC_OPTIONS LD_PRELOAD

# Complains about what is wrong with the lines of standard input. Each has a
# form of the usage. If zbmalloc decides, each node that is used has a row of
# distances, and a zonelist, of all nodes, that begins with itself; with far=1
# it may begin with a node without CPUs.
whole='
function wrong(what)
{
	print what ": " $0
	bad = 1
}

function check_zonelist(id,    n, i, zone, seen)
{
	sub(/^[^:]*: (all Movable, )?/, "")
	n = split($0, zone, ", ")
	for (i = 1; i <= n; i++) {
		if (zone[i] !~ /^[0-9]+ Normal$/)
			wrong("zone")
		sub(/ .*/, "", zone[i])
		if (zone[i] in seen || !(zone[i] in used))
			wrong("node " zone[i])
		seen[zone[i]] = 1
	}
	if (n != nr_nodes)
		wrong(n " zones")
	if (zone[1] != id && !(far && cpus[zone[1]] == "no,"))
		wrong("begins elsewhere")
}

NR == 1 && /^mode: (local|interleave), tier (near|far), [0-9]+ nodes$/ {
	decides = 1
	nr_nodes = $(NF - 1)
	next
}
NR == 1 && /^mode: kernel, because [^:]+$/ {
	next
}
/^node [0-9]+: CPUs (yes|no), total [0-9]+ MiB, free [0-9]+ MiB/ {
	if (!/ MiB(, limit [0-9]+ MiB|, not used, served by node [0-9]+)?$/)
		wrong("form")
	if (/, not used/) {
		server[$NF] = 1
	} else {
		used[$2 + 0] = ++nr_used
		cpus[$2 + 0] = $4
	}
	next
}
/^node [0-9]+: CPUs (yes|no), no memory$/ && !decides {
	next
}
/^node [0-9]+: CPUs (yes|no), no memory, served by node [0-9]+$/ && decides {
	server[$NF] = 1
	next
}
/^cache [0-9]+: CPUs [0-9]+([-,][0-9]+)+$/ && $2 + 0 == nr_caches + 1 {
	nr_caches++
	next
}
/^distances to:( +[0-9]+)+$/ && decides && NF == nr_nodes + 2 {
	for (i = 3; i <= NF; i++)
		if (!($i in used))
			wrong("node " $i)
	next
}
/^distances of [0-9]+:( +[0-9]+)+$/ && decides && NF == nr_nodes + 3 {
	if (!(($3 + 0) in used) || $(4 + nr_rows++) != 10)
		wrong("a node is 10 from itself")
	next
}
/^zonelist of node [0-9]+: / && decides {
	nr_lists++
	check_zonelist($4 + 0)
	next
}
{
	wrong("form")
}

END {
	$0 = "as a whole"
	for (id in server)
		if (!(id in used))
			wrong("served by " id)
	if (nr_caches == 1)
		wrong("one cache is not told")
	if (!NR || decides && (nr_nodes != nr_used || nr_nodes != nr_rows ||
	    nr_nodes != nr_lists))
		wrong("number of lines")
	exit bad
}'

# is_whole [FAR]
is_whole()
{
	local complaint

	complaint=$(echo "$out" | awk -v far="${1:-}" "$whole") ||
		wrong "$complaint"
}

# What the checker must take, and one change to it after the other that it
# must not.
right='mode: local, tier near, 2 nodes
node 0: CPUs yes, total 458 MiB, free 425 MiB
node 2: CPUs no, total 503 MiB, free 484 MiB, limit 64 MiB
node 3: CPUs yes, no memory, served by node 2
node 4: CPUs no, total 1 MiB, free 1 MiB, not used, served by node 0
cache 1: CPUs 0-1,4
cache 2: CPUs 2-3
distances to:           0    2
distances of 0:        10   20
distances of 2:        20   10
zonelist of node 0: 0 Normal, 2 Normal
zonelist of node 2: all Movable, 2 Normal, 0 Normal'
changes='1s/local/remote/
1s/2 nodes/3 nodes/
1s/.*/mode: kernel, because of it/
2s/425 MiB/425/
2s/425 MiB/425 MiB, limit/
2d
4s/by node 2/by node 4/
4s/, served.*//
5s/, served.*//
5s/by node 0/by node 1/
6s/1,4//
6s/0-1,4/all/
6d
7s/2:/3:/
7d
8s/ 2$/ 4/
8s/ 2$//
9s/10 /11 /
10s/of 2/of 3/
10d
11s/0 Normal, //
11s/2 Normal/0 Normal/
11s/2 Normal/4 Normal/
11s/: 0 Normal, 2/: 2 Normal, 0/
11s/: 0 Normal/: 0 Movable/
12s/all/1/
12d
$s/$/\nmore/'

checker_test()
{
	local change complaint

	try echo "$right"
	is_whole
	while read -r change; do
		complaint=$(echo "$right" | sed "$change" |
			awk "$whole") && wrong "not found: $change"
	done <<<"$changes"
	case_is "the checker finds what is wrong"
}

common_tests()
{
	try "$command" topology
	ends_with 0
	is_quiet
	is_whole
	case_is "topology prints what the usage says"

	try env ZBMALLOC_OPTIONS=numa=off "$command" topology
	ends_with 0
	is_quiet
	prints 'mode: kernel, because numa=off is set*'
	is_whole
	case_is "topology obeys numa=off"

	try env ZBMALLOC_OPTIONS=numa=on "$command" topology
	ends_with 0
	complains "*'numa=on' ignored: write numa=off|local|interleave"
	case_is "topology reports a wrong option"

	try "$command" topology extra
	ends_with 125
	complains "*no arguments*'extra'*"
	case_is "topology takes no arguments"

	try sh -c '"$1" topology >/dev/full' sh "$command"
	ends_with 125
	case_is "a topology that cannot be written is a failure"
}

one_node_test()
{
	[[ $(cat "$folder/has_memory") =~ ^[0-9]+$ ]] || return
	try "$command" topology
	prints "mode: kernel, because there is one node
*node *: CPUs *, total * MiB, free * MiB*"
	case_is "of one node the topology is short"
}

# Of several: LAST has memory.
many_nodes_tests()
{
	local last=$1 option id

	try "$command" topology
	prints 'mode: local, tier near, *'
	for id in "$folder"/node[0-9]*; do
		prints "*node ${id##*/node}: CPUs *"
	done
	case_is "all nodes of the machine are told of"

	try env ZBMALLOC_OPTIONS="tier=far,node_limit=$last:64M,1023:1G" \
		"$command" topology
	ends_with 0
	complains '*node_limit=1023:*no memory on a node 1023'
	prints 'mode: local, tier far, *'
	prints "*node $last: *, limit 64 MiB*"
	is_whole 1
	case_is "topology obeys tier=far and node_limit"

	try env ZBMALLOC_OPTIONS=numa=interleave "$command" topology
	ends_with 0
	prints 'mode: interleave, tier near, *'
	prints '*zonelist of node *: all Movable, *'
	is_whole
	case_is "topology obeys numa=interleave"

	for option in --interleave=all "--membind=$last" "--preferred=$last"; do
		try numactl "$option" "$command" topology
		ends_with 0
		prints 'mode: kernel, because *a memory policy*'
		is_whole
		case_is "a policy of the user is told of ($option)"
	done
}

checker_test
common_tests
if [[ $(cat "$folder/has_memory") == *[,-]* &&
	$(grep ^Mems_allowed_list /proc/self/status) == *[,-]* ]]; then
	many_nodes_tests "$(sed 's/.*[-,]//' "$folder/has_memory")"
else
	one_node_test
fi
cases_end
