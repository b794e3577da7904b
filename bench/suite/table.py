"""table - the results in a terminal.

1. One table per metric; a line per row, a column per allocator. The row's
   best is bold. Times are the minimum of the rounds, below it the median and
   the spread (stats.py); memory and faults are medians. Where the terminal is
   narrow, only what counts is left (layout.py).
2. The last column is zbmalloc over the best peer: below 1 is better, `tie`
   is what the noise does not tell apart.
"""
from rich.text import Text

from . import documents, stats
from .layout import Grid, console, plus_minus, show
from .rows import KINDS, TIMED

COLOURS = {"faster": "green", "slower": "red", "tie": "yellow"}
VERDICT_COLOURS = {True: "green", False: "red", None: "yellow"}
NO_VALUE = "-"
LONG, SHORT, BARE = "with medians", "with spreads", "values only"
MISSES = 3      # rows named of a target that is missed
UNITS = {"micro": "ns per operation", "start": "us"}
WORDS = {"time": "time", "cpu": "CPU time", "peak_kib": "peak memory",
    "idle_kib": "memory after 2 s of sleep",
    "after_kib": "memory 2 s later, with calls"}
TABLES = [      # besides time, for workloads and programs
    ("cpu", "CPU time, s"),
    ("peak_kib", "peak resident memory, MiB"),
    ("final_kib", "resident memory at the end, MiB"),
    ("idle_kib", "resident memory after 2 s of sleep, all freed, MiB"),
    ("after_kib", "resident memory 2 s later, with a few small calls, MiB"),
    ("minor_faults", "page faults, minor"),
    ("major_faults", "page faults, major"),
]


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


def cell_text(row, name, metric, best, form, sign):
    cell = row["cells"].get(name)
    value = stats.value_of(cell, metric)
    if stats.has_failed(cell, metric):
        return Text("FAIL", "bold red")
    if value is None:
        return Text(NO_VALUE, "dim")
    made = Text(number(scaled(value, metric)), "bold" if name == best else "")
    if metric not in stats.LEAST or form == BARE:
        return made
    spread = f"{sign}{cell[metric]['spread'] * 100:.0f}%"
    if form == SHORT:
        return Text.assemble(made, (f" {spread}", "dim"))
    middle = number(cell[metric]["median"])
    return Text.assemble(made, (f"\n{middle} {spread}", "dim"))


def verdict_text(row):
    if "against" not in row:
        return Text(NO_VALUE)
    peer = row["best_peer"]
    found = row["against"][peer]
    if not found:
        return Text(NO_VALUE)
    word = " tie" if found["verdict"] == "tie" else ""
    return Text(f"{found['ratio']:.2f} {peer}{word}",
        COLOURS[found["verdict"]])


def ratio_text(row, own, metric, peer_names):
    peer, least = stats.least_of(row, peer_names, metric)
    value = stats.value_of(row["cells"].get(own), metric)
    if peer is None or value is None or not least:
        return Text(NO_VALUE)
    ratio = value / least
    return Text(f"{ratio:.2f} {peer}", "green" if ratio <= 1.005 else "red")


def metric_grid(document, rows, metric, title, form, sign):
    names = names_in(document, rows)
    own = stats.names_of(document, stats.OWN)[0]
    peers = stats.names_of(document, stats.PEER)
    lines = []
    for row in rows:
        best, _ = stats.least_of(row, [own] + peers, metric)
        last = verdict_text(row) if metric == "time" else \
            ratio_text(row, own, metric, peers)
        lines.append([row["name"].partition("/")[2]] +
            [cell_text(row, name, metric, best, form, sign)
                for name in names] + [last])
    return Grid(title, ["row"] + names + ["to the best peer"], lines,
        left=(len(names) + 1,))


def show_metric(out, document, rows, metric, title):
    if metric not in stats.LEAST:
        forms = [BARE]
    elif metric == "time" and rows[0]["kind"] in TIMED:
        forms = [LONG, BARE]
    else:
        forms = [SHORT, BARE]
    show(out, *(metric_grid(document, rows, metric, title, form,
        plus_minus(out)) for form in forms))


