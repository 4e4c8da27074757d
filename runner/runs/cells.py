"""The code cells of two executed notebooks: which belong together, and how they differ."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model import INJECTED_CELL
from ..project import first_line
from ..system import fits, read_json, read_plain

_CELL = {"cell_type": str, "metadata": {"tags?": [str]}, "source": (str, [str]), "id?": (str, None)}
_NOTEBOOK = {"cells": [_CELL]}
# Cells without a twin are compared with each other where that is soon done.
_PAIRS = 2_500
_LONG = 2_000
_ALIKE = 0.5
# So many lines around what differs.
_AROUND = 2


@dataclass(frozen=True)
class Cell:
    """A code cell as it was run; `number` is that in the log."""

    id: str | None
    number: int
    source: str


@dataclass(frozen=True)
class CellChange:
    """How a cell differs: `changed`, `moved`, `added` or `removed`.

    `old` and `new` are its numbers in the log, None where it is not there; `title` is its first
    line; `lines` are those of a unified diff, without a head.
    """

    kind: str
    old: int | None
    new: int | None
    title: str
    lines: tuple[str, ...] = ()


def of_notebook(path: Path) -> list[Cell]:
    """Read the code cells of an executed notebook, but for the one with injected parameters.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no notebook.
    """
    found = read_json(read_plain(path))
    if not fits(found, _NOTEBOOK):
        message = "it is no notebook"
        raise ValueError(message)
    code = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
    own = [one for one in code if INJECTED_CELL not in one["metadata"].get("tags", ())]
    sources = [(cell.get("id"), _text(cell["source"])) for cell in own]
    runs = [(key, source) for key, source in sources if source.strip()]
    return [Cell(key, number, source) for number, (key, source) in enumerate(runs, 1)]


def _text(source: str | Sequence[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def changes(old: Sequence[Cell], new: Sequence[Cell]) -> tuple[CellChange, ...]:
    """Say how cells differ, in the order of the new ones."""
    twins = _twins(old, new)
    stay = _in_order([twins[cell.number].number for cell in new if cell.number in twins])
    found = []
    for cell in new:
        twin, title = twins.get(cell.number), first_line(cell.source)
        if twin is None:
            lines = tuple(f"+{line}" for line in cell.source.split("\n"))
            found.append(CellChange("added", None, cell.number, title, lines))
        elif twin.source != cell.source:
            lines = tuple(_diff(twin.source, cell.source))
            found.append(CellChange("changed", twin.number, cell.number, title, lines))
        elif twin.number not in stay:
            found.append(CellChange("moved", twin.number, cell.number, title))
    numbers = {twin.number for twin in twins.values()}
    for cell in old:
        if cell.number not in numbers:
            lines = tuple(f"-{line}" for line in cell.source.split("\n"))
            found.append(CellChange("removed", cell.number, None, first_line(cell.source), lines))
    return tuple(sorted(found, key=lambda one: one.new or one.old or 0))


def _twins(old: Sequence[Cell], new: Sequence[Cell]) -> dict[int, Cell]:
    """Give for numbers of new cells the old cells that they come from.

    What is the same in all counts first, then the id: where a notebook had none they are made
    up, and a cell that comes in between changes those of all that follow.
    """
    found: dict[int, Cell] = {}
    for step in (_same, _of_one_id, _of_one_source, _alike):
        pairs = [*step(old, new)]
        found |= {cell.number: twin for twin, cell in pairs}
        taken = {twin.number for twin, _ in pairs}
        old = [twin for twin in old if twin.number not in taken]
        new = [cell for cell in new if cell.number not in found]
    return found


_Pairs = Iterator[tuple[Cell, Cell]]


def _same(old: Sequence[Cell], new: Sequence[Cell]) -> _Pairs:
    known = {(twin.id, twin.source): twin for twin in old if twin.id is not None}
    for cell in new:
        twin = known.pop((cell.id or "", cell.source), None)
        if twin is not None:
            yield twin, cell


def _of_one_id(old: Sequence[Cell], new: Sequence[Cell]) -> _Pairs:
    """Pair cells by their ids, but for those whose source stands in another cell."""
    others = {cell.source for cell in old} & {cell.source for cell in new}
    known = {twin.id: twin for twin in old if twin.id is not None and twin.source not in others}
    for cell in new:
        if cell.source not in others and (twin := known.pop(cell.id or "", None)) is not None:
            yield twin, cell


def _of_one_source(old: Sequence[Cell], new: Sequence[Cell]) -> _Pairs:
    """Pair cells by their sources: of those that occur several times what stands in order first."""
    sources = [[cell.source for cell in side] for side in (old, new)]
    rest = dict(enumerate(old))
    left = dict(enumerate(new))
    for one, other in _matches(sources[0], sources[1]):
        yield rest.pop(one), left.pop(other)
    for cell in left.values():
        place = next((n for n, twin in rest.items() if twin.source == cell.source), None)
        if place is not None:
            yield rest.pop(place), cell


def _alike(old: Sequence[Cell], new: Sequence[Cell]) -> _Pairs:
    """Pair cells that have much in common, the most alike first."""
    if len(old) * len(new) > _PAIRS:
        return
    ratios = [
        (ratio, twin, cell)
        for cell in new
        for twin in old
        if (ratio := _ratio(twin.source, cell.source)) >= _ALIKE
    ]
    taken: set[tuple[str, int]] = set()
    for _, twin, cell in sorted(ratios, key=lambda one: (-one[0], one[2].number, one[1].number)):
        both = {("old", twin.number), ("new", cell.number)}
        if not both & taken:
            taken |= both
            yield twin, cell


def _ratio(one: str, other: str) -> float:
    if len(one) + len(other) > _LONG:
        matcher = _matcher(one.split("\n"), other.split("\n"))
    else:
        matcher = _matcher(one, other)
    return matcher.ratio() if matcher.quick_ratio() >= _ALIKE else 0.0


def _matcher(old: Sequence[Any], new: Sequence[Any]) -> difflib.SequenceMatcher[Any]:
    return difflib.SequenceMatcher(None, old, new, autojunk=False)


def _matches(old: Sequence[Any], new: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Give the places of what is the same in two sequences, in order."""
    for block in _matcher(old, new).get_matching_blocks():
        for more in range(block.size):
            yield block.a + more, block.b + more


def _in_order(numbers: Sequence[int]) -> set[int]:
    """Give of numbers that were once in order those that still are, for the most part."""
    return {numbers[place] for _, place in _matches(sorted(numbers), numbers)}


def _diff(old: str, new: str) -> Iterator[str]:
    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), n=_AROUND, lineterm="")
    for number, line in enumerate(lines):
        # The first two are those of a file's names.
        if number > 1:
            yield line
