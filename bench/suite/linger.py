"""linger - the memory of workloads that have freed everything.

1. `idle_kib` is taken after 2 s of sleep, `after_kib` after 2 s more in which
   the process makes a few small calls every 20 ms. All is told by the
   workload itself, at the end of its run with --linger.
2. Each workload runs so REPEATS times under each allocator, after the rounds;
   the median counts. The bound frees nothing and would say nothing.
3. As many sleep at once as half of the memory holds. But how threads take
   turns tells in what is left of memory: only as many are at work as there
   are CPUs for. Work is over when a workload has printed its sum.
4. What fails here leaves the samples of the rounds as they are.
"""
import math
import os
import time

from .rows import WrongOutput, last_object, number_of
from .runs import Failure, Full, Run
from .stats import BOUND, LINGERING, OK

SECONDS = 4
REPEATS, QUICK_REPEATS = 3, 1
CROWDING = 1.5      # CPUs that a workload needs, in the mean: for estimates
ROUNDING = 0.25     # of a CPU that a workload may need besides
POLL_SECONDS = 0.02
CPUS = os.cpu_count() or 1


def jobs_of(plan):
    """All rows before any is repeated, so that a cut leaves the most."""
    return [(row, allocator) for _ in range(plan.repeats)
        for row in plan.rows if row.lingers
        for allocator in plan.allocators if allocator.role != BOUND]


def most_at_once(state):
    """How many half of the memory holds."""
    largest = max((sample["peak_kib"]
        for row, allocator in jobs_of(state.plan)
        for sample in state.results[row.name][allocator.name]["samples"]),
        default=0)
    return max(1, (state.plan.memory_mib << 9) // largest) if largest else 1


def cpus_of(row, state):
    """What the rounds have shown."""
    shares = [sample["cpu"] / sample["wall"]
        for result in state.results[row.name].values()
        for sample in result["samples"]]
    return min(CPUS, max(1, math.ceil(max(shares, default=CPUS) - ROUNDING)))


def seconds_of(state):
    work = sum(state.clock.expect(row, allocator.name)
        for row, allocator in jobs_of(state.plan))
    return work * min(CPUS, CROWDING) / CPUS + SECONDS if work else 0


def fail(result, why):
    for metric in LINGERING:
        result.pop(metric, None)
    result["linger_why"] = why


def is_worth_running(state, row, allocator):
    result = state.results[row.name][allocator.name]
    if result["state"] != OK or "linger_why" in result:
        return False
    gave_up = state.patience.gave_up(allocator.name)
    if gave_up:
        fail(result, gave_up)
    return not gave_up


def take(run, state):
    """The values of a run that has ended."""
    result = state.results[run.row.name][run.allocator.name]
    try:
        told = last_object(run.outcome().stderr)
        values = {metric: number_of(told, f"rss_{metric}")
            for metric in LINGERING}
    except (Failure, WrongOutput, Full) as error:
        state.patience.note(run.allocator.name, error)
        if "linger_why" not in result:
            fail(result, str(error))
        return
    if "linger_why" not in result:
        for metric, value in values.items():
            result.setdefault(metric, []).append(value)


def is_at_work(run):
    return not os.path.getsize(run.files["stdout"])


def next_job(jobs, running, state):
    """The first that there are CPUs for; None: there are none."""
    free = CPUS - sum(cpus_of(run.row, state) for run in running
        if is_at_work(run))
    return next((job for job in jobs if cpus_of(job[0], state) <= free), None)


def run_all(state, progress):
    jobs, running = jobs_of(state.plan), []
    most = most_at_once(state)
    each = seconds_of(state) / max(1, len(jobs))
    try:
        while jobs or running:
            while len(running) < most and \
                    (job := next_job(jobs, running, state)):
                jobs.remove(job)
                if is_worth_running(state, *job):
                    progress("all freed", job[0].name, job[1].name,
                        each * (len(jobs) + 1))
                    running.append(Run(*job, state.plan, ["--linger"]))
            time.sleep(POLL_SECONDS)
            for run in [run for run in running if run.has_ended()]:
                take(run, state)
                run.stop()
                running.remove(run)
    finally:
        for run in running:
            run.stop()
