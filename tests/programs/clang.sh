#!/bin/bash
# clang - LLVM's own pools and arenas: C++ with the standard library, C with
# vectorised loops, the textual form of the middle end, and a PCH.
. "$(dirname "$0")/common"
CLANG=$(type -P clang-14 || type -P clang)
[ -n "$CLANG" ] || needs clang-14
needs awk

awk 'BEGIN {
	for (i = 0; i < 50; i++) {
		printf "float k%d(float *restrict a, const float *b, int n)\n" \
			"{\n\tfloat t = 0;\n\tfor (int i = 0; i < n; i++) {" \
			"\n\t\ta[i] = b[i] * %d + b[i %% %d];\n" \
			"\t\tt += a[i] > %d ? a[i] : b[n - i - 1];\n\t}\n", \
			i, i + 1, 2 + i % 7, i * 3
		if (i)
			printf "\treturn t + k%d(a, b, n - 1);\n}\n", i - 1
		else
			print "\treturn t;\n}"
	}
}' >"$input/loops.c"
cat >"$input/all.h" <<'END'
#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <vector>
END
cat >"$input/use.cc" <<'END'
#include "all.h"
int main(int argc, char **argv)
{
	std::map<std::string, std::function<int(int)>> m;
	std::regex r("([a-z]+)-([0-9]+)");
	std::smatch s;
	std::string text = argc > 1 ? argv[1] : "abc-123";
	for (int i = 0; i < argc; i++)
		m[argv[i]] = [i](int x) { return x + i; };
	return std::regex_match(text, s, r) ? m.begin()->second(41) : 0;
}
END

workload()
{
	"$CLANG" -O3 -ffast-math -S "$input/loops.c" -o out/loops.s
	"$CLANG" -O2 -S -emit-llvm "$input/loops.c" -o out/loops.ll
	"$CLANG" -x c++-header -std=c++17 -O1 "$input/all.h" -o all.pch
	"$CLANG" -std=c++17 -O1 -include-pch all.pch -c "$input/use.cc" \
		-o out/use.o
	"$CLANG" --analyze -Xclang -analyzer-output=text "$input/loops.c" \
		2>out/analysis
}

compare_runs
check_served "$CLANG" -O1 -S "$input/loops.c" -o /dev/null
finish
