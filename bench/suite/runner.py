"""runner - rounds of runs, allocators interleaved, and what each run gave.

1. A round runs every row once under every allocator, one right after the
   other, in an order that is drawn anew for each row and round, from the
   plan's seed. The bound comes last, as it uses up memory; who comes first,
   after the bound of the row before, takes turns from round to round.
2. A cell whose run fails says FAIL and is not run again. Output is compared
   with glibc's, or with what most agree on: that finds whose malloc changes
   what a program does. Whether the output is true is asked apart from that
   (Row.check, truths.py), of glibc's as well.
3. Before the first run of a program the proof of peers.py is asked for.
4. An allocator that has timed out MAX_TIMEOUTS times is given up: its other
   cells fail without being run.
5. A budget in seconds: no round but the first begins that would exceed it,
   and one that does so nevertheless is left; so are rows of the first when
   all of the budget is used up.
6. An interruption ends the rounds; what was measured until then is kept.
"""
import collections
import dataclasses
import random
import time

from . import linger, peers, processes, starts
from .rows import TIMED, WrongOutput
from .runs import Failure, Full, execute, judge_output, sample_of, tail
from .stats import BOUND, FAIL, LEFT_OUT, OK

MAX_TIMEOUTS = 2
NO_TIME = "no time was left"


@dataclasses.dataclass
class Plan:
    rows: list
    allocators: list
    build: str
    folder: str                 # scratch
    rounds: int
    repeats: int = 1            # of linger.py
    seed: int = 0
    budget: float = None        # seconds
    memory_mib: int = 0         # of the machine
    begun: float = dataclasses.field(default_factory=time.monotonic)


class Patience:
    """Rule 4."""

    def __init__(self):
        self.timeouts = collections.Counter()

    def note(self, name, error):
        if isinstance(error, processes.TimedOut) or \
                getattr(error, "timed_out", False):
            self.timeouts[name] += 1

    def gave_up(self, name):
        """Why, or None."""
        if self.timeouts[name] < MAX_TIMEOUTS:
            return None
        return f"gave up after {self.timeouts[name]} timeouts"


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


class State:
    """What has become of a plan."""

    def __init__(self, plan):
        self.plan = plan
        self.results = {row.name: {a.name: {"state": OK, "samples": [],
                    "digests": []} for a in allocators_of(row, plan)}
            for row in plan.rows}
        self.clock, self.patience = Clock(plan), Patience()
        self.proofs = {}
        self.done = 0           # whole rounds


def allocators_of(row, plan):
    if row.own:
        return [a for a in plan.allocators if a.role == "own"]
    return plan.allocators


def fail(result, why, **facts):
    result.update(state=FAIL, why=why, **facts)


def run_once(row, allocator, plan, result, number):
    """One run, into its result; the error, if there was one."""
    stderr = b""
    try:
        outcome = execute(row, allocator, plan)
        stderr = outcome.stderr
        digest = judge_output(row, outcome.stdout)
        sample = sample_of(row, outcome, number)
    except Full as error:
        result.update(state=LEFT_OUT, why=str(error))
        return error
    except Failure as error:
        fail(result, str(error), round=number, **error.facts)
        return error
    except WrongOutput as error:
        fail(result, f"wrong output: {error}", round=number,
            stderr=tail(stderr))
        return error
    result["samples"].append(sample)
    if digest:
        result["digests"].append(digest)
    if "series" not in result and row.kind in TIMED:
        result["series"] = outcome.series
    return None


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


def proof_of(row, allocator, state):
    """Kept for the program: its rows differ in arguments only. An error, or
    None."""
    command = row.started or row.command
    preloaded = not row.started or starts.library_of(allocator) != "-"
    key = (command[0], tuple(sorted(row.env.items())), allocator.library,
        preloaded)
    if key not in state.proofs:
        try:
            unproven = peers.prove(command, row.cwd, row.env,
                allocator.library, preloaded)
            error = unproven and Failure(f"not proven: {unproven}")
        except processes.TimedOut as timeout:
            error = Failure(f"not proven: {timeout}", timed_out=True)
        state.patience.note(allocator.name, error)
        state.proofs[key] = error
    return state.proofs[key]


