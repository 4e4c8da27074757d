"""Which files below `notebooks/` are stages, what these are called, and their natural order."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

FOLDER = "notebooks"
_SUFFIX = ".ipynb"
# What Jupyter calls a notebook that nobody has named, a copy, and what is put aside by its name.
_SCRATCH = re.compile(r"Untitled.*|.*-Copy\d.*|_.*", re.DOTALL)
# At most two digits, or leading zeros, also with decimals: a longer number is a word of the name.
_NUMBER = re.compile(r"\A(?:\d{1,2}|0\d+)(?:\.\d+)*+[ _.-]+(?=.)")
_DATE = re.compile(r"\d\d?([-._])\d\d?\1(\d\d){1,2}(?!\d)|\d\d?[-.]\d{4}(?!\d)")
_LEADING = re.compile(r"(\d+)\.(\d+)(?!\.?\d)")


@dataclass(frozen=True)
class Listing:
    """The notebooks that are stages, below `notebooks/` in natural order, and what is none."""

    paths: tuple[PurePath, ...]
    left_out: tuple[str, ...]

    @property
    def words(self) -> str:
        """Say what is left out, and why."""
        names = ", ".join(f"{FOLDER}/{name}" for name in self.left_out)
        return f"left out: {names} (names such as Untitled, x-Copy1 and _x are no stages')"


def stage_name(path: PurePath) -> str:
    """Give a notebook's stage: its path in the project without `notebooks/` and numbers.

    A number in front of a file's or a folder's name gives the order; one of a date does not.
    """
    parts = path.parts[1:-1]
    return "/".join(_without_number(part) for part in (*parts, path.stem))


def _without_number(name: str) -> str:
    return name if _DATE.match(name) else _NUMBER.sub("", name, count=1)


def natural_key(name: str) -> list[list[tuple[int, int | str, str]]]:
    """Sort paths part by part, and numbers in names as numbers: `2_x` before `10_x`.

    A number in front may have decimals: `1.5_x` stands before `2_x`.
    """
    return [_part_key(part) for part in PurePosixPath(name).parts]


def _part_key(name: str) -> list[tuple[int, int | str, str]]:
    key: list[tuple[int, int | str, str]] = []
    if leading := _LEADING.match(name):
        key.append((0, int(leading[1]), leading[2]))
        name = name[leading.end() :]
    pieces = (piece for piece in re.split(r"(\d+)", name) if piece)
    key += [
        (0, int(piece), "") if piece.isdecimal() else (1, piece.casefold(), "") for piece in pieces
    ]
    return key


def listing(root: Path) -> Listing:
    """Look for the notebooks of a project; links to folders are not followed."""
    found: list[PurePath] = []
    left_out: list[str] = []
    todo = [PurePath()]
    while todo:
        inner = todo.pop()
        try:
            entries = list(os.scandir(root / FOLDER / inner))
        except OSError as error:
            left_out += [f"{inner}/ ({error.strerror})"] if inner.parts else []
            continue
        for entry in entries:
            path = inner / entry.name
            if entry.name.startswith("."):
                continue
            if entry.name.endswith(_SUFFIX):
                if is_scratch(path.stem):
                    left_out.append(path.as_posix())
                else:
                    found.append(path)
            elif entry.is_dir():
                if (reason := _no_folder_of_stages(entry)) is None:
                    todo.append(path)
                elif any(_notebooks_in(entry.path)):
                    left_out.append(f"{path.as_posix()}/{reason}")
    order = sorted(found, key=lambda path: (natural_key(_stem(path)), path.as_posix()))
    return Listing(tuple(order), tuple(sorted(left_out)))


def _stem(path: PurePath) -> str:
    return path.as_posix().removesuffix(_SUFFIX)


def _no_folder_of_stages(entry: os.DirEntry[str]) -> str | None:
    """Say why notebooks in a folder are no stages, if so; where its name says it, nothing more."""
    if is_scratch(entry.name):
        return ""
    if entry.is_symlink():
        return " (a link; put the folder itself there)"
    if (Path(entry.path) / "pyvenv.cfg").exists():
        return " (an environment)"
    return None


def _notebooks_in(folder: str) -> Iterator[str]:
    """Give the names of notebooks in a folder, at any depth."""
    with contextlib.suppress(OSError):
        for _, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from (name for name in names if name.endswith(_SUFFIX) and name[0] != ".")


def is_scratch(name: str) -> bool:
    """Tell whether a notebook, or a folder of some, is none of the project by its name."""
    return _SCRATCH.fullmatch(name) is not None


def is_notebook(name: str) -> bool:
    """Tell whether a file is one that people open while a stage runs: a notebook."""
    return name.startswith("notebooks/") and name.endswith(".ipynb")
