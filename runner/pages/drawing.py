"""Drawings as SVG: a graph of names, and lines of numbers. Knows nothing of stages.

Colours and type are those of the style sheet, so that they are right in the dark and on paper.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from markupsafe import Markup

from ..graph import Needs

_WIDE, _HIGH, _ACROSS, _DOWN, _EDGE = 150, 46, 56, 16, 4
_LETTER = 8.2
# Beyond this the nodes of one column are too many to be told apart by a person.
MOST = 150


class Node(NamedTuple):
    """What a node shows: a sign, its name, a second line; and the class of its style."""

    sign: str
    line: str
    style: str


def graph(needs: Needs, nodes: Mapping[str, Node], label: str) -> Markup:
    """Draw names from left to right, each to the right of what it needs.

    Args:
        needs: what each name needs, in an order in which that comes before it.
        nodes: what each name's box shows.
        label: what the drawing is, for who cannot see it.
    """
    column: dict[str, int] = {}
    for name, needed in needs.items():
        column[name] = 1 + max((column[one] for one in needed if one in column), default=-1)
    ways = _ways(needs, column)
    rows = _rows(ways, column)
    names = [f"{nodes[name].sign} {name}" for name in needs]
    wide = min(320, max(_WIDE, 24 + _LETTER * max(map(len, names), default=0)))
    place = {
        name: (_EDGE + column[name] * (wide + _ACROSS), _EDGE + rows[name] * (_HIGH + _DOWN))
        for name in ways
    }
    width = 2 * _EDGE + wide + max(x for x, _ in place.values()) - _EDGE
    height = 2 * _EDGE + _HIGH + max(y for _, y in place.values()) - _EDGE
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    parts = [f'<svg class="graph" role="img" aria-label="{escape(label)}" {size}>']
    for name, needed in ways.items():
        x, y = place[name]
        for one in sorted(needed & place.keys(), key=rows.__getitem__):
            a, b = place[one][0] + wide, place[one][1] + _HIGH / 2
            c, d, half = x, y + _HIGH / 2, (x - a) / 2
            # Through a column where it only passes, a way goes straight on.
            on = "" if name in nodes else f"H{c + wide:.0f}"
            parts.append(
                f'<path class="edge" d="M{a:.0f} {b:.0f}C{a + half:.0f} {b:.0f} '
                f'{c - half:.0f} {d:.0f} {c:.0f} {d:.0f}{on}"/>'
            )
            if name in nodes:
                parts.append(f'<path class="tip" d="M{c:.0f} {d:.0f}l-7 -4v8z"/>')
    most = int((wide - 24) / _LETTER)
    for name, node in nodes.items():
        x, y = place[name]
        head = f"{node.sign} {name}"
        head = head if len(head) <= most else f"{head[: most - 1]}…"
        parts.append(
            f'<g class="node {node.style}"><title>{escape(f"{name}: {node.line}")}</title>'
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{_HIGH}" rx="7"/>'
            f'<text x="{x + 12:.0f}" y="{y + 19:.0f}">{escape(head)}</text>'
            f'<text class="second" x="{x + 12:.0f}" y="{y + 36:.0f}">{escape(node.line)}</text></g>'
        )
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 - all texts are escaped


def _ways(needs: Needs, column: dict[str, int]) -> dict[str, frozenset[str]]:
    """Have each way that passes columns go through a place of its own in each of them.

    Adds the columns of these places.
    """
    found: dict[str, frozenset[str]] = {}
    for name, needed in needs.items():
        before: set[str] = set()
        for one in sorted(needed & column.keys()):
            last = one
            for passed in range(column[one] + 1, column[name]):
                way = f"{one}\0{passed}"
                found.setdefault(way, frozenset({last}))
                column[way] = passed
                last = way
            before.add(last)
        found[name] = frozenset(before)
    return found


def _rows(needs: Needs, column: Mapping[str, int]) -> dict[str, int]:
    """Place names in their columns: near the middle of what they need, each in a row of its own."""
    rows: dict[str, int] = {}
    taken: dict[int, set[int]] = {}
    for name in sorted(needs, key=lambda one: column[one]):
        before = [rows[one] for one in needs[name] if one in rows]
        wanted = round(sum(before) / len(before)) if before else 0
        used = taken.setdefault(column[name], set())
        free = (row for step in range(len(needs) + 1) for row in (wanted + step, wanted - step))
        rows[name] = next(row for row in free if row >= 0 and row not in used)
        used.add(rows[name])
    return rows


_PLOT = (280, 84, 8)


def line(values: Sequence[float | None], label: str) -> Markup:
    """Draw numbers as points on a line, from left to right; None leaves a gap."""
    width, height, edge = _PLOT
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return Markup("")
    least, most = min(known), max(known)
    span = (most - least) or 1.0
    step = (width - 2 * edge) / max(1, len(values) - 1)
    points = [
        (edge + n * step, height - edge - (value - least) / span * (height - 2 * edge))
        for n, value in enumerate(values)
        if value is not None and math.isfinite(value)
    ]
    if least == most:
        points = [(x, height / 2) for x, _ in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in points[-60:])
    return Markup(  # noqa: S704 - all texts are escaped
        f'<svg class="plot" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {width} {height}"><polyline points="{path}"/>{dots}</svg>'
    )


_CURVE, _CELL, _PARALLEL = (420, 220), (64, 28), (640, 240)
_LEFT, _BELOW, _TOP = 70, 36, 14


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> Markup:
    head = f'<svg class="chart" role="img" aria-label="{escape(label)}" width="{width:.0f}"'
    size = f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return Markup(f"{head} {size}>{''.join(parts)}</svg>")  # noqa: S704 - all texts are escaped


def curve(
    title: str,
    places: Sequence[float | None],
    texts: Sequence[str],
    values: Sequence[float | None],
    label: str,
) -> Markup:
    """Draw numbers over an axis: points, joined where the one before is there, too.

    Args:
        title: what the axis is called.
        places: where each number stands on it, from 0 to 1.
        texts: what is written below each.
        values: the numbers; None leaves a gap.
        label: what the drawing is, for who cannot see it.
    """
    width, height = _CURVE
    known = [value for value in values if value is not None]
    least, span = min(known), (max(known) - min(known)) or 1.0
    across, down = width - _LEFT - _TOP, height - _BELOW - 2 * _TOP
    found = sorted(
        (place, value, text)
        for place, value, text in zip(places, values, texts, strict=True)
        if place is not None and value is not None
    )
    at = [
        (_LEFT + place * across, _TOP + (1 - (value - least) / span) * down)
        for place, value, _ in found
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    parts = [f'<polyline points="{path}"/>']
    for (x, y), (_, value, text) in zip(at, found, strict=True):
        named = escape(f"{text}: {value:.6g}")
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{named}</title></circle>')
    parts += [
        _text(_LEFT - 8, _TOP + 4 + row * down, f"{least + (1 - row) * span:.4g}", "end")
        for row in (0, 1)
    ]
    last = -math.inf
    for (x, _), (_, _, text) in zip(at, found, strict=True):
        # Where there is no room for it, a text is left out.
        if x - last > _LETTER * (len(text) + 1):
            parts.append(_text(x, height - _BELOW + 6, text))
            last = x
    parts.append(_text(_LEFT + across / 2, height - 6, title))
    return _svg(width, height, label, parts)


def field(
    one: tuple[str, Sequence[str]],
    other: tuple[str, Sequence[str]],
    values: Sequence[float | None],
    label: str,
) -> Markup:
    """Draw numbers over two axes as a field of cells, each with its number, darker if greater.

    Args:
        one: what the axis from left to right is called, and what each number has there.
        other: the same from top to bottom.
        values: the numbers; None leaves a cell empty.
        label: what the drawing is, for who cannot see it.
    """
    (title, columns), (beside, rows) = one, other
    across, down = list(dict.fromkeys(columns)), list(dict.fromkeys(rows))
    known = [value for value in values if value is not None]
    least, span = min(known), (max(known) - min(known)) or 1.0
    wide, high = _CELL
    left = 24 + _LETTER * max(len(text) for text in [*down, beside])
    parts = [_text(left - 8, _TOP + 10, beside, "end")]
    parts += [_text(left + (n + 0.5) * wide, _TOP + 10, text) for n, text in enumerate(across)]
    top = _TOP + 18
    parts += [_text(left - 8, top + (n + 0.7) * high, text, "end") for n, text in enumerate(down)]
    for column, row, value in zip(columns, rows, values, strict=True):
        if value is None:
            continue
        x, y = left + across.index(column) * wide, top + down.index(row) * high
        shade = 0.08 + 0.42 * (value - least) / span
        parts.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{wide - 2}" height="{high - 2}" '
            f'fill-opacity="{shade:.2f}"><title>{escape(f"{column}, {row}: {value:.6g}")}</title>'
            "</rect>" + _text(x + wide / 2 - 1, y + high * 0.65, f"{value:.4g}")
        )
    width, height = left + len(across) * wide + _TOP, top + len(down) * high + 24
    parts.append(_text(left + len(across) * wide / 2, height - 6, title))
    return _svg(width, height, label, parts)


def parallel(
    axes: Sequence[tuple[str, Sequence[float | None], Sequence[str]]], label: str
) -> Markup:
    """Draw each point as a line across upright axes.

    Args:
        axes: what each is called, where each point stands on it from 0 to 1, and its text there.
        label: what the drawing is, for who cannot see it.
    """
    width, height = max(_PARALLEL[0], 130 * len(axes)), _PARALLEL[1]
    step = (width - 2 * _LEFT) / (len(axes) - 1)
    down = height - _BELOW - 2 * _TOP
    parts = []
    for number in range(len(axes[0][1])):
        at = [(n, places[number]) for n, (_, places, _) in enumerate(axes)]
        path = " ".join(
            f"{_LEFT + n * step:.1f},{_TOP + (1 - place) * down:.1f}"
            for n, place in at
            if place is not None
        )
        told = ", ".join(f"{title} {texts[number]}" for title, _, texts in axes)
        parts.append(f'<polyline points="{path}"><title>{escape(told)}</title></polyline>')
    for n, (title, places, texts) in enumerate(axes):
        x = _LEFT + n * step
        parts.append(f'<path class="axis" d="M{x:.1f} {_TOP}v{down}"/>')
        ends = {place: text for place, text in zip(places, texts, strict=True) if place in {0, 1}}
        for place, text in ends.items():
            y = _TOP + (1 - (place or 0)) * down
            parts.append(_text(x, y - 4 if place else y + 14, text))
        parts.append(_text(x, height - 6, title))
    return _svg(width, height, label, parts)
