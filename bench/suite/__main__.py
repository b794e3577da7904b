"""bench - measure zbmalloc beside other allocators.

scripts/bench builds what is needed and calls this; `--build` is the folder
of the programs that it has built.

1. The JSON holds all samples; terminal, page and document are made from it
   and nothing else (stats.py), so `--read FILE` shows a run of old again.
2. The table is printed first, the files are written then, whatever became of
   the table. Where a file is standard output, the table goes to standard
   error.
3. The exit status is 128 and the signal's number when the run was interrupted,
   2 for what cannot be done or written, 1 when zbmalloc failed in a row, and
   with --targets also when a target was measured and not reached.
"""
import datetime
import json
import os
import signal
import sys
import tempfile
import time

if __name__ == "__main__" and \
        signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    # Until main() cares for it, it just ends.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

try:
    from rich.progress import BarColumn, Progress, TextColumn
except ImportError:
    print("bench: no python3-rich; scripts/setup --what bench installs it",
        file=sys.stderr)
    sys.exit(2)

from . import document as pages
from . import documents, files, layout, linger, machine, options, page, \
    peers, processes, runner, stats, table, targets
from . import rows as suite_rows
from .files import Refused

QUICK_SECONDS = 270     # no round begins that would end later
MIN_TIME, QUICK_MIN_TIME = 0.05, 0.01      # seconds per micro benchmark
SPAWNS, QUICK_SPAWNS = 40, 20               # per round and allocator


def scale_of(args):
    return args.scale or (options.QUICK_SCALE if args.quick else 1.0)


def rows_of_kind(args, kind, quick):
    """(rows, missing) before --filter; of programs only what is wanted."""
    from . import programs
    if kind == suite_rows.MICRO:
        return suite_rows.micro_rows(args.build,
            QUICK_MIN_TIME if args.quick else MIN_TIME, quick)
    if kind == suite_rows.START:
        return suite_rows.start_rows(args.build,
            QUICK_SPAWNS if args.quick else SPAWNS)
    if kind == suite_rows.WORKLOAD:
        return suite_rows.workload_rows(args.build, scale_of(args))
    return programs.rows(input_folder(args), scale_of(args),
        lambda name: suite_rows.matches(name, args.filter))


def collect_rows(args, quick):
    """All rows that are wanted, and (name, package) of what is missing."""
    rows, missing = [], []
    for kind in suite_rows.KINDS:
        if not args.kind or kind in args.kind:
            some, without = rows_of_kind(args, kind, quick)
            rows += some
            missing += without
    return [row for row in rows
        if suite_rows.matches(row.name, args.filter)], missing


def wanted_rows(args):
    rows, missing = collect_rows(args, args.quick)
    if rows:
        return rows, missing
    if missing:
        raise Refused("no row left: " + "; ".join(f"{name} is missing "
            f"({package})" for name, package in missing))
    if args.quick and collect_rows(args, False)[0]:
        raise Refused("no row matches that --quick measures; without it "
            "there are some")
    raise Refused("no row matches; --list names them")


def choose_allocators(args):
    found, missing = peers.find(args.lib, args.build, args.peer)
    if not args.allocators:
        return found, missing
    names = set(args.allocators.split(","))
    unknown = names - {a.name for a in found}
    if unknown:
        raise Refused(f"not installed or unknown: "
            f"{', '.join(sorted(unknown))}")
    return [a for a in found if a.role == stats.OWN or a.name in names], []


def input_folder(args):
    """Generated input is kept between runs."""
    folder = os.path.join(args.build, "suite-input")
    os.makedirs(folder, exist_ok=True)
    return folder


