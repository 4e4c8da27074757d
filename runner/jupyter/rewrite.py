"""A notebook's cells as those of a stage: paths and constants replaced by parameters."""

import ast
import difflib
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..project import literals
from ..secrets import looks_secret
from . import keys
from .paths import Code, Found
from .proposal import Sheet, named

_MAKERS = {"os.makedirs", "os.mkdir", "makedirs"}
_SEARCHED = {"sys.path.append", "sys.path.insert"}
_OF_FOLDERS = ("os.", "Path", "pathlib.", "glob.", "shutil.", "makedirs")
# Names that people give to what they try other values of.
_USUAL = re.compile(
    r"seed|random_?state|test_?size|alpha|beta|gamma|degree|n_\w+|num_\w+|max_\w+|min_\w+|epochs?|"
    r"batch_?size|learning_?rate|lr|threshold|k|limit|sample_?size|frac(tion)?|window|lags?|cv|"
    r"folds?|C|tol(erance)?|verbose|year|start|end|columns?|target|features?",
    re.IGNORECASE,
)
_TAG = "parameters"


@dataclass(frozen=True)
class Edit:
    """A piece of a cell, from byte to byte, and what comes in its place."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Constant:
    """An assignment of a literal that becomes a parameter."""

    name: str
    line: str


@dataclass(frozen=True)
class Rewritten:
    """The cells of a stage, and the names of the constants that became parameters."""

    cells: tuple[dict[str, Any], ...]
    constants: tuple[str, ...]


class Rewriter:
    """Rewrites one notebook; `values` are other paths for its inputs, by their parameters."""

    def __init__(self, root: Path, sheet: Sheet, values: dict[str, str]) -> None:
        """Look at the notebook; nothing is written."""
        self._root, self._sheet, self._values = root, sheet, values
        self._exact = sheet.exact(root)
        self._by_node = {id(one.node): name for name, found in self._exact.items() for one in found}
        self._edits: dict[int, list[Edit]] = defaultdict(list)
        self._constants: list[Constant] = []
        self._aliases: list[str] = []
        self._kept: list[str] = []

    def rewritten(self) -> Rewritten:
        """Give the notebook's new cells."""
        if self._sheet.frozen is not None:
            return Rewritten(self._sheet.old.cells, ())
        for code in self._sheet.reading.codes:
            if code.tree is not None and _TAG in code.tags:
                self._tagged(code, code.tree)
            elif code.tree is not None:
                self._cell(code, code.tree)
        self._from_configurations()
        for found in self._sheet.reading.shell:
            self._in_shell(found)
        names = tuple(one.name for one in self._constants)
        return Rewritten(tuple(self._cells()), names)

    # One cell.

    def _cell(self, code: Code, tree: ast.Module) -> None:
        gone: set[int] = set()
        literal = all(isinstance(one, ast.Assign) and _literal(one.value) for one in tree.body)
        for statement in tree.body:
            if self._only_makes_folders(statement):
                gone.add(id(statement))
            elif (found := self._constant(code, statement, alone=literal)) is not None:
                self._constants.append(found)
                gone.add(id(statement))
        for statement in tree.body:
            if id(statement) in gone:
                self._remove(code, statement)
            else:
                self._replace_in(code, statement)

    def _replace_in(self, code: Code, statement: ast.AST) -> None:
        for node in ast.walk(statement):
            if (name := self._by_node.get(id(node))) is None:
                continue
            found = next(one for one in self._exact[name] if one.node is node)
            start, end = _span(code.source, found.node)
            if found in self._sheet.reading.leads:
                self._lead(code, found, name, start)
            elif (text := self._instead(statement, found, name)) is not None:
                self._edits[code.index].append(Edit(start, end, text))

    def _from_configurations(self) -> None:
        ports = self._sheet.ports
        read = {node: name for node, name in self._by_node.items() if name in ports}
        for key in keys.keys(self._root, self._sheet.reading, read):
            if key.parameter not in {one.name for one in self._constants}:
                line = f"{key.parameter} = {key.value!r}"
                self._constants.append(Constant(key.parameter, line))
            start, end = _span(key.code.source, key.node)
            self._edits[key.code.index].append(Edit(start, end, key.parameter))

    def _in_shell(self, found: Found) -> None:
        """Replace a path in a shell's command: what stands in braces is Python there."""
        name = self._by_node.get(id(found.node))
        if name is None or (name not in self._sheet.ports and name not in self._sheet.use.files):
            return
        port = self._sheet.ports.get(name)
        text = f"{{{port.parameter}}}" if port else os.path.relpath(name, self._sheet.folder)
        if port is not None or self._sheet.moved:
            start, end = _span(found.code.source, found.node)
            self._edits[found.code.index].append(Edit(start, end, text))

    def _lead(self, code: Code, found: Found, name: str, start: int) -> None:
        """Put a parameter in the place of the folder with which a pattern begins."""
        port = self._sheet.ports.get(name)
        text = f"{{{port.parameter}}}" if port else os.path.relpath(name, self._sheet.folder)
        if port is None and not self._sheet.moved:
            return
        folder = found.known.text.encode()
        at = code.source.encode().index(folder, start)
        edits = self._edits[code.index]
        edits.append(Edit(at, at + len(folder), text))
        if port is not None and isinstance(found.node, ast.Constant):
            edits.append(Edit(start, start, "f"))

    def _instead(self, statement: ast.AST, found: Found, name: str) -> str | None:
        """Give what comes in the place of a path; None if it stays."""
        ports, maker = self._sheet.ports, found.known.maker
        slash = ' + "/"' if found.known.text.endswith("/") and not maker else ""
        if (port := ports.get(name)) is not None and slash and port.place != port.name:
            return f"{port.parameter}{slash}"
        if port is not None:
            return f"{maker}({port.parameter})" if maker else port.parameter
        holder = next((one for one in _above(name) if one in ports), None)
        if holder is not None and name in self._sheet.use.files:
            inner, parameter = os.path.relpath(name, holder), ports[holder].parameter
            return f'{maker}({parameter}) / "{inner}"' if maker else f'{parameter} + "/{inner}"'
        used = name in self._sheet.use.files
        is_absolute = found.known.text[:1] == "/"
        stays = self._sheet.moved and self._is_place(statement, found, name)
        if stays or (used and (is_absolute or self._sheet.moved)):
            text = os.path.relpath(name, self._sheet.folder)
            return f'{maker}("{text}")' if maker else f'"{text}"'
        return None

    def _is_place(self, statement: ast.AST, found: Found, name: str) -> bool:
        """Tell whether a value is a folder for the notebook, not a word that is called like one."""
        calls = [one for one in ast.walk(statement) if isinstance(one, ast.Call)]
        around = [ast.unparse(one.func) for one in calls if found.node in one.args]
        if any(one in _SEARCHED for one in around):
            return True
        if not any(name in _above(each) for each in self._sheet.use.files):
            return False
        is_named = isinstance(statement, ast.Assign) and statement.value is found.node
        is_word = isinstance(found.node, ast.Constant) and "/" not in found.known.text
        return is_named or not is_word or any(one.startswith(_OF_FOLDERS) for one in around)

    def _only_makes_folders(self, statement: ast.stmt) -> bool:
        """Tell whether a statement makes folders alone into which nothing is written any more."""
        match statement:
            case ast.Expr(value=ast.Call(func=function, args=arguments)):
                text = ast.unparse(function)
                if text in _MAKERS and arguments:
                    return self._is_left(arguments[0])
                is_method = isinstance(function, ast.Attribute) and function.attr == "mkdir"
                return is_method and self._is_left(function.value)  # type: ignore[attr-defined]
            case ast.If(body=body, orelse=[]):
                return all(self._only_makes_folders(one) for one in body)
        return False

    def _is_left(self, node: ast.expr) -> bool:
        reading = self._sheet.reading
        known = next((one.known for one in reading.exact if one.node is node), None)
        if isinstance(node, ast.Name):
            known = reading.names.get(node.id)
        folder = named(self._root, self._sheet.old.folder, known.text) if known else None
        if folder is None or folder in self._sheet.ports:
            return False
        inside = [one for one in self._sheet.use.writes if folder in _above(one)]
        ports = self._sheet.ports
        held = [one for one in inside if one in ports or any(each in ports for each in _above(one))]
        return bool(inside) and len(held) == len(inside)

    def _constant(self, code: Code, statement: ast.stmt, *, alone: bool) -> Constant | None:
        """Give an assignment that looks like a parameter, if it is one."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _literal(value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if _literal(
                value
            ):
                pass
            case _:
                return None
        constant = ast.literal_eval(value)
        if literals.unwritable(constant) is not None or constant is None or self._is_path(constant):
            return None
        if not self._may_be(name) or not (name.isupper() or alone or _USUAL.fullmatch(name)):
            return None
        lines = code.source.splitlines()
        first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
        text = "\n".join(lines[first : last + 1])
        if statement.col_offset or ";" in text:
            return None
        return Constant(name, text)

    def _may_be(self, name: str) -> bool:
        """Tell whether a name can be that of a parameter."""
        reading = self._sheet.reading
        if reading.count[name] != 1 or looks_secret(name) or name.startswith(("input_", "output_")):
            return False
        # Else a path is made of it, which is a parameter now.
        return not any(name in one.known.names for one in [*reading.exact, *reading.patterns])

    def _is_path(self, value: object) -> bool:
        texts = value if isinstance(value, list) else [value]
        return any(
            isinstance(one, str)
            and ("/" in one or "\\" in one or (self._root / self._sheet.old.folder / one).exists())
            for one in texts
            if one
        )

    def _remove(self, code: Code, statement: ast.stmt) -> None:
        lines = code.source.encode().splitlines(keepends=True)
        first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
        start = sum(map(len, lines[:first]))
        self._edits[code.index].append(Edit(start, sum(map(len, lines[:last])), ""))

    # The parameters.

    def _tagged(self, code: Code, tree: ast.Module) -> None:
        """Take over a cell that has the tag already; its paths get new names, and aliases."""
        lines = code.source.splitlines()
        for statement in tree.body:
            text = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
            value = getattr(statement, "value", None)
            name = self._by_node.get(id(value))
            port = self._sheet.ports.get(name) if name else None
            if port is None or not isinstance(statement, ast.Assign):
                self._kept.append(text)
                continue
            target = ast.unparse(statement.targets[0])
            self._aliases.append(f"{target} = {port.parameter}")

    def _first(self) -> str:
        """Write what comes right after the parameters: names as before, and where modules are."""
        old, folder = self._sheet.old.folder, self._sheet.folder
        own = [one for one in self._sheet.use.modules if old in _above(one)]
        lines = [*self._aliases]
        if self._sheet.moved and own:
            place = os.path.relpath(old, folder)
            lines = ["import sys", "", f'sys.path.insert(0, "{place}")  # {own[0]}', *lines]
        made = " ".join(one["source"] for one in self._sheet.old.cells)
        for port in self._sheet.ports.values():
            is_folder = any(one.startswith(f"{port.name}/") for one in self._sheet.use.writes)
            if (
                port.kind == "output"
                and is_folder
                and "mkdir" not in made
                and "makedirs" not in made
            ):
                lines += ["import os", "", f"os.makedirs({port.parameter}, exist_ok=True)"]
        return "\n".join(lines)

    def _parameters(self) -> str:
        lines = []
        for port in sorted(self._sheet.ports.values(), key=lambda one: (one.kind, one.parameter)):
            path = self._values.get(port.parameter) or os.path.relpath(
                port.place, self._sheet.folder
            )
            lines.append(f'{port.parameter} = "{path}"')
        return "\n".join([*lines, *self._kept, *(one.line for one in self._constants)])

    def _cells(self) -> Iterator[dict[str, Any]]:
        old = self._sheet.old.cells
        parameters = self._parameters()
        codes = {one.index: one for one in self._sheet.reading.codes}
        tagged = next((n for n, one in codes.items() if _TAG in one.tags), None)
        first = min(codes, default=len(old)) if tagged is None else tagged
        for index, cell in enumerate(old):
            if index == first and parameters:
                yield self._parameters_cell(old, parameters)
                if more := self._first():
                    yield _new("first", more)
            if index == tagged and parameters:
                continue
            source = _applied(cell["source"], self._edits.get(index, []))
            if source.strip() or not cell["source"].strip():
                yield {**cell, "source": source}

    def _parameters_cell(self, old: tuple[dict[str, Any], ...], text: str) -> dict[str, Any]:
        ids = {one["id"] for one in old}
        name = next(one for one in ("parameters", *map(str, range(len(ids) + 1))) if one not in ids)
        return {**_new(name, text), "metadata": {"tags": [_TAG]}}


def _new(name: str, source: str) -> dict[str, Any]:
    made = {"cell_type": "code", "id": name, "metadata": {}, "source": source}
    return {**made, "execution_count": None, "outputs": []}


def _literal(node: ast.expr | None) -> bool:
    try:
        ast.literal_eval(node or "")
    except (TypeError, *literals.NO_PYTHON):
        return False
    return True


def _above(name: str) -> list[str]:
    """Give the folders in which a file lies, the nearest first; the last one is the project."""
    parts = name.split("/")[:-1]
    return [*("/".join(parts[:n]) for n in range(len(parts), 0, -1)), "."]


def _span(source: str, node: ast.expr) -> tuple[int, int]:
    """Give where an expression stands in a cell, in bytes; `ast` counts bytes of a line."""
    lines = source.encode().split(b"\n")

    def at(line: int, column: int) -> int:
        return sum(len(one) + 1 for one in lines[: line - 1]) + column

    start = at(node.lineno, node.col_offset)
    end = at(node.end_lineno or node.lineno, node.end_col_offset or 0)
    data = source.encode()
    # What comes in its place needs no brackets; those of a call stay.
    if data[start - 1 : start] == b"(" and data[end : end + 1] == b")":
        before = data[: start - 1].decode()[-1:]
        if not (before.isidentifier() or before.isdigit() or before in {")", "]"}):
            return start - 1, end + 1
    return start, end


def _applied(source: str, edits: list[Edit]) -> str:
    data = source.encode()
    for one in sorted(edits, key=lambda each: each.start, reverse=True):
        data = data[: one.start] + one.text.encode() + data[one.end :]
    text = data.decode()
    return text.strip("\n") if edits else text


def diff(
    old: tuple[dict[str, Any], ...], new: tuple[dict[str, Any], ...], label: str, to: str
) -> str:
    """Give the difference of two notebooks' cells as `diff -u` does, each cell with a head."""
    before, after = [*_lines(old)], [*_lines(new)]
    return "\n".join(difflib.unified_diff(before, after, label, to, lineterm="", n=2))


def _lines(cells: tuple[dict[str, Any], ...]) -> Iterator[str]:
    for cell in cells:
        tags = cell["metadata"].get("tags", [])
        kind = "" if cell["cell_type"] == "code" else f" [{cell['cell_type']}]"
        yield f"# %%{kind}{f' tags={tags}' if tags else ''}"
        yield from cell["source"].splitlines()
