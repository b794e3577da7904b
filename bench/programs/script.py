"""script.py - words, trees, strings and objects of mixed life in Python.

    PYTHONMALLOC=malloc python3 script.py TEXT TREES STRINGS STEPS

1. The same phases as in script.lua and script.pl, and a round trip through
   JSON; what they print is known beforehand (bench/suite/truths.py).
2. PYTHONMALLOC=malloc makes each object a call of malloc; with Python's own
   pools few would be.
"""
import collections
import json
import re
import sys

DEPTH, LIVE = 14, 20000


def words(text):
    count = collections.Counter()
    with open(text, encoding="ascii") as lines:
        for line in lines:
            count.update(re.findall("[a-z]+", line))
    print("words", sum(count.values()), len(count), max(count.values()))


def grow(depth):
    if depth == 0:
        return ()
    return grow(depth - 1), grow(depth - 1)


def nodes(tree):
    return 1 + nodes(tree[0]) + nodes(tree[1]) if tree else 1


def grow_trees(trees):
    kept = grow(DEPTH)
    print("trees", sum(nodes(grow(DEPTH)) for _ in range(trees)), nodes(kept))


def join_strings(strings):
    joined = ",".join(["item%d" % i for i in range(1, strings + 1)])
    print("strings", len(joined), len(joined.split(",")) - 1)


def churn(steps):
    """Lists of 0 to 63 fields; a random one of the live set dies each step."""
    live, state = {}, 42
    for _ in range(steps):
        state = (state * 1103515245 + 12345) & 0x7fffffff
        live[(state >> 14) % LIVE] = [state + i
                                      for i in range((state >> 8) % 64)]
    print("churn", len(live), sum(map(len, live.values())))


def round_trip(records):
    table = [{"id": i, "name": "n%d" % i, "tags": [str(i)] * (i % 7)}
             for i in range(records)]
    table = json.loads(json.dumps(table))
    print("json", sum(r["id"] for r in table),
          sum(len(r["tags"]) for r in table))


def main():
    text, trees, strings, steps = sys.argv[1], *map(int, sys.argv[2:])
    words(text)
    grow_trees(trees)
    join_strings(strings)
    churn(steps)
    round_trip(steps // 4)


main()
