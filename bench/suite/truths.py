"""truths - what the existing programs of the suite must have found out.

1. A truth is computed here in another way than the program does it, so that
   a heap that gives away the same memory twice does not go unseen, even if it
   does so in every run.
2. So a truth does not depend on glibc, with whose output the others' is
   compared besides (runner.py): a run must pass both.
3. checker functions return what Row.check wants: None, or what is wrong.
"""
import functools
import hashlib
import os
import re
import subprocess
import tempfile

from .inputs import PRIMES, QUEENS

LIVE = 20000    # objects of the phase `churn`; as in the scripts
DEPTH = 14      # of the trees


def next_state(state):
    return (state * 1103515245 + 12345) & 0x7fffffff


def script_lines(words, trees, strings, steps):
    """The lines of script.lua, script.py, script.pl and script.ps."""
    nodes = 2 ** (DEPTH + 1) - 1
    lengths = sum(len(f"item{i}") for i in range(1, strings + 1))
    live, state = {}, 42
    for _ in range(steps):
        state = next_state(state)
        live[(state >> 14) % LIVE] = (state >> 8) % 64
    return {"words": words, "trees": [trees * nodes, nodes],
        "strings": [lengths + strings - 1, strings - 1],
        "churn": [len(live), sum(live.values())]}


def json_line(records):
    return [records * (records - 1) // 2, sum(i % 7 for i in range(records))]


def node_work(jobs):
    live, state = {}, 42
    for _ in range(jobs * 100):
        state = next_state(state)
        size = (state >> 8) % (16384 if state & 1 else 1024)
        live[(state >> 14) % 500] = size if (state >> 20) % 64 else size * 100
    digest = bytes(32)
    for _ in range(jobs * 40):
        digest = hashlib.sha256(digest).digest()
    return [("buffers", sum(live.values())),
        ("squeeze", sum(200 * len(f"line {i}\n") for i in range(jobs * 4))),
        ("hashes", digest.hex()),
        ("compiled", sum(i + 4 for i in range(jobs * 10))),
        ("formats", sum(len(f"{1000 + i:,}") for i in range(jobs * 2)))]


def node_lines(jobs):
    lines = {f"main {key}": [value] for key, value in node_work(jobs // 2)}
    for worker in "worker0", "worker1":
        for key, value in node_work(jobs):
            lines[f"{worker} {key}"] = [value]
        lines[f"{worker} handed"] = [sum((64 << i % 12) * (i % 7)
            for i in range(jobs))]
    return lines


def redis_lines(strings, size, requests):
    """redis-client fills the list twice: for itself and for lrange."""
    return {"strings": [strings], "bytes": [size], "incr": [requests],
        "lpush": [requests // 4 + requests // 20], "hashes": [1], "odd": [0],
        "set": [1], "zset": [1], "other": [3]}


def check_lines(expected):
    """For output in lines of a name and what is known of it."""
    wanted = "".join(" ".join(map(str, [name, *values])) + "\n"
                     for name, values in expected.items())
    return check_text(wanted)


def check_text(wanted):
    def check(output):
        got = output.decode(errors="replace")
        if got == wanted:
            return None
        lines = zip(got.split("\n"), wanted.split("\n"))
        for one, other in lines:
            if one != other:
                return f"{one!r} where {other!r} is right"
        return f"{len(got)} characters where {len(wanted)} are right"
    return check


def check_pages(expected, pages):
    """Known lines, then a line for each drawn page: none like another."""
    check_known = check_lines(expected)

    def check(output):
        lines = output.splitlines(keepends=True)
        known = b"".join(x for x in lines if not x.startswith(b"page"))
        drawn = [x.split()[1] for x in lines if x.startswith(b"page")]
        if len(drawn) != pages or len(set(drawn)) != pages:
            return f"{len(set(drawn))} different pages of {pages}"
        return check_known(known)
    return check


def check_solver(boards):
    """Answers of z3: the boards, the pigeons, the factors."""
    def check(output):
        text = output.decode(errors="replace")
        answers = re.findall(r"^(?:un)?sat$", text, re.MULTILINE)
        if answers != ["sat"] * boards + ["unsat", "sat"]:
            return f"answers {answers}"
        rows = list(map(int, re.findall(r"\(q\d+ (\d+)\)", text)))
        for i in range(boards):
            queens = rows[i * QUEENS:(i + 1) * QUEENS]
            if queens[:1] != [i % QUEENS] or not is_board(queens):
                return f"queens attack each other: {queens}"
        found = [int(x, 16) for x in re.findall(r"#x([0-9a-f]+)", text)]
        if sorted(found) != sorted(PRIMES):
            return f"factors {found} where {PRIMES} are right"
        return None
    return check


def is_board(rows):
    def all_differ(values):
        return len(set(values)) == QUEENS
    return all_differ(rows) and \
        all_differ([row + i for i, row in enumerate(rows)]) and \
        all_differ([row - i for i, row in enumerate(rows)])


def check_archive(command, digest):
    """The archive unpacks to what went in."""
    @functools.lru_cache(maxsize=4)
    def check(output):
        unpacked = subprocess.run([command, "-dcq"], input=output,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if unpacked.returncode:
            return f"does not unpack: {unpacked.stderr[:200]!r}"
        plain = unpacked.stdout
        if hashlib.sha256(plain).hexdigest() != digest:
            return f"unpacks to other {len(plain)} bytes than went in"
        return None
    return check


def check_compiled(compiler, expected):
    """The assembly, made a program, prints what it must."""
    @functools.lru_cache(maxsize=4)
    def check(output):
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "big.s")
            program = os.path.join(folder, "big")
            with open(source, "wb") as file:
                file.write(output)
            done = subprocess.run([compiler, source, "-o", program],
                stderr=subprocess.PIPE, text=True)
            if done.returncode:
                return f"does not assemble: {done.stderr[:200]}"
            done = subprocess.run([program], stdout=subprocess.PIPE, text=True)
        if done.stdout.strip() != expected:
            return f"the program prints {done.stdout.strip()!r} " \
                f"where {expected} is right"
        return None
    return check
