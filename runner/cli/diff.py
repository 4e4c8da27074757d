"""`diff`: what differs between two runs."""

import json
import os
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import Exit
from ..model import Value
from ..project import Outline, dotenv, layout
from ..runs import VERSION, compare, find
from ..words import (
    clock_in_words,
    counted,
    numbers_in_words,
    one_line,
    percent_in_words,
    seconds_in_words,
    share_in_words,
    shortened,
    state_in_words,
)
from .options import Options
from .paper import Line, columns, show, wide, width
from .shared import page_file, write_page

_NONE = "none"
# So much of a value, or of a hash, is shown in a column.
_LONGEST, _HASH = 120, 12
# So many lines of a cell, and so many metrics, are shown.
_CELL, _METRICS = 60, 20


def diff(known: Outline, chosen: Options) -> int:
    """Print what differs between two runs, and in a line what does not.

    Args:
        known: the project's names.
        chosen: two words, each a run's id or a profile, which means its newest run that has
            ended; one word, for that run and the one before it; none, for the newest of all.

    Returns:
        0 if nothing but times differs, else 1.

    Raises:
        UsageError: there are no such runs.
    """
    old, new = find.pair("diff", chosen.rest, known)
    found = compare.of(known, old, new)
    mask = dotenv.mask(known.root, os.environ, layout.settings(known.root).secrets)
    if chosen.has("html"):
        path = page_file("--html", str(chosen.given["html"]))
        from ..pages import Site  # noqa: PLC0415 - it imports much

        write_page(lambda: Site(known, mask, {}).comparison(found, path), path, known.root)
    elif chosen.has("json"):
        print(json.dumps(mask.texts(_details(found, known.root)), indent=2, allow_nan=False))
    else:
        show([*_lines(found)], mask)
    return Exit.FAILED if found.different else Exit.OK


def _details(found: compare.Diff, root: Path) -> dict[str, Any]:
    """Say it for programs; paths are relative to the project."""

    def plain(value: Any) -> Any:  # noqa: ANN401 - whatever is in it
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        return str(value.relative_to(root)) if isinstance(value, Path) else value

    return {"version": VERSION, "different": found.different, **plain(asdict(found))}


def _lines(found: compare.Diff) -> Iterator[Line]:
    sides = [("old", found.old), ("new", found.new)]
    rows = [
        [
            word,
            side.profile,
            side.id,
            clock_in_words(side.started),
            state_in_words(side.state),
            seconds_in_words(side.seconds),
        ]
        for word, side in sides
    ]
    yield from map(Line, columns(rows))
    for head, lines in (
        ("verdict", _verdict(found)),
        ("parameters", _parameters(found)),
        ("code", _code(found)),
        ("packages", _rows((one.name, one.old, one.new) for one in found.packages)),
        ("inputs", _inputs(found)),
        ("metrics", _metrics(found)),
        ("outputs", _outputs(found)),
        ("times", _times(found)),
    ):
        shown = list(lines)
        if shown:
            yield from (Line(""), Line(head, "head"), *shown)
    yield Line("")
    for note in found.notes:
        yield from _wrapped(f"not compared: {note}")
    if not found.different:
        yield Line("nothing differs but times" if found.times else "nothing differs")
    same = ", ".join(_same(found))
    if same:
        yield from _wrapped(f"the same: {same}")


def _wrapped(text: str) -> Iterator[Line]:
    """Write a sentence; on a terminal it does not break within a word."""
    yield from map(Line, textwrap.wrap(one_line(text), width(), subsequent_indent="  "))


def _same(found: compare.Diff) -> Iterator[str]:
    for one in found.same:
        if one.same == one.all:
            yield one.kind
        elif one.same:
            yield f"{one.same} of {one.all} {one.kind}"


Row = tuple[str, str | None, str | None]


def _rows(rows: Iterable[tuple[str, ...] | Row], indent: str = "  ") -> Iterator[Line]:
    """Write what differs: its name, old → new, and what else there is to say of it.

    Where there is no room for that, the two stand below each other.
    """
    told = [
        (name, *(_NONE if side is None else one_line(side) for side in (old, new)), *more)
        for name, old, new, *more in rows
    ]
    room = width() - len(indent)
    fit = [row for row in told if sum(wide(cell) + 3 for cell in row) <= room]
    most = max((wide(old) for _, old, *_ in fit), default=0)
    lines = columns(
        (name, f"{old}{' ' * (most - wide(old))} → {new}", *more) for name, old, new, *more in fit
    )
    for row in told:
        line = next(lines) if row in fit else None
        if line is not None and wide(line) <= room:
            yield Line(f"{indent}{line}")
            continue
        name, old, new, *more = row
        yield Line(f"{indent}{'  '.join(map(one_line, filter(None, [name, *more])))}")
        yield Line(f"{indent}  - {old}", "old")
        yield Line(f"{indent}  + {new}", "new")


