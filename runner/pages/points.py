"""What the page of a build shows of its points: a table, and each metric drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..runs import Record, is_number, points
from . import drawing
from .views import Mark, number

# So many metrics have a column and a drawing; of more points the table shows the first ones.
_METRICS, _ROWS = 6, 500


@dataclass(frozen=True)
class Shown:
    """The points of a build for the template; `drawn` has a title and a drawing for each metric."""

    axes: Sequence[str]
    metrics: Sequence[str]
    rows: Sequence[tuple[points.Row, Sequence[str], Mark]]
    left_out: int
    drawn: Sequence[tuple[str, Markup]]


def of(build: Path, records: Iterable[Record]) -> Shown | None:
    """Look at the points of a build; None if it has none."""
    found = points.of(build, records)
    if found is None:
        return None
    # Those of long lists say little.
    names = [name for name in found.metrics if "[" not in name]
    names.sort(key=lambda name: len({repr(row.metrics.get(name)) for row in found.rows}) < 2)  # noqa: PLR2004 - it is the same everywhere
    chosen = names[:_METRICS]
    rows = [
        (row, [number(row.metrics.get(name)) for name in chosen], Mark.of(row.state, row.error))
        for row in found.rows[:_ROWS]
    ]
    drawn = [(name, _drawn(found, name)) for name in chosen]
    left_out = max(0, len(found.rows) - _ROWS)
    return Shown(found.axes, chosen, rows, left_out, [one for one in drawn if one[1]])


def _drawn(found: points.Points, name: str) -> Markup:
    """Draw a metric: over one axis a line, over two a field, over more a line for each point."""
    values = [_finite(row.metrics.get(name)) for row in found.rows]
    if len({value for value in values if value is not None}) < 2:  # noqa: PLR2004 - it is the same everywhere
        return Markup("")
    short = name.partition(": ")[2] or name
    columns = zip(*(row.values for row in found.rows), strict=True)
    axes = [Axis.of(title, column) for title, column in zip(found.axes, columns, strict=True)]
    if len(axes) == 1:
        (axis,) = axes
        label = f"{name} over {axis.title}"
        return drawing.curve(axis.title, axis.places, axis.texts, values, label)
    if len(axes) == 2:  # noqa: PLR2004 - a field has two sides
        one, other = axes
        label = f"{name} over {one.title} and {other.title}"
        return drawing.field((one.title, one.texts), (other.title, other.texts), values, label)
    lines = [*axes, Axis.of(short, values)]
    label = f"{name} at each point, over {', '.join(found.axes)}"
    return drawing.parallel([(each.title, each.places, each.texts) for each in lines], label)


def _finite(value: object) -> float | None:
    return float(value) if is_number(value) else None  # type: ignore[arg-type]


@dataclass(frozen=True)
class Axis:
    """An axis of a drawing: where each point stands on it, from 0 to 1, and what is written."""

    title: str
    places: Sequence[float | None]
    texts: Sequence[str]

    @classmethod
    def of(cls, title: str, values: Sequence[Any]) -> "Axis":
        """Place numbers by their values, others evenly in their order."""
        known = [value for value in values if value is not None]
        texts = ["" if value is None else number(value) for value in values]
        if known and all(map(is_number, known)):
            least, span = min(known), (max(known) - min(known)) or 1
            return cls(title, [None if v is None else (v - least) / span for v in values], texts)
        order = list(dict.fromkeys(texts))
        span = (len(order) - 1) or 1
        return cls(title, [order.index(text) / span for text in texts], texts)
