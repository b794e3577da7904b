"""inputs - what the existing programs of the suite work on.

1. Everything is generated from fixed seeds and is the same on each machine.
2. A generator also returns what the program's result must be, found in
   another way than the program finds it: a closed formula, or the same
   arithmetic in Python.
3. provide() generates once: a folder is complete when truth.json stands in
   it, and stale when the generator's file has changed since.
"""
import hashlib
import json
import os
import random
import shutil

WORDS = 1200000     # in the text of the scripts, at scale 1
WORD_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def provide(folder, scale, generate):
    """What generate(folder, scale) told as truth, now or in an earlier run."""
    with open(generate.__code__.co_filename, "rb") as source:
        key = f"{hashlib.sha256(source.read()).hexdigest()} {scale}"
    path = os.path.join(folder, "truth.json")
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            kept = json.load(file)
        if kept["key"] == key:
            return kept["truth"]
        shutil.rmtree(folder)
    os.makedirs(folder, exist_ok=True)
    truth = generate(folder, scale)
    with open(path + ".new", "w", encoding="ascii") as file:
        json.dump({"key": key, "truth": truth}, file)
    os.rename(path + ".new", path)
    return truth


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="ascii") as file:
        file.write(text)


def write_words(folder, count):
    """words.txt, its words drawn by Zipf's law; how often the words occur."""
    rnd = random.Random(1)
    known = ["".join(rnd.choices(WORD_LETTERS, k=2 + int(rnd.random() * 9)))
             for _ in range(20000)]
    weights = [1 / rank for rank in range(1, len(known) + 1)]
    drawn = rnd.choices(known, weights, k=count)
    lines = (" ".join(drawn[i:i + 12]) for i in range(0, count, 12))
    write(folder, "words.txt", "\n".join(lines) + "\n")
    often = {}
    for word in drawn:
        often[word] = often.get(word, 0) + 1
    return often


def generate_words(folder, scale):
    often = write_words(folder, max(1000, int(WORDS * scale)))
    return [sum(often.values()), len(often), max(often.values())]


