#!/bin/bash
# bash - a script of arrays, strings, recursion, subshells, pipes and traps.
. "$(dirname "$0")/common"
needs bash

cat >"$input/work.sh" <<'END'
declare -A count
declare -a list
seed=99
next() { seed=$(((seed * 1103515245 + 12345) & 0x7fffffff)); }

for ((i = 0; i < 20000; i++)); do
	next
	count[k$((seed % 5000))]+=x
	list[seed % 30000]=v$i
done
echo "hash ${#count[@]} list ${#list[@]}"
for ((i = 0; i < 5000; i += 2)); do
	unset "count[k$i]"
done
printf '%s\n' "${!count[@]}" | sort | cksum
printf '%s\n' "${list[@]}" | cksum

# A string that grows to a quarter of a megabyte, then is cut and replaced.
text=
for ((i = 0; i < 4000; i++)); do
	text+="line $i of a text that grows by realloc, until it is long;"
done
t=${text//line/}
echo "${#text} ${#t}"
t=${text//[lg]/<&>}
echo "${#t}"
IFS=';' read -ra parts <<<"$text"
echo "parts ${#parts[@]} ${parts[77]}"

fib() { (($1 < 2)) && { r=$1; return; }
	local a
	fib $(($1 - 1)); a=$r
	fib $(($1 - 2)); r=$((a + r)); }
fib 17
echo "fib $r"

# Subshells, command substitutions and pipes: each a fork of this heap.
sum=0
for ((i = 0; i < 300; i++)); do
	sum=$((sum + $(echo "${#list[@]}" | { read -r n; echo $((n + i)); })))
done
echo "forks $sum"
(unset list count; list=({1..1000}); echo "subshell ${#list[@]}")
echo "still ${#list[@]}"

# A trap that allocates, in the middle of allocating.
hits=0
trap 'hits=$((hits + 1)); extra+=("hit $hits")' USR1
for ((i = 0; i < 200; i++)); do
	kill -USR1 $BASHPID
	text=${text:1}
done
echo "traps $hits ${#extra[@]}"

coproc sed -u 's/^/co: /'
for i in one two three; do
	echo $i >&"${COPROC[1]}"
	read -r line <&"${COPROC[0]}"
	echo "$line"
done
exec {COPROC[1]}>&-
cat <<<"$(printf '%05d,' {1..3000})" | cksum
mapfile -t lines < <(printf 'l%d\n' {1..20000})
echo "mapfile ${#lines[@]}"
eval "f() { case \$1 in $(printf 'w%d) echo %d;; ' {1..2000..1}{,} |
	tr -d '\n') esac; }"
f w1999
exit 7
END

workload()
{
	local status=0

	bash "$input/work.sh" || status=$?
	echo "status $status"
}

compare_runs
check_served bash -c 'a=({1..1000}); echo $(echo ${a[@]} | tr 1 2) >/dev/null'
finish
