#!/bin/bash
# gcc - one large generated C file, optimised, to assembler and to an object;
# then a program of several files linked with -flto by two processes, and run.
. "$(dirname "$0")/common"
needs gcc awk

# 40 functions with loops, switches, strings and structures.
awk 'BEGIN {
	print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>"
	print "#include <math.h>"
	for (i = 0; i < 40; i++) {
		printf "struct s%d { long a[%d]; double d; char *p; };\n", \
			i, 1 + i % 9
		printf "long f%d(struct s%d *s, long n)\n{\n", i, i
		printf "\tlong i, t = %d;\n\tfor (i = 0; i < n; i++) {\n", i
		printf "\t\tswitch ((i ^ t) %% %d) {\n", 5 + i % 11
		for (c = 0; c < 5 + i % 11; c++)
			printf "\t\tcase %d: t = t * %d + s->a[i %% %d]; " \
				"s->d += sqrt(t & %d); break;\n", \
				c, 3 + c * i, 1 + i % 9, 255 + c
		printf "\t\t}\n\t}\n"
		if (i > 2)
			printf "\tif (n > 3) t += f%d((void *)s, n / 2);\n", \
				int(i / 2)
		printf "\tif (s->p) t += strlen(s->p) + memcmp(s->p, " \
			"\"text number %d\", 4);\n\treturn t;\n}\n", i
	}
}' >"$input/large.c"

for n in 0 1 2 3; do
	awk -v n=$n 'BEGIN {
		for (i = 0; i < 60; i++)
			printf "unsigned g%d_%d(unsigned x)\n{\n" \
				"\treturn x * %du + (x >> %d);\n}\n", \
				n, i, 2 * i + 3, i % 13
		printf "unsigned sum%d(unsigned x)\n{\n", n
		for (i = 0; i < 60; i++)
			printf "\tx ^= g%d_%d(x);\n", n, i
		print "\treturn x;\n}"
	}' >"$input/part$n.c"
done
cat >"$input/main.c" <<'END'
#include <stdio.h>
unsigned sum0(unsigned), sum1(unsigned), sum2(unsigned), sum3(unsigned);
int main(void)
{
	printf("%u\n", sum0(1) ^ sum1(2) ^ sum2(3) ^ sum3(4));
	return 0;
}
END

workload()
{
	gcc -w -O2 -g -c "$input/large.c" -o out/large.o
	gcc -w -O1 -S "$input/large.c" -o out/large.s
	gcc -w -O2 -fdump-tree-optimized=out/optimized -c -o part.o \
		"$input/part1.c"
	gcc -O2 -flto=2 -frandom-seed=1 "$input"/part?.c "$input/main.c" \
		-o program
	./program
	gcc -fsyntax-only -Wall -Wextra -x c - <<<'int f(void) { return y; }' \
		2>out/messages || echo "status $?"
}

compare_runs
check_served gcc -O2 "$input/part0.c" -c -o "$top/part0.o"
finish