def _verdict(found: compare.Diff) -> Iterator[Line]:
    def rows() -> Iterator[Row]:
        for one in found.verdict:
            if one.name == "state":
                old, new = (each and state_in_words(each) for each in (one.old, one.new))
                missing = _NONE if one.stage is None else "not in this run"
                yield one.stage or one.name, old or missing, new or missing
            else:
                yield f"{one.stage}: {one.name}" if one.stage else one.name, one.old, one.new

    return _rows(rows())


def _parameters(found: compare.Diff) -> Iterator[Line]:
    return _rows(
        (f"{one.stage}.{one.name}", _value(one.old), _value(one.new)) for one in found.parameters
    )


def _value(value: Value | None) -> str | None:
    if value is None:
        return None
    return f"{shortened(one_line(repr(value.value)), _LONGEST)} ({value.origin})"


def _code(found: compare.Diff) -> Iterator[Line]:
    for one in found.code:
        for cell in one.cells:
            numbers = [str(number) for number in (cell.old, cell.new) if number is not None]
            where = " → ".join(dict.fromkeys(numbers))
            words = f"{one.stage}, cell {where} {cell.kind}: {shortened(cell.title, _LONGEST)}"
            yield Line(f"  {one_line(words)}")
            yield from map(_code_line, cell.lines[:_CELL])
            if len(cell.lines) > _CELL:
                yield Line(f"      … {counted(len(cell.lines) - _CELL, 'more line')}", "aside")
        for module in one.modules:
            kind = "added" if module.old is None else "removed" if module.new is None else "changed"
            yield Line(f"  {one.stage}, module {kind}: {one_line(module.name)}")
        if one.left_out is not None:
            old, new = (", ".join(map(str, each)) or "none" for each in one.left_out)
            yield Line(f"  {one.stage}, cells left out: {old} → {new}")


def _code_line(line: str) -> Line:
    kind = {"-": "old", "+": "new", "@": "aside"}.get(line[:1], "")
    text = "…" if kind == "aside" else f"{line[:1]} {line[1:]}"
    return Line(f"      {text}".rstrip(), kind)


def _inputs(found: compare.Diff) -> Iterator[Line]:
    def rows() -> Iterator[Row]:
        for one in found.inputs:
            names = {side.name for side in (one.old, one.new) if side}
            stages = ", ".join(one.stages)
            if len(names) == 1:
                hashes = [_hash(side.hash) if side else _NONE for side in (one.old, one.new)]
                yield f"{names.pop()} ({stages})", hashes[0], hashes[1]
            else:
                old, new = (
                    None if side is None else f"{side.name} {_hash(side.hash)}"
                    for side in (one.old, one.new)
                )
                yield f"{one.parameter} ({stages})", old, new

    return _rows(rows())


def _hash(text: str | None) -> str:
    return text.rpartition(":")[2][:_HASH] if text else "missing"


def _metrics(found: compare.Diff) -> Iterator[Line]:
    yield from _rows(
        (
            one.name,
            *numbers_in_words(one.old, one.new),
            percent_in_words(one.percent),
        )
        for one in found.metrics[:_METRICS]
    )
    if len(found.metrics) > _METRICS:
        rest = len(found.metrics) - _METRICS
        yield Line(f"  … {counted(rest, 'more metric')}; --json has all", "aside")


def _outputs(found: compare.Diff) -> Iterator[Line]:
    metrics = {one.name for one in found.metrics[:_METRICS]}
    for one in found.outputs:
        name = one_line(one.name)
        if one.old is None or one.new is None:
            yield Line(f"  {name}: only {'new' if one.old is None else 'old'}")
        elif one.pictures is not None:
            sizes = [" x ".join(map(str, each)) for each in (one.pictures.old, one.pictures.new)]
            if sizes[0] != sizes[1]:
                yield Line(f"  {name}: {sizes[0]} → {sizes[1]} pixels")
            elif one.pictures.share is None:
                yield Line(f"  {name}: the pictures differ")
            else:
                share = f"{share_in_words(one.pictures.share)} of the pixels differ"
                yield Line(f"  {name}: {share} ({sizes[0]})")
        elif one.note is not None:
            hashes = f"{_hash(one.old.hash)} → {_hash(one.new.hash)}"
            yield Line(f"  {name}: {hashes}, {one_line(one.note)}")
        elif not one.more and {f"{one.name}: {where}" for where, *_ in one.places} <= metrics:
            yield Line(f"  {name}: in the metrics above")
        else:
            yield Line(f"  {name}:")
            yield from _rows(
                (
                    (where or "all of it", _short(old), _short(new))
                    for where, old, new in one.places
                ),
                "    ",
            )
            if one.more:
                yield Line(f"    … {counted(one.more, 'more place')}", "aside")


def _short(text: str) -> str:
    return shortened(text, _LONGEST)


def _times(found: compare.Diff) -> Iterator[Line]:
    def rows() -> Iterator[tuple[str, ...]]:
        for one in found.times:
            yield (
                one.stage or "the run",
                *(
                    "did not run" if seconds is None else seconds_in_words(seconds)
                    for seconds in (one.old, one.new)
                ),
            )

    return (Line(line.text, "aside") for line in _rows(rows()))
