"""What a notebook imports before anything else: that can be done ahead of its kernel.

Only imports of installed packages count, at the top level of cells, up to the first
statement that is not surely without influence on them. The standard library is left out: it
loads in no time, and so fewer notebooks differ.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..kernels import NO_FORK
from ..model import Preload, SourceNotebook
from ..project import PYTHON, Project, files_of, imported_from, parsed
from ..system import content, on_linux

_HARMLESS_MAGIC = re.compile(r"^\s*%(matplotlib|config|time|timeit|precision|pprint|xmode)\b")
_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)
_INSTALLS = re.compile(r"^\s*[%!].*\b(pip3?|conda|mamba|uv|apt|apt-get)\b", re.MULTILINE)
_SETS = re.compile(r"^\s*%(set_env\b|env\s+\w+\s*=?\s*\S)", re.MULTILINE)
# What may be called before an import without changing it.
_HARMLESS_CALLS = {
    *("Path", "bool", "dict", "float", "frozenset", "int", "len", "list", "print", "range"),
    *("set", "str", "tuple", "TypeVar", "namedtuple", "logging.getLogger", "getLogger"),
    *("re.compile", "os.path.join", "os.getenv", "os.environ.get", "pathlib.Path"),
}
_HARMLESS_DECORATORS = {
    *("abstractmethod", "cache", "classmethod", "contextmanager", "dataclass", "lru_cache"),
    *("property", "staticmethod", "contextlib.contextmanager", "dataclasses.dataclass"),
    *("functools.cache", "functools.lru_cache", "functools.wraps", "wraps"),
}
_MAY_SET = re.compile(r"environ|putenv|unsetenv|setenv|dotenv")
_CHANGING = {"update", "setdefault", "pop", "popitem", "clear"}
_READERS = {"bool", "dict", "len", "list", "print", "repr", "set", "sorted", "str"}
_SETTERS = {"putenv", "unsetenv", "load_dotenv", "setenv"}


@dataclass
class _Reading:
    """What was found so far; `over` once imports can no more be done ahead."""

    folders: tuple[Path, ...]
    imports: dict[str, None] = field(default_factory=dict)
    seen: set[Path] = field(default_factory=set)
    over: bool = False
    sets_environment: bool = False
    cold: str | None = None

    def cell(self, source: str) -> None:
        magics = _MAGIC.findall(source)
        self.sets_environment |= bool(_SETS.search(source))
        if any(not _HARMLESS_MAGIC.match(magic) for magic in magics):
            self.over = True
        tree = parsed(source)
        if tree is None:
            self.over = True
            return
        self.module(tree, source, ())

    def module(self, tree: ast.Module, source: str, package: tuple[str, ...]) -> None:
        """Read code; `package` is what it lies in."""
        lines = source.splitlines()
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for name, text in _single(statement, package):
                    self.imported(name, text)
                # Under another name, what is done with it would not be seen.
                self.sets_environment |= _takes_environment(statement)
                continue
            text = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
            if "import" in text:
                # It is not done ahead, but what has been done may not bear it.
                for name in _inner_imports(statement):
                    self.refuse(name)
            if _MAY_SET.search(text):
                self.sets_environment |= _sets_environment(statement)
            self.over |= not _is_harmless(statement)

    def imported(self, name: str, text: str) -> None:
        """Take in an import of a dotted name; `text` is what does it, if it can be done ahead."""
        top = name.partition(".")[0]
        if any((folder / top).is_dir() or any(files_of(top, (folder,))) for folder in self.folders):
            # A module of the project: it is not run ahead, but read.
            for path in files_of(name, self.folders):
                self.read(path)
            return
        if not text or top in sys.stdlib_module_names:
            return
        self.refuse(name)
        if self.sets_environment and self.cold is None:
            self.cold = f"it sets environment variables before it imports {top}"
        if not self.over:
            self.imports[text] = None

    def read(self, path: Path) -> None:
        """Read a file of the project, once."""
        if path in self.seen:
            return
        self.seen.add(path)
        try:
            source = content(path).decode("utf-8", "replace") if path.suffix == ".py" else ""
        except OSError:
            source = ""
        tree = parsed(source) if source else None
        if tree is None:
            # Nothing in it is harmless; an empty one is.
            self.over |= path.suffix != ".py" or bool(source.strip())
            return
        folder = next(one for one in self.folders if path.is_relative_to(one))
        self.module(tree, source, path.parent.relative_to(folder).parts)

    def refuse(self, name: str) -> None:
        """Have the kernel start by itself if a package does not bear a fork."""
        top = name.partition(".")[0]
        if top in NO_FORK and self.cold is None:
            self.cold = f"it imports {top}"


def of_notebook(notebook: SourceNotebook, kernel: str | None, project: Project) -> Preload:
    """Say what can be imported ahead of a notebook's kernel.

    Args:
        notebook: the notebook.
        kernel: the installed kernel that it runs on, or None for this interpreter.
        project: its own modules are read, but not imported.
    """
    if not on_linux():
        return Preload(cold="nothing is forked on this system, or the portable way is chosen")
    if notebook.language != PYTHON or kernel is not None:
        return Preload(cold="it has a kernel of its own")
    if not notebook.warm:
        return Preload(cold="its metadata says so")
    cells = (one.source for one in notebook.cells if not one.left_out)
    found = of_cells(cells, project.module_folders(notebook))
    return replace(found, folder=str(notebook.folder))


def installs(notebook: SourceNotebook) -> bool:
    """Tell whether a notebook may install packages, so that an import gives something else."""
    return any(_INSTALLS.search(cell.source) for cell in notebook.cells)


def of_cells(cells: Iterable[str], folders: tuple[Path, ...]) -> Preload:
    """Read the imports off a notebook's code cells.

    Args:
        cells: their sources, in order.
        folders: where modules of the project are looked for.
    """
    reading = _Reading(folders)
    for source in cells:
        reading.cell(source)
    return Preload(() if reading.cold else tuple(reading.imports), reading.cold)


def _single(
    statement: ast.Import | ast.ImportFrom, package: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Split an import into single ones; give the dotted name and the statement of each.

    What is imported relatively to `package` is the project's, and has no statement.
    """
    if isinstance(statement, ast.Import):
        for each in statement.names:
            yield each.name, f"import {each.name}"
        return
    module = imported_from(statement, package)
    if module == "__future__":
        return
    if statement.level:
        for each in statement.names:
            yield f"{module}.{each.name}".strip("."), ""
        return
    # What several notebooks have in common is the module, whatever they take from it.
    yield module, f"import {module}"
    for each in statement.names:
        if each.name != "*":
            yield f"{module}.{each.name}", f"from {module} import {each.name}"


