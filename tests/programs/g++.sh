#!/bin/bash
# g++ - templates and the standard library, optimised, to assembler and to an
# object; then the program itself, which lives from operator new.
. "$(dirname "$0")/common"
needs g++ awk

awk 'BEGIN {
	print "#include <algorithm>\n#include <iostream>\n#include <map>"
	print "#include <memory>\n#include <numeric>\n#include <string>"
	print "#include <thread>\n#include <unordered_map>\n#include <vector>"
	print "#include <stdexcept>\n#include <list>"
	print "template<int N> struct T : T<N - 1> {"
	print "\tstd::map<int, std::string> m;"
	print "\tlong f(long x) { m[N] = std::to_string(x);"
	print "\t\treturn T<N - 1>::f(x) + (long)m.size() + N; } };"
	print "template<> struct T<0> { long f(long x) { return x; } };"
	for (i = 0; i < 3; i++) {
		printf "struct K%d { int k; std::string s; bool operator<(" \
			"const K%d &o) const { return k < o.k; } };\n", i, i
		printf "long g%d(int n)\n{\n\tstd::vector<K%d> v;\n", i, i
		printf "\tfor (int j = 0; j < n; j++) v.push_back({(j * %d) " \
			"%% 997, std::string(j %% 90, 65)});\n", i * 2 + 7
		print  "\tstd::stable_sort(v.begin(), v.end());"
		printf "\tstd::unordered_map<std::string, std::shared_ptr<" \
			"std::list<K%d>>> h;\n", i
		print  "\tfor (auto &k : v) { auto &p = h[k.s]; if (!p) p ="
		printf "\t\tstd::make_shared<std::list<K%d>>();" \
			" p->push_back(k); }\n", i
		print  "\tlong t = 0; for (auto &p : h) t += p.second->size()"
		print  "\t\t* p.first.size(); return t + v[n / 2].k;\n}"
	}
	print "struct alignas(128) wide { long a[20]; };"
	print "int main()\n{\n\tlong t = T<30>().f(5);"
	for (i = 0; i < 3; i++)
		printf "\tt += g%d(4000);\n", i
	print "\tstd::vector<std::thread> threads; std::vector<long> r(4);"
	print "\tfor (int i = 0; i < 4; i++) threads.emplace_back([&r, i] {"
	print "\t\tfor (int j = 0; j < 20; j++) r[i] += g2(3000 + i); });"
	print "\tfor (auto &th : threads) th.join();"
	print "\tfor (long x : r) t += x;"
	print "\tstd::vector<std::unique_ptr<wide>> w;"
	print "\tfor (int i = 0; i < 1000; i++) { w.emplace_back(new wide());"
	print "\t\tt += (unsigned long)w.back().get() % 128; }"
	print "\ttry { std::vector<long> v; v.reserve(-1ul / 16); }"
	print "\tcatch (std::bad_alloc &e) { std::cout << e.what() << \"\\n\"; }"
	print "\tcatch (std::length_error &e) { std::cout << \"length\\n\"; }"
	print "\tstd::cout << t << \"\\n\";\n}"
}' >"$input/large.cc"

workload()
{
	g++ -std=c++17 -O2 -g -S "$input/large.cc" -o out/large.s
	g++ -c out/large.s -o out/large.o
	g++ -pthread out/large.o -o program
	./program
}

compare_runs
check_served "$top/plain/program"
check_served g++ -x c++ -c -o "$top/empty.o" /dev/null
finish
