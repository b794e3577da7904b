"""document - fills docs/BENCHMARKS.md from the JSON of a run.

1. Only what stands between the two marks is replaced: what people wrote
   around them stays.
2. The rows in which zbmalloc is not the best, and the targets that it
   misses, are in it by themselves: nobody can forget them.
"""
import os

from . import files, stats, table
from .rows import KINDS, TIMED

PATH = os.path.normpath(os.path.join(os.path.dirname(__file__), "..", "..",
    "docs", "BENCHMARKS.md"))
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
TITLES = {"workload": "Workloads", "program": "Programs",
    "micro": "Micro benchmarks", "start": "Start"}


def lines_of_table(head, rows, numbers=True):
    yield "| " + " | ".join(head) + " |"
    yield "|---" + ("|---:" if numbers else "|---") * (len(head) - 1) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def cell_text(row, name, metric, best):
    cell = row["cells"].get(name)
    value = stats.value_of(cell, metric)
    if value is None:
        return "**FAIL**" if stats.has_failed(cell, metric) else \
            table.NO_VALUE
    text = table.number(table.scaled(value, metric))
    if name == best:
        text = f"**{text}**"
    if metric in stats.LEAST:
        middle = table.number(cell[metric]["median"])
        text += f" / {middle} ±{cell[metric]['spread'] * 100:.0f}%"
    return text


def last_text(row, own, metric, peers):
    if metric == "time" and "against" in row:
        found = row["against"][row["best_peer"]]
        tie = ", tie" if found["verdict"] == "tie" else ""
        return f"{found['ratio']:.2f} {row['best_peer']}{tie}"
    peer, least = stats.least_of(row, peers, metric)
    value = stats.value_of(row["cells"].get(own), metric)
    if metric == "time" or value is None or not least:
        return table.NO_VALUE
    return f"{value / least:.2f} {peer}"


def metric_lines(document, rows, metric):
    names = table.names_in(document, rows)
    own = stats.names_of(document, stats.OWN)[0]
    peers = stats.names_of(document, stats.PEER)
    body = []
    for row in rows:
        best, _ = stats.least_of(row, [own] + peers, metric)
        body.append([row["name"].partition("/")[2]] +
            [cell_text(row, name, metric, best) for name in names] +
            [last_text(row, own, metric, peers)])
    return lines_of_table(["row"] + names + ["to the best peer"], body)


def machine_lines(document):
    yield "### The machine"
    yield ""
    rows = [[name, table.machine_text(value)]
        for name, value in document["machine"].items()]
    rows += [[a["name"], a["version"]] for a in document["allocators"]]
    rows.append(["run", f"{document['started'][:10]}, {document['rounds']} "
        f"rounds, {document['seconds'] / 60:.0f} minutes"])
    yield from lines_of_table(["", ""], rows, numbers=False)


def mean_lines(document, means):
    yield "### Geometric means"
    yield ""
    yield f"Relative to {stats.references(means)}; below 1 is better."
    yield ""
    names = [a["name"] for a in document["allocators"]]
    body = []
    for group, metrics in means.items():
        for metric, mean in metrics.items():
            last = f"{mean['to_best']:.3f} {mean['best_peer']}" \
                if "to_best" in mean else table.NO_VALUE
            body.append([f"{group}: {table.WORDS[metric]}",
                    f"{mean['rows']}/{mean['of']}"] +
                [table.mean_text(mean, name) for name in names] + [last])
    yield from lines_of_table(["mean of", "rows"] + names +
        ["to the best peer"], body)


def miss_text(miss):
    ratio = "FAIL" if miss["ratio"] is None else f"{miss['ratio']:.2f}"
    return f"{miss['row']} {ratio} of {miss['against']}"


def verdict_text(target):
    """What is reached is the rule: the rest stands out."""
    return target["verdict"] if target["reached"] else \
        f"**{target['verdict']}**"


def target_lines(judgements):
    yield "### Targets"
    yield ""
    yield from lines_of_table(["", "target", "", "found"],
        [[t["id"], t["text"], verdict_text(t), "; ".join([t["found"]] +
                [miss_text(miss) for miss in t["missed"]])]
            for t in judgements], numbers=False)


def behind_lines(document, analysis):
    """Rows that zbmalloc loses, times beyond noise, memory by any amount."""
    own = stats.names_of(document, stats.OWN)[0]
    peers = stats.names_of(document, stats.PEER)
    yield "### Where zbmalloc is not the best"
    yield ""
    found = False
    for row in analysis["rows"]:
        words = []
        for name, compared in row.get("against", {}).items():
            if compared and compared["verdict"] == "slower":
                words.append(f"time {compared['ratio']:.2f} of {name}'s")
        for metric in ["peak_kib"] + stats.LINGERING:
            peer, least = stats.least_of(row, peers, metric)
            value = stats.value_of(row["cells"].get(own), metric)
            if value and least and value > least and row["kind"] in TIMED:
                words.append(f"{table.WORDS[metric]} {value / least:.2f} of "
                    f"{peer}'s")
        if words:
            found = True
            yield f"- {row['name']}: {'; '.join(words)}"
    if not found:
        yield "In no row."
    yield ""


def trouble_lines(document, analysis):
    for row, name, why in stats.failures(analysis):
        yield f"- FAIL: {row} under {name}: {why}"
    for row, names, why in stats.left_out(analysis):
        yield f"- {row} without {names}: {why}"
    for name, package in document["missing"]:
        yield f"- missing: {name} ({package})"


def result_lines(document, analysis, judgements):
    yield from machine_lines(document)
    yield from target_lines(judgements)
    yield from mean_lines(document, analysis["means"])
    yield from behind_lines(document, analysis)
    troubles = list(trouble_lines(document, analysis))
    if troubles:
        yield "### Failed and left out"
        yield ""
        yield from troubles
        yield ""
    for kind in reversed(KINDS):
        rows = [row for row in analysis["rows"] if row["kind"] == kind]
        if not rows:
            continue
        yield f"### {TITLES[kind]}"
        yield ""
        yield f"Time, {table.UNITS.get(kind, 's')}: minimum / median ± spread."
        yield ""
        for some, _ in table.shared_and_own(document, rows):
            yield from metric_lines(document, some, "time")
        if kind not in TIMED:
            continue
        for metric, title in table.metrics_in(rows):
            yield f"{title[0].upper()}{title[1:]}."
            yield ""
            yield from metric_lines(document, rows, metric)


def fill(text, lines):
    """The text with what is between the marks replaced."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PATH}: no marks {BEGIN} and {END}")
    return before + begin + "\n\n" + "\n".join(lines).rstrip() + "\n\n" + \
        end + after


def write(document, analysis, judgements, path=PATH):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    files.write(path, fill(text, result_lines(document, analysis,
        judgements)))
