"""The points of a build: `variants.csv`, a table of what came of each, and that over some axes."""

import csv
import io
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..model import Pipeline, State
from ..system import content, remove, write_whole
from .metrics import is_number
from .record import Record, StageRecord, storable

FILE = "variants.csv"
_POINT, _STAGES = "point", "stages"

# Student's t that 95 % of the values lie within, for 1 to 9 degrees of freedom
# (Abramowitz and Stegun, Handbook of Mathematical Functions, table 26.10).
_T = (12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216)


@dataclass(frozen=True)
class Point:
    """A point as `variants.csv` has it: its name, and its values by `stage.parameter`."""

    label: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A point that is part of no larger one, and what came of it.

    `metrics` are those of the stages there, and of the stages that have some of its values;
    `seconds` is what the stages took that have all of them. `state` is None where nothing of it
    has run yet.
    """

    label: str
    values: tuple[Any, ...]
    state: str | None
    error: str | None
    metrics: Mapping[str, Any]
    seconds: float | None


@dataclass(frozen=True)
class Points:
    """All points of a build; `axes` names the values of a row, `metrics` what some of them have."""

    axes: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Spread:
    """A metric over several points: how many have it, their mean, and how far they lie apart.

    `deviation` is the standard deviation of a sample, `within` half the width of the interval in
    which the mean lies with 95 % confidence; both None of one value.
    """

    count: int
    mean: float
    deviation: float | None
    within: float | None


@dataclass(frozen=True)
class Group:
    """Points with the same values of the axes that are left; `bad` are those without a result."""

    values: tuple[Any, ...]
    count: int
    bad: int
    spreads: Mapping[str, Spread] = field(default_factory=dict)


def write(build: Path, pipeline: Pipeline) -> None:
    """Write the points of a build, or take the file away where there are none.

    Raises:
        OSError: it cannot be written.
    """
    points: dict[str, dict[str, object]] = {}
    stages: dict[str, list[str]] = {}
    for stage in pipeline.stages.values():
        if stage.label:
            points[stage.label] = {name: storable(one) for name, one in stage.point.items()}
            stages.setdefault(stage.label, []).append(stage.notebook.stage)
    path = build / FILE
    if not points:
        remove(path)
        return
    axes = dict.fromkeys(name for values in points.values() for name in values)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_POINT, _STAGES, *axes])
    for label, values in points.items():
        cells = [_written(values[name]) if name in values else "" for name in axes]
        writer.writerow([label, " ".join(stages[label]), *cells])
    data = text.getvalue().encode()
    if not path.is_file() or content(path) != data:
        write_whole(path, data)


def read(build: Path) -> list[Point]:
    """Read the points of a build; there are none where there is no such file."""
    try:
        lines = content(build / FILE).decode("utf-8").splitlines(keepends=True)
        head, *rows = csv.reader(lines)
    except (OSError, ValueError, csv.Error):
        return []
    return [
        Point(label, {name: _read(one) for name, one in zip(head[2:], cells, strict=False) if one})
        for label, _, *cells in (row for row in rows if len(row) == len(head))
    ]


def _written(value: object) -> str:
    """Write a value: a text as it is, unless it could be read as something else."""
    if isinstance(value, str) and value and value == _read(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _read(text: str) -> Any:  # noqa: ANN401 - what a parameter is
    try:
        return json.loads(text)
    except ValueError:
        return text


def of(build: Path, records: Iterable[Record]) -> Points | None:
    """Make the table of a build's points; None if it has none.

    Args:
        build: the folder of the build.
        records: its runs, the newest first.
    """
    points = read(build)
    if not points:
        return None
    latest = _latest(records)
    whole = [one for one in points if not any(_is_part(one, other) for other in points)]
    axes = tuple(dict.fromkeys(name for one in points for name in one.values))
    rows = [_row(one, axes, latest) for one in whole]
    metrics = tuple(dict.fromkeys(name for row in rows for name in row.metrics))
    short = _short(axes)
    return Points(tuple(short[name] for name in axes), metrics, tuple(rows))


def _is_part(one: Point, other: Point) -> bool:
    return len(one.values) < len(other.values) and one.values.items() <= other.values.items()


def _short(axes: Sequence[str]) -> dict[str, str]:
    """Call `features.degree` `degree`, where no other axis is called so."""
    last = [name.rpartition(".")[2] for name in axes]
    return {
        name: end if last.count(end) == 1 else name for name, end in zip(axes, last, strict=True)
    }


def _latest(records: Iterable[Record]) -> dict[str, tuple[StageRecord, StageRecord]]:
    """Give of each stage at a point how it stands, and how it was made, if it stands."""
    found: dict[str, tuple[StageRecord, StageRecord]] = {}
    runs = list(records)
    by_id = {run.id: run for run in runs}
    for run in runs:
        for stage in run.stages:
            if not stage.point or stage.name in found or stage.state is None:
                continue
            maker = by_id.get(stage.made_by or "")
            made = maker.stage(stage.was or stage.name) if maker is not None else None
            found[stage.name] = stage, made or stage
    return found


def _row(
    point: Point, axes: Sequence[str], latest: Mapping[str, tuple[StageRecord, StageRecord]]
) -> Row:
    values = {name: storable(one) for name, one in point.values.items()}
    parts = [both for both in latest.values() if both[0].point.items() <= values.items()]
    own = [both for both in parts if len(both[0].point) == len(values)]
    bad = [stage for stage, _ in parts if not State(stage.state or State.LOST).good]
    # What failed says more than what was held up by it.
    bad.sort(key=lambda stage: stage.state in {State.BLOCKED, State.CANCELLED})
    state = bad[0].state if bad else own[0][0].state if own else None
    good = [made for stage, made in parts if State(stage.state or State.LOST).good]
    seconds = [made.seconds for stage, made in own if made.seconds is not None]
    return Row(
        point.label,
        tuple(point.values.get(name) for name in axes),
        State.SUCCEEDED if state is not None and not bad else state,
        bad[0].error if bad else None,
        {name: value for one in good for name, value in one.metrics.items()},
        sum(seconds) if seconds else None,
    )


def over(points: Points, names: Sequence[str]) -> tuple[tuple[str, ...], list[Group]]:
    """Put points together that differ in some axes alone; give the other axes, and the groups.

    Args:
        points: the table.
        names: the axes over which the mean is taken.
    """
    left = [number for number, name in enumerate(points.axes) if name not in names]
    groups: dict[str, list[Row]] = {}
    for row in points.rows:
        groups.setdefault(json.dumps([row.values[n] for n in left]), []).append(row)
    found = []
    for rows in groups.values():
        good = [row for row in rows if row.state is not None and State(row.state).good]
        spreads = {name: spread([row.metrics.get(name) for row in good]) for name in points.metrics}
        found.append(
            Group(
                tuple(rows[0].values[n] for n in left),
                len(rows),
                len(rows) - len(good),
                {name: one for name, one in spreads.items() if one is not None},
            )
        )
    return tuple(points.axes[n] for n in left), found


def spread(values: Sequence[object]) -> Spread | None:
    """Describe the numbers among some values; None if there is none."""
    numbers = [float(one) for one in values if is_number(one)]  # type: ignore[arg-type]
    if not numbers:
        return None
    mean = statistics.fmean(numbers)
    if len(numbers) == 1:
        return Spread(1, mean, None, None)
    deviation = statistics.stdev(numbers)
    within = quantile(len(numbers) - 1) * deviation / math.sqrt(len(numbers))
    return Spread(len(numbers), mean, deviation, within)


def quantile(freedom: int) -> float:
    """Give Student's t that 95 % of the values lie within.

    Beyond the table by the expansion 26.7.5 of Abramowitz and Stegun, right to four digits.
    """
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = statistics.NormalDist().inv_cdf(0.975)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / float(freedom) ** power for power, term in enumerate(terms, 1))
