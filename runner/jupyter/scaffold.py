"""A project that works at once, begun in a folder; the running runner goes along as a copy."""

import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError
from ..system import write_whole
from . import origin
from .cells import notebook, of_percent

_TEMPLATES = Path(__file__).parent / "templates"
# Where the templates go that are plain text.
_PLACES = {
    "README.txt": "README.md",
    "gitignore.txt": ".gitignore",
    "all.txt": "params/all.yaml",
    "test.txt": "params/test.yaml",
    "measurements.csv": "testdata/measurements.csv",
    "summary.json": "testdata/expected/summary.json",
}
_STAGE = ("summary.txt", "notebooks/summary.ipynb")
# What of the example's stage a project does not need that has notebooks of its own.
_OF_EXAMPLE = ("testdata/measurements.csv", "testdata/expected/summary.json", "params/all.yaml")


def begin(root: Path, folder: Path, *, example: bool = True) -> list[str]:
    """Begin a project in an empty folder, or one that is not there yet.

    Args:
        root: the project of the running `run.py`.
        folder: where the new one is to be.
        example: with a stage, its test data and what is expected of it.

    Returns:
        What could not be taken along, in words.

    Raises:
        UsageError: there is something in the folder.
        OSError: a file cannot be written; what was written before stays.
    """
    _refuse_full(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _texts(root, folder, example=example):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode(), lasting=False)
    if not example:
        for name in ("params/all.yaml", "notebooks/.gitkeep"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    return origin.copy(root, folder)


def _refuse_full(folder: Path) -> None:
    try:
        there = sorted(one.name for one in folder.iterdir() if one.name != ".git")
    except FileNotFoundError:
        return
    except NotADirectoryError:
        there = ["it is a file"]
    if there:
        message = (
            f"{folder} is not empty ({there[0]}); name a folder that is not there yet, "
            f"or give --upgrade for a newer runner in a project"
        )
        raise UsageError(message)


def _texts(root: Path, folder: Path, *, example: bool) -> Iterator[tuple[str, str]]:
    name = folder.resolve().name
    for template, place in _PLACES.items():
        if example or place not in _OF_EXAMPLE:
            text = (_TEMPLATES / template).read_text("utf-8")
            yield place, text.replace("{name}", name)
    if example:
        template, place = _STAGE
        yield place, notebook(of_percent((_TEMPLATES / template).read_text("utf-8")))
    yield "outputs/.gitignore", "*\n!.gitignore\n"
    yield "pyproject.toml", _pyproject(root, name)


def _pyproject(root: Path, name: str) -> str:
    """Write the settings of a project, with the packages from which `root`'s are locked."""
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
        ranges = [str(one) for one in project["dependencies"]]
        python = str(project["requires-python"])
    except (OSError, ValueError, KeyError, TypeError):
        # The running project has mistakes of its own, or no such list.
        ranges, python = [], ">=3.11"
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "project"
    lines = ["[project]", f"name = {json.dumps(slug)}", 'version = "0.1.0"']
    lines += [f"requires-python = {json.dumps(python)}", "dependencies = ["]
    lines += [f"    {json.dumps(one)}," for one in ranges]
    lines += ["]", "", "# What run.py does unless an option says otherwise: python run.py --help"]
    return "\n".join([*lines, "[tool.runner]", ""])


def refuse_from(source: Path, folder: Path) -> None:
    """Refuse a folder to begin from, before anything is written.

    Raises:
        UsageError: there is no such folder, or it and the new one lie in each other.
    """
    one, other = source.resolve(), folder.resolve()
    if not one.is_dir():
        message = f"--from {source}: there is no such folder"
        raise UsageError(message)
    if one.is_relative_to(other) or other.is_relative_to(one):
        message = f"{folder} and {source} lie in each other; name a folder outside of it"
        raise UsageError(message)


def take_over(source: Path, folder: Path) -> list[str]:
    """Copy a folder of notebooks, and what lies beside them, into a project that has just begun.

    Caches, environments and hidden files are left behind.

    Returns:
        The names of what the project keeps as its own.
    """
    names = sorted(path.name for path in source.iterdir())
    own = (origin.ours(folder) | {"pyproject.toml"}) & {*names}
    for name in sorted({*names} - own - left_behind(str(source), names)):
        if (source / name).is_dir():
            shutil.copytree(
                source / name, folder / name, symlinks=True, ignore=left_behind, dirs_exist_ok=True
            )
        else:
            shutil.copy2(source / name, folder / name)
    return sorted(own)


def left_behind(folder: str, names: list[str]) -> set[str]:
    """Give the names in a folder that are not copied: caches, environments, hidden ones."""
    found = {one for one in names if one[:1] == "." or one in {"__pycache__", "node_modules"}}
    return found | {one for one in names if (Path(folder) / one / "pyvenv.cfg").exists()}
