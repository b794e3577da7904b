"""options - what bench was asked for, and whether that goes together.

	python3 -m suite.options [OPTION...]

1. Refused is for whatever can only be answered with a message and status 2;
   what can be said before an hour of measuring is said before.
2. Run by itself it needs nothing but Python: it prints `measure` when the
   programs must be built, else `show`; or the help, or what is wrong.
"""
import argparse
import math
import os
import re
import sys

from . import files
from .files import Refused
from .rows import KINDS

ROUNDS, QUICK_ROUNDS = 5, 3
QUICK_SCALE = 0.04
SCALE_MAX = 1e6         # as zbm-workload has it
PEER_NAME = re.compile(r"[A-Za-z0-9._+-]+")
RESERVED = ["zbmalloc", "glibc", "limit"]
# What may stand beside an option that measures nothing.
ALONE = {"list": {"quick", "filter", "kind", "scale"},
    "read": {"html", "targets"}, "document": set()}


def preload_fault(path):
    """None, or why LD_PRELOAD cannot hold the name."""
    found = re.search(r"[\s:]", path)
    if not found:
        return None
    return f"LD_PRELOAD cannot hold a path with " \
        f"{'a colon' if found.group() == ':' else 'a blank'}"


def peer(text):
    """(name, path) of NAME=PATH."""
    name, equals, path = text.partition("=")
    if not equals or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH")
    if not PEER_NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{name!r}: a name has letters, "
            "digits and . _ + - only")
    if name in RESERVED:
        raise argparse.ArgumentTypeError(f"{name!r} has a meaning of its "
            "own here")
    path = os.path.abspath(path)
    fault = preload_fault(path)
    if not fault and not os.path.isfile(path):
        fault = "no such file"
    if fault:
        raise argparse.ArgumentTypeError(f"{path!r}: {fault}")
    return name, path


def scale(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= SCALE_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 "
            f"and up to {SCALE_MAX:g}")
    return value


def rounds(text):
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def make_parser():
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
    add("--runs", type=rounds, metavar="N",
        help=f"rounds; default {ROUNDS}, with --quick {QUICK_ROUNDS}, or what "
        "time allows")
    add("--peer", action="append", default=[], type=peer, metavar="NAME=PATH",
        help="one more allocator's library; may be repeated")
    add("--allocators", metavar="NAMES",
        help="only these, separated by commas; zbmalloc is always measured")
    add("--scale", type=scale, metavar="X",
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
    return parser


def check_alone(parser, args):
    """--read and --filter: one of them would be without effect."""
    given = [name for name, value in vars(args).items()
        if value and name not in ("lib", "build")]
    for mode, beside in ALONE.items():
        for name in given:
            if mode in given and name != mode and name not in beside:
                parser.error(f"--{mode} and --{name} do not go together")


def measures(args):
    return not (args.list or args.read or args.document)


def parse(argv=None):
    parser = make_parser()
    args = parser.parse_args(argv)
    check_alone(parser, args)
    try:
        for path in filter(None, (args.json, args.html)):
            files.check_writable(path)
    except Refused as error:
        parser.error(str(error))
    if args.json and args.html and files.same(args.json, args.html):
        parser.error("--json and --html are the same file")
    args.build = os.path.abspath(args.build)
    return args


def main():
    args = parse()
    print("show" if args.read or args.document else "measure")


if __name__ == "__main__":
    sys.exit(main())
