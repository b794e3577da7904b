"""bench - measure zbmalloc beside other allocators.

scripts/bench builds what is needed and calls this; `--build` is the folder
of the programs that it has built.

1. The JSON holds all samples; terminal, page and document are made from it
   and nothing else (stats.py), so `--read FILE` shows a run of old again.
2. The exit status is 1 when zbmalloc failed in a row, with --targets also
   when a target is not reached, and 2 for a wrong argument.
"""
import argparse
import datetime
import json
import os
import sys
import tempfile
import time

from rich.progress import BarColumn, Progress, TextColumn

from . import document as pages
from . import machine, page, peers, runner, stats, table, targets
from . import rows as suite_rows
from .rows import KINDS

FORMAT = 1          # of the JSON
ROUNDS, QUICK_ROUNDS = 5, 3
QUICK_SECONDS = 270     # no round begins that would end later
QUICK_SCALE = 0.1
MIN_TIME, QUICK_MIN_TIME = 0.05, 0.01      # seconds per micro benchmark
SPAWNS, QUICK_SPAWNS = 40, 20               # per round and allocator


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench",
        description="Measure zbmalloc beside other allocators, in rounds "
        "that interleave them.")
    add = parser.add_argument
    add("--quick", action="store_true",
        help="under 5 minutes: small inputs, fewer micro benchmarks, up to "
        "3 rounds")
    add("--filter", action="append", default=[], metavar="PATTERN",
        help="rows whose name has PATTERN in it, or matches it where it has "
        "wildcards; may be repeated")
    add("--kind", action="append", default=[], choices=KINDS,
        help="rows of this kind only; may be repeated")
    add("--runs", type=int, metavar="N",
        help=f"rounds; default {ROUNDS}, with --quick {QUICK_ROUNDS}, or what "
        "time allows")
    add("--peer", action="append", default=[], metavar="NAME=PATH",
        help="one more allocator's library; may be repeated")
    add("--allocators", metavar="NAMES",
        help="only these, separated by commas; zbmalloc is always measured")
    add("--scale", type=float, metavar="X",
        help=f"size of workloads and programs; default 1, with --quick "
        f"{QUICK_SCALE}")
    add("--json", metavar="FILE", help="write all samples")
    add("--html", metavar="FILE", help="write a page with charts")
    add("--targets", action="store_true",
        help="judge the targets; status 1 when one is not reached")
    add("--list", action="store_true", help="list the rows and end")
    add("--read", metavar="FILE",
        help="measure nothing: show what --json wrote")
    add("--document", metavar="FILE",
        help="measure nothing: bring docs/BENCHMARKS.md up to date with "
        "what --json wrote")
    add("--lib", default=os.environ.get("ZBM_LIB"), help=argparse.SUPPRESS)
    add("--build", default=".", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.runs is not None and args.runs < 1:
        parser.error("--runs must be at least 1")
    if args.scale is not None and args.scale <= 0:
        parser.error("--scale must be positive")
    if not (args.lib or args.read or args.document or args.list):
        parser.error("--lib or ZBM_LIB is needed")
    # Better said now than after an hour.
    for path in filter(None, (args.json, args.html)):
        if not os.access(os.path.dirname(path) or ".", os.W_OK):
            parser.error(f"cannot write {path}")
    if args.html and not os.path.exists(page.CHART):
        parser.error(f"no {page.CHART}: package libjs-chart.js")
    args.build = os.path.abspath(args.build)
    return args


def collect_rows(args, folder):
    """All rows that are wanted, and (name, package) of what is missing."""
    scale = args.scale or (QUICK_SCALE if args.quick else 1.0)
    made = []
    if not args.kind or suite_rows.MICRO in args.kind:
        made.append(suite_rows.micro_rows(args.build,
            QUICK_MIN_TIME if args.quick else MIN_TIME, args.quick))
    if not args.kind or suite_rows.START in args.kind:
        made.append(suite_rows.start_rows(args.build,
            QUICK_SPAWNS if args.quick else SPAWNS))
    if not args.kind or suite_rows.WORKLOAD in args.kind:
        made.append(suite_rows.workload_rows(args.build, scale))
    if not args.kind or suite_rows.PROGRAM in args.kind:
        from . import programs
        made.append(programs.rows(folder, scale))
    rows, missing = [], []
    for some, without in made:
        rows += some
        missing += without
    rows = [row for row in rows
        if suite_rows.is_wanted(row, args.filter, args.kind)]
    if not rows:
        sys.exit("bench: no row matches")
    return rows, missing


def choose_allocators(args):
    found, missing = peers.find(args.lib, args.build, args.peer)
    if not args.allocators:
        return found, missing
    names = set(args.allocators.split(","))
    unknown = names - {a.name for a in found}
    if unknown:
        sys.exit(f"bench: not installed or unknown: "
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
    columns = [TextColumn("{task.fields[stage]:>10}"), BarColumn(),
        TextColumn("{task.fields[left]} left"),
        TextColumn("[dim]{task.description}")]
    with Progress(*columns, console=table.console(sys.stderr),
            transient=True) as bar:
        task = bar.add_task("", stage="", left="", total=1)

        def tell(stage, row, name, left):
            passed = time.monotonic() - begun
            bar.update(task, description=f"{row} {name}", stage=stage,
                left=clock_text(left), completed=passed,
                total=passed + left)

        return runner.run(plan, tell)


def measure(args):
    rows, missing = collect_rows(args, input_folder(args))
    allocators, unfound = choose_allocators(args)
    rounds = args.runs or (QUICK_ROUNDS if args.quick else ROUNDS)
    about = machine.describe()
    if about["load before"] > about["CPUs"] / 2:
        print(f"bench: the machine is busy (load {about['load before']}): "
            "times will be uncertain", file=sys.stderr)
    started = datetime.datetime.now(datetime.timezone.utc)
    with tempfile.TemporaryDirectory(prefix="zbm-bench-") as folder:
        plan = runner.Plan(rows=rows, allocators=allocators,
            build=args.build, folder=folder, rounds=rounds,
            memory_mib=about["memory MiB"],
            budget=QUICK_SECONDS if args.quick else None)
        results, done, interrupted = run_with_progress(plan)
    if interrupted and not done:
        sys.exit("bench: interrupted in the first round")
    if interrupted:
        print("bench: interrupted; what was measured so far:",
            file=sys.stderr)
    return {
        "format": FORMAT,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - plan.begun, 1),
        "quick": args.quick, "rounds": done, "interrupted": interrupted,
        "whole": not (args.filter or args.kind or args.allocators),
        "machine": about,
        "allocators": [vars(allocator) for allocator in allocators],
        "missing": missing + unfound,
        "rows": [{"name": row.name, "kind": row.kind, "unit": row.unit,
                "origin": row.origin, "scale": row.scale,
                "command": row.command, "results": results[row.name]}
            for row in rows],
    }


def read_document(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    if document.get("format") != FORMAT:
        sys.exit(f"bench: {path}: not of format {FORMAT}")
    return document


def list_rows(args):
    rows, missing = collect_rows(args, input_folder(args))
    for row in rows:
        print(f"{row.name}\t{row.origin}")
    for name, package in missing:
        print(f"missing {name}: {package}", file=sys.stderr)


def own_failed(document, analysis):
    own = stats.names_of(document, stats.OWN)
    return any(name in own for _, name, _ in stats.failures(analysis))


def main():
    args = parse_arguments()
    if args.list:
        list_rows(args)
        return 0
    path = args.read or args.document
    document = read_document(path) if path else measure(args)
    analysis = stats.analyse(document)
    judgements = targets.judge(document, analysis)
    if args.document:
        pages.write(document, analysis, judgements)
        return 0
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(document, file, separators=(",", ":"))
    if args.html:
        page.write(args.html, document, analysis, judgements)
    # Without the rows that they are about, targets say nothing.
    table.print_all(document, analysis,
        judgements if args.targets or document["whole"] else [])
    if own_failed(document, analysis):
        return 1
    if args.targets and not all(j["reached"] for j in judgements):
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # Whoever read the tables has seen enough; nothing is left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
