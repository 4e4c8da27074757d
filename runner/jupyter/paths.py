"""Expressions in cells that are paths, as far as they can be worked out without running them."""

import ast
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..project import literals

_JOINS = {"os.path.join", "path.join", "osp.join"}
_SAME = {"os.path.abspath", "os.path.normpath", "os.path.realpath", "os.fspath", "str"}
_PATHS = {"Path", "PurePath", "pathlib.Path", "pathlib.PurePath"}
_SAME_METHODS = {"resolve", "absolute"}
# Cell magics whose cell is Python.
_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
_TIMED = re.compile(r"^(\s*)(%time(?:it)? +)(?=[^-\s])")
_IF = "if 1: "
_WILD = re.compile(r"[*?\[]")
_WORD = re.compile(r"[^\s'\"=<>|;&(){}$*?!]+")
# Stands for what cannot be worked out.
ANY = "*"


@dataclass(frozen=True)
class Known:
    """A value that is known: a text, or a path made by `maker`; `names` went into it."""

    text: str
    maker: str | None = None
    names: frozenset[str] = frozenset()
    pattern: bool = False


@dataclass(frozen=True)
class Code:
    """A code cell; `number` counts those that hold something, from 1, `index` all cells from 0.

    `opaque` are lines that are no Python, by their numbers.
    """

    index: int
    number: int
    source: str
    tree: ast.Module | None
    opaque: Mapping[int, str]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """An expression that is a path, in a cell."""

    code: Code
    node: ast.expr
    known: Known

    @property
    def line(self) -> int:
        """Its line in the cell."""
        return self.node.lineno


@dataclass
class Reading:
    """What the cells of a notebook say of paths.

    `exact` are expressions whose value is known, `patterns` those of which a part is, or in
    which a pattern stands; `leads` are patterns that begin with a folder in so many letters.
    `shell` are words of a shell's command in a cell.
    `count` says how often each name is bound.
    """

    codes: list[Code]
    exact: list[Found] = field(default_factory=list)
    patterns: list[Found] = field(default_factory=list)
    leads: list[Found] = field(default_factory=list)
    shell: list[Found] = field(default_factory=list)
    names: dict[str, Known] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)


def codes_of(cells: tuple[dict[str, Any], ...]) -> Iterator[Code]:
    """Give the code cells of a notebook that hold something."""
    number = 0
    for index, cell in enumerate(cells):
        if cell["cell_type"] != "code" or not cell["source"].strip():
            continue
        number += 1
        source = cell["source"]
        masked, opaque = _masked(source)
        try:
            tree = ast.parse(masked)
        except literals.NO_PYTHON:
            tree, opaque = None, dict(enumerate(source.splitlines(), 1))
        tags = tuple(cell["metadata"].get("tags", []))
        yield Code(index, number, source, tree, opaque, tags)


def _masked(source: str) -> tuple[str, dict[int, str]]:
    """Put `pass` in the place of what only IPython understands; lines stay where they are."""
    lines = source.split("\n")
    opaque: dict[int, str] = {}
    if lines[0].startswith("%%") and not lines[0].startswith(_PYTHON_MAGICS):
        return "", dict(enumerate(lines, 1))
    for number, whole in enumerate(lines, 1):
        # What is timed is Python, and stays in its columns.
        line = lines[number - 1] = _TIMED.sub(lambda it: f"{it[1]}{_IF:<{len(it[2])}}", whole)
        stripped = line.strip()
        assigned = re.match(r"(\s*[\w, ]+=\s*)[!%]", line)
        if stripped[:1] in {"%", "!", "?"} or (stripped.endswith("?") and stripped[:1] != "#"):
            opaque[number] = line
            lines[number - 1] = line[: len(line) - len(line.lstrip())] + "pass"
        elif assigned:
            opaque[number] = line
            lines[number - 1] = f"{assigned[1]}None"
    return "\n".join(lines), opaque


def read(cells: tuple[dict[str, Any], ...], folder: str) -> Reading:
    """Read the paths in a notebook's cells; `folder` is where it runs."""
    found = Reading(list(codes_of(cells)))
    trees = [one for one in found.codes if one.tree is not None]
    for one in trees:
        assert one.tree is not None  # noqa: S101 - as above
        found.count.update(_bound(one.tree))
    reader = _Reader(found, folder)
    for one in trees:
        reader.cell(one)
    found.shell += [word for one in found.codes for word in _words(one)]
    return found


def _words(code: Code) -> Iterator[Found]:
    """Give the words of a shell's commands that may be paths."""
    for line, text in code.opaque.items():
        if not re.match(r"\s*(?:[\w, ]+=\s*)?![^!]", text):
            continue
        for word in _WORD.finditer(text):
            start, end = (len(text[:at].encode()) for at in word.span())
            node = ast.Constant(
                word[0], lineno=line, end_lineno=line, col_offset=start, end_col_offset=end
            )
            yield Found(code, node, Known(word[0]))


