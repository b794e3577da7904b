"""stats - what the samples say: minimum, median, spread, ties, means.

1. A time is judged by its minimum over the rounds: what disturbs a run only
   makes it longer. Memory and faults are judged by their median.
2. Noise of a comparison: in each round both ran one soon after the other, so
   d = ln(a/b) per round takes out what slowed the machine for both. The
   noise is twice the standard error of the median of d, its deviation taken
   from the median absolute deviation with the correction for few samples of
   Croux and Rousseeuw (1992): 2 * 1.2533 * sigma / sqrt(n).
3. It is never below NOISE_FLOOR, and with fewer than 3 rounds it is
   NOISE_UNKNOWN.
4. A tie is whatever is not certain: a is faster or slower than b only when
   both the ratio of minima and the median of the ratios are beyond the noise,
   on the same side.
5. A mean is geometric, of ratios to a reference, which is glibc where it can
   be: over the rows that all peers and zbmalloc finished, so that nobody gains
   by failing. But a peer that failed more than one of MAY_FAIL rows does not
   take away the others' mean: his is over those of the rows that he finished,
   with the number that he failed beside it, and he is nobody's best peer.
   `limit`, the bound, has its mean over those that it finished.
6. Memory after all is freed fails by itself (linger.py): the other values of
   such a cell stand.
"""
import math
import statistics

NOISE_FLOOR = 0.01      # in ln; code layout alone is worth so much
NOISE_UNKNOWN = 0.10
MAD_TO_SIGMA = 1.4826
MEDIAN_ERROR = 1.2533   # times sigma / sqrt(n), for a normal distribution
FEW = {2: 1.196, 3: 1.495, 4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129,
    9: 1.107}

OK, FAIL, LEFT_OUT = "ok", "FAIL", "left out"
OWN, PEER, BOUND = "own", "peer", "bound"
LEAST = {"time", "cpu"}             # judged by the minimum
METRICS = ["time", "cpu", "peak_kib", "final_kib", "minor_faults",
    "major_faults"]
LINGERING = ["idle_kib", "after_kib"]
MEANS = ["time", "cpu", "peak_kib"] + LINGERING
MAY_FAIL = 10       # one of so many rows
TOGETHER = "workload+program"


def mad_sigma(values):
    """A standard deviation that one disturbed run does not move."""
    n = len(values)
    if n < 2:
        return 0.0
    middle = statistics.median(values)
    mad = statistics.median(abs(value - middle) for value in values)
    return mad * MAD_TO_SIGMA * FEW.get(n, n / (n - 0.8))


def summary(values):
    middle = statistics.median(values)
    return {"min": min(values), "median": middle, "max": max(values),
        "spread": mad_sigma(values) / middle if middle else 0.0,
        "n": len(values)}


def noise_of(differences):
    n = len(differences)
    if n < 3:
        return NOISE_UNKNOWN
    return max(NOISE_FLOOR,
        2 * MEDIAN_ERROR * mad_sigma(differences) / math.sqrt(n))


def compare(a, b):
    """Times by round, {round: seconds}: how a stands to b."""
    rounds = sorted(a.keys() & b.keys())
    if not rounds:
        return None
    differences = [math.log(a[i] / b[i]) for i in rounds]
    noise = noise_of(differences)
    least = math.log(min(a.values()) / min(b.values()))
    middle = statistics.median(differences)
    if least < -noise and middle < -noise:
        verdict = "faster"
    elif least > noise and middle > noise:
        verdict = "slower"
    else:
        verdict = "tie"
    return {"ratio": math.exp(least), "median_ratio": math.exp(middle),
        "noise": math.exp(noise) - 1, "verdict": verdict}


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def by_round(result, metric):
    return {sample["round"]: sample[metric] for sample in result["samples"]
        if metric in sample}


def cell_of(result):
    """One allocator in one row, every metric summed up."""
    cell = {"state": result["state"]}
    for key in ("why", "linger_why"):
        if result.get(key) is not None:
            cell[key] = result[key]
    if result["state"] == OK:
        for metric in METRICS:
            values = list(by_round(result, metric).values())
            if values:
                cell[metric] = summary(values)
        for metric in LINGERING:
            if result.get(metric):
                cell[metric] = summary(result[metric])
    return cell


def value_of(cell, metric):
    """The one number that counts; None where there is none."""
    if not cell or cell["state"] != OK or metric not in cell:
        return None
    return cell[metric]["min" if metric in LEAST else "median"]


def has_failed(cell, metric):
    return bool(cell) and (cell["state"] == FAIL or
        metric in LINGERING and "linger_why" in cell)


def names_of(document, *roles):
    return [allocator["name"] for allocator in document["allocators"]
        if allocator["role"] in roles]


