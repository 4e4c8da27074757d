"""What a source notebook declares; read with `json` and `ast` alone, to be quick."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import Problem
from ..model import INJECTED_CELL, SKIP_CELL, Cell, Parameter, SourceNotebook
from ..words import shortened
from . import document
from .document import NotebookError
from .literals import NO_PYTHON
from .naming import stage_name

PYTHON = "python"
_OF_PROFILE = re.compile(r"(skip|only)-(.+)")
_FLAGS = {"always", "warm"}
# So much of a line of code is shown to tell a cell by.
_LONGEST = 200


def read(path: Path, label: str) -> SourceNotebook:
    """Read a source notebook.

    Args:
        path: the file.
        label: its path in the project, by which messages name it.

    Raises:
        NotebookError: it is no notebook, or its parameters cell breaks the rules.
    """
    found = document.read(path, label)
    if found.executed or any(INJECTED_CELL in _tags(cell) for cell in found.cells):
        what = (
            "is an executed notebook with the parameters of an old run in it; "
            "put the source notebook in its place"
        )
        raise NotebookError(Problem(label, what))
    code = [one for one in found.cells if one["cell_type"] == "code" and one["source"].strip()]
    tagged = [n for n, cell in enumerate(code, 1) if "parameters" in _tags(cell)]
    if len(tagged) > 1:
        numbers = " and ".join(map(str, tagged))
        what = f"cells {numbers} are both tagged `parameters`; keep the tag on one"
        raise NotebookError(Problem(label, what))
    if tagged and sum("parameters" in _tags(cell) for cell in found.cells) > 1:
        # papermill would put the values after the first tagged cell, of whatever kind.
        what = f"cell {tagged[0]} is tagged `parameters`, an empty or Markdown cell too; keep one"
        raise NotebookError(Problem(label, what))
    metadata = found.metadata
    language = _language(metadata)
    parameters: dict[str, Parameter] = {}
    if tagged:
        where = f"{label}, cell {tagged[0]} (parameters)"
        source = code[tagged[0] - 1]["source"]
        read_cell = _python_parameters if language == PYTHON else _other_parameters
        parameters = {one.name: one for one in read_cell(source, where)}
    return SourceNotebook(
        stage=stage_name(PurePosixPath(label)),
        path=path,
        label=label,
        language=language,
        kernel=_text(_mapping(metadata.get("kernelspec")).get("name")),
        parameters=parameters,
        has_parameters_cell=bool(tagged),
        cells=tuple(
            Cell(
                id=cell["id"],
                number=n,
                source=cell["source"],
                tags=tuple(_tags(cell)),
                parameters=language == PYTHON and "parameters" in _tags(cell),
            )
            for n, cell in enumerate(code, 1)
        ),
        warm=_flag(metadata, "warm", label, default=True),
        always=_flag(metadata, "always", label, default=False),
        repairs=found.repairs,
        has_outputs=found.has_outputs,
    )


def with_parameters(notebook: SourceNotebook, source: str) -> SourceNotebook:
    """Give a Python notebook as it is with another text in its parameters cell.

    Raises:
        NotebookError: the text breaks the rules.
    """
    read_cell = _python_parameters(source, f"{notebook.label} (parameters)")
    cells = tuple(
        replace(cell, source=source) if cell.parameters else cell for cell in notebook.cells
    )
    return replace(notebook, cells=cells, parameters={one.name: one for one in read_cell})


def of_profiles(cell: Cell) -> Iterator[tuple[str, str]]:
    """Give the words of a cell's tags `skip-PROFILE` and `only-PROFILE`."""
    for tag in cell.tags:
        if tag != SKIP_CELL and (found := _OF_PROFILE.fullmatch(tag)):
            yield found[1], found[2]


def as_in(notebook: SourceNotebook, profile: str) -> SourceNotebook:
    """Give a notebook as a profile runs it: the cells that it leaves out are tagged so."""
    cells = tuple(_as_in(cell, profile) for cell in notebook.cells)
    return replace(notebook, cells=cells)


def _as_in(cell: Cell, profile: str) -> Cell:
    words = [*of_profiles(cell)]
    only = {name for word, name in words if word == "only"}
    if ("skip", profile) not in words and (not only or profile in only):
        return cell
    return replace(cell, tags=(*cell.tags, SKIP_CELL))


def place(notebook: SourceNotebook, cell: Cell) -> str:
    """Name a cell for a person."""
    return f"{notebook.label}, cell {cell.number} ({first_line(cell.source)})"


