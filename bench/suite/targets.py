"""targets - what zbmalloc is to reach, and whether a run shows it.

1. Each target is data: which rows, which metric, against whom, which limit.
   `mean` judges the geometric mean, `rows` each row by itself.
2. Ratios are zbmalloc's value over the other's: below 1 is better. `best` is
   the peer with the best mean, or the one that is best in the row.
3. Where noise is allowed, the row's limit is widened by the noise of that
   comparison (stats.py): what is not certain does not count against it.
4. A row where zbmalloc failed misses its target, that of a mean as well; what
   was not measured is neither reached nor missed.
5. What a filter or --quick left out is not in a mean: that is said beside it.
"""
import fnmatch

from . import documents
from .rows import MICRO, START, TIMED
from .stats import OWN, PEER, TOGETHER, concerns, failed_rows, has_failed, \
    least_of, names_of, value_of

KIB, MIB = 1024, 1024 * 1024
NOT_MEASURED = "not measured"
VERDICTS = {True: "reached", False: "not reached", None: NOT_MEASURED}
TARGETS = [
    {"id": "1a", "text": "time, geometric mean of workloads and programs: at "
        "most 0.90 of the best peer's", "judge": "mean", "metric": "time",
        "against": "best", "limit": 0.90},
    {"id": "1b", "text": "time, the same mean: at most 0.75 of glibc's",
        "judge": "mean", "metric": "time", "against": "glibc",
        "limit": 0.75},
    {"id": "2", "text": "no workload or program slower than the row's best "
        "peer by more than 3 % beyond noise", "judge": "rows",
        "kinds": TIMED, "metric": "time", "against": "best", "limit": 1.03,
        "noise": True},
    {"id": "3a", "text": "peak memory, geometric mean of workloads and "
        "programs: not above the leanest peer's", "judge": "mean",
        "metric": "peak_kib", "against": "best", "limit": 1.00},
    {"id": "3b", "text": "no row's peak memory above 1.5 times the row's "
        "leanest", "judge": "rows", "kinds": TIMED, "metric": "peak_kib",
        "against": "best", "limit": 1.5},
    {"id": "3c", "text": "memory 4 s after everything is freed, the last 2 s "
        "while the process makes a few small calls, geometric mean: the "
        "lowest", "judge": "mean", "metric": "after_kib",
        "against": "best", "limit": 1.00},
    {"id": "3d", "text": "memory 4 s after everything is freed, the last 2 s "
        "while the process makes a few small calls, each workload: the "
        "lowest, give or take 2 %", "judge": "rows",
        "kinds": TIMED, "metric": "after_kib", "against": "best",
        "limit": 1.02},
    {"id": "3e", "text": "memory after 2 s of sleep when everything is "
        "freed, geometric mean: the lowest", "judge": "mean",
        "metric": "idle_kib", "against": "best", "limit": 1.00},
    {"id": "3f", "text": "memory after 2 s of sleep when everything is "
        "freed, each workload: the lowest, give or take 2 %",
        "judge": "rows", "kinds": TIMED, "metric": "idle_kib",
        "against": "best", "limit": 1.02},
    {"id": "4a", "text": "batches and mixed sizes: not slower than the "
        "best peer beyond noise", "judge": "rows", "kinds": [MICRO],
        "metric": "time",
        "rows": ["micro/batch/*", "micro/deep/*", "micro/mixed/*"],
        "against": "best", "limit": 1.00, "noise": True},
    {"id": "4b", "text": "hot pair: not slower than mimalloc beyond noise",
        "judge": "rows", "kinds": [MICRO], "metric": "time",
        "rows": ["micro/pair/*"], "against": "mimalloc", "limit": 1.00,
        "noise": True},
    {"id": "4c", "text": "4 KiB to 4 MiB: at least twice as fast as the best "
        "peer", "judge": "rows", "kinds": [MICRO], "metric": "time",
        "rows": ["micro/class/*"], "sizes": [4 * KIB, 4 * MIB],
        "against": "best", "limit": 0.50},
    {"id": "4d", "text": "producer and consumer, remote frees: not slower "
        "than the best peer beyond noise", "judge": "rows", "kinds": [MICRO],
        "metric": "time", "rows": ["micro/ring/*", "micro/remote/*"],
        "against": "best", "limit": 1.00, "noise": True},
    {"id": "5", "text": "start of /bin/true: at most 1.10 of glibc's time",
        "judge": "rows", "kinds": [START], "metric": "time",
        "rows": ["start/true"], "against": "glibc", "limit": 1.10},
]


