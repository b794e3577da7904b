"""runner - rounds of runs, allocators interleaved, and what each run gave.

1. A round runs every row once under every allocator, one right after the
   other, in an order that is drawn anew (SEED) for each row and round.
2. A run fails when it ends by a signal or a status that is not 0, takes too
   long, or its output is wrong; then that cell says FAIL and is not run
   again. Output is compared with glibc's, or with what most agree on.
3. Before the first run of a program the proof of peers.py is asked for.
4. Memory 2 s after all was freed: one run of each workload and allocator
   after the rounds. They sleep nearly all the time: those of a row run at once.
5. A budget in seconds: no round but the first begins that would exceed it,
   and one that does so nevertheless is left.
"""
import collections
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import random
import signal
import subprocess
import tempfile
import time

from . import peers
from .rows import TIMED, WrongOutput, last_object, number_of
from .stats import BOUND, FAIL, LEFT_OUT, OK

SEED = 20260101
INTERVAL = 10           # ms between two samples of resident memory
TIMEOUT = 180           # seconds, for a run that nothing is known of
TIMEOUT_TIMES = 20      # times what it was expected to take, if that is more
READY_SECONDS = 10      # for a server to answer
END_SECONDS = 5         # for it to end when its client has
SERIES_POINTS = 200     # kept of memory over time
TAIL = 2000             # bytes of stderr kept of a failure
LINGER_SECONDS = 2


class Failure(Exception):
    """A run that did not end well; .facts go into the JSON."""

    def __init__(self, why, **facts):
        super().__init__(why)
        self.facts = facts


class Full(Exception):
    """The bound's memory is used up: no failure."""


@dataclasses.dataclass
class Plan:
    rows: list
    allocators: list
    build: str
    folder: str                 # scratch
    rounds: int
    budget: float = None        # seconds
    memory_mib: int = 0         # of the machine
    begun: float = dataclasses.field(default_factory=time.monotonic)


def allocators_of(row, plan):
    if row.own:
        return [a for a in plan.allocators if a.role == "own"]
    return plan.allocators


def tail(data):
    return data[-TAIL:].decode(errors="replace")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def say_end(report):
    """None for an exit with 0."""
    if report["timed_out"]:
        return f"timed out after {report['wall']:.0f} s"
    if report["signal"]:
        return f"killed by {signal.Signals(report['signal']).name}"
    if report["exit"]:
        return f"exit status {report['exit']}"
    return None


