"""The points of a build as lines: their values, what came of them, or mean and spread."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ..errors import UsageError
from ..model import State
from ..runs import Record, is_number, points, store
from ..words import counted, cut, did_you_mean, seconds_in_words, state_in_words
from .options import Options
from .paper import columns, wide, width
from .shared import warn

_LONGEST, _GAP = 24, 2
_STATE, _DURATION = "state", "duration"
_Any = TypeVar("_Any")


@dataclass(frozen=True)
class Told:
    """Lines for a person, the first is the head; all for programs; and what is to be added."""

    lines: Sequence[str]
    whole: Sequence[Sequence[object]]
    notes: Sequence[str] = ()


def table(build: Path, chosen: Options) -> Told | None:
    """Write the table of a build's points; None if it has none.

    Raises:
        UsageError: an option names what no point has.
    """
    found = points.of(build, (_record(run) for run in store.of_build(build, warn)))
    if found is None:
        return None
    short = _shorts(found.metrics, found.axes)
    by = str(chosen.given.get("sort", ""))
    if chosen.has("over"):
        names = [one.strip() for word in chosen.given["over"] for one in word.split(",")]
        for name in names:
            if name not in found.axes:
                message = f"--over {name}: there is no such axis{did_you_mean(name, found.axes)}"
                raise UsageError(message)
        return _over(found, names, short, by)
    return _each(found, short, by)


def _record(run: store.Run) -> Record:
    return replace(run.record, state=run.state)


def _each(found: points.Points, short: dict[str, str], by: str) -> Told:
    value_of: dict[str, Callable[[points.Row], object]] = {}
    for number, axis in enumerate(found.axes):
        value_of[axis] = lambda row, number=number: row.values[number]  # type: ignore[misc]
    for name in found.metrics:
        for word in (name, short[name]):
            value_of[word] = lambda row, name=name: row.metrics.get(name)  # type: ignore[misc]
    value_of[_STATE] = lambda row: row.state
    value_of[_DURATION] = lambda row: row.seconds
    rows = list(found.rows)
    if by:
        rows = _sorted(rows, value_of, by)
    whole: list[Sequence[object]] = [
        ("point", *found.axes, *found.metrics, _STATE, "seconds", "error")
    ]
    for row in rows:
        cells = [one if _is_plain(one) else json.dumps(one) for one in row.values]
        numbers = [row.metrics.get(name) for name in found.metrics]
        whole.append((row.label, *cells, *numbers, row.state or "", row.seconds, row.error))
    first = [[*found.axes], *([_cell(one) for one in row.values] for row in rows)]
    last = [[_STATE, _DURATION], *([_state(row), _seconds(row)] for row in rows)]
    middle = [
        [short[name], *(_number(row.metrics.get(name)) for row in rows)]
        for name in _worth(found.metrics, by)
    ]
    lines, left = _lines(first, middle, last)
    notes = [f"{counted(left, 'more column')} not shown; --csv has all"] if left else []
    return Told(lines, whole, notes)


def _over(found: points.Points, names: Sequence[str], short: dict[str, str], by: str) -> Told:
    axes, groups = points.over(found, names)
    value_of: dict[str, Callable[[points.Group], object]] = {}
    for number, axis in enumerate(axes):
        value_of[axis] = lambda one, number=number: one.values[number]  # type: ignore[misc]
    for name in found.metrics:
        for word in (name, short[name]):
            value_of[word] = lambda one, name=name: _mean(one, name)  # type: ignore[misc]
    if by:
        groups = _sorted(groups, value_of, by)
    heads = [f"{name}: {what}" for name in found.metrics for what in ("n", "mean", "sd", "±95 %")]
    whole: list[Sequence[object]] = [(*axes, "points", "without result", *heads)]
    for one in groups:
        cells = [each if _is_plain(each) else json.dumps(each) for each in one.values]
        numbers: list[object] = []
        for name in found.metrics:
            got = one.spreads.get(name)
            numbers += [got.count, got.mean, got.deviation, got.within] if got else [0, "", "", ""]
        whole.append((*cells, one.count, one.bad, *numbers))
    first = [[*axes], *([_cell(each) for each in one.values] for one in groups)]
    last = [["points"], *([_count(one)] for one in groups)]
    middle = [
        [short[name], *(_spread(one.spreads.get(name), one.count - one.bad) for one in groups)]
        for name in _worth(found.metrics, by)
    ]
    lines, left = _lines(first, middle, last)
    notes = [f"mean ± 95 % confidence of the mean (standard deviation), over {', '.join(names)}"]
    notes += [f"{counted(left, 'more column')} not shown; --csv has all"] if left else []
    return Told(lines, whole, notes)


def _mean(group: points.Group, name: str) -> object:
    found = group.spreads.get(name)
    return None if found is None else found.mean


def _count(group: points.Group) -> str:
    return f"{group.count}" if not group.bad else f"{group.count}, {group.bad} without result"


def _spread(found: points.Spread | None, count: int) -> str:
    if found is None:
        return ""
    few = f", n = {found.count}" if found.count < count else ""
    if found.within is None or found.deviation is None:
        return f"{found.mean:.6g} (n = 1)"
    return f"{found.mean:.6g} ± {found.within:.2g} ({found.deviation:.2g}{few})"


def _sorted(
    rows: Sequence[_Any], value_of: dict[str, Callable[[_Any], object]], by: str
) -> list[_Any]:
    """Sort by what a column has, numbers first; what has nothing there comes last."""
    name = by.removeprefix("-")
    if name not in value_of:
        message = f"--sort: no point has `{name}`{did_you_mean(name, value_of)}"
        raise UsageError(message)
    value = value_of[name]

    def rank(row: _Any) -> tuple[int, float, str]:
        cell = value(row)
        return (0, float(cell), "") if is_number(cell) else (1, 0.0, str(cell))  # type: ignore[arg-type]

    having = [row for row in rows if value(row) is not None]
    having.sort(key=rank, reverse=by.startswith("-"))
    return [*having, *(row for row in rows if value(row) is None)]


def _lines(
    first: list[list[str]], middle: list[list[str]], last: list[list[str]]
) -> tuple[list[str], int]:
    """Write columns as far as there is room: the first and the last, and what is in between."""
    fixed = [*zip(*first, strict=True), *zip(*last, strict=True)]
    room = width() - sum(max(map(wide, column)) + _GAP for column in fixed)
    shown, left = [], 0
    for column in middle:
        needed = max(map(wide, column)) + _GAP
        if needed > room:
            left += 1
            continue
        room -= needed
        shown.append(column)
    rows = [
        [*head, *(column[number] for column in shown), *last[number]]
        for number, head in enumerate(first)
    ]
    right = [False] * len(first[0]) + [True] * len(shown) + [False] + [True] * (len(last[0]) - 1)
    return [*columns(rows, right)], left


def _worth(names: Sequence[str], by: str) -> list[str]:
    """Order metrics by what says most: what is sorted by, single numbers, then those of lists."""
    wanted = by.removeprefix("-")
    return sorted(names, key=lambda name: (not wanted or not name.endswith(wanted), "[" in name))


def _shorts(names: Sequence[str], axes: Sequence[str]) -> dict[str, str]:
    ends = [name.partition(": ")[2] or name for name in names]
    known = [*ends, *axes, _STATE, _DURATION]
    return {
        name: end if known.count(end) == 1 else name for name, end in zip(names, ends, strict=True)
    }


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _cell(value: object) -> str:
    if value is None or isinstance(value, str):
        return cut(value or "", _LONGEST)
    return cut(json.dumps(value, ensure_ascii=False), _LONGEST)


def _number(value: object) -> str:
    return f"{value:.6g}" if is_number(value) else "" if value is None else str(value)


def _state(row: points.Row) -> str:
    state = state_in_words(row.state) if row.state else "not run"
    good = row.state is None or State(row.state).good
    return state if good or not row.error else f"{state}: {cut(row.error, _LONGEST)}"


def _seconds(row: points.Row) -> str:
    return "" if row.seconds is None else seconds_in_words(row.seconds)
