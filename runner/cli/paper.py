"""Lines as a terminal or a file gets them: in columns, headings and changes set off by colour."""

import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..words import Shown, one_line

# What a line is has a sign or a place, too: colour never says it alone.
_COLOURS = {"head": "1", "old": "31", "new": "32", "aside": "2"}
# Where nobody says how wide it is.
_WIDTH = 100


@dataclass(frozen=True)
class Line:
    """A line, and what it is: `head`, `old`, `new`, `aside`, or nothing of these."""

    text: str
    kind: str = ""


def show(lines: Sequence[Line], mask: Callable[[str], str]) -> None:
    """Print lines, without secrets; in colour on a terminal that has it."""
    texts = mask("\n".join(line.text for line in lines)).split("\n")
    # A secret may go on over the end of a line.
    kinds = [line.kind for line in lines] if len(texts) == len(lines) else [""] * len(texts)
    for text, kind in zip(texts, kinds, strict=True):
        colour = _COLOURS.get(kind)
        if colour and isinstance(sys.stdout, Shown) and _is_coloured():
            sys.stdout.write_in(colour, text)
            print()
        else:
            print(text)


def _is_coloured() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and "NO_COLOR" not in os.environ


def width() -> int:
    """Give how many characters a line has room for."""
    if sys.stdout is None or not sys.stdout.isatty():
        return _WIDTH
    return shutil.get_terminal_size((_WIDTH, 24)).columns


def columns(rows: Iterable[Sequence[str]], right: Sequence[bool] = ()) -> Iterator[str]:
    """Write rows with their columns below each other; those that are `right` end at one place."""
    table = [[one_line(cell) for cell in row] for row in rows]
    widest = [max(map(wide, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = []
        for number, (cell, most) in enumerate(zip(row, widest, strict=True)):
            room = " " * (most - wide(cell))
            cells.append(room + cell if right[number : number + 1] == [True] else cell + room)
        yield "  ".join(cells).rstrip()


def wide(text: str) -> int:
    """Give how many places a text takes on a terminal."""
    if text.isascii():
        return len(text)
    wides = (2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
    return sum(wides) - sum(1 for one in text if unicodedata.combining(one))
