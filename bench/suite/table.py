"""table - the results in a terminal.

1. One table per metric; a line per row, a column per allocator. The row's
   best is bold. Times are the minimum of the rounds, below it the median and
   the spread (stats.py); memory and faults are medians.
2. The last column is zbmalloc over the best peer: below 1 is better, `tie`
   is what the noise does not tell apart.
"""
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import stats
from .rows import KINDS, TIMED

WIDTH = 132     # columns where the output is not a terminal
COLOURS = {"faster": "green", "slower": "red", "tie": "yellow"}
NO_VALUE = "-"
WORDS = {"time": "time", "cpu": "CPU time", "peak_kib": "peak memory",
    "after_kib": "memory after 2 s"}
TABLES = [      # besides time, for workloads and programs
    ("cpu", "CPU time, s"),
    ("peak_kib", "peak resident memory, MiB"),
    ("final_kib", "resident memory at the end, MiB"),
    ("after_kib", "resident memory 2 s after all is freed, MiB"),
    ("minor_faults", "page faults, minor"),
    ("major_faults", "page faults, major"),
]


def console(file=None):
    made = Console(file=file, highlight=False)
    if not made.is_terminal:
        made = Console(file=file, highlight=False, width=WIDTH)
    return made


def number(value):
    """Three digits that count."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    for least, digits in ((10, 1), (1, 2)):
        if value >= least:
            return f"{value:.{digits}f}"
    return f"{value:.3f}"


def scaled(value, metric):
    return value / 1024 if metric.endswith("_kib") else value


def names_in(document, rows):
    """Columns: whoever has a cell in these rows."""
    return [a["name"] for a in document["allocators"]
        if any(a["name"] in row["cells"] for row in rows)]


def cell_text(row, name, metric, best, long):
    cell = row["cells"].get(name)
    if not cell:
        return NO_VALUE
    if cell["state"] != stats.OK:
        return "[bold red]FAIL[/]" if cell["state"] == stats.FAIL else \
            f"[dim]{NO_VALUE}[/]"
    value = stats.value_of(cell, metric)
    if value is None:
        return NO_VALUE
    text = number(scaled(value, metric))
    if name == best:
        text = f"[bold]{text}[/]"
    if metric not in stats.LEAST:
        return text
    spread = f"±{cell[metric]['spread'] * 100:.0f}%"
    if long:
        return f"{text}\n[dim]{number(cell[metric]['median'])} {spread}[/]"
    return f"{text} [dim]{spread}[/]"


def verdict_text(row):
    if "against" not in row:
        return NO_VALUE
    peer = row["best_peer"]
    found = row["against"][peer]
    colour = COLOURS[found["verdict"]]
    word = " tie" if found["verdict"] == "tie" else ""
    return f"[{colour}]{found['ratio']:.2f} {peer}{word}[/]"


def ratio_text(row, own, metric, peer_names):
    peer, least = stats.least_of(row, peer_names, metric)
    value = stats.value_of(row["cells"].get(own), metric)
    if peer is None or value is None or not least:
        return NO_VALUE
    ratio = value / least
    colour = "green" if ratio <= 1.005 else "red"
    return f"[{colour}]{ratio:.2f} {peer}[/]"


def metric_table(document, rows, metric, title, long=False):
    names = names_in(document, rows)
    own = stats.names_of(document, stats.OWN)[0]
    peers = stats.names_of(document, stats.PEER)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD,
        pad_edge=False, title_style="bold")
    table.add_column("row", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("to the best peer", no_wrap=True)
    for row in rows:
        best, _ = stats.least_of(row, [own] + peers, metric)
        last = verdict_text(row) if metric == "time" else \
            ratio_text(row, own, metric, peers)
        table.add_row(row["name"].partition("/")[2],
            *(cell_text(row, name, metric, best, long) for name in names),
            last)
    return table


def means_table(document, means):
    names = [a["name"] for a in document["allocators"]]
    table = Table(title="Geometric means, relative to glibc; below 1 is "
        "better", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False,
        title_style="bold")
    for head in ["mean of", "rows"]:
        table.add_column(head, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("to the best peer", no_wrap=True)
    for group, metrics in means.items():
        for metric, mean in metrics.items():
            values = [f"{mean['values'][name]:.3f}"
                if name in mean["values"] else NO_VALUE for name in names]
            best = "" if "to_best" not in mean else \
                f"{mean['to_best']:.3f} {mean['best_peer']}"
            table.add_row(f"{group}: {WORDS[metric]}",
                f"{mean['rows']}/{mean['of']}", *values, best)
    return table


def targets_table(judgements):
    table = Table(title="Targets", title_justify="left",
        box=box.SIMPLE_HEAD, pad_edge=False, title_style="bold")
    for head in ["", "target", "", "found"]:
        table.add_column(head)
    for target in judgements:
        found = target["found"]
        for miss in target["missed"][:3]:
            ratio = "FAIL" if miss["ratio"] is None else \
                f"{miss['ratio']:.2f}"
            found += f"\n{miss['row']}: {ratio} of {miss['against']}"
        if len(target["missed"]) > 3:
            found += f"\nand {len(target['missed']) - 3} more"
        table.add_row(target["id"], target["text"], "[green]reached[/]"
            if target["reached"] else "[red]not reached[/]", escape(found))
    return table


def shared_and_own(document, rows):
    """(rows, words) of those that all have, and of zbmalloc's own."""
    own = [row for row in rows if stats.is_own(document, row)]
    shared = [row for row in rows if row not in own]
    return [pair for pair in ((shared, ""), (own, ", of zbmalloc alone"))
        if pair[0]]


def print_rows(out, document, analysis):
    units = {"micro": "ns per operation", "start": "us"}
    for kind in KINDS:
        rows = [row for row in analysis["rows"] if row["kind"] == kind]
        if not rows:
            continue
        for some, whose in shared_and_own(document, rows):
            out.print(metric_table(document, some, "time", f"{kind}{whose}: "
                f"time, {units.get(kind, 's')}", long=kind in TIMED))
        if kind not in TIMED:
            continue
        for metric, words in TABLES:
            if any(stats.value_of(cell, metric) for row in rows
                    for cell in row["cells"].values()):
                out.print(metric_table(document, rows, metric,
                    f"{kind}: {words}"))


def print_all(document, analysis, judgements, file=None):
    out = console(file)
    print_rows(out, document, analysis)
    out.print(means_table(document, analysis["means"]))
    if judgements:
        out.print(targets_table(judgements))
    for row, name, why in stats.failures(analysis):
        out.print(f"[bold red]FAIL[/] {row} under {name}: {escape(why)}")
    for row in analysis["rows"]:
        for name, cell in row["cells"].items():
            if cell["state"] == stats.LEFT_OUT:
                out.print(f"[dim]{row['name']} without {name}: "
                    f"{escape(cell['why'])}[/]")
    for name, package in document["missing"]:
        out.print(f"[yellow]missing[/] {name}: {package}")
