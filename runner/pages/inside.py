"""A look inside a file: its first rows, its numbers, its first lines."""

import contextlib
import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..system import looked_at
from ..words import shown, size_in_words

_ROWS, _COLUMNS, _CELL, _LINES, _TEXT = 6, 12, 60, 12, 2000
# Of a text file so much is read; JSON of more bytes is shown as text.
_MOST = 64 << 10
Mask = Callable[[str], str]
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"}


@dataclass(frozen=True)
class Inside:
    """What a file holds: rows of a table with its columns, or a text; and its size in words."""

    size: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""


def look(path: Path, mask: Mask) -> Inside | None:
    """Look inside a file, whatever it is; None if it cannot be read.

    `mask` hides secrets, before anything is cut.
    """
    try:
        size = size_in_words(path.stat().st_size)
        suffix = path.suffix.lower()
        if suffix in PICTURES:
            return Inside(size)
        if suffix == ".parquet":
            return _parquet(path, size, mask)
        with looked_at(path) as file:
            data = file.read(_MOST + 1)
    except OSError:
        return None
    if b"\0" in data:
        return Inside(size)
    text = data[:_MOST].decode("utf-8-sig", "replace")
    if suffix in {".csv", ".tsv"}:
        return _table(text, "\t" if suffix == ".tsv" else ",", size, mask)
    if suffix == ".json" and len(data) <= _MOST:
        with contextlib.suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    text = mask(text)
    lines = text.splitlines()
    more = "\n…" if len(lines) > _LINES or len(text) > _TEXT else ""
    return Inside(size, text=shown("\n".join(lines[:_LINES])[:_TEXT]) + more)


def _table(text: str, delimiter: str, size: str, mask: Mask) -> Inside:
    try:
        reader = csv.reader(text.splitlines()[: _ROWS + 1], delimiter=delimiter)
        rows = [tuple(_short(cell, mask) for cell in row[:_COLUMNS]) for row in reader]
    except csv.Error:
        return Inside(size, text=shown(mask(text)[:_TEXT]))
    return Inside(size, rows[0] if rows else (), tuple(rows[1:]))


def _parquet(path: Path, size: str, mask: Mask) -> Inside:
    try:
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415 - not every project has it

        with ParquetFile(path) as file:
            names = file.schema_arrow.names[:_COLUMNS]
            batch: Any = next(file.iter_batches(batch_size=_ROWS, columns=names), None)
            found = batch.to_pylist() if batch is not None else []
            count = f"{file.metadata.num_rows:,} rows, {size}"
    except Exception:  # noqa: BLE001 - whatever a library makes of a file
        return Inside(size)
    rows = tuple(tuple(_short(row.get(name), mask) for name in names) for row in found)
    return Inside(count, tuple(_short(name, mask) for name in names), rows)


def _short(value: object, mask: Mask) -> str:
    text = shown(mask(str(value))).replace("\n", " ")
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"