def least_of(row, names, metric):
    """(name, value) of the least, or (None, None)."""
    found = [(value_of(row["cells"].get(name), metric), name)
        for name in names]
    found = [pair for pair in found if pair[0] is not None]
    if not found:
        return None, None
    value, name = min(found)
    return name, value


def analyse_row(document, row):
    cells = {name: cell_of(result)
        for name, result in row["results"].items()}
    done = {key: row[key] for key in ("name", "kind", "unit", "origin")}
    done["cells"] = cells
    peers = names_of(document, PEER)
    for own in names_of(document, OWN):
        best, _ = least_of(done, peers, "time")
        if best is None or value_of(cells.get(own), "time") is None:
            continue
        done["best_peer"] = best
        done["against"] = {name: compare(
                by_round(row["results"][own], "time"),
                by_round(row["results"][name], "time"))
            for name in peers if value_of(cells.get(name), "time")}
    return done


def ratios_of(rows, name, reference, metric):
    """Of the rows that `name` has finished."""
    return [value_of(row["cells"][name], metric) /
            value_of(row["cells"][reference], metric)
        for row in rows if value_of(row["cells"].get(name), metric)]


def concerns(row, metric):
    """Programs do not linger, whether they fail or not."""
    return metric not in LINGERING or any(metric in cell or
        "linger_why" in cell for cell in row["cells"].values())


def failed_rows(rows, name, metric):
    return [row["name"] for row in rows if concerns(row, metric) and
        has_failed(row["cells"].get(name), metric)]


def mean_of(document, rows, metric):
    """Ratios to the reference; None when there is no row that all finished."""
    judged = names_of(document, OWN, PEER)
    measured = [row for row in rows
        if any(value_of(row["cells"].get(name), metric) for name in judged)]
    failed = {name: len(failed_rows(rows, name, metric)) for name in judged}
    steady = [name for name in judged if name in names_of(document, OWN) or
        failed[name] * MAY_FAIL <= len(measured)]
    reference = "glibc" if "glibc" in steady else steady[-1]
    common = [row for row in measured if all(
        value_of(row["cells"].get(name), metric) for name in steady)]
    if not common:
        return None
    ratios = {name: ratios_of(common, name, reference, metric)
        for name in judged + names_of(document, BOUND)}
    values = {name: geometric_mean(some)
        for name, some in ratios.items() if some}
    peers = [name for name in names_of(document, PEER) if name in steady]
    mean = {"reference": reference, "steady": steady, "values": values,
        "counts": {name: len(ratios[name]) for name in values},
        "failed": {name: count for name, count in failed.items() if count},
        "rows": len(common), "of": len(rows),
        "without": [row["name"] for row in rows if row not in common]}
    if peers:
        mean["best_peer"] = min(peers, key=values.get)
        for own in names_of(document, OWN):
            mean["to_best"] = values[own] / values[mean["best_peer"]]
    return mean


def references(means):
    """Whom the means are relative to: one name but in odd cases."""
    return " or ".join(sorted({mean["reference"]
        for metrics in means.values() for mean in metrics.values()}))


def is_own(document, row):
    """A row that only zbmalloc can have."""
    return set(row["cells"]) <= set(names_of(document, OWN))


def means_of(document, rows):
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    groups = {kind: {kind} for kind in kinds}
    groups[TOGETHER] = set(TOGETHER.split("+"))
    means = {}
    for group, wanted in groups.items():
        members = [row for row in rows
            if row["kind"] in wanted and not is_own(document, row)]
        for metric in MEANS:
            # A micro benchmark is short: its memory is its own data.
            if metric != "time" and not wanted & groups[TOGETHER]:
                continue
            mean = mean_of(document, members, metric)
            if mean:
                means.setdefault(group, {})[metric] = mean
    return means


def analyse(document):
    rows = [analyse_row(document, row) for row in document["rows"]]
    return {"rows": rows, "means": means_of(document, rows)}


def failures(analysis):
    """(row, allocator, why) of every cell that says FAIL."""
    found = []
    for row in analysis["rows"]:
        for name, cell in row["cells"].items():
            if cell["state"] == FAIL:
                found.append((row["name"], name, cell.get("why", "")))
            elif "linger_why" in cell:
                found.append((row["name"], name,
                    f"--linger: {cell['linger_why']}"))
    return found


def left_out(analysis):
    """(row, names, why) of the cells that were not measured: no failures."""
    found = []
    for row in analysis["rows"]:
        whose = {}
        for name, cell in row["cells"].items():
            if cell["state"] == LEFT_OUT:
                whose.setdefault(cell.get("why", ""), []).append(name)
        found += [(row["name"], ", ".join(names), why)
            for why, names in whose.items()]
    return found
