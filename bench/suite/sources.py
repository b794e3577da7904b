"""sources - the C and the C++ that the compilers of the suite work on.

1. The truth of each is what the compiled program prints. It is found without
   a compiler: by running the same statements in Python, and by a formula.
2. The C is the same on each machine; the C++ is preprocessed, and so depends
   on the headers that are installed.
"""
import random
import subprocess

from .inputs import write

CHAIN = 10      # functions of the C program that call each other in a row
MASK = 0xffffffff


def draw_statement(rnd):
    """A statement as C and as Python; both read the expressions alike."""
    a, b, c, d = rnd.choices("abcdefgh", k=4)
    k, shift = rnd.getrandbits(31), rnd.randrange(1, 31)
    mixed = f"({b} * {k}u + ({c} ^ {d}))"
    plain = mixed.replace("u +", " +")
    kind = rnd.randrange(4)
    if kind == 0:
        return (f"\t{a} = {mixed} - ({b} >> {shift});\n",
                f"\t{a} = {plain} - ({b} >> {shift}) & {MASK}\n")
    if kind == 1:
        return (f"\tif ({b} < {k}u)\n\t\t{a} += {c};\n\telse\n"
                f"\t\t{a} ^= {d};\n",
                f"\tif {b} < {k}: {a} = {a} + {c} & {MASK}\n"
                f"\telse: {a} ^= {d}\n")
    if kind == 2:
        return (f"\tfor (u32 i = 0; i < {shift}; i++) {{\n"
                f"\t\t{a} = {a} * {k}u + i;\n\t\t{b} ^= {a} >> {shift};\n"
                "\t}\n",
                f"\tfor i in range({shift}):\n"
                f"\t\t{a} = {a} * {k} + i & {MASK}\n"
                f"\t\t{b} ^= {a} >> {shift}\n")
    values = [rnd.getrandbits(31) for _ in range(8)]
    cases = "".join(f"\tcase {i}: {a} = {c} * {v}u; break;\n"
                    for i, v in enumerate(values))
    return (f"\tswitch ({b} & 7) {{\n{cases}\t}}\n",
            f"\t{a} = {c} * {values}[{b} & 7] & {MASK}\n")


def generate_c(folder, scale):
    """big.c; the truth is what the compiled program prints."""
    rnd = random.Random(3)
    in_c = ["typedef unsigned int u32;\nint printf(const char *, ...);\n"]
    in_python = []
    nr = CHAIN * max(1, int(48 * scale))
    for i in range(nr):
        call = f"f{i - 1}(a)" if i % CHAIN else "a"
        seeds = [rnd.getrandbits(31) for _ in range(7)]
        in_c.append(f"u32 f{i}(u32 a)\n{{\n")
        in_python.append(f"def f{i}(a):\n")
        for name, seed in zip("bcdefgh", seeds):
            in_c.append(f"\tu32 {name} = a ^ {seed}u;\n")
            in_python.append(f"\t{name} = a ^ {seed}\n")
        for _ in range(12):
            statement, same = draw_statement(rnd)
            in_c.append(statement)
            in_python.append(same)
        in_c.append(f"\treturn a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ {call};\n}}\n")
        in_python.append(f"\treturn a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ {call}\n")
    tops = range(CHAIN - 1, nr, CHAIN)
    in_c.append("int main(void)\n{\n\tu32 sum = 0;\n")
    in_c += [f"\tsum = sum * 3 + f{i}({i}u);\n" for i in tops]
    in_c.append('\tprintf("%u\\n", sum);\n\treturn 0;\n}\n')
    write(folder, "big.c", "".join(in_c))
    functions = {}
    exec("".join(in_python), functions)
    total = 0
    for i in tops:
        total = total * 3 + functions[f"f{i}"](i) & MASK
    return str(total)


CXX_HEADERS = ("algorithm cstdio functional map memory set sstream string "
    "tuple unordered_map variant vector")

CXX_TYPE = """
struct t@ {
	unsigned key;
	std::string text;
	bool operator<(const t@ &o) const { return key < o.key; }
};
static unsigned f@()
{
	std::map<t@, std::vector<t@>> groups;
	for (unsigned k = 0; k < 100 + @; k++)
		groups[t@{k % 7, ""}].push_back(t@{k, std::to_string(k)});
	std::vector<t@> all;
	for (const auto &group : groups)
		all.insert(all.end(), group.second.begin(),
			   group.second.end());
	std::sort(all.begin(), all.end(),
		  [](const t@ &x, const t@ &y) { return y < x; });
	std::function<unsigned(const t@ &)> weigh = [&](const t@ &x) {
		return x.key * unsigned(x.text.size());
	};
	unsigned sum = 0;
	for (const t@ &x : all)
		sum += weigh(x);
	return sum;
}
"""


def generate_cxx(folder, scale):
    """big.ii, preprocessed; the truth is what the compiled program prints."""
    types = range(max(1, int(12 * scale)))
    text = "".join(f"#include <{name}>\n" for name in CXX_HEADERS.split())
    text += "".join(CXX_TYPE.replace("@", str(i)) for i in types)
    text += "int main()\n{\n\tunsigned sum = 0;\n"
    text += "".join(f"\tsum = sum * 3 + f{i}();\n" for i in types)
    text += '\tstd::printf("%u\\n", sum);\n}\n'
    write(folder, "big.cc", text)
    subprocess.run(["g++", "-std=c++17", "-E", "-P", "big.cc", "-o",
        "big.ii"], cwd=folder, check=True)
    total = 0
    for i in types:
        total = total * 3 + sum(k * len(str(k)) for k in range(100 + i))
    return str(total & MASK)
