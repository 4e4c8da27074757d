"""Cells that are no Python: found before anything runs, where that is beyond doubt."""

import ast
import re
from collections.abc import Iterable, Iterator

from ..errors import Problem
from ..model import Cell, SourceNotebook
from ..words import shortened
from .imports import parsed
from .layout import Project
from .notebooks import PYTHON, place

# What IPython makes something of: magics, shell commands, help, quoted calls, prompts, indentation.
_IPYTHON = re.compile(r"^\s*[%!?,;/]|\?\s*$|=\s*[%!]|^\s*(>>>|In *\[)|\A\s*^[ \t]", re.MULTILINE)
_CHANGES = "input_transformers"
# So much of a line is shown.
_LONGEST = 80


def mistakes(project: Project, notebooks: Iterable[SourceNotebook]) -> Iterator[Problem]:
    """Find cells that would surely fail; another kernel may have another language, or Python."""
    for notebook in notebooks if project.settings.kernel is None else ():
        sources = [cell.source for cell in notebook.cells]
        if notebook.language != PYTHON or any(_CHANGES in source for source in sources):
            continue
        for cell in notebook.cells:
            if not cell.may_fail:
                yield from _of_cell(notebook, cell)


def _of_cell(notebook: SourceNotebook, cell: Cell) -> Iterator[Problem]:
    if _IPYTHON.search(cell.source) or parsed(cell.source) is not None:
        return
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        compile(cell.source, "<cell>", "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        if error.lineno is None or error.msg.startswith("too many"):
            # It has no place, or is nested too deeply: the kernel says it better.
            return
        line = shortened((error.text or "").strip(), _LONGEST)
        what = f"is no Python: {error.msg}, line {error.lineno}{f' ({line})' if line else ''}"
        yield Problem(place(notebook, cell), what)
    except (ValueError, MemoryError, RecursionError):
        # What this Python cannot say, the kernel will.
        return
