"""rows - what is measured: the shape of a row, and the rows of our programs.

1. A row is one command. It runs under every allocator, in a process of its
   own, so that no row finds the heap that another row left.
2. The command is the program itself, no shell around it: the proof of who
   serves malloc, and the samples of resident memory, are of that process.
3. What `output` makes of a run's output must be the same under all
   allocators; `check` holds it against what is known to be true.
4. Workloads and micro benchmarks are asked for their names: a program that
   was not built is left out, and said to be missing.
"""
import dataclasses
import fnmatch
import json
import os
import re
import subprocess

MICRO, START, WORKLOAD, PROGRAM = "micro", "start", "workload", "program"
KINDS = [MICRO, START, WORKLOAD, PROGRAM]
TIMED = [WORKLOAD, PROGRAM]     # the kinds that the overall means are over
NS_PER = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
MICRO_WALL = {"churn", "fork"}  # others work for the one thread
# With --quick: those that take long, and those that others are like.
MICRO_SLOW = ["mixed/1000000*", "fork/*/256*", "*/67108864*", "churn/*/1000*",
    "calloc/*/threads:*", "realloc/*/threads:*", "aligned/*/threads:*",
    "class/*/threads:*", "touch/*/threads:*", "pages/*/threads:*"]
QUICK_CLASSES = {str(1 << power) for power in range(4, 23, 2)}
BUILT = "scripts/bench builds it"


class WrongOutput(Exception):
    """A run whose output cannot be right."""


@dataclasses.dataclass
class Row:
    name: str                       # "workload/larson", "program/lua"
    kind: str                       # one of KINDS
    command: list                   # argv; run in cwd
    cwd: str = "/"
    env: dict = dataclasses.field(default_factory=dict)
    origin: str = ""                # what it is, where the idea comes from
    output: callable = None         # (cwd, stdout) -> bytes, equal for all
    check: callable = None          # (bytes) -> None, or what is wrong
    client: list = None             # a server's: what runs against it, not
    #                                 preloaded; its stdout and wall count
    ready: callable = None          # (cwd) -> bool: the server answers
    scale: float = 1.0
    time: callable = None           # (stdout, stderr) -> time in `unit`;
    #                                 without it wall time counts
    unit: str = "s"
    seconds: float = 3.0            # a run takes about so long
    lingers: bool = False           # --linger: memory when all is freed
    own: bool = False               # holds zbmalloc itself; no other's row
    together: bool = False          # one process measures all allocators
    started: list = None            # what that process starts


def last_object(stderr):
    """What a workload says of itself: the last line of JSON."""
    for line in reversed(stderr.decode(errors="replace").splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except json.JSONDecodeError as error:
                raise WrongOutput(f"bad JSON on stderr: {error}") from None
    raise WrongOutput("no line of JSON on stderr")


def workload_time(_stdout, stderr):
    return number_of(last_object(stderr), "seconds")


def number_of(values, name):
    value = values.get(name)
    if not isinstance(value, (int, float)) or value <= 0:
        raise WrongOutput(f"{name} is {value!r}, not a positive number")
    return float(value)


def workload_output(_cwd, stdout):
    return stdout


def workload_check(output):
    if re.fullmatch(rb"checksum=[0-9a-f]+\n", output):
        return None
    return f"expected one line checksum=HEX, not {output[:80]!r}"


def micro_time(stdout, _stderr):
    """Nanoseconds per operation of the one benchmark that ran: of CPU where
    one thread does all, which others on the machine disturb least; else of
    wall clock, over the operations of all threads."""
    try:
        runs = [run for run in json.loads(stdout)["benchmarks"]
                if run.get("run_type") == "iteration"]
    except (json.JSONDecodeError, KeyError) as error:
        raise WrongOutput(f"not the JSON of a benchmark: {error}") from None
    if len(runs) != 1:
        raise WrongOutput(f"{len(runs)} benchmarks where one was asked for")
    run = runs[0]
    if run.get("error_occurred"):
        raise WrongOutput(run.get("error_message", "an error, no message"))
    group = run["name"].split("/")[0]
    alone = run["threads"] == 1 and group not in MICRO_WALL
    return number_of(run, "cpu_time" if alone else "real_time") * \
        NS_PER[run["time_unit"]]


def spawn_times(stdout, _stderr):
    """Medians in microseconds, in the order of the allocators."""
    return [float(line.split("\t")[2]) / 1000
            for line in stdout.decode().splitlines()]


def ask(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
        check=True, timeout=60)
    return done.stdout.splitlines()


def workload_rows(build, scale, threads=None):
    program = os.path.join(build, "zbm-workload")
    if not os.access(program, os.X_OK):
        return [], [("zbm-workload", BUILT)]
    extra = ["--scale", f"{scale:g}"]
    if threads:
        extra += ["--threads", str(threads)]
    rows = []
    for line in ask([program, "--list"]):
        name, seconds, origin = line.split("\t", 2)
        rows.append(Row(name=f"workload/{name}", kind=WORKLOAD,
            command=[program, name] + extra, cwd=build, origin=origin,
            output=workload_output, check=workload_check, scale=scale,
            time=workload_time, seconds=float(seconds) * scale + 0.05,
            lingers=True))
    return rows, []


def is_quick(name):
    """Of the sizes of class/ only each other power of two."""
    if any(fnmatch.fnmatch(name, pattern) for pattern in MICRO_SLOW):
        return False
    group, _, size = name.partition("/")
    return group != "class" or size in QUICK_CLASSES


def micro_rows(build, min_time, quick=False):
    rows, missing = [], []
    for file, own in (("zbm-micro", False), ("zbm-micro-pages", True)):
        program = os.path.join(build, file)
        if not os.access(program, os.X_OK):
            missing.append((file, BUILT))
            continue
        for name in ask([program, "--benchmark_list_tests=true"]):
            if quick and not is_quick(name):
                continue
            rows.append(Row(name=f"micro/{name}", kind=MICRO,
                command=[program, f"--benchmark_filter=^{re.escape(name)}$",
                    f"--benchmark_min_time={min_time:g}",
                    "--benchmark_format=json"],
                cwd=build, time=micro_time, unit="ns",
                seconds=0.02 + 2 * min_time, own=own,
                origin="Google Benchmark, ns per operation"))
    return rows, missing


# The first never allocates. All are on each Debian system.
STARTS = [["/bin/true"], ["/bin/sh", "-c", ":"], ["/bin/bash", "-c", ":"],
    ["/usr/bin/perl", "-e", "1"]]


def start_rows(build, count):
    program = os.path.join(build, "zbm-bench")
    if not os.access(program, os.X_OK):
        return [], [("zbm-bench", BUILT)]
    return [Row(name=f"start/{os.path.basename(command[0])}", kind=START,
        command=[program, "spawn", str(count), *command, "--"], cwd=build,
        time=spawn_times, unit="us", seconds=count * 0.010, together=True,
        started=command,
        origin=f"posix_spawn of {' '.join(command)} until it has ended")
        for command in STARTS], []


def matches(name, patterns):
    """A pattern without wildcards is looked for anywhere in the name."""
    return not patterns or any(fnmatch.fnmatch(name, pattern)
        if set(pattern) & set("*?[") else pattern in name
        for pattern in patterns)