def size_of(name):
    """The size in a name such as micro/class/4096/threads:2."""
    sizes = [int(word) for word in name.split("/") if word.isdigit()]
    return sizes[-1] if sizes else None


def is_meant(row, target):
    if row["kind"] not in target["kinds"]:
        return False
    if "rows" in target and not any(fnmatch.fnmatch(row["name"], pattern)
            for pattern in target["rows"]):
        return False
    if "sizes" in target:
        low, high = target["sizes"]
        size = size_of(row["name"])
        return size is not None and low <= size <= high
    return True


def judge_mean(document, analysis, target, own):
    timed = [row for row in analysis["rows"] if row["kind"] in TIMED]
    failed = failed_rows(timed, own, target["metric"])
    missed = [{"row": name, "against": "all", "ratio": None,
        "limit": target["limit"]} for name in failed]
    mean = analysis["means"].get(TOGETHER, {}).get(target["metric"])
    against = target["against"]
    if mean and against == "best":
        against = mean.get("best_peer")
    if not mean or against not in mean["steady"]:
        return False if failed else None, NOT_MEASURED, missed
    ratio = mean["values"][own] / mean["values"][against]
    part = "" if documents.has_all_rows(document) else ", a part of all"
    return ratio <= target["limit"] and not failed, f"{ratio:.3f} of " \
        f"{against}'s, {mean['rows']} of {mean['of']} rows{part}", missed


def judge_row(row, target, own, peers):
    """(reached, name of the other, ratio, limit); None: nothing to judge."""
    metric = target["metric"]
    candidates = peers if target["against"] == "best" else \
        [target["against"]]
    other, least = least_of(row, candidates, metric)
    cell = row["cells"].get(own)
    if has_failed(cell, metric):
        return False, other or "all", None, target["limit"]
    value = value_of(cell, metric)
    if other is None or value is None:
        return None
    limit = target["limit"]
    comparison = row.get("against", {}).get(other)
    if target.get("noise") and comparison:
        limit *= 1 + comparison["noise"]
    ratio = value / least if least else float(value > 0)
    return ratio <= limit, other, ratio, limit


def judge_rows(analysis, target, own, peers):
    missed, judged = [], 0
    for row in analysis["rows"]:
        if not is_meant(row, target) or own not in row["cells"] or \
                not concerns(row, target["metric"]):
            continue
        judgement = judge_row(row, target, own, peers)
        if not judgement:
            continue
        judged += 1
        reached, other, ratio, limit = judgement
        if not reached:
            missed.append({"row": row["name"], "against": other,
                "ratio": ratio, "limit": limit})
    if not judged:
        return None, NOT_MEASURED, []
    missed.sort(key=lambda miss: -(miss["ratio"] or float("inf")))
    return not missed, f"{judged - len(missed)} of {judged} rows", missed


def judge(document, analysis):
    """A list of {id, text, reached, verdict, found, missed}; reached is None
    where nothing was measured."""
    own = names_of(document, OWN)[0]
    peers = names_of(document, PEER)
    judgements = []
    for target in TARGETS:
        if target["judge"] == "mean":
            reached, found, missed = judge_mean(document, analysis, target,
                own)
        else:
            reached, found, missed = judge_rows(analysis, target, own, peers)
        judgements.append({"id": target["id"], "text": target["text"],
            "reached": reached, "verdict": VERDICTS[reached],
            "found": found, "missed": missed})
    return judgements
