"""The notebooks that exist in a project: where they are, and in which order they are run."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import UsageError
from ..model import INJECTED_CELL
from ..project import NotebookError, document, naming
from .cells import NewCell, is_percent, of_percent, written
from .scaffold import left_behind

# What is the runner's own in a project, or holds no sources.
_OURS = {"outputs", "runner", "testdata", "runner.old"}
_SCRIPTS = (".sh", ".py", ".mk", ".bash", ".txt", ".yaml", ".yml", ".toml")


@dataclass(frozen=True)
class Existing:
    """A notebook as it exists: its name in the project, its cells as a document has them."""

    label: str
    cells: tuple[dict[str, Any], ...]
    metadata: dict[str, Any]

    @property
    def folder(self) -> str:
        """Where it runs, by its name in the project."""
        return str(PurePosixPath(self.label).parent)

    @property
    def text(self) -> str:
        """Give it as a notebook's file."""
        return notebook_of(self.cells, self.metadata)


def notebook_of(cells: Iterable[dict[str, Any]], metadata: dict[str, Any]) -> str:
    """Write a notebook of cells as a document has them."""
    made = [{**one, "source": one["source"].splitlines(keepends=True)} for one in cells]
    return written({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def find(root: Path, words: Sequence[str]) -> tuple[list[Existing], list[str]]:
    """Find the notebooks that words name: files, or folders at any depth.

    Returns:
        The notebooks in their order, and what is left out, each with why.

    Raises:
        UsageError: a word names nothing in the project.
    """
    found: dict[str, Existing] = {}
    left_out: list[str] = []
    for word in words:
        place = Path(os.path.normpath(Path.cwd() / word)).resolve()
        if not place.is_relative_to(root):
            message = (
                f"{word} lies outside of the project; "
                f"python run.py new FOLDER --from {word} brings it into one"
            )
            raise UsageError(message)
        if not place.exists():
            message = f"there is no {word}"
            raise UsageError(message)
        for path in [place] if place.is_file() else _files(root, place):
            label = path.relative_to(root).as_posix()
            one = _read(path, label)
            if isinstance(one, str):
                left_out.append(f"{label} ({one})")
            elif one is not None:
                found[label] = one
    for label in [one for one in found if one.endswith(".py")]:
        twin = str(PurePosixPath(label).with_suffix(".ipynb"))
        if twin in found:
            del found[label]
            left_out.append(f"{label} ({twin} is its notebook)")
    labels = sorted(found, key=naming.natural_key)
    return [found[one] for one in labels], left_out


def _files(root: Path, folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        left = left_behind(path, [*folders, *names])
        left |= _OURS if Path(path) == root else set()
        folders[:] = sorted(set(folders) - left)
        left |= {"run.py"} if Path(path) == root else set()
        mine = sorted(set(names) - left)
        yield from (Path(path) / one for one in mine if one.endswith((".ipynb", ".py")))


def _read(path: Path, label: str) -> Existing | str | None:
    """Read what may be a notebook; give why it is left out, or None for another script."""
    if path.suffix == ".py":
        text = path.read_text("utf-8", "replace")
        if not is_percent(text):
            return None
        cells = [_as_document(n, one) for n, one in enumerate(of_percent(text), 1)]
        spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
        return Existing(label, tuple(cells), {"kernelspec": spec})
    if path.suffix != ".ipynb" or naming.is_scratch(path.stem):
        return "its name says that it is none"
    try:
        found = document.read(path, label)
    except NotebookError as error:
        return error.problems[0].what
    return _unfit(found) or Existing(label, found.cells, found.metadata)


def _unfit(found: document.Document) -> str | None:
    """Say why a notebook is none to adopt, if so."""
    tags = {tag for one in found.cells for tag in one["metadata"].get("tags", [])}
    if found.executed or INJECTED_CELL in tags:
        return "an executed copy"
    spec = found.metadata.get("kernelspec", {})
    is_python = "python" in str(spec.get("language", spec.get("name", "python"))).lower()
    return None if is_python else "it is not in Python"


def _as_document(number: int, one: NewCell) -> dict[str, Any]:
    metadata = {"tags": list(one.tags)} if one.tags else {}
    made = {"cell_type": one.kind, "id": f"cell-{number}", "metadata": metadata}
    run: dict[str, Any] = {"execution_count": None, "outputs": []} if one.kind == "code" else {}
    return {**made, **run, "source": one.source}


def order(root: Path, found: Sequence[Existing]) -> tuple[list[Existing], str | None]:
    """Put notebooks into the order in which a script of the project runs them, if one does.

    Returns:
        The notebooks, and the script's name.
    """
    for script in _scripts(root, found):
        text = script.read_text("utf-8", "replace")
        places = {one.label: _place(text, one) for one in found}
        named = [one for one in found if places[one.label] is not None]
        if len(named) > 1 and len(named) == len(found):
            named.sort(key=lambda one: places[one.label] or 0)
            return named, script.relative_to(root).as_posix()
    return list(found), None


def _scripts(root: Path, found: Sequence[Existing]) -> Iterator[Path]:
    folders = dict.fromkeys([root, *(root / one.folder for one in found)])
    own = {root / one.label for one in found} | {root / "run.py"}
    for folder in folders:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and path not in own)
        makefiles = [one for one in paths if one.name.lower() == "makefile"]
        yield from makefiles
        yield from (one for one in paths if one.suffix in _SCRIPTS and one.stat().st_size < 1 << 20)


def _place(text: str, one: Existing) -> int | None:
    name = PurePosixPath(one.label).name
    hit = re.search(rf"(?<![\w-]){re.escape(name)}\b", text)
    return hit.start() if hit else None
