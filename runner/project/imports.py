"""The project's own modules that code imports, directly or not, found from the source."""

import ast
import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

from ..system import content
from .literals import NO_PYTHON

# What IPython understands and Python does not: magics, commands, questions.
_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?+\s*)$", re.MULTILINE)
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w, ]+=\s*)[%!].*$", re.MULTILINE)
_RUN = re.compile(r"^\s*%run\s+(?:-\w+\s+)*([^\s;]+\.(?:py|ipynb))", re.MULTILINE)
_IMPORT = re.compile(r"^\s*import\s+(.+)$", re.MULTILINE)
_FROM = re.compile(r"^\s*from\s+([\w.]+)\s+import\s+\(?(.+)$", re.MULTILINE)
# `sys.path.insert(0, "../src")`, `sys.path.append("lib")`
_ADDED = re.compile(r"""sys\.path\.(?:insert\(\s*\d+\s*,|append\()\s*['"]([^'"]+)['"]""")

# So many cells and files are parsed once, though several look at them; a line takes 2 KB.
_KEPT = 1024


def modules(cells: Iterable[str], folders: tuple[Path, ...]) -> frozenset[Path]:
    """Find the files of modules that the cells import, and that these import.

    Args:
        cells: the sources of a notebook's code cells.
        folders: where modules of the project are looked for, in this order.
    """
    cells = list(cells)
    added = (folders[0] / text for cell in cells for text in added_folders(cell))
    folders += tuple(Path(os.path.normpath(folder)) for folder in added)
    found: set[Path] = set()
    todo = [path for cell in cells for path in _of_cell(cell, folders)]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += _of_file(path, folders)
    return frozenset(found)


def added_folders(source: str) -> list[str]:
    """Give the folders that code adds to `sys.path`, where it names them as they are."""
    return _ADDED.findall(source)


def _of_cell(source: str, folders: tuple[Path, ...]) -> Iterator[Path]:
    for name in _RUN.findall(source):
        yield from (path for path in [folders[0] / name] if path.is_file())
    if "import" in source:
        for name in _names(source, ()):
            yield from files_of(name, folders)


@cache
def _of_file(path: Path, folders: tuple[Path, ...]) -> tuple[Path, ...]:
    if path.suffix != ".py":
        return ()
    try:
        source = content(path).decode("utf-8", "replace")
    except OSError:
        return ()
    package = next(
        (path.parent.relative_to(one).parts for one in folders if path.is_relative_to(one)), ()
    )
    return tuple(each for name in _names(source, package) for each in files_of(name, folders))


def forget() -> None:
    """Read modules of the project anew: those of a command that goes on may be others now."""
    _of_file.cache_clear()


@lru_cache(_KEPT)
def _names(source: str, package: tuple[str, ...]) -> tuple[str, ...]:
    """Give the dotted names that a source imports; `package` is what it lies in."""
    return tuple(_imported(source, package))


def _imported(source: str, package: tuple[str, ...]) -> Iterator[str]:
    tree = parsed(source)
    if tree is None:
        yield from _guessed(source)
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(names=names):
                base = imported_from(node, package)
                yield base
                yield from (f"{base}.{each.name}" if base else each.name for each in names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def imported_from(statement: ast.ImportFrom, package: tuple[str, ...]) -> str:
    """Give the dotted name after `from`, whole where it is relative to `package`."""
    above = package[: len(package) - statement.level + 1] if statement.level else ()
    return ".".join((*above, *([statement.module] if statement.module else ())))


@lru_cache(_KEPT)
def parsed(source: str) -> ast.Module | None:
    """Parse Python, if need be without what IPython adds to it; None if it is neither."""
    for text in (source, _MAGIC.sub(r"\1pass", _ASSIGNED_MAGIC.sub(r"\1None", source))):
        with contextlib.suppress(*NO_PYTHON):
            return ast.parse(text)
    return None


def _guessed(source: str) -> Iterator[str]:
    for names in _IMPORT.findall(source):
        yield from (name.split()[0] for name in names.split(",") if name.strip())
    for module, names in _FROM.findall(source):
        yield module
        yield from (f"{module}.{name.split()[0]}" for name in names.split(",") if name.strip())


def files_of(name: str, folders: tuple[Path, ...]) -> Iterator[Path]:
    """Give the files that importing a dotted name runs: packages on the way, and the module."""
    parts = [part for part in name.split(".") if part]
    for folder in folders:
        first = folder / parts[0] if parts else folder
        if not parts or not (first.is_dir() or first.with_suffix(".py").is_file()):
            continue
        place = folder
        for part in parts:
            place = place / part
            for path in (place / "__init__.py", place.with_name(f"{part}.py")):
                if path.is_file():
                    yield path
        return