def first_line(source: str) -> str:
    """Give the first line of a cell that is not a comment, or the first line."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    first = next((line for line in lines if not line.startswith("#")), lines[0])
    return shortened(first, _LONGEST)


def _tags(cell: Mapping[str, Any]) -> list[str]:
    tags: list[str] = cell["metadata"].get("tags", [])
    return tags


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _flag(metadata: Mapping[str, Any], name: str, label: str, *, default: bool) -> bool:
    """Read a truth value such as `{"runner": {"warm": false}}`."""
    found = metadata.get("runner", {})
    if not isinstance(found, dict):
        what = '`runner` in its metadata takes a mapping, such as {"always": true}'
        raise NotebookError(Problem(label, what))
    if unknown := sorted(found.keys() - _FLAGS):
        known = " and ".join(f"`{one}`" for one in sorted(_FLAGS))
        what = f"`{unknown[0]}` in its metadata, below `runner`, is unknown; known: {known}"
        raise NotebookError(Problem(label, what))
    value = found.get(name, default)
    if not isinstance(value, bool):
        what = f"`{name}` in its metadata, below `runner`, takes true or false"
        raise NotebookError(Problem(label, what))
    return value


def _language(metadata: Mapping[str, Any]) -> str:
    spec = _mapping(metadata.get("kernelspec"))
    name = str(spec.get("name") or PYTHON).lower()
    known = _mapping(metadata.get("language_info")).get("name") or spec.get("language")
    found = str(known or (PYTHON if name.startswith("conda-") else name)).lower()
    return PYTHON if re.fullmatch(r"i?python\d*", found) else found


def _python_parameters(source: str, where: str) -> Iterator[Parameter]:
    """Read assignments of literals; everything else in the cell is refused."""
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        what = f"line {error.lineno or 1} is not Python: {error.msg}"
        raise NotebookError(Problem(where, what)) from None
    except NO_PYTHON as error:
        what = str(error) or "too deeply nested"
        raise NotebookError(Problem(where, f"is not Python: {what}")) from None
    problems: list[Problem] = []
    seen: set[str] = set()
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                annotation = None
            case ast.AnnAssign(
                target=ast.Name(id=name), annotation=noted, value=ast.expr() as value
            ):
                annotation = ast.unparse(noted)
            case ast.Expr(value=ast.Constant(value=str())):
                continue
            case _:
                what = (
                    f"line {statement.lineno}: write `name = value` with a literal value, no more"
                )
                problems.append(Problem(where, what))
                continue
        if name in seen:
            what = f"line {statement.lineno}: `{name}` is assigned twice; keep one"
            problems.append(Problem(where, what))
        seen.add(name)
        try:
            default = ast.literal_eval(value)
            # Python writes no number of more than some thousand digits, and fails.
            repr(default)
        except (TypeError, *NO_PYTHON) as error:
            what = f"line {statement.lineno}: the value of `{name}` "
            is_large = "integer string conversion" in str(error)
            what += "is too large" if is_large else "is no literal; compute it in a later cell"
            problems.append(Problem(where, what))
            continue
        yield Parameter(name, default, annotation, statement.lineno)
    if problems:
        raise NotebookError(*problems)


_OTHER = re.compile(r"^\s*(?P<name>[A-Za-z_.][\w.]*)\s*(?:<-|=)\s*(?P<value>.+?)\s*;?\s*$")


def _other_parameters(source: str, where: str) -> Iterator[Parameter]:
    """Read `name = value` or `name <- value` lines of another language.

    Only texts, numbers, truth values and null are understood; the value of any other
    right-hand side is taken as unknown, which accepts whatever is set.
    """
    words = {"TRUE": True, "FALSE": False, "NULL": None, "nothing": None, "nil": None}
    seen: set[str] = set()
    for number, line in enumerate(source.splitlines(), 1):
        found = _OTHER.match(line)
        if not found or line.lstrip().startswith(("#", "//")):
            continue
        name, text = found["name"], found["value"]
        if name in seen:
            raise NotebookError(Problem(where, f"line {number}: `{name}` is assigned twice"))
        seen.add(name)
        literal = re.match(r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^#\s;]+)""", text)
        default: object = None
        if literal:
            try:
                default = words.get(literal[1], ast.literal_eval(literal[1]))
            except NO_PYTHON:
                default = words.get(literal[1])
        yield Parameter(name, default, None, number)