def clock_text(seconds):
    seconds = max(0, round(seconds))
    hours, minutes = divmod(seconds // 60, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds % 60:02} s"


def run_with_progress(plan):
    """What is left is estimated anew with each run, the total with it."""
    begun = time.monotonic()
    columns = [TextColumn("{task.fields[stage]:>10}", markup=False),
        BarColumn(), TextColumn("{task.fields[left]} left", markup=False),
        TextColumn("{task.description}", style="dim", markup=False)]
    with Progress(*columns, console=layout.console(sys.stderr),
            transient=True) as bar:
        task = bar.add_task("", stage="", left="", total=1)

        def tell(stage, row, name, left):
            passed = time.monotonic() - begun
            bar.update(task, description=f"{row} {name}", stage=stage,
                left=clock_text(left), completed=passed,
                total=passed + left)

        return runner.run(plan, tell)


def narrowed(args):
    """What the run is only of, by the option that says so."""
    return {name: ", ".join(value) if isinstance(value, list) else value
        for name in ("filter", "kind", "allocators")
        if (value := getattr(args, name))}


def row_text(row, results):
    return {"name": row.name, "kind": row.kind, "unit": row.unit,
        "origin": row.origin, "scale": row.scale, "command": row.command,
        "results": results}


def has_begun(results):
    return any(result["samples"] or result["state"] == stats.FAIL
        for result in results.values())


def measure(args):
    rows, missing = wanted_rows(args)
    allocators, unfound = choose_allocators(args)
    about = machine.describe()
    if about["load before"] > about["CPUs"] / 2:
        print(f"bench: the machine is busy (load {about['load before']}): "
            "times will be uncertain", file=sys.stderr)
    started = datetime.datetime.now(datetime.timezone.utc)
    seed = int(started.timestamp() * 1000)
    with tempfile.TemporaryDirectory(prefix="zbm-bench-") as folder:
        plan = runner.Plan(rows=rows, allocators=allocators,
            build=args.build, folder=folder, seed=seed,
            rounds=args.runs or (options.QUICK_ROUNDS if args.quick else
                options.ROUNDS),
            repeats=linger.QUICK_REPEATS if args.quick else linger.REPEATS,
            memory_mib=about["memory MiB"],
            budget=QUICK_SECONDS if args.quick else None)
        results, done, interrupted = run_with_progress(plan)
    kept = [row for row in rows
        if not interrupted or has_begun(results[row.name])]
    if not kept:
        raise processes.Interrupted(interrupted)
    if interrupted:
        print(f"bench: interrupted after {done} whole rounds; {len(kept)} of "
            f"{len(rows)} rows have been measured:", file=sys.stderr)
    return {
        "format": documents.FORMAT,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - plan.begun, 1),
        "quick": args.quick, "scale": scale_of(args), "seed": seed,
        "rounds": done, "interrupted": interrupted, "only": narrowed(args),
        "machine": about,
        "allocators": [vars(allocator) for allocator in allocators],
        "missing": missing + unfound,
        "rows": [row_text(row, results[row.name]) for row in kept],
    }


def list_rows(args):
    """What --list names needs no input, and so no program either."""
    from . import programs
    args.kind = args.kind or suite_rows.KINDS
    named = programs.listed() if suite_rows.PROGRAM in args.kind else []
    args.kind = [kind for kind in args.kind if kind != suite_rows.PROGRAM]
    rows, missing = collect_rows(args, args.quick) if args.kind else ([], [])
    listed = [(row.name, row.origin) for row in rows] + \
        [pair for pair in named if suite_rows.matches(pair[0], args.filter)]
    for name, origin in listed:
        print(f"{name}\t{origin}")
    for name, package in missing:
        print(f"missing {name}: {package}", file=sys.stderr)


def own_failed(document, analysis):
    own = stats.names_of(document, stats.OWN)
    return any(name in own for _, name, _ in stats.failures(analysis))


def write_files(args, document, analysis, judgements):
    """Both are tried."""
    faults = []
    for path, write in ((args.json, lambda: files.write(args.json,
                json.dumps(document, separators=(",", ":")))),
            (args.html, lambda: page.write(args.html, document, analysis,
                judgements))):
        try:
            if path:
                write()
        except Refused as error:
            faults.append(str(error))
    if faults:
        raise Refused("; ".join(faults))


def show(args, document, analysis, judgements):
    """Rule 2; the exit status as far as printing and writing go."""
    shown = judgements if args.targets or not documents.parts(document) \
        else []
    out = sys.stderr if any(map(files.is_standard_output,
        (args.json, args.html))) else sys.stdout
    status = 0
    try:
        table.print_all(document, analysis, shown, out)
        out.flush()
    except BrokenPipeError:
        # Whoever read the tables has seen enough; nothing is left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        status = 1
    except OSError as error:
        print(f"bench: cannot print: {error.strerror}", file=sys.stderr)
        status = 2
    try:
        write_files(args, document, analysis, shown)
    except Refused as error:
        print(f"bench: {error}", file=sys.stderr)
        status = 2
    return status


def fill_document(path):
    document = documents.read(path)
    parts = documents.parts(document)
    if parts:
        raise Refused(f"{path}: not a whole run ({', '.join(parts)}; "
            f"{document['rounds']} rounds): {pages.PATH} stays as it is")
    analysis = stats.analyse(document)
    pages.write(document, analysis, targets.judge(document, analysis))


def bench(args):
    """The exit status."""
    if not (args.lib or args.read or args.document or args.list):
        raise Refused("--lib or ZBM_LIB is needed")
    if args.html and not os.path.exists(page.CHART):
        raise Refused(f"no {page.CHART}: package libjs-chart.js")
    if args.list:
        list_rows(args)
        return 0
    if args.document:
        fill_document(args.document)
        return 0
    document = documents.read(args.read) if args.read else measure(args)
    analysis = stats.analyse(document)
    judgements = targets.judge(document, analysis)
    status = show(args, document, analysis, judgements)
    if document["interrupted"] and not args.read:
        return 128 + document["interrupted"]
    missed = args.targets and any(judgement["reached"] is False
        for judgement in judgements)
    return status or int(own_failed(document, analysis) or missed)


def main():
    processes.catch_signals()
    try:
        return bench(options.parse())
    except Refused as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print("bench: interrupted", file=sys.stderr)
        return 128 + processes.signal_of(error)


if __name__ == "__main__":
    sys.exit(main())
