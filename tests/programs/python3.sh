#!/bin/bash
# python3 - a part of Python's own regression tests, then a workload of ours,
# with Python's small-object allocator off, so that every object is a malloc.
#
# 1. Of the regression tests, those that only wait for a clock are left out.
# 2. Compared is the verdict on each test case, whatever the order. Test
#    cases that mix their output into the verdict lines are compared by the
#    counts that each test file reports.
. "$(dirname "$0")/common"
needs python3
export PYTHONMALLOC=malloc PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
if ! python3 -c 'import test.test_dict' 2>/dev/null; then
	echo "skip $NAME: libpython3.11-testsuite is not installed"
	exit 77
fi

tests="test_threading test_fork1 test_subprocess test_dict test_list
	test_re test_bytes test_thread test_struct test_sort
	test_generators test_xml_etree_c test_mmap test_ctypes"
slow=(-i '*timeout*' -i '*TestCaseNoPoll*' -i '*_dead' -i '*BarrierTests*'
	-i '*LockTests*' -i '*SemaphoreTests*' -i '*ConditionTests*'
	-i test_communicate_repeated_call_after_stdout_close
	-i 'test.test_fork1.*.test_wait' -i 'test_*_index' -i test_pass_fds
	-i 'test.test_subprocess.ProcessTestCase.*' -i '*CommandsWithSpaces*'
	-i test_swap_std_fds_with_one_closed)

cat >"$input/work.py" <<'END'
import ctypes, json, os, queue, random, re, threading, zlib

random.seed(7)

# Dictionaries and lists of strings, rebuilt many times.
d = {}
for i in range(40000):
    d["k%d" % random.randrange(10**6)] = [i] * random.randrange(20)
for k in [k for k in d if k.endswith(("1", "3", "5"))]:
    del d[k]
print("dict", len(d), sum(map(len, d.values())))

# JSON there and back, at several indents.
text = json.dumps(d, indent=1)
for indent in (None, 2, 7):
    text = json.dumps(json.loads(text), indent=indent, sort_keys=True)
    print("json", len(text), zlib.crc32(text.encode()))

# One buffer that grows by realloc past every size class.
b = bytearray()
for i in range(400):
    b += bytes([i & 255]) * (i * 53)
    if i % 100 == 99:
        print("grow", len(b), zlib.crc32(b))

# Blocks allocated in one thread and freed in another.
q, seen = queue.Queue(1000), []
def produce(n):
    rnd = random.Random(n)
    for i in range(5000):
        q.put([rnd.randbytes(rnd.randrange(1, 3000)), {i: str(i)}])
    q.put(None)
def consume():
    crc = count = 0
    while (item := q.get()) is not None:
        crc = (crc + zlib.crc32(item[0])) & 0xffffffff
        count += 1
    seen.append((count, crc))
threads = [threading.Thread(target=produce, args=(n,)) for n in (1, 2)]
threads += [threading.Thread(target=consume) for n in (1, 2)]
for t in threads: t.start()
for t in threads: t.join()
print("queue", sum(c for c, _ in seen), sum(x for _, x in seen) & 0xffffffff)

# Thousands of short threads.
total = []
for n in range(1000):
    t = threading.Thread(target=lambda: total.append(len([0] * 1000)))
    t.start()
    t.join()
print("threads", sum(total))

# Children that allocate and free what the parent has.
for n in range(20):
    if not (pid := os.fork()):
        d.clear()
        os._exit(len(bytearray(n * 100000)) // 100000)
    print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

# malloc and friends through ctypes.
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.realloc.restype = ctypes.c_void_p
libc.realloc.argtypes = ctypes.c_void_p, ctypes.c_size_t
libc.free.argtypes = ctypes.c_void_p,
p = libc.malloc(100)
ctypes.memset(p, 5, 100)
for shift in range(7, 26):
    p = libc.realloc(p, 1 << shift)
print("ctypes", ctypes.string_at(p, 100) == b"\5" * 100)
libc.free(p)
END

verdicts()
{
	grep -aE '^(test_|Ran [0-9]+ tests? in |All [0-9]+ tests OK)' |
		sed -E 's/^(Ran [0-9]+ tests?) in .*/\1/' |
		grep -aE '^Ran |^All |\.\.\. (ok|FAIL|ERROR|skipped .*|expected failure)$' |
		grep -avE '\(test\.test_(threading|thread|subprocess|fork1)\.' |
		sort
}

workload()
{
	local status=0

	python3 "$input/work.py"
	mkdir tmp
	python3 -m test -v -j3 --tempdir tmp "${slow[@]}" $tests \
		>regrtest.log 2>&1 || status=$?
	verdicts <regrtest.log
	[ "$status" = 0 ] ||
		grep -aE '^(FAIL|ERROR|[0-9]+ tests? failed|.*rror:)' \
			regrtest.log >&2
	return "$status"
}

compare_runs
echo "# $(grep -c '\.\.\. ' "$top/preloaded.out") verdicts," \
	"$(grep '^All' "$top/preloaded.out")"
check_served python3 -c 'import json, ctypes, threading'
finish
