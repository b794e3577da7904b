#!/bin/bash
# gdb - reads symbols, runs a program to a breakpoint, and a Python script
# inside; the program that it debugs has the library too.
. "$(dirname "$0")/common"
needs gdb gcc

cat >"$input/target.c" <<'END'
#include <stdlib.h>
#include <string.h>
struct node { int value; char name[20]; struct node *next; };
int stop(struct node *list) { return list->value; }
int main(void)
{
	struct node *list = NULL;
	for (int i = 0; i < 50; i++) {
		struct node *n = malloc(sizeof(*n));
		n->value = i;
		strcpy(n->name, "node");
		n->next = list;
		list = n;
	}
	return stop(list);
}
END
cat >"$input/script.py" <<'END'
node = gdb.parse_and_eval("list")
values = []
while node != 0:
    values.append("%s%d" % (node["name"].string(), int(node["value"])))
    node = node["next"]
print(",".join(values))
print(len(gdb.execute("info functions mem", to_string=True)) > 100)
END

# Running a program needs ptrace, which a container may refuse; the symbols
# and the script inside gdb are tried all the same.
workload()
{
	gcc -g3 -O0 "$input/target.c" -o target
	gdb -nx -batch -ex 'info functions stop' -ex 'ptype struct node' \
		-ex 'disassemble /s main' -ex 'list main' \
		-ex 'python print(sum(range(100000)))' ./target
	gdb -nx -batch -ex 'info scope main' -ex 'info types .' \
		"$(type -P gcc)" | cksum
	gdb -nx -batch -ex 'set confirm off' -ex 'break stop' -ex run \
		-ex "source $input/script.py" -ex kill ./target 2>&1 |
		grep -E '^(node|True|False|warning: Error disabling)' || true
}

compare_runs
grep -q '^node49,node48' "$top/preloaded.out" ||
	left_out "the run to a breakpoint: ptrace is refused here"
check_served gdb -nx -batch -ex 'python print(1)'
finish