def order_of(row, plan, number):
    """Rule 1."""
    some = allocators_of(row, plan)
    bound = [a for a in some if a.role == BOUND]
    rest = [a for a in some if a.role != BOUND]
    random.Random(f"{plan.seed} {row.name}").shuffle(rest)
    first = [rest.pop(number % len(rest))] if rest else []
    random.Random(f"{plan.seed} {number} {row.name}").shuffle(rest)
    return first + rest + bound


def is_ready(row, allocator, state, number):
    """Whether the cell is to be run: it has not failed, and is proven."""
    result = state.results[row.name][allocator.name]
    if result["state"] != OK:
        return False
    gave_up = state.patience.gave_up(allocator.name)
    if gave_up:
        fail(result, gave_up, round=number)
        return False
    unproven = None
    if not row.own and number == 0:
        unproven = proof_of(row, allocator, state)
    if unproven:
        fail(result, str(unproven), round=number)
    return not unproven


def run_start_row(row, state, number):
    def failed(result, allocator, error):
        state.patience.note(allocator.name, error)
        fail(result, str(error), round=number)

    for allocator in state.plan.allocators:
        is_ready(row, allocator, state, number)
    starts.run(row, state, number, failed)


def seconds_of_round(state):
    return sum(row.seconds if row.together else
        sum(state.clock.expect(row, a.name)
            for a in allocators_of(row, state.plan)
            if state.results[row.name][a.name]["state"] == OK)
        for row in state.plan.rows)


def is_affordable(plan, needed):
    return plan.budget is None or \
        time.monotonic() - plan.begun + needed <= plan.budget


def leave_out(row, state):
    for result in state.results[row.name].values():
        result.update(state=LEFT_OUT, why=NO_TIME)


def run_round(state, number, progress):
    """False when it was left before its end."""
    plan, left = state.plan, seconds_of_round(state)
    linger_seconds = linger.seconds_of(state)
    for row in plan.rows:
        if number and not is_affordable(plan, linger_seconds):
            return False
        if not is_affordable(plan, 0):
            leave_out(row, state)
            continue
        if row.together:
            progress(f"round {number + 1}", row.name, "", left)
            run_start_row(row, state, number)
            left -= row.seconds
            continue
        for allocator in order_of(row, plan, number):
            result = state.results[row.name][allocator.name]
            if result["state"] != OK:
                continue
            expected = state.clock.expect(row, allocator.name)
            progress(f"round {number + 1}", row.name, allocator.name, left)
            begun = time.monotonic()
            if is_ready(row, allocator, state, number):
                state.patience.note(allocator.name,
                    run_once(row, allocator, plan, result, number))
            state.clock.add(row, allocator.name, time.monotonic() - begun)
            left -= expected
    return True


def run_rounds(state, progress):
    plan = state.plan
    linger_seconds = linger.seconds_of(state)
    while state.done < plan.rounds:
        one = seconds_of_round(state)
        if state.done and not is_affordable(plan, one + linger_seconds):
            break
        more = (plan.rounds - state.done - 1) * one + linger_seconds

        def tell(stage, row, name, left, more=more):
            progress(stage, row, name, left + more)

        if not run_round(state, state.done, tell):
            break
        state.done += 1


def end(results):
    """What can be said only when all runs are over."""
    for row in results.values():
        judge_digests(row)
        for result in row.values():
            result["digests"] = sorted(set(result["digests"]))
            if result["state"] == OK and not result["samples"]:
                result.update(state=LEFT_OUT, why="interrupted before it ran")


def run(plan, progress):
    """Results by row and allocator, the whole rounds, and the number of the
    signal that ended them, or 0. `progress` is called with (stage, row,
    allocator, seconds left)."""
    state, interrupted = State(plan), 0
    try:
        run_rounds(state, progress)
        if is_affordable(plan, 0):
            linger.run_all(state, progress)
    except KeyboardInterrupt as error:
        interrupted = int(processes.signal_of(error))
    end(state.results)
    return state.results, state.done, interrupted
