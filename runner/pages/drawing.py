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
