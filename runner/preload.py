"""What a notebook imports before anything else: that can be done ahead of its kernel.

Only imports of installed packages count, at the top level of cells, up to the first
statement that may change what an import does. The standard library is left out: it loads
in no time, and so fewer notebooks differ.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .imports import files_of, parsed
from .model import Preload, SourceNotebook
from .notebooks import PYTHON
from .project import Project

# Packages that start threads or hold a device or a connection from their import on, and
# whose manuals warn of a fork.
_NO_FORK = {
    *("cudf", "cugraph", "cuml", "cupy", "pycuda", "rmm"),
    *("grpc", "h2o", "horovod", "jax", "mpi4py", "polars", "pyspark", "ray", "tensorflow"),
    *("jnius", "julia", "juliacall", "rpy2", "torch_xla"),
}
_HARMLESS_MAGIC = re.compile(r"^\s*%(matplotlib|config|time|timeit|precision|pprint|xmode)\b")
_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)
_SETS = re.compile(r"^\s*%(set_env\b|env\s+\w+\s*=?\s*\S)", re.MULTILINE)
# What decides where modules come from, or what they find; some draw random numbers.
_DECIDES = re.compile(
    r"\b(seed|setstate|set_state|sys\.(path|modules|meta_path|path_hooks)|chdir|subprocess|os\.system|Popen|pip|conda"
    r"|importlib|__import__|setrlimit|set_start_method)\b"
)
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
        self.module(tree, source)

    def module(self, tree: ast.Module, source: str) -> None:
        lines = source.splitlines()
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for name, text in _single(statement):
                    self.imported(name, text)
                continue
            text = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
            if "import" in text:
                for name in _inner_imports(statement):
                    self.refuse(name)
            if _MAY_SET.search(text):
                self.sets_environment |= _sets_environment(statement)
            self.over |= bool(_DECIDES.search(text))

    def imported(self, name: str, text: str) -> None:
        """Take in an import of a dotted name."""
        files = [path for path in files_of(name, self.folders) if path not in self.seen]
        if files or any(files_of(name, self.folders)):
            # A module of the project: it is not run ahead, but read.
            for path in files:
                self.seen.add(path)
                source = path.read_text("utf-8", "replace")
                tree = parsed(source) if path.suffix == ".py" else None
                if tree is None:
                    self.over = True
                else:
                    self.module(tree, source)
            return
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            return
        self.refuse(name)
        if self.sets_environment and self.cold is None:
            self.cold = f"it sets environment variables before it imports {top}"
        if not self.over:
            self.imports[text] = None

    def refuse(self, name: str) -> None:
        """Have the kernel start by itself if a package does not bear a fork."""
        top = name.partition(".")[0]
        if top in _NO_FORK and self.cold is None:
            self.cold = f"it imports {top}"


def of_notebook(notebook: SourceNotebook, kernel: str | None, project: Project) -> Preload:
    """Say what can be imported ahead of a notebook's kernel.

    Args:
        notebook: the notebook.
        kernel: the installed kernel that it runs on, or None for this interpreter.
        project: its own modules are read, but not imported.
    """
    if sys.platform != "linux":
        return Preload(cold="this is not Linux")
    if notebook.language != PYTHON or kernel is not None:
        return Preload(cold="it has a kernel of its own")
    if not notebook.warm:
        return Preload(cold="its metadata says so")
    folders = (project.working_directory, project.root, project.root / "src")
    return of_cells((cell.source for cell in notebook.cells), folders)


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


def _single(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Split an import into single ones; give the module and the statement of each."""
    if isinstance(statement, ast.Import):
        for each in statement.names:
            yield each.name, f"import {each.name}"
        return
    module = statement.module or ""
    if statement.level or module == "__future__":
        return
    # What several notebooks have in common is the module, whatever they take from it.
    yield module, f"import {module}"
    for each in statement.names:
        if each.name != "*":
            yield module, f"from {module} import {each.name}"


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