def _bound(tree: ast.Module) -> Iterator[str]:
    """Give each name as often as it is bound, anywhere."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.arg(arg=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Global(names=names):
                yield from names
            case ast.AugAssign(target=ast.Name(id=name)):
                yield name
            case _:
                continue


class _Reader:
    def __init__(self, found: Reading, folder: str) -> None:
        self._found = found
        self._folder = folder

    def cell(self, code: Code) -> None:
        """Take in a cell: the paths in it, then the names that it binds."""
        assert code.tree is not None  # noqa: S101 - the caller looks
        for statement in code.tree.body:
            self._visit(code, statement)
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                ) if self._found.count[name] == 1:
                    known = self.known(value)
                    if isinstance(value, ast.Constant) and type(value.value) is int:
                        # It may be part of a name, as a year is.
                        known = Known(str(value.value))
                    if known is not None and not known.pattern:
                        names = known.names | {name}
                        self._found.names[name] = Known(known.text, known.maker, names)

    def _visit(self, code: Code, node: ast.AST, *, within: bool = False) -> None:
        """Take in the paths in a node; `within` a pattern others say nothing more."""
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.expr) and not isinstance(node, ast.Name):
            known = self.known(node)
            if known is not None and not known.pattern and not _WILD.search(known.text):
                self._found.exact.append(Found(code, node, known))
                return
            if known is not None and known.text.strip(ANY + "/") and not within:
                within = True
                self._found.patterns.append(Found(code, node, known))
                self._lead(code, node, known)
        for inner in ast.iter_child_nodes(node):
            # The texts between the braces have no place of their own.
            if not (isinstance(node, ast.JoinedStr) and isinstance(inner, ast.Constant)):
                self._visit(code, inner, within=within)

    def _lead(self, code: Code, node: ast.expr, known: Known) -> None:
        """Take in the folder with which a pattern begins, where it stands in the cell so."""
        folder = _WILD.split(known.text)[0].rpartition("/")[0]
        written = ast.get_source_segment(code.source, node) or ""
        if folder and re.match(rf"[fFrR]{{0,2}}(['\"]{{3}}|['\"]){re.escape(folder)}/", written):
            self._found.leads.append(Found(code, node, Known(folder, None, known.names)))

    def known(self, node: ast.expr) -> Known | None:  # noqa: PLR0911 - a table
        """Work out a value; None if nothing of it is known."""
        match node:
            case ast.Constant(value=str(text)):
                return Known(text)
            case ast.Name(id=name):
                return self._found.names.get(name)
            case ast.JoinedStr(values=values):
                return _joined([self._part(one) for one in values])
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                one, other = self.known(left), self.known(right)
                if (
                    (one is None and other is None)
                    or (one and one.maker)
                    or (other and other.maker)
                ):
                    return None
                return _joined([one, other])
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                one, other = self.known(left), self.known(right)
                is_path = bool((one and one.maker) or (other and other.maker))
                return self._path([one, other]) if is_path else None
            case ast.Attribute(value=value, attr="parent"):
                one = self.known(value)
                if one is None or one.maker is None or one.pattern:
                    return None
                return Known(os.path.dirname(one.text), one.maker, one.names)  # noqa: PTH120
            case ast.Call(func=function, args=arguments, keywords=[]):
                return self._called(ast.unparse(function), function, arguments)
        return None

    def _part(self, node: ast.expr) -> Known | None:
        match node:
            case ast.FormattedValue(value=ast.Constant(value=int() as number), format_spec=None):
                return Known(str(number))
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self.known(value)
            case ast.FormattedValue():
                return None
        return self.known(node)

    def _called(  # noqa: C901, PLR0911 - a table
        self, name: str, function: ast.expr, arguments: list[ast.expr]
    ) -> Known | None:
        if name in {"Path.cwd", "pathlib.Path.cwd"} and not arguments:
            return Known(self._folder, name.removesuffix(".cwd"))
        if name == "os.getcwd" and not arguments:
            return Known(self._folder)
        values = [self.known(one) for one in arguments]
        if name in _JOINS or name in _PATHS:
            if not any(values) and arguments:
                return None
            made = self._path(values or [Known(".")])
            return Known(made.text, name if name in _PATHS else None, made.names, made.pattern)
        if name in _SAME and len(values) == 1 and values[0] is not None:
            one = values[0]
            return Known(one.text, None, one.names, one.pattern)
        if isinstance(function, ast.Attribute) and (owner := self.known(function.value)):
            if owner.maker is None:
                return None
            if function.attr in _SAME_METHODS and not arguments:
                return owner
            if function.attr == "as_posix":
                return Known(owner.text, None, owner.names, owner.pattern)
            if function.attr == "joinpath" and any(values):
                return self._path([owner, *values])
            if function.attr in {"glob", "rglob"} and values and values[0]:
                deep = "**/" if function.attr == "rglob" else ""
                return Known(
                    f"{owner.text}/{deep}{values[0].text}", None, owner.names, pattern=True
                )
        return None

    @staticmethod
    def _path(values: list[Known | None]) -> Known:
        parts = [one.text if one else ANY for one in values]
        maker = next((one.maker for one in values if one and one.maker), None)
        names = frozenset(name for one in values if one for name in one.names)
        pattern = any(one is None or one.pattern for one in values)
        return Known(os.path.join(*parts), maker, names, pattern)  # noqa: PTH118 - may begin anew


def _joined(values: list[Known | None]) -> Known | None:
    if not any(values):
        return None
    text = "".join(one.text if one else ANY for one in values)
    names = frozenset(name for one in values if one for name in one.names)
    return Known(text, None, names, any(one is None or one.pattern for one in values))
