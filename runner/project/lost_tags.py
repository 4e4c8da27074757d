"""A notebook that has lost the tag of its parameters cell, or never had one."""

import ast
import re
from collections.abc import Iterator

from ..errors import Problem
from ..model import Cell, SourceNotebook
from .imports import parsed
from .layout import TEST_PROFILE, Project
from .notebooks import PYTHON, place

_HOW = (
    "in JupyterLab select the cell, open the Property Inspector (gear icon, top right) and add "
    "`parameters` below Cell Tags; in VS Code choose Mark Cell as Parameters or Add Cell Tag in "
    "the cell's … menu"
)
_PATH = re.compile(r"(package|build|https?):|.*[/\\].*|.*\.\w{1,8}", re.DOTALL)
_TEST = re.compile(rf"(^|[/\\])outputs[/\\]+{TEST_PROFILE}([/\\]|$)")
_IN_TEXT = re.compile(rf"\boutputs[/\\]{TEST_PROFILE}\b")
_OTHER = re.compile(r"""^((?:in|out)put_\w+)\s*(?:<-|=)\s*["'][^"']*[./]""", re.MULTILINE)


def lost(project: Project) -> Iterator[Problem]:
    """Find notebooks that assign a path to `input_…` or `output_…` and have no such cell."""
    for notebook in _untagged(project):
        for cell in notebook.cells:
            names = _assigned(notebook, cell)
            if names:
                what = (
                    f"assigns {' and '.join(f'`{name}`' for name in names)}, but no cell has the "
                    f"tag `parameters`{_similar(notebook)}; {_HOW}"
                )
                yield Problem(place(notebook, cell), what)
                break


def suspicious(project: Project) -> Iterator[str]:
    """Tell of notebooks that name the test build's folder, and do not get another one's."""
    for notebook in _untagged(project):
        cell = next((one for one in notebook.cells if _names_test(one.source)), None)
        if cell is not None:
            yield (
                f"{place(notebook, cell)}: names outputs/{TEST_PROFILE}/, in every profile, for no "
                "cell has the tag `parameters`; assign the path to `input_…` or `output_…` in a "
                f"cell with that tag: {_HOW}"
            )


def likely_writer(project: Project, reader: SourceNotebook, name: str) -> str:
    """Say which other notebook names a file in its code, as the end of a message."""
    word = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)")
    for notebook in project.notebooks.values():
        for cell in notebook.cells:
            if notebook is not reader and not cell.parameters and word.search(cell.source):
                declare = "declare it as `output_…` in a cell with the tag `parameters`"
                return f", but {place(notebook, cell)} names {name}: if it writes it, {declare}"
    return ""


def _untagged(project: Project) -> Iterator[SourceNotebook]:
    return (one for one in project.notebooks.values() if not one.has_parameters_cell)


def _similar(notebook: SourceNotebook) -> str:
    """Mention a tag that may have been meant."""
    tags = (tag for cell in notebook.cells for tag in cell.tags)
    found = next((tag for tag in tags if tag.lower().startswith("param")), None)
    return f" (one has `{found}`)" if found else ""


def _assigned(notebook: SourceNotebook, cell: Cell) -> list[str]:
    """Give the names of inputs and outputs to which a cell assigns a path, as it stands there."""
    if notebook.language != PYTHON:
        return _OTHER.findall(cell.source)
    tree = parsed(cell.source) if "put_" in cell.source else None
    pairs = [pair for statement in (tree.body if tree else ()) for pair in _pairs(statement)]
    return [
        target.id
        for target, value in pairs
        if isinstance(target, ast.Name)
        and target.id.startswith(("input_", "output_"))
        and _is_path(value)
    ]


def _pairs(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Give what a statement assigns to what, `a, b = 1, 2` one by one."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                match target, value:
                    case ast.Tuple(elts=names), ast.Tuple(elts=values):
                        yield from zip(names, values, strict=False)
                    case _:
                        yield target, value
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value


def _is_path(value: ast.expr) -> bool:
    try:
        literal = ast.literal_eval(value)
    except (ValueError, TypeError):
        return False
    items = literal if isinstance(literal, list | tuple) else [literal]
    # `input_dim = 3` and `output_format = "png"` are no paths.
    return bool(items) and all(isinstance(one, str) and _PATH.fullmatch(one) for one in items)


def _names_test(source: str) -> bool:
    """Tell whether code names the test build in a text, be it in parts: "outputs", "test"."""
    if "outputs" not in source or TEST_PROFILE not in source:
        return False
    tree = None if source.lstrip().startswith("%%") else parsed(source)
    if tree is None:
        return bool(_IN_TEXT.search(source))
    commands = "\n".join(line for line in source.splitlines() if line.lstrip()[:1] in {"!", "%"})
    return bool(_IN_TEXT.search(commands)) or any(map(_joins_test, tree.body))


def _joins_test(statement: ast.stmt) -> bool:
    texts = [
        (node.lineno, node.col_offset, node.value)
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return bool(_TEST.search("/".join(text for _, _, text in sorted(texts))))