def _takes_environment(statement: ast.Import | ast.ImportFrom) -> bool:
    names = {each.name for each in statement.names if each.asname is not None}
    of_os = isinstance(statement, ast.ImportFrom) and statement.module == "os"
    return of_os and bool(names & {"environ", *_SETTERS})


def _is_harmless(statement: ast.stmt) -> bool:
    """Tell whether a statement surely changes nothing of what a later import does."""
    harmless = isinstance(statement, ast.Pass)
    match statement:
        case ast.Expr(value=value):
            harmless = _is_plain(value)
        case ast.Assign(targets=targets, value=value):
            harmless = all(map(_is_name, targets)) and _is_plain(value)
        case ast.AnnAssign(target=target, value=value):
            harmless = _is_name(target) and (value is None or _is_plain(value))
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            defaults = [*statement.args.defaults, *filter(None, statement.args.kw_defaults)]
            harmless = _is_decorated_plainly(statement) and all(map(_is_plain, defaults))
        case ast.ClassDef():
            bases = [*statement.bases, *(one.value for one in statement.keywords)]
            inner = all(map(_is_harmless, statement.body)) and all(map(_is_plain, bases))
            harmless = inner and _is_decorated_plainly(statement)
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            harmless = True
    return harmless


def _is_name(target: ast.expr) -> bool:
    inner = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    return all(isinstance(one, ast.Name) for one in inner)


def _is_decorated_plainly(statement: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    found = [one.func if isinstance(one, ast.Call) else one for one in statement.decorator_list]
    return all(ast.unparse(one) in _HARMLESS_DECORATORS for one in found)


def _is_plain(value: ast.expr) -> bool:
    """Tell whether an expression calls nothing but what is known to be harmless."""
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and ast.unparse(node.func) not in _HARMLESS_CALLS:
            return False
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
            return False
    return True


def _inner_imports(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _sets_environment(statement: ast.stmt) -> bool:
    """Tell whether a statement may set an environment variable; reading one does not."""
    reading: set[int] = set()
    for node in ast.walk(statement):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _SETTERS:
                return True
            case ast.Subscript(value=value, ctx=ast.Load()) if _is_environment(value):
                reading.add(id(value))
            case ast.Attribute(value=value, attr=name) if _is_environment(value):
                if name in _CHANGING:
                    return True
                reading.add(id(value))
            case ast.Compare(comparators=found):
                reading.update(id(each) for each in found)
            case ast.Call(func=ast.Name(id=name), args=[value]) if name in _READERS:
                reading.add(id(value))
            case _ if isinstance(node, ast.expr) and _is_environment(node):
                if id(node) not in reading:
                    return True
    return False


def _is_environment(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "environ") or (
        isinstance(node, ast.Name) and node.id == "environ"
    )
