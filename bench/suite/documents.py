"""documents - the JSON of a run: its form, and what of a whole run it has.

1. Everything that is shown is made from it. What is read from a file is held
   against FORM before it is used: a damaged file gets a message.
2. A whole run has all rows at their full size, all allocators and all rounds
   that it began with.
"""
import json
import math

from . import stats
from .files import Refused
from .rows import KINDS

FORMAT = 2          # 1 had one memory after all is freed
NUMBER = (int, float)
STATES = [stats.OK, stats.FAIL, stats.LEFT_OUT]
ANY = "any name"
SAMPLE = {"round": int}
RESULT = {"state": str, "samples": [SAMPLE]}
FORM = {"format": int, "started": str, "seconds": NUMBER, "rounds": int,
    "quick": bool, "scale": NUMBER, "interrupted": int, "only": {ANY: str},
    "missing": [[str]], "machine": {"CPU": str, "CPUs": int, "kernel": str},
    "allocators": [{"name": str, "role": str, "library": str,
        "version": str}],
    "rows": [{"name": str, "kind": str, "unit": str, "origin": str,
        "results": {ANY: RESULT}}]}


def misfit(value, form, where="it"):
    """None, or where a value is not of the form."""
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return f"{where} is no object"
        if ANY in form:
            pairs = [(value[name], form[ANY], name) for name in value]
        else:
            pairs = [(value.get(name), form[name], name) for name in form]
    elif isinstance(form, list):
        if not isinstance(value, list):
            return f"{where} is no list"
        pairs = [(item, form[0], i) for i, item in enumerate(value)]
    else:
        return None if isinstance(value, form) else f"{where} is {value!r}"
    return next(filter(None, (misfit(item, below, f"{where}.{name}")
        for item, below, name in pairs)), None)


def fault_of_row(row, names):
    if row["kind"] not in KINDS:
        return f"kind {row['kind']!r}"
    for name, result in row["results"].items():
        if name not in names:
            return f"unknown allocator {name!r}"
        if result["state"] not in STATES:
            return f"state {result['state']!r}"
        values = [value for sample in result["samples"]
            for value in sample.values()]
        for metric in stats.LINGERING:
            kept = result.get(metric, [])
            values += kept if isinstance(kept, list) else [kept]
        if not all(isinstance(value, NUMBER) and math.isfinite(value) and
                value >= 0 for value in values):
            return f"{name}'s samples are not all numbers"
        if not all(sample.get("time", 0) > 0 for sample in result["samples"]):
            return f"a sample of {name} without a time"
    return None


def fault_of(document):
    """None, or what is wrong with it."""
    fault = misfit(document, FORM)
    if fault:
        return fault
    names = [allocator["name"] for allocator in document["allocators"]]
    if len(set(names)) < len(names) or \
            len(stats.names_of(document, stats.OWN)) != 1:
        return f"allocators {', '.join(names)}"
    if not all(len(pair) == 2 for pair in document["missing"]):
        return "missing: no pairs"
    for row in document["rows"]:
        fault = fault_of_row(row, names)
        if fault:
            return f"{row['name']}: {fault}"
    return None


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Refused(f"{path}: not what --json writes: no JSON, or not all "
            "of it") from None
    if not isinstance(document, dict) or "format" not in document:
        raise Refused(f"{path}: not what --json writes")
    if document["format"] != FORMAT:
        raise Refused(f"{path}: of format {document['format']}, where this "
            f"suite reads {FORMAT}")
    fault = fault_of(document)
    if fault:
        raise Refused(f"{path}: damaged: {fault}")
    return document


def has_all_rows(document):
    return not (document["quick"] or document["interrupted"] or
        "filter" in document["only"] or "kind" in document["only"])


def parts(document):
    """Why it is no whole run; nothing when it is one."""
    found = ["--quick"] if document["quick"] else []
    found += [f"--{name} {text}" for name, text in document["only"].items()]
    if document["scale"] != 1 and not document["quick"]:
        found.append(f"--scale {document['scale']:g}")
    if document["interrupted"]:
        found.append("interrupted")
    found += [f"{name} missing" for name, _ in document["missing"]]
    return found