def measure_command(row, allocator, plan, files):
    timeout = max(TIMEOUT, TIMEOUT_TIMES * row.seconds)
    command = [os.path.join(plan.build, "zbm-measure"), "-i", str(INTERVAL),
        "-o", files["report"], "-s", files["series"], "-t", f"{timeout:.0f}"]
    if not row.own:
        command += ["-p", allocator.library]
    if allocator.role == BOUND:
        command += ["-m", str(plan.memory_mib // 2)]
    return command + ["--"]


def serve(row, process, files):
    """Runs the client of a server; returns its wall seconds."""
    until = time.monotonic() + READY_SECONDS
    while row.ready and not row.ready(row.cwd):
        if process.poll() is not None or time.monotonic() > until:
            raise Failure("the server did not become ready")
        time.sleep(0.01)
    begun = time.monotonic()
    with open(files["stdout"], "wb") as out:
        done = subprocess.run(row.client, cwd=row.cwd, stdout=out,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False,
            env=peers.environment(row.env), timeout=TIMEOUT)
    if done.returncode:
        raise Failure(f"the client ended with {done.returncode}",
            stderr=tail(done.stderr))
    return time.monotonic() - begun


def execute(row, allocator, plan, folder, extra=()):
    """One run: (report of zbm-measure, stdout, stderr, series)."""
    files = {name: os.path.join(folder, name)
        for name in ("report", "series", "stdout", "server", "stderr")}
    command = measure_command(row, allocator, plan, files) + row.command + \
        list(extra)
    wall = failed = None
    with open(files["server" if row.client else "stdout"], "wb") as out, \
            open(files["stderr"], "wb") as err:
        process = subprocess.Popen(command, cwd=row.cwd, stdout=out,
            stderr=err, stdin=subprocess.DEVNULL,
            env=peers.environment(row.env))
        try:
            if row.client:
                try:
                    wall = serve(row, process, files)
                except (Failure, subprocess.TimeoutExpired) as error:
                    failed = error
                end_server(process)
            else:
                process.wait()
        except BaseException:
            # Its child dies with it.
            process.kill()
            process.wait()
            raise
    stderr = read(files["stderr"])
    if process.returncode:
        raise Failure("zbm-measure itself failed", stderr=tail(stderr))
    report = json.loads(read(files["report"]))
    if row.client and report["signal"] == signal.SIGTERM:
        report.update(signal=0, exit=0)
    judge_end(allocator, report, stderr)
    if failed:
        raise Failure(str(failed), **{"stderr": tail(stderr),
            **getattr(failed, "facts", {})})
    if wall is not None:
        report["wall"] = wall
    return report, read(files["stdout"]), stderr, read_series(files["series"])


def end_server(process):
    """The client may have ended it; SIGTERM goes on to the server."""
    for end in (None, process.terminate, process.kill):
        if end:
            end()
        try:
            process.wait(timeout=END_SECONDS)
            return
        except subprocess.TimeoutExpired:
            pass
    process.wait()


def judge_end(allocator, report, stderr):
    why = say_end(report)
    if not why:
        return
    if allocator.role == BOUND and report["exit"] == peers.LIMIT_FULL:
        raise Full("needs more than half of the machine's memory")
    raise Failure(why, stderr=tail(stderr), exit=report["exit"],
        signal=report["signal"])


def read_series(path):
    """[ms, KiB] pairs, thinned out to the highest of each stretch."""
    points = [[int(word) for word in line.split()]
        for line in read(path).decode().splitlines()]
    stretch = -(-len(points) // SERIES_POINTS) or 1
    return [max(points[i:i + stretch], key=lambda point: point[1])
        for i in range(0, len(points), stretch)]


def judge_output(row, stdout):
    """The digest that must be the same under all allocators."""
    if not row.output:
        return None
    try:
        output = row.output(row.cwd, stdout)
        wrong = row.check(output) if row.check else None
    except OSError as error:
        wrong = f"no output: {error}"
    if wrong:
        raise WrongOutput(wrong)
    return hashlib.sha256(output).hexdigest()


def sample_of(row, report, stdout, stderr, number):
    sample = {"round": number, "wall": report["wall"],
        "cpu": report["user"] + report["system"]}
    for name in ("user", "system", "peak_kib", "final_kib", "minor_faults",
            "major_faults"):
        sample[name] = report[name]
    if not sample["final_kib"]:
        # Ended before the first sample.
        del sample["final_kib"]
    sample["time"] = row.time(stdout, stderr) if row.time else report["wall"]
    return sample


def fail(result, why, **facts):
    result.update(state=FAIL, why=why, **facts)


def run_once(row, allocator, plan, result, number):
    """One run, into its result."""
    with tempfile.TemporaryDirectory(dir=plan.folder) as folder:
        stderr = b""
        try:
            report, stdout, stderr, series = execute(row, allocator, plan,
                folder)
            digest = judge_output(row, stdout)
            result["samples"].append(
                sample_of(row, report, stdout, stderr, number))
        except Full as error:
            result.update(state=LEFT_OUT, why=str(error))
            return
        except Failure as error:
            fail(result, str(error), round=number, **error.facts)
            return
        except WrongOutput as error:
            fail(result, f"wrong output: {error}", round=number,
                stderr=tail(stderr))
            return
    if digest:
        result["digests"].append(digest)
    if "series" not in result and row.kind in TIMED:
        result["series"] = series


def run_together(row, plan, results, number):
    """One process that measures all: start-up."""
    names = [a for a in plan.allocators
        if results[a.name]["state"] == OK]
    libraries = ["-" if a.name == "glibc" else a.library for a in names]
    done = subprocess.run(row.command + libraries, cwd=row.cwd, check=False,
        env=peers.environment(), capture_output=True)
    try:
        times = row.time(done.stdout, done.stderr)
    except (IndexError, ValueError):
        times = []
    if done.returncode or len(times) != len(names):
        for allocator in names:
            fail(results[allocator.name], "the spawning program failed: "
                f"{tail(done.stderr).strip()}", round=number)
        return
    for allocator, value in zip(names, times):
        results[allocator.name]["samples"].append(
            {"round": number, "time": value})


def judge_digests(results):
    """FAIL for whoever's output differs. Rule 2."""
    seen = {name: set(result["digests"]) for name, result in results.items()
        if result["state"] == OK and result["digests"]}
    steady = {name: digests for name, digests in seen.items()
        if len(digests) == 1}
    if "glibc" in steady:
        right = steady["glibc"]
    elif steady:
        most = collections.Counter(map(frozenset, steady.values()))
        right = set(most.most_common(1)[0][0])
    else:
        right = set()
    for name, digests in seen.items():
        if len(digests) > 1:
            fail(results[name], "wrong output: it differs from run to run")
        elif digests != right:
            fail(results[name], "wrong output: it differs from glibc's"
                if "glibc" in steady else
                "wrong output: it differs from most others'")


class Clock:
    """Knows what each run took, and so what is left."""

    def __init__(self, plan):
        self.took = {}
        self.first = {row.name: row.seconds for row in plan.rows}

    def add(self, row, name, seconds):
        self.took[row.name, name] = seconds

    def expect(self, row, name):
        if (row.name, name) in self.took:
            return self.took[row.name, name]
        others = [seconds for (other, _), seconds in self.took.items()
            if other == row.name]
        return sum(others) / len(others) if others else self.first[row.name]


def proof_of(row, allocator, proofs):
    """Kept for the program: its rows differ in arguments only."""
    key = (row.command[0], tuple(sorted(row.env.items())), allocator.library)
    if key not in proofs:
        proofs[key] = peers.prove(row.command, row.cwd, row.env,
            allocator.library)
    return proofs[key]


def jobs_of_round(plan, number):
    """(row, allocators in the order drawn) of each row."""
    for row in plan.rows:
        order = list(allocators_of(row, plan))
        random.Random(f"{SEED} {number} {row.name}").shuffle(order)
        yield row, order


def seconds_of_round(plan, clock, results):
    return sum(row.seconds if row.together else
        sum(clock.expect(row, a.name) for a in allocators_of(row, plan)
            if results[row.name][a.name]["state"] == OK)
        for row in plan.rows)


def seconds_of_linger(plan):
    count = len(plan.allocators)
    cpus = os.cpu_count() or 1
    return sum(LINGER_SECONDS + row.seconds * count / cpus
        for row in plan.rows if row.lingers)


def run_round(plan, number, results, clock, proofs, progress):
    left = seconds_of_round(plan, clock, results)
    for row, order in jobs_of_round(plan, number):
        if number and not is_affordable(plan, seconds_of_linger(plan)):
            return
        if row.together:
            progress(f"round {number + 1}", row.name, "", left)
            run_together(row, plan, results[row.name], number)
            left -= row.seconds
            continue
        for allocator in order:
            result = results[row.name][allocator.name]
            if result["state"] != OK:
                continue
            expected = clock.expect(row, allocator.name)
            progress(f"round {number + 1}", row.name, allocator.name, left)
            begun = time.monotonic()
            if not row.own and number == 0:
                unproven = proof_of(row, allocator, proofs)
                if unproven:
                    fail(result, f"not proven: {unproven}")
            if result["state"] == OK:
                run_once(row, allocator, plan, result, number)
            clock.add(row, allocator.name, time.monotonic() - begun)
            left -= expected


def linger_once(row, allocator, plan, result):
    with tempfile.TemporaryDirectory(dir=plan.folder) as folder:
        try:
            report = execute(row, allocator, plan, folder, ["--linger"])
            result["after_kib"] = [number_of(last_object(report[2]),
                "rss_after_kib")]
        except (Failure, WrongOutput, Full) as error:
            fail(result, f"--linger: {error}", **getattr(error, "facts", {}))


def fitting(plan, results):
    """How many of a row may run at once in half of the memory."""
    largest = max((sample["peak_kib"] for result in results.values()
        for sample in result["samples"]), default=0)
    count = (plan.memory_mib << 9) // largest if largest else 1
    return max(1, min(count, len(results)))


def run_linger(plan, results, progress):
    """Rule 4; the bound frees nothing and would say nothing."""
    left = seconds_of_linger(plan)
    for row in plan.rows:
        if not row.lingers:
            continue
        progress("after 2 s", row.name, "all", left)
        with concurrent.futures.ThreadPoolExecutor(
                fitting(plan, results[row.name])) as pool:
            runs = [pool.submit(linger_once, row, allocator, plan,
                    results[row.name][allocator.name])
                for allocator in plan.allocators
                if allocator.role != BOUND and
                results[row.name][allocator.name]["state"] == OK]
            for run in runs:
                run.result()
        left -= LINGER_SECONDS + row.seconds * len(plan.allocators) / \
            (os.cpu_count() or 1)


def is_affordable(plan, needed):
    return plan.budget is None or \
        time.monotonic() - plan.begun + needed <= plan.budget


def run(plan, progress):
    """Results by row and allocator, the rounds done, and whether Ctrl-C came.
    `progress` is called with (stage, row, allocator, seconds left of it)."""
    results = {row.name: {a.name: {"state": OK, "samples": [], "digests": []}
            for a in allocators_of(row, plan)} for row in plan.rows}
    clock, proofs, done, interrupted = Clock(plan), {}, 0, False
    linger = seconds_of_linger(plan)
    try:
        while done < plan.rounds:
            rounds_left = plan.rounds - done - 1
            one = seconds_of_round(plan, clock, results)
            if done and not is_affordable(plan, one + linger):
                break

            def tell(stage, row, name, left, more=rounds_left * one + linger):
                progress(stage, row, name, left + more)

            run_round(plan, done, results, clock, proofs, tell)
            done += 1
        run_linger(plan, results, progress)
    except KeyboardInterrupt:
        interrupted = True
    for row in results.values():
        judge_digests(row)
        for result in row.values():
            result["digests"] = sorted(set(result["digests"]))
            if result["state"] == OK and not result["samples"]:
                result.update(state=LEFT_OUT, why="interrupted before it ran")
    return results, done, interrupted