def generate_archive(folder, scale):
    """Text and incompressible bytes in turn; the truth is their digest."""
    write_words(folder, int(10000000 * scale))
    path = os.path.join(folder, "words.txt")
    rnd = random.Random(2)
    digest = hashlib.sha256()
    with open(path, "rb") as words, \
            open(os.path.join(folder, "archive"), "wb") as archive:
        while piece := words.read(rnd.getrandbits(16) + 1000):
            piece += rnd.randbytes(len(piece) // 8)
            digest.update(piece)
            archive.write(piece)
    os.remove(path)
    return digest.hexdigest()


def resp(*words):
    """One command in Redis' protocol."""
    return f"*{len(words)}\r\n" + "".join(
        f"${len(word)}\r\n{word}\r\n" for word in words)


def generate_redis(folder, scale):
    """load.resp: strings of all lengths to 2000 that replace each other;
    the truth is how many there are at the end, and their bytes."""
    rnd = random.Random(4)
    keys, live = max(1000, int(150000 * scale)), {}
    with open(os.path.join(folder, "load.resp"), "w", encoding="ascii",
              newline="") as file:
        for _ in range(keys * 5 // 2):
            key = f"key:{int(rnd.random() * keys)}"
            if rnd.random() < 0.2:
                file.write(resp("DEL", key))
                live.pop(key, None)
                continue
            live[key] = int(10 * 200 ** rnd.random())
            file.write(resp("SET", key, "x" * live[key]))
    return [len(live), sum(live.values())]


SQL = """
CREATE TABLE item(id INTEGER PRIMARY KEY, k INTEGER, name TEXT, data BLOB);
WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < @)
	INSERT INTO item SELECT i, i * 7919 % 1009,
		printf('name%06d', i * 31 % @), zeroblob(i % 300) FROM c;
CREATE INDEX item_k ON item(k);
CREATE INDEX item_name ON item(name);
SELECT 'rows', count(*), sum(id), sum(k), sum(length(data)) FROM item;
SELECT 'groups', count(*), sum(c), sum(length(g)) FROM (SELECT count(*) c,
	group_concat(name) g FROM item GROUP BY k);
SELECT 'join', count(*) FROM item a JOIN item b ON a.id = b.k;
SELECT 'json', count(*), sum(value ->> '$.id') FROM json_each((SELECT
	json_group_array(json_object('id', id, 'name', name)) FROM item));
CREATE VIRTUAL TABLE doc USING fts5(body);
INSERT INTO doc SELECT name || ' word' || (id % 100) || ' common' FROM item;
SELECT 'found', count(*) FROM doc WHERE doc MATCH 'word7';
UPDATE item SET data = zeroblob(400), name = upper(name) WHERE id % 3 = 0;
DELETE FROM item WHERE id % 5 = 0;
SELECT 'after', count(*), sum(length(data)), sum(name GLOB 'NAME*') FROM item;
SELECT 'windows', count(*) FROM (SELECT row_number() OVER (ORDER BY name DESC)
	AS r FROM item) WHERE r % 2 = 0;
CREATE TABLE line(id INTEGER PRIMARY KEY, text TEXT);
BEGIN;
"""


def generate_sql(folder, scale):
    """big.sql: a few long statements, then many short ones."""
    n, lines = max(2000, int(300000 * scale)), max(1000, int(180000 * scale))
    script = SQL.replace("@", str(n)) + "".join(
        f"INSERT INTO line VALUES({i}, 'line {i} of the script');\n"
        for i in range(lines))
    script += "COMMIT;\n" \
        "SELECT 'lines', count(*), sum(length(text)) FROM line;\n"
    write(folder, "big.sql", script)
    ids = range(1, n + 1)
    groups = {i * 7919 % 1009 for i in ids}
    kept = [i for i in ids if i % 5]
    table = [
        ["rows", n, n * (n + 1) // 2, sum(i * 7919 % 1009 for i in ids),
            sum(i % 300 for i in ids)],
        ["groups", len(groups), n, 11 * n - len(groups)],
        ["join", sum(1 for i in ids if i * 7919 % 1009)],
        ["json", n, n * (n + 1) // 2],
        ["found", sum(1 for i in ids if i % 100 == 7)],
        ["after", len(kept), sum(i % 300 if i % 3 else 400 for i in kept),
            sum(1 for i in kept if i % 3 == 0)],
        ["windows", len(kept) // 2],
        ["lines", lines, sum(len(f"line {i} of the script")
            for i in range(lines))],
    ]
    return "".join("|".join(map(str, row)) + "\n" for row in table)


QUEENS, HOLES = 20, 7
PRIMES = 7919, 6841


def queens(first):
    """QUEENS queens on a board, the first of them in the given row."""
    names = [f"q{i}" for i in range(QUEENS)]
    text = "(push)\n"
    for name in names:
        text += (f"(declare-const {name} Int)\n"
                 f"(assert (and (<= 0 {name}) (< {name} {QUEENS})))\n")
    text += f"(assert (distinct {' '.join(names)}))\n"
    for i in range(QUEENS):
        for j in range(i):
            text += (f"(assert (not (= (- q{i} q{j}) {i - j})))\n"
                     f"(assert (not (= (- q{j} q{i}) {i - j})))\n")
    return text + (f"(assert (= q0 {first}))\n(check-sat)\n"
        f"(get-value ({' '.join(names)}))\n(pop)\n")


def pigeons():
    """HOLES + 1 pigeons that cannot each have a hole of their own."""
    text = "(push)\n"
    for pigeon in range(HOLES + 1):
        names = [f"p{pigeon}h{hole}" for hole in range(HOLES)]
        text += "".join(f"(declare-const {name} Bool)\n" for name in names)
        text += f"(assert (or {' '.join(names)}))\n"
    for hole in range(HOLES):
        for a in range(HOLES + 1):
            text += "".join(f"(assert (not (and p{a}h{hole} p{b}h{hole})))\n"
                for b in range(a))
    return text + "(check-sat)\n(pop)\n"


def factors():
    """Two bit vectors whose product is that of two primes."""
    text = "(push)\n"
    for name in "xy":
        text += (f"(declare-const {name} (_ BitVec 28))\n"
                 f"(assert (bvult {name} (_ bv{1 << 14} 28)))\n"
                 f"(assert (bvugt {name} (_ bv1 28)))\n")
    return text + (f"(assert (= (bvmul x y) (_ bv{PRIMES[0] * PRIMES[1]} 28)))"
        "\n(check-sat)\n(get-value (x y))\n(pop)\n")


def generate_smt(folder, scale):
    """big.smt2; the truth is the number of boards among its questions."""
    boards = max(1, int(20 * scale))
    write(folder, "big.smt2", "".join(
        queens(i % QUEENS) for i in range(boards)) + pigeons() + factors())
    return boards