def mean_text(mean, name):
    """A mean over fewer rows says so."""
    failed = mean["failed"].get(name)
    words = f"failed {failed} rows" if failed else ""
    if name not in mean["values"]:
        return words or NO_VALUE
    return f"{mean['values'][name]:.3f}" + (f" ({words})" if words else "")


def show_means(out, document, means):
    names = [a["name"] for a in document["allocators"]]
    lines = []
    for group, metrics in means.items():
        for metric, mean in metrics.items():
            best = "" if "to_best" not in mean else \
                f"{mean['to_best']:.3f} {mean['best_peer']}"
            lines.append([f"{group}: {WORDS[metric]}",
                f"{mean['rows']}/{mean['of']}"] +
                [mean_text(mean, name) for name in names] + [best])
    part = "" if documents.has_all_rows(document) else \
        " over a part of all rows"
    show(out, Grid(f"Geometric means{part}, relative to "
        f"{stats.references(means)}; below 1 is better",
        ["mean of", "rows"] + names + ["to the best peer"], lines,
        left=(len(names) + 2,)))


def found_text(target):
    found = target["found"]
    for miss in target["missed"][:MISSES]:
        ratio = "FAIL" if miss["ratio"] is None else f"{miss['ratio']:.2f}"
        found += f"\n{miss['row']}: {ratio} of {miss['against']}"
    if len(target["missed"]) > MISSES:
        found += f"\nand {len(target['missed']) - MISSES} more"
    return found


def show_targets(out, judgements):
    show(out, Grid("Targets", ["", "target", "", "found"], [[target["id"],
            target["text"], Text(target["verdict"],
                VERDICT_COLOURS[target["reached"]]), found_text(target)]
        for target in judgements], wraps=True, left=(1, 2, 3)))


def shared_and_own(document, rows):
    """(rows, words) of those that all have, and of zbmalloc's own."""
    own = [row for row in rows if stats.is_own(document, row)]
    shared = [row for row in rows if row not in own]
    return [pair for pair in ((shared, ""), (own, ", of zbmalloc alone"))
        if pair[0]]


def metrics_in(rows):
    """(metric, title) of the tables besides time."""
    return [(metric, title) for metric, title in TABLES
        if any(stats.value_of(cell, metric) for row in rows
            for cell in row["cells"].values()) or
        metric in stats.LINGERING and
        any(stats.concerns(row, metric) for row in rows)]


def show_rows(out, document, analysis):
    for kind in KINDS:
        rows = [row for row in analysis["rows"] if row["kind"] == kind]
        if not rows:
            continue
        for some, whose in shared_and_own(document, rows):
            show_metric(out, document, some, "time",
                f"{kind}{whose}: time, {UNITS.get(kind, 's')}")
        for metric, title in metrics_in(rows) if kind in TIMED else []:
            show_metric(out, document, rows, metric, f"{kind}: {title}")


def machine_text(value):
    """One of what machine.py found."""
    if isinstance(value, dict):
        return " ".join(f"{k}={v}" for k, v in value.items()) or "none set"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return str(value)


def show_notes(out, document, analysis):
    """What is to be known besides the figures."""
    def note(style, head, words):
        out.print(Text.assemble((head, style), f" {words}"), overflow="fold")

    for row, name, why in stats.failures(analysis):
        note("bold red", "FAIL", f"{row} under {name}: {why}")
    for row, names, why in stats.left_out(analysis):
        note("dim", "left out", f"{row} without {names}: {why}")
    for name, package in document["missing"]:
        note("yellow", "missing", f"{name}: {package}")
    for name in ("variables", "configuration"):
        if document["machine"].get(name):
            note("yellow", f"{name}:",
                machine_text(document["machine"][name]))
    parts = documents.parts(document)
    if parts:
        note("yellow", "a part of a whole run:", ", ".join(parts))


def print_all(document, analysis, judgements, file=None):
    out = console(file)
    show_rows(out, document, analysis)
    show_means(out, document, analysis["means"])
    show_targets(out, judgements)
    show_notes(out, document, analysis)
