"""programs - the rows of existing programs, unchanged as Debian ships them.

1. A program works on input that the suite generates (inputs.py, sources.py)
   and is checked against what is known to be true (truths.py), besides that
   its output is the same under all allocators.
2. Each row has a folder of its own, below that of its scale, and is run in
   it. What a run leaves there is read and removed by Row.output, so that no
   run is judged by the files of another.
3. The distribution's own program is taken where there is one, before others
   that stand earlier in the path.
4. A row whose program is not installed is left out, and told. Input is
   generated for the rows that are wanted.
5. Allocations that a program makes by other means than malloc are outside of
   the row: it chooses modes and work in which malloc matters.
"""
import glob
import hashlib
import os
import shutil
import socket
import subprocess

from . import inputs, sources, truths
from .rows import PROGRAM, Row

PACKAGES = ["g++", "gcc", "ghostscript", "lua5.4", "nodejs", "perl",
    "python3", "redis-server", "redis-tools", "sqlite3", "xz-utils", "z3",
    "zstd"]
SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "programs")
SYSTEM_PATH = "/usr/bin:/bin"
ORIGINS = {
    "redis": "redis-server over a Unix socket: strings that replace each "
        "other, then redis-benchmark; nothing kept on disk",
    "lua": "Lua 5.4: words, trees, strings, objects of mixed life",
    "python": "Python with PYTHONMALLOC=malloc: words, trees, strings, "
        "objects of mixed life, JSON",
    "sqlite": "SQLite, database in memory: indexes, joins, JSON, full text, "
        "many short statements",
    "gcc": "GCC's cc1 -O1 on one large file; its own collector maps memory "
        "besides",
    "g++": "GCC's cc1plus -O1 on preprocessed C++17 full of templates",
    "perl": "Perl 5: words, trees, strings, objects of mixed life",
    "z3": "Z3: queens in integer arithmetic, pigeons in holes, factors of a "
        "bit vector",
    "ghostscript": "Ghostscript: PostScript objects of mixed life, pages of "
        "curves and text",
    "xz": "xz -T2: two threads, a block each",
    "zstd": "zstd -T2: two threads, a job each",
    "node": "Node.js, main and two worker threads: Buffers, zlib, hashes, "
        "ICU, functions compiled; V8's own heap is not malloc's",
}


class Missing(Exception):
    """A program that is not installed, and the package that has it."""


def find(program, package):
    path = shutil.which(program, path=SYSTEM_PATH) or shutil.which(program)
    if not path:
        raise Missing(program, package)
    return path


def find_compiler(driver, part):
    """The compiler proper, which the driver would start."""
    done = subprocess.run([find(driver, driver), f"-print-prog-name={part}"],
        stdout=subprocess.PIPE, text=True, check=True)
    path = done.stdout.strip()
    if not os.path.isabs(path):
        raise Missing(part, driver)
    return path


def script(name):
    return os.path.join(SCRIPTS, name)


def take(path):
    """What a run wrote there; nothing where it wrote no such file."""
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as file:
        content = file.read()
    os.remove(path)
    return content


def taker(name):
    return lambda cwd, stdout: take(os.path.join(cwd, name))


def at_least(least, whole, scale):
    return max(least, int(whole * scale))


def printed(_cwd, stdout):
    return stdout


def row(name, folder, command, output, check, scale, seconds, **more):
    return Row(name=f"program/{name}", kind=PROGRAM, command=command,
        cwd=folder, origin=ORIGINS[name], output=output, check=check,
        scale=scale, seconds=seconds * (0.1 + 0.9 * scale), **more)


def provide_script(folder, scale, trees, strings, steps):
    """The arguments of a script, and the lines that it must print."""
    words = inputs.provide(folder, scale, inputs.generate_words)
    sizes = [at_least(1, trees, scale), at_least(1000, strings, scale),
        at_least(1000, steps, scale)]
    return ["words.txt", *map(str, sizes)], \
        truths.script_lines(words, *sizes), sizes[-1]


def lua_row(folder, scale):
    program = find("lua5.4", "lua5.4")
    arguments, lines, _ = provide_script(folder, scale, 44, 500000, 1400000)
    return row("lua", folder, [program, script("script.lua"), *arguments],
        printed, truths.check_lines(lines), scale, 3.2)


