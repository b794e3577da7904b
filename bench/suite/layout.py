"""layout - tables that fit into a terminal: no value is ever cut.

1. A grid is given in one or more forms, the fullest first. The first that
   fits is printed.
2. Where none fits, the last is divided: each part has the names and as many
   columns as fit. Where not even LEAST_COLUMNS do, each line of the grid
   becomes a few lines, one for each column. Sentences are folded instead.
3. What is not a terminal is as wide as a grid needs.
4. Nothing of the text is markup, and what the encoding does not have is
   written in another way: no name and no message can make printing fail.
"""
import dataclasses
import sys

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNLIMITED = 100000  # columns where the output is not a terminal
LEAST_COLUMNS = 2   # besides the names
WRAP_WIDTH = 72     # of sentences side by side
GAP = 2             # between columns


@dataclasses.dataclass
class Grid:
    title: str
    heads: list         # of the names, then of the columns
    lines: list         # of Text, in the order of the heads
    wraps: bool = False # cells are sentences, which may go on below
    left: tuple = ()    # numbers of columns that begin at the left


def console(file=None):
    file = file or sys.stdout
    if hasattr(file, "reconfigure"):
        file.reconfigure(errors="backslashreplace")
    made = Console(file=file, highlight=False, markup=False, emoji=False)
    if made.is_terminal:
        return made
    return Console(file=file, highlight=False, markup=False, emoji=False,
        width=UNLIMITED)


def plus_minus(out):
    return "+-" if out.options.ascii_only else "±"


def text(value, style=""):
    return value if isinstance(value, Text) else Text(value, style)


def columns_of(grid, numbers):
    """The grid with these columns only."""
    return Grid(grid.title, [grid.heads[i] for i in numbers],
        [[line[i] for i in numbers] for line in grid.lines], grid.wraps,
        tuple(place for place, i in enumerate(numbers) if i in grid.left))


def table_of(grid):
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, head in enumerate(grid.heads):
        table.add_column(Text(head), no_wrap=not grid.wraps, overflow="fold",
            justify="left" if i == 0 or i in grid.left else "right")
    for line in grid.lines:
        table.add_row(*map(text, line))
    return table


def width_of(out, grid):
    return out.measure(table_of(grid),
        options=out.options.update(width=UNLIMITED)).maximum


def parts_of(out, grid):
    """Rule 2: lists of columns; None where lines are better."""
    parts, part = [], [0]
    for i in range(1, len(grid.heads)):
        if width_of(out, columns_of(grid, part + [i])) > out.width:
            parts.append(part)
            part = [0]
        part.append(i)
    parts.append(part)
    if any(len(part) <= LEAST_COLUMNS for part in parts[:-1]) or \
            width_of(out, columns_of(grid, parts[-1])) > out.width:
        return None
    return parts


def print_lines(out, grid):
    """One below the other, the heads in front."""
    most = max(map(len, grid.heads[1:])) + GAP
    for line in grid.lines:
        out.print(text(line[0], "bold"), overflow="fold")
        for head, cell in zip(grid.heads[1:], line[1:]):
            begin = Text(" " * GAP + (head.ljust(most) if head else ""))
            out.print(begin + text(cell), overflow="fold")
    out.print()


def show(out, *grids):
    """The same grid, the fullest form first."""
    grids = [grid for grid in grids if grid.lines]
    if not grids:
        return
    out.print(Text(grids[0].title, "bold"), overflow="fold")
    for grid in grids:
        if width_of(out, grid) <= out.width:
            out.print(table_of(grid))
            return
    grid = grids[-1]
    if grid.wraps and out.width >= WRAP_WIDTH:
        out.print(table_of(grid))
        return
    parts = None if grid.wraps else parts_of(out, grid)
    if parts is None:
        print_lines(out, grid)
        return
    for part in parts:
        out.print(table_of(columns_of(grid, part)))
