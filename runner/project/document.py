"""A notebook's file as a document of today's format, whatever program wrote it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Problem
from ..system import content

_TODAY, _BEFORE = 4, 3
_MINOR = 5
_KINDS = {"code", "markdown", "raw"}
# What format 3 had besides.
_OLD_KINDS = {**{kind: kind for kind in _KINDS}, "heading": "markdown", "html": "markdown"}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# No program writes deeper ones; Python gives up at a thousand.
_DEEPEST = 100
# What a run makes anew.
_OF_A_RUN = ("widgets", "papermill")
_SAVE = "open it in Jupyter and save it again"


class NotebookError(Exception):
    """A notebook that cannot be used; holds its problems."""

    def __init__(self, *problems: Problem) -> None:
        """Keep the problems."""
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


@dataclass(frozen=True)
class Document:
    """A notebook without outputs, each cell with a source, metadata and an id of its own.

    `repairs` says in what the file was not so; `executed` is whether a run of ours or of
    papermill's wrote it, `has_outputs` whether it holds some.
    """

    cells: tuple[dict[str, Any], ...]
    metadata: dict[str, Any]
    repairs: tuple[str, ...]
    executed: bool
    has_outputs: bool

    def content(self) -> dict[str, Any]:
        """Give it as nbformat knows it."""
        content = {"cells": list(self.cells), "metadata": self.metadata}
        return {**content, "nbformat": _TODAY, "nbformat_minor": _MINOR}


def read(path: Path, label: str) -> Document:
    """Read a notebook's file; what is sure to be meant is repaired.

    Args:
        path: the file.
        label: its path in the project, by which messages name it.

    Raises:
        NotebookError: it is no notebook.
    """
    repairs: dict[str, None] = {}
    raw = _load(path, label, repairs)
    executed = bool(_of(_of(raw, "metadata"), "papermill").get("start_time"))
    reader = _Reader(label, repairs)
    metadata = reader.metadata(raw, "")
    for name in sorted(metadata.keys() & {"kernelspec", "language_info"}):
        one = metadata[name]
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            reader.repaired(f"its metadata's `{name}` is not as Jupyter writes it")
            del metadata[name]
        elif name == "kernelspec" and not isinstance(one.get("display_name"), str):
            metadata[name] = {**one, "display_name": one["name"]}
    found = list(_cells(raw, label))
    cells = tuple(reader.cell(number, cell) for number, cell in enumerate(found, 1))
    reader.give_ids(cells)
    has_outputs = any(cell.get("outputs") for cell in found)
    return Document(cells, metadata, tuple(repairs), executed, has_outputs)


def _load(path: Path, label: str, repairs: dict[str, None]) -> Mapping[str, Any]:
    text = _text(path, label).removeprefix("\ufeff")
    if not text.strip():
        raise NotebookError(Problem(label, "is empty; delete it or save a notebook in its place"))

    def no_number(name: str) -> None:
        repairs[f"it holds {name}, which is no JSON"] = None

    try:
        raw = json.loads(text, parse_constant=no_number)
    except json.JSONDecodeError as error:
        what = f"is not JSON, so not a notebook (line {error.lineno}: {error.msg})"
        raise NotebookError(Problem(label, what)) from None
    except (RecursionError, ValueError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else "a number is too long"
        raise NotebookError(Problem(label, f"cannot be read: {why}; {_SAVE}")) from None
    version = raw.get("nbformat") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or type(version) is not int:
        raise NotebookError(Problem(label, "is JSON, but not a notebook (it has no `nbformat`)"))
    if version not in {_TODAY, _BEFORE}:
        what = f"has notebook format {version}; open it in Jupyter and save it as format 4"
        raise NotebookError(Problem(label, what))
    if type(raw.get("nbformat_minor")) is not int:
        repairs["it has no `nbformat_minor`"] = None
    return raw


def _text(path: Path, label: str) -> str:
    try:
        if path.exists() and not path.is_file():
            raise NotebookError(Problem(label, "is no file; put the notebook itself there"))
        return content(path).decode("utf-8")
    except OSError as error:
        raise NotebookError(Problem(label, f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError:
        raise NotebookError(Problem(label, f"is not UTF-8; {_SAVE}")) from None


def _cells(raw: Mapping[str, Any], label: str) -> Iterator[Mapping[str, Any]]:
    """Give the cells; format 3 has them in worksheets, and names some things otherwise."""
    if raw["nbformat"] == _TODAY:
        cells = raw.get("cells")
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            raise NotebookError(Problem(label, "is JSON, but not a notebook (it has no `cells`)"))
        yield from cells
        return
    sheets = raw.get("worksheets", [])
    for sheet in sheets if isinstance(sheets, list) else [None]:
        cells = sheet.get("cells", []) if isinstance(sheet, dict) else None
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            what = "is JSON, but not a notebook (its `worksheets` hold no `cells`)"
            raise NotebookError(Problem(label, what))
        for cell in cells:
            old = cell.get("cell_type")
            kind = _OLD_KINDS.get(old) if isinstance(old, str) else None
            source = cell.get("input" if kind == "code" else "source", "")
            if old == "heading":
                level = cell.get("level", 1)
                marks = "#" * level if level in range(1, 7) else "#"
                source = f"{marks} {''.join(source)}" if _is_text(source) else source
            outputs = cell.get("outputs", []) if kind == "code" else []
            more = {"metadata": cell.get("metadata", {}), "outputs": outputs}
            yield {"cell_type": kind, "source": source, **more}


class _Reader:
    """Takes over what is as it should be, and says what was not."""

    def __init__(self, label: str, repairs: dict[str, None]) -> None:
        self._label = label
        self._repairs = repairs

    def repaired(self, what: str) -> None:
        self._repairs[what] = None

    def _must(self, what: str, *, hold: bool) -> None:
        if not hold:
            raise NotebookError(Problem(self._label, f"{what}; {_SAVE}"))

    def metadata(self, holder: Mapping[str, Any], whose: str) -> dict[str, Any]:
        """Give metadata, without what a run makes anew."""
        found = holder.get("metadata")
        if found is None:
            self.repaired(f"{whose or 'it'} has no `metadata`")
            return {}
        self._must(
            f"{whose} has `metadata` that are no mapping".lstrip(), hold=isinstance(found, dict)
        )
        self._must(f"{whose} has too deeply nested `metadata`".lstrip(), hold=not _is_deep(found))
        return {key: value for key, value in found.items() if key not in _OF_A_RUN}

    def cell(self, number: int, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Give a cell."""
        whose = f"entry {number} of `cells`"
        kind, source = raw.get("cell_type"), raw.get("source")
        self._must(f"{whose} has no known `cell_type`", hold=kind in list(_KINDS))
        self._must(f"{whose} has a `source` that is no text", hold=_is_text(source))
        text = "".join(source or "")
        whole = kind != "code" or _is_unicode(text)
        self._must(f"{whose} holds half a character, which is no text", hold=whole)
        metadata = self.metadata(raw, whose)
        if metadata.get("tags", []) is None:
            self.repaired(f"{whose} has `tags` that are null")
            del metadata["tags"]
        tags = metadata.get("tags", [])
        listed = isinstance(tags, list) and _is_text(tags)
        self._must(f"{whose} has `tags` that are no list of texts", hold=listed)
        made = {"cell_type": kind, "id": raw.get("id"), "metadata": metadata, "source": text}
        if kind == "code":
            if not isinstance(raw.get("outputs"), list):
                self.repaired(f"{whose} has no `outputs`")
            made |= {"execution_count": None, "outputs": []}
        elif isinstance(raw.get("attachments"), dict) and not _is_deep(raw["attachments"]):
            made["attachments"] = raw["attachments"]
        return made

    def give_ids(self, cells: tuple[dict[str, Any], ...]) -> None:
        """Give each cell an id, the same each time, that has none; refuse one that stands twice."""
        seen: set[object] = set()
        for number, cell in enumerate(cells, 1):
            own = cell["id"]
            if own is None:
                continue
            if not (isinstance(own, str) and _ID.fullmatch(own)):
                self.repaired(f"entry {number} of `cells` has an `id` that cannot be one")
                cell["id"] = None
                continue
            self._must(f"two cells have the id {own!r}", hold=own not in seen)
            seen.add(own)
        for number, cell in enumerate(cells, 1):
            if cell["id"] is None:
                free = (f"cell-{number}{'-' * more}" for more in range(len(cells) + 1))
                cell["id"] = next(name for name in free if name not in seen)
                seen.add(cell["id"])


def _of(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = holder.get(key)
    return found if isinstance(found, dict) else {}


def _is_text(source: object) -> bool:
    return isinstance(source, str) or (
        isinstance(source, list) and all(isinstance(line, str) for line in source)
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_deep(value: object) -> bool:
    level: list[dict[str, object] | list[object]] = [[value]]
    for _ in range(_DEEPEST):
        inner = [one.values() if isinstance(one, dict) else one for one in level]
        level = [one for each in inner for one in each if isinstance(one, dict | list)]
        if not level:
            return False
    return True
