"""`table`: runs, or the points of a build, with the parameters that differ, and metrics."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..errors import Exit, UsageError
from ..model import BuildKey
from ..project import Outline, SettingError, dotenv, layout, whole_number
from ..runs import moment, store
from ..runs import table as tables
from ..secrets import Mask
from ..words import counted, did_you_mean, seconds_in_words, shortened, state_in_words
from . import points_table
from .options import Options
from .paper import Line, columns, show, wide, width
from .shared import warn

_LONGEST = 24
_DURATION = "duration"
# Between two columns.
_GAP = 2


def table(known: Outline, chosen: Options) -> int:
    """Print a line for each run of profiles, the newest last, or sorted.

    Args:
        known: the project's names.
        chosen: profiles, none is all; and the options.

    Raises:
        UsageError: a word is no profile, or there is no such column to sort by.
    """
    for word in chosen.rest:
        if word not in known.profiles:
            hint = did_you_mean(word, known.profiles)
            message = f"table takes names of profiles; there is no profile `{word}`{hint}"
            raise UsageError(message)
    mask = dotenv.mask(known.root, os.environ, layout.settings(known.root).secrets)
    if len(chosen.rest) == 1 and not (chosen.has("of_runs") or chosen.has("last")):
        build = known.build(BuildKey(chosen.rest[0]))
        if (told := points_table.table(build, chosen)) is not None:
            _print(told, mask, chosen)
            return Exit.OK
    if chosen.has("over"):
        message = "--over goes with one profile that has points; python run.py list shows them"
        raise UsageError(message)
    names = dict.fromkeys(chosen.rest or known.profiles)
    runs = [run for name in names for run in store.of_build(known.build(BuildKey(name)), warn)]
    last = _last(chosen)
    # What has been lost since is not in the record.
    records = [replace(run.record, state=run.state, seconds=run.seconds) for run in runs]
    found = tables.of(records, last)
    if chosen.has("sort"):
        found = _sorted(found, str(chosen.given["sort"]))
    if chosen.has("csv"):
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows(mask.texts([*map(list, _whole(found))]))
    elif not found.rows:
        print("no run of a stage is recorded" if runs else "nothing has run yet")
    else:
        show([*_lines(found, str(chosen.given.get("sort", "")).removeprefix("-"))], mask)
    return Exit.OK


def _print(told: points_table.Told, mask: Mask, chosen: Options) -> None:
    if chosen.has("csv"):
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows(mask.texts([*map(list, told.whole)]))
        return
    show([Line(text, "" if n else "head") for n, text in enumerate(told.lines)], mask)
    for text in told.notes:
        show([Line(text, "aside")], mask)


def _last(chosen: Options) -> int | None:
    if not chosen.has("last"):
        return None
    try:
        return whole_number(chosen.given["last"])
    except SettingError as error:
        message = f"--last: {error}"
        raise UsageError(message) from None


def _sorted(found: tables.Table, word: str) -> tables.Table:
    """Sort rows by what a column has; those that have nothing there come last."""
    name = word.removeprefix("-")
    value = _column(found, name)
    having = [row for row in found.rows if value(row) is not None]
    rest = [row for row in found.rows if value(row) is None]

    def rank(row: tables.Row) -> tuple[int, float, str]:
        cell = value(row)
        is_number = isinstance(cell, int | float)
        return (0, float(cell), "") if is_number else (1, 0.0, str(cell))  # type: ignore[arg-type]

    having.sort(key=rank, reverse=word.startswith("-"))
    return replace(found, rows=(*having, *rest))


def _column(found: tables.Table, name: str) -> Callable[[tables.Row], object]:
    """Give what reads a column off a row.

    Raises:
        UsageError: there is none of that name.
    """
    if name == _DURATION:
        return lambda row: row.seconds
    for number, column in enumerate(found.columns):
        if name in {column.name, column.short}:
            return lambda row: row.cells[number]
    names = [column.short for column in found.columns]
    hint = did_you_mean(name, [*names, _DURATION], [column.name for column in found.columns])
    message = f"--sort: no run has `{name}`{hint}"
    raise UsageError(message)


def _whole(found: tables.Table) -> Iterator[Sequence[object]]:
    """Write all there is, for programs: numbers as they are."""
    head = ("run", "profile", "started", "state", "seconds")
    yield (*head, *(column.name for column in found.columns))
    for row in found.rows:
        cells = (
            cell if isinstance(cell, str | int | float | None) else json.dumps(cell)
            for cell in row.cells
        )
        yield (row.id, row.profile, moment(row.started), row.state, row.seconds, *cells)


def _lines(found: tables.Table, by: str) -> Iterator[Line]:
    several = len({row.profile for row in found.rows}) > 1
    first = [["run", *(["profile"] if several else []), "state"]]
    first += [
        [row.id, *([str(row.profile)] if several else []), state_in_words(row.state)]
        for row in found.rows
    ]
    last = [_DURATION, *(seconds_in_words(row.seconds or 0.0) for row in found.rows)]
    room = width() - sum(max(map(wide, column)) + _GAP for column in zip(*first, strict=True))
    room -= max(map(wide, last))
    # What says most comes first: what was set, then what came of it, long lists at the end.
    order = sorted(range(len(found.columns)), key=lambda number: _rank(found.columns[number], by))
    middle: list[list[str]] = []
    left_out = 0
    for number in order:
        column = found.columns[number]
        cells = [column.short, *(_cell(row.cells[number], column) for row in found.rows)]
        needed = max(map(wide, cells)) + _GAP
        if needed > room:
            left_out += 1
            continue
        room -= needed
        middle.append(cells)
    rows = [
        [*head, *(column[number] for column in middle), last[number]]
        for number, head in enumerate(first)
    ]
    right = [False] * len(first[0]) + [True] * (len(middle) + 1)
    for number, text in enumerate(columns(rows, right)):
        yield Line(text, "" if number else "head")
    if left_out:
        yield Line(f"{counted(left_out, 'more column')} not shown; --csv has all", "aside")


def _rank(column: tables.Column, by: str) -> tuple[bool, bool, bool, bool]:
    """Say what comes first: what it is sorted by, what was set, what differs, single numbers."""
    other = by not in {column.name, column.short}
    return other, column.is_metric, not column.varies, "[" in column.name


def _cell(value: object, column: tables.Column) -> str:
    if value is None:
        return ""
    if column.is_metric and not isinstance(value, str):
        return f"{value:.6g}"
    return shortened(str(value), _LONGEST)