def python_row(folder, scale):
    program = find("python3", "python3")
    arguments, lines, steps = provide_script(folder, scale, 30, 600000, 680000)
    lines["json"] = truths.json_line(steps // 4)
    return row("python", folder,
        [program, "-S", script("script.py"), *arguments],
        printed, truths.check_lines(lines), scale, 4,
        env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1"})


def perl_row(folder, scale):
    program = find("perl", "perl")
    arguments, lines, _ = provide_script(folder, scale, 54, 800000, 1350000)
    return row("perl", folder, [program, script("script.pl"), *arguments],
        printed, truths.check_lines(lines), scale, 4,
        env={"PERL_HASH_SEED": "0"})


def ghostscript_row(folder, scale):
    program = find("gs", "ghostscript")
    words = inputs.provide(folder, scale, inputs.generate_words)
    steps, pages = at_least(1000, 600000, scale), at_least(1, 15, scale)

    def output(cwd, stdout):
        drawn = [take(path) for path in sorted(
            glob.glob(os.path.join(cwd, "page*.pgm")))]
        black = drawn[0][-612 * 792:].count(0) if drawn else 0
        return stdout + f"black {black}\n".encode() + b"".join(
            f"page{i} {hashlib.sha256(page).hexdigest()}\n".encode()
            for i, page in enumerate(drawn))

    lines = truths.script_lines(words, 0, 0, steps)
    expected = {"words": words, "churn": lines["churn"], "black": [200000]}
    return row("ghostscript", folder, [program, "-q", "-dBATCH", "-dNOPAUSE",
        "-sDEVICE=pgmraw", "-r72", "-g612x792", "-o", "page%03d.pgm",
        "--permit-file-read=words.txt", "-sText=words.txt", f"-dSteps={steps}",
        f"-dPages={pages}", script("script.ps")],
        output, truths.check_pages(expected, pages + 1), scale, 2.7)


def sqlite_row(folder, scale):
    program = find("sqlite3", "sqlite3")
    expected = inputs.provide(folder, scale, inputs.generate_sql)
    return row("sqlite", folder,
        [program, "-batch", "-bail", ":memory:", ".read big.sql"],
        printed, truths.check_text(expected), scale, 2.4)


def gcc_row(folder, scale):
    program, gcc = find_compiler("gcc", "cc1"), find("gcc", "gcc")
    expected = inputs.provide(folder, scale, sources.generate_c)
    return row("gcc", folder, [program, "-quiet", "-fpreprocessed", "-O1",
        "big.c", "-o", "big.s"],
        taker("big.s"), truths.check_compiled(gcc, expected), scale, 2.8)


def gxx_row(folder, scale):
    program, gxx = find_compiler("g++", "cc1plus"), find("g++", "g++")
    expected = inputs.provide(folder, scale, sources.generate_cxx)
    return row("g++", folder, [program, "-quiet", "-fpreprocessed",
        "-std=c++17", "-O1", "big.ii", "-o", "big.s"],
        taker("big.s"), truths.check_compiled(gxx, expected), scale, 2.5)


def z3_row(folder, scale):
    program = find("z3", "z3")
    boards = inputs.provide(folder, scale, inputs.generate_smt)
    return row("z3", folder, [program, "big.smt2"],
        printed, truths.check_solver(boards), scale, 2.3)


def xz_row(folder, scale):
    program = find("xz", "xz-utils")
    digest = inputs.provide(folder, scale, inputs.generate_archive)
    return row("xz", folder, [program, "-q", "-k", "-f", "-T2", "-2",
        "--block-size=512KiB", "archive"],
        taker("archive.xz"), truths.check_archive(program, digest), scale, 3.3)


def zstd_row(folder, scale):
    program = find("zstd", "zstd")
    digest = inputs.provide(folder, scale, inputs.generate_archive)
    return row("zstd", folder, [program, "-q", "-f", "-T2", "-12", "-B2MiB",
        "archive", "-o", "archive.zst"], taker("archive.zst"),
        truths.check_archive(program, digest), scale, 2.4)


def node_row(folder, scale):
    program, jobs = find("node", "nodejs"), at_least(10, 2800, scale)
    os.makedirs(folder, exist_ok=True)
    return row("node", folder, [program, script("script.js"), str(jobs)],
        printed, truths.check_lines(truths.node_lines(jobs)), scale, 2.5)


def redis_ready(cwd):
    """A path below /proc, as that of a socket must be shorter than 108."""
    folder = os.open(cwd, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(f"/proc/self/fd/{folder}/redis.sock")
            client.sendall(b"PING\r\n")
            return client.recv(7) == b"+PONG\r\n"
    except OSError:
        return False
    finally:
        os.close(folder)


def redis_row(folder, scale):
    """Debian links the server with libjemalloc, whose malloc comes before the
    C library's: for glibc's row libc.so.6 itself has to be preloaded."""
    program = find("redis-server", "redis-server")
    for tool in "redis-benchmark", "redis-cli":
        find(tool, "redis-tools")
    # Whole pipelines of 16 in each part of the load.
    requests = 320 * at_least(20, 2600, scale)
    kept = inputs.provide(folder, scale, inputs.generate_redis)
    lines = truths.redis_lines(*kept, requests)
    return row("redis", folder, [program, "--port", "0", "--unixsocket",
        "redis.sock", "--save", "", "--appendonly", "no"],
        printed, truths.check_lines(lines), scale, 2.9,
        client=[script("redis-client"), "redis.sock", "load.resp",
            str(requests)], ready=redis_ready)


MAKERS = {"redis": redis_row, "lua": lua_row, "python": python_row,
    "sqlite": sqlite_row, "gcc": gcc_row, "g++": gxx_row, "perl": perl_row,
    "z3": z3_row, "ghostscript": ghostscript_row, "xz": xz_row,
    "zstd": zstd_row, "node": node_row}


def listed():
    """(name, origin) of all, without their input."""
    return [(f"program/{name}", ORIGINS[name]) for name in MAKERS]


def rows(folder, scale, is_wanted):
    """The rows, and (program, package) of those that are not installed. Input
    is generated for those that are wanted by their name."""
    found, missing = [], []
    for name, make in MAKERS.items():
        if not is_wanted(f"program/{name}"):
            continue
        own = os.path.join(os.path.abspath(folder), f"{scale:g}", name)
        try:
            found.append(make(own, scale))
        except Missing as error:
            missing.append(error.args)
    return found, missing
