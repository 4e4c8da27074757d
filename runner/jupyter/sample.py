"""Test data of the first rows of what notebooks read: a beginning, not data made by hand."""

import csv
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from ..system import to_json
from .proposal import Note, Proposal

_MARK = "testdata/NOT-MADE-BY-HAND.txt"


@dataclass
class Samples:
    """Files to write, the inputs' paths to them by stage and parameter, and a profile's text."""

    files: dict[str, bytes] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    profile: str = ""
    notes: list[Note] = field(default_factory=list)


def of(root: Path, proposal: Proposal, rows: int) -> Samples:
    """Take the first rows of each table that is read from outside of the build."""
    made, lines = Samples(), list[str]()
    for sheet in proposal.sheets:
        section = []
        for port in sheet.ports.values():
            made_here = port.place != port.name or port.name.startswith("outputs/")
            if port.kind != "input" or made_here:
                continue
            data = _first(root / port.name, rows)
            if data is None:
                what = "cannot be cut to a few rows; make test data by hand"
                made.notes.append(Note(port.name, what))
                continue
            name = f"testdata/{PurePosixPath(port.name).name}"
            if (root / name).exists() or made.files.get(name, data) != data:
                made.notes.append(Note(name, f"is there already; {port.name} was not cut"))
                continue
            made.files[name] = data
            value = os.path.relpath(name, sheet.folder)
            made.values.setdefault(sheet.stage, {})[port.parameter] = value
            section.append(f"  {port.parameter}: {json.dumps(_real(port.name, sheet.folder))}")
        lines += [f"{sheet.stage}:", *section] if section else []
    made.profile = "".join(f"{one}\n" for one in lines)
    if made.files:
        listed = "".join(f"{name}\n" for name in sorted(made.files))
        text = (
            f"These files are the first {rows} rows of the real data. They show that the notebooks "
            f"run, not that\nthey are right: make up a few rows of your own whose results you can "
            f"work out by hand.\n\n{listed}"
        )
        made.files[_MARK] = text.encode()
    return made


def _real(name: str, folder: str) -> str:
    return os.path.relpath(name, folder)


def _first(path: Path, rows: int) -> bytes | None:
    """Give the beginning of a table; None if it is none that is known."""
    cut = _CUTS.get(path.suffix.lower())
    return cut(path, rows) if cut and path.is_file() else None


def _of_table(path: Path, rows: int) -> bytes:
    with path.open("rb") as file:
        reader = csv.reader(_text(iter(file)))
        # A cell may hold ends of lines, so rows are counted, and lines taken.
        for _ in islice(reader, rows + 1):
            pass
        lines = reader.line_num
    return _of_lines(path, lines)


def _of_lines(path: Path, rows: int) -> bytes:
    with path.open("rb") as file:
        return b"".join(islice(file, rows))


def _of_list(path: Path, rows: int) -> bytes | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError:
        return None
    return to_json(found[:rows]) if isinstance(found, list) else path.read_bytes()


def _whole(path: Path, _: int) -> bytes:
    return path.read_bytes()


_CUTS: dict[str, Callable[[Path, int], bytes | None]] = {
    **dict.fromkeys((".csv", ".tsv"), _of_table),
    **dict.fromkeys((".jsonl", ".ndjson", ".txt"), _of_lines),
    ".json": _of_list,
    **dict.fromkeys((".yaml", ".yml", ".toml", ".ini", ".cfg"), _whole),
}


def _text(lines: Iterator[bytes]) -> Iterator[str]:
    for line in lines:
        yield line.decode("utf-8", "replace")
