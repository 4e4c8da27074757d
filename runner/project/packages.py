"""Packages that notebooks import and that are not installed: found before anything runs.

Only what is surely imported counts: at the top level of a cell, and not after something that
may install packages or bring modules. A name is looked up, never imported.
"""

import ast
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import cached_property
from importlib.machinery import all_suffixes
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import TypeGuard

from ..errors import Problem
from ..model import Cell, SourceNotebook
from .imports import added_folders, modules, parsed
from .layout import Project
from .notebooks import PYTHON, place
from .requirements import canonical, required

# Packages that are not called as they are imported.
_CALLED = {
    "Bio": "biopython",
    "Crypto": "pycryptodome",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "PyMuPDF",
    "git": "GitPython",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
# Commands that install packages, or fetch what may be modules.
_BRINGS = re.compile(
    r"\b(pip3?|conda|mamba|micromamba|uv|poetry|pdm|apt|apt-get|easy_install|wget|curl|unzip|tar)\b"
    r"|\bgit\s+(clone|submodule)\b"
)
_COMMAND = re.compile(r"^\s*(?:[\w, ]+=\s*)?[%!](.*)$")
_CALLS = {
    *("system", "run", "call", "check_call", "check_output", "Popen", "getoutput", "popen"),
    *("run_line_magic", "run_cell_magic", "getstatusoutput", "urlretrieve", "main"),
}
# Cell magics whose cell is run as the others are.
_PLAIN = re.compile(r"%%(time|capture)\b")
_SHELLS = re.compile(r"%%(bash|sh|script|!|system|sx)")
# What changes where modules are looked for.
_MOVES = re.compile(r"sys\.path|addsitedir|chdir|%cd\b|%pushd\b|PYTHONPATH")
# What may lead out of the project, and what makes modules in a way of its own.
_AWAY = re.compile(r"environ|getenv|home\(|expanduser|expandvars")
_OWN_WAY = re.compile(r"sys\.(modules|meta_path|path_hooks)")
_NOT_LOOKED_INTO = {"__pycache__", "node_modules", "outputs"}
_MODULE = (*all_suffixes(), ".pyx")
# Python imports from such files, too.
_ARCHIVES = (".zip", ".egg", ".whl", ".pyz")
_CLOSE = 0.8


def missing(project: Project, notebooks: Iterable[SourceNotebook]) -> list[Problem]:
    """Find packages that are not there.

    Args:
        project: whose own modules are none.
        notebooks: those to run, in this order.
    """
    if project.settings.kernel:
        return []
    there = _There(project)
    found: dict[str, list[tuple[SourceNotebook, Cell]]] = {}
    for notebook in notebooks:
        if notebook.language != PYTHON:
            continue
        for name, cell in _imported(notebook):
            if not there.has(name, notebook):
                places = found.setdefault(name, [])
                if all(notebook is not one for one, _ in places):
                    places.append((notebook, cell))
        if any(_brings_at(cell.source) is not None for cell in notebook.cells):
            break
    return [
        _problem(project, name, places, there.anywhere.get(name)) for name, places in found.items()
    ]


def _problem(
    project: Project, name: str, places: Sequence[tuple[SourceNotebook, Cell]], module: str | None
) -> Problem:
    """Say what is missing; `module` is one of the project that is called so, but is not found."""
    (notebook, cell), *others = places
    package = _CALLED.get(name, name)
    listed = canonical(package) in required(project.root)
    mend = "pip install -r requirements.txt"
    if not listed:
        mend = f"pip install {package}, and add it to requirements.txt"
        close = get_close_matches(name, [one.name for one in iter_modules()], 1, _CLOSE)
        if name not in _CALLED and close:
            mend = f"did you mean `{close[0]}`? Else {mend}"
        elif name not in _CALLED and module is None:
            mend = f"if it is a module of the project, add its folder to sys.path; else {mend}"
    if module is not None:
        mend = f"if {module} is meant, add its folder to sys.path; else {mend}"
    also = f" (also imported by {', '.join(one.label for one, _ in others)})" if others else ""
    return Problem(place(notebook, cell), f"the package {name} is not installed{also}; {mend}")


def _imported(notebook: SourceNotebook) -> Iterator[tuple[str, Cell]]:
    """Give the names that a notebook surely imports, up to where it may install something."""
    for cell in notebook.cells:
        end = _brings_at(cell.source)
        if not cell.may_fail:
            for line, name in _top_level(cell.source):
                if end is None or line < end:
                    yield name, cell
        if end is not None:
            return


def _python(source: str) -> ast.Module | None:
    """Parse a cell, if it is Python at all; the numbers of its lines stay."""
    head = source.lstrip()
    if head.startswith("%%") and not _PLAIN.match(head):
        return None
    return parsed(source)


def _top_level(source: str) -> Iterator[tuple[int, str]]:
    """Give the line and the name of each import at the top level of a cell."""
    tree = _python(source) if "import" in source else None
    for statement in tree.body if tree else ():
        match statement:
            case ast.Import(names=names):
                for each in names:
                    yield statement.lineno, each.name.partition(".")[0]
            case ast.ImportFrom(module=str(module), level=0):
                yield statement.lineno, module.partition(".")[0]


def _brings_at(source: str) -> int | None:
    """Give the line from which on a cell may have brought packages or modules."""
    if not _BRINGS.search(source) and "urlretrieve" not in source:
        return None
    if _SHELLS.match(source.lstrip()):
        return 0
    lines = source.splitlines()
    commands = [
        number
        for number, line in enumerate(lines, 1)
        if (found := _COMMAND.match(line)) and _BRINGS.search(found[1])
    ]
    tree = _python(source)
    calls = [node.lineno for node in ast.walk(tree) if _calls(node)] if tree else []
    return min([*commands, *calls], default=None)


def _calls(node: ast.AST) -> TypeGuard[ast.Call]:
    """Tell whether something is a call that carries out such a command."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else None
    name = node.func.id if isinstance(node.func, ast.Name) else name
    texts = [
        one.value
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]
    return name == "urlretrieve" or (name in _CALLS and bool(_BRINGS.search(" ".join(texts))))


class _There:
    """What can be imported, as far as that can be told."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._specs: dict[str, bool] = {}

    def has(self, name: str, notebook: SourceNotebook) -> bool:
        """Tell whether a notebook finds a module of this name, or may do so."""
        if name not in self._specs:
            self._specs[name] = _is_installed(name)
        return self._specs[name] or self._is_of_project(name, notebook)

    def _is_of_project(self, name: str, notebook: SourceNotebook) -> bool:
        folders = self._project.module_folders(notebook)
        if any(_is_module(folder, name) for folder in folders):
            return True
        sources = [cell.source for cell in notebook.cells]
        text = "\n".join(sources)
        # A file that a notebook writes, or runs a notebook as a module.
        if f"{name}.py" in self._all_text or ("ipynb" in text and _is_notebook(folders, name)):
            return True
        # What its own modules do counts, too.
        own = [path for path in modules(sources, folders) if path.suffix == ".py"]
        text = "\n".join([text, *map(_text_of, own)])
        added = added_folders(text)
        if any(one.endswith(_ARCHIVES) or _is_module(folders[0] / one, name) for one in added):
            return True
        if _OWN_WAY.search(text):
            return True
        if len(_MOVES.findall(text)) == len(added):
            return False
        return bool(_AWAY.search(text)) or name in self.anywhere or self._is_near(name)

    @cached_property
    def _all_text(self) -> str:
        """The code of all notebooks."""
        notebooks = self._project.notebooks.values()
        return "\n".join(cell.source for one in notebooks for cell in one.cells)

    @cached_property
    def anywhere(self) -> dict[str, str]:
        """All modules and folders of the project: for each name, where one is."""
        found: dict[str, str] = {}
        for folder, folders, names in os.walk(self._project.root):
            folders[:] = [
                one
                for one in folders
                if not one.startswith(".")
                and one not in _NOT_LOOKED_INTO
                and not Path(folder, one, "pyvenv.cfg").exists()
            ]
            place = self._project.label(Path(folder))
            inner = [one for one in names if one.endswith(_MODULE)]
            for one in (*inner, *folders):
                found.setdefault(one.partition(".")[0], os.path.normpath(f"{place}/{one}"))
        return found

    def _is_near(self, name: str) -> bool:
        """Tell whether a module lies beside the project, or in a folder beside it."""
        around = self._project.root.parent
        try:
            folders = [around, *(one for one in around.iterdir() if one.is_dir())]
        except OSError:
            return False
        return any(_is_module(folder, name) for folder in folders)


def _is_installed(name: str) -> bool:
    if name in sys.stdlib_module_names:
        return True
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        # It is loaded, in a way of its own.
        return True


def _is_module(folder: Path, name: str) -> bool:
    return (folder / name).is_dir() or any((folder / f"{name}{end}").exists() for end in _MODULE)


def _is_notebook(folders: Sequence[Path], name: str) -> bool:
    return any((folder / f"{name}.ipynb").exists() for folder in folders)


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
