"""runs - one run of a row under one allocator, by zbm-measure.

1. A run fails when it ends by a signal or a status that is not 0, takes too
   long, or its output is wrong.
2. Its files lie in a folder of its own, which is gone when it is over. So is
   the program: zbm-measure kills it and what it has started.
"""
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from . import peers, processes
from .rows import WrongOutput
from .stats import BOUND

INTERVAL = 10           # ms between two samples of resident memory
TIMEOUT = 180           # seconds, for a run that nothing is known of
TIMEOUT_TIMES = 20      # times what it was expected to take, if that is more
READY_SECONDS = 10      # for a server to answer
END_SECONDS = 5         # for it to end when its client has
SERIES_POINTS = 200     # kept of memory over time
TAIL = 2000             # bytes of stderr kept of a failure
FILES = ["report", "series", "stdout", "stderr"]


class Failure(Exception):
    """A run that did not end well; .facts go into the JSON."""

    def __init__(self, why, timed_out=False, **facts):
        super().__init__(why)
        self.timed_out = timed_out
        self.facts = facts


class Full(Exception):
    """The bound's memory is used up: no failure."""


@dataclasses.dataclass
class Outcome:
    report: dict        # of zbm-measure
    stdout: bytes
    stderr: bytes
    series: list        # [ms, KiB] pairs


def tail(data):
    return data[-TAIL:].decode(errors="replace")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def measure_command(row, allocator, plan, files):
    timeout = max(TIMEOUT, TIMEOUT_TIMES * row.seconds)
    command = [os.path.join(plan.build, "zbm-measure"), "-i", str(INTERVAL),
        "-o", files["report"], "-s", files["series"], "-t", f"{timeout:.0f}"]
    if not row.own:
        command += ["-p", allocator.library]
    if allocator.role == BOUND:
        command += ["-m", str(plan.memory_mib // 2)]
    return command + ["--"]


class Run:
    """One that has begun. Leaving `with` ends it, whatever has happened."""

    def __init__(self, row, allocator, plan, extra=()):
        self.row, self.allocator = row, allocator
        self.folder = tempfile.mkdtemp(dir=plan.folder)
        self.files = {name: os.path.join(self.folder, name)
            for name in FILES}
        command = measure_command(row, allocator, plan, self.files) + \
            row.command + list(extra)
        with open(self.files["stdout"], "wb") as stdout, \
                open(self.files["stderr"], "wb") as stderr:
            self.process = subprocess.Popen(command, cwd=row.cwd,
                stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL,
                env=peers.environment(row.env), start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """SIGINT: zbm-measure kills the whole group of its command."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=END_SECONDS)
            except subprocess.TimeoutExpired:
                processes.kill_group(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def has_ended(self):
        return self.process.poll() is not None

    def serve(self):
        """The client of a server: its wall seconds, and what it printed."""
        row = self.row
        until = time.monotonic() + READY_SECONDS
        while row.ready and not row.ready(row.cwd):
            if self.has_ended() or time.monotonic() > until:
                raise Failure("the server did not become ready")
            time.sleep(0.01)
        begun = time.monotonic()
        status, out, err = processes.run_bounded(row.client, TIMEOUT,
            cwd=row.cwd, env=peers.environment(row.env))
        wall = time.monotonic() - begun
        if status:
            raise Failure(f"the client ended with {status}", stderr=tail(err))
        return wall, out

    def end_server(self):
        """The client may have ended it; SIGTERM goes on to the server."""
        for end in (None, self.process.terminate, self.process.kill):
            if end:
                end()
            try:
                self.process.wait(timeout=END_SECONDS)
                return
            except subprocess.TimeoutExpired:
                pass
        self.process.wait()

    def outcome(self):
        """What it gave, when it has ended; Failure or Full otherwise."""
        stderr = read(self.files["stderr"])
        if self.process.returncode:
            raise Failure("zbm-measure itself failed", stderr=tail(stderr))
        report = json.loads(read(self.files["report"]))
        if self.row.client and report["signal"] == signal.SIGTERM:
            report.update(signal=0, exit=0)
        judge_end(self.allocator, report, stderr)
        return Outcome(report, read(self.files["stdout"]), stderr,
            read_series(self.files["series"]))

    def outcome_of_server(self):
        """Its own end is judged first: it may be why its client failed."""
        wall = printed = failed = None
        try:
            wall, printed = self.serve()
        except Failure as error:
            failed = error
        except processes.TimedOut as error:
            failed = Failure(f"the client {error}", timed_out=True)
        self.end_server()
        outcome = self.outcome()
        if failed:
            failed.facts.setdefault("stderr", tail(outcome.stderr))
            raise failed
        outcome.report["wall"], outcome.stdout = wall, printed
        return outcome


def execute(row, allocator, plan, extra=()):
    """One run from its begin to its end."""
    with Run(row, allocator, plan, extra) as run:
        if row.client:
            return run.outcome_of_server()
        run.process.wait()
        return run.outcome()


def say_end(report):
    """None for an exit with 0."""
    if report["timed_out"]:
        return f"timed out after {report['wall']:.0f} s"
    return processes.say_status(-report["signal"] or report["exit"])


def judge_end(allocator, report, stderr):
    why = say_end(report)
    if not why:
        return
    if allocator.role == BOUND and report["exit"] == peers.LIMIT_FULL:
        raise Full("needs more than half of the machine's memory")
    raise Failure(why, timed_out=report["timed_out"], stderr=tail(stderr),
        exit=report["exit"], signal=report["signal"])


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


def sample_of(row, outcome, number):
    report = outcome.report
    sample = {"round": number, "wall": report["wall"],
        "cpu": report["user"] + report["system"]}
    for name in ("user", "system", "peak_kib", "final_kib", "minor_faults",
            "major_faults"):
        sample[name] = report[name]
    if not sample["final_kib"]:
        # Ended before the first sample.
        del sample["final_kib"]
    sample["time"] = row.time(outcome.stdout, outcome.stderr) if row.time \
        else report["wall"]
    return sample
