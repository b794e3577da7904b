"""starts - the rows of small programs: one process starts them under all
allocators in turn, and gives the times of all or of none.

1. Where it fails, whoever it names is told to fail, or else, tried alone, does
   so; the others are measured again without him.
2. What is started is proven as other programs are (peers.py). One that never
   allocates is as well: the linker binds libc's own calls.
"""
from . import peers, processes
from .runs import tail
from .stats import OK

SECONDS = 60        # for a round of all
ALONE_SECONDS = 10  # for ALONE starts under one
ALONE = "3"


def library_of(allocator):
    """The C library's malloc needs no preloading here."""
    return "-" if allocator.name == "glibc" else allocator.library


def spawn(row, allocators, count=None, seconds=None):
    """(medians in the order of the allocators, None), or (None, error)."""
    program, verb, usual, *rest = row.command
    command = [program, verb, count or usual, *rest,
        *map(library_of, allocators)]
    try:
        status, out, err = processes.run_bounded(command,
            seconds or SECONDS, cwd=row.cwd, env=peers.environment())
    except processes.TimedOut as error:
        return None, error
    try:
        times = row.time(out, err)
    except (IndexError, ValueError):
        times = []
    if status or len(times) != len(allocators):
        return None, RuntimeError(tail(err).strip() or
            processes.say_status(status) or f"printed {tail(out)!r}")
    return times, None


def find_culprits(row, allocators, error):
    """[(allocator, error)] of those that cannot be started. Rule 1."""
    named = [allocator for allocator in allocators
        if str(error).endswith(f"under LD_PRELOAD={allocator.library}")]
    if named:
        return [(allocator, error) for allocator in named]
    alone = [(allocator, spawn(row, [allocator], ALONE, ALONE_SECONDS)[1])
        for allocator in allocators]
    found = [pair for pair in alone if pair[1]]
    return found or [(allocator, error) for allocator in allocators]


def run(row, state, number, fail):
    """A round of the row; fail(result, allocator, error) for who fails."""
    results = state.results[row.name]
    while True:
        left = [a for a in state.plan.allocators
            if results[a.name]["state"] == OK]
        if not left:
            return
        times, error = spawn(row, left)
        if times:
            break
        for allocator, why in find_culprits(row, left, error):
            fail(results[allocator.name], allocator, why)
    for allocator, value in zip(left, times):
        results[allocator.name]["samples"].append(
            {"round": number, "time": value})
