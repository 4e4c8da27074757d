"""What a kernel's trace says of the project's files: which are these, under which names."""

import os
import shlex
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ..kernels.trace import (
    BOTH,
    END,
    GONE,
    LISTED,
    LOST,
    MANY_READ,
    MANY_WRITTEN,
    MODULE,
    READ,
    STARTED,
    WRITTEN,
    records,
)
from ..model import Trace
from ..project import RESERVED_OUTPUTS

_CACHE = "__pycache__"
# Folders that hold no sources and no data, and files of the runner's own.
_SKIPPED = {_CACHE, "node_modules", "site-packages"}
_RUNNER = {"runner", "run.py"}
# Hidden folders that tools keep for themselves.
_HIDDEN = {
    *(".git", ".hg", ".svn", ".ipynb_checkpoints", ".venv", ".tox", ".nox", ".idea", ".vscode"),
    *(".cache", ".config", ".local", ".ipython", ".jupyter", ".matplotlib", ".conda"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache"),
}
_OUTPUTS = "outputs"


class ProjectFiles:
    """Names the files of a project relative to its root, whatever way led to them."""

    def __init__(self, root: Path) -> None:
        """Begin."""
        self._root = str(root)
        self._real = lru_cache(maxsize=1 << 14)(os.path.realpath)

    def names_of(self, path: str, *, hidden: bool = False) -> set[str]:
        """Give a path's names as far as it is a file of the project that could matter.

        There are two where a link led to it; what the link points to may be another file later.
        """
        if path == self._root:
            return {"."}
        folder, _, name = path.rpartition("/")
        real = self._real(path) if os.path.islink(path) else f"{self._real(folder)}/{name}"  # noqa: PTH114
        inner = {one.removeprefix(f"{self._root}/") for one in (real, path)} - {real, path}
        return {one for one in inner if matters(one, hidden=hidden)}

    def names(self, paths: Iterable[str], *, hidden: bool = False) -> frozenset[str]:
        """Give the names of those that matter."""
        return frozenset(name for path in paths for name in self.names_of(path, hidden=hidden))


def matters(name: str, *, hidden: bool = False) -> bool:
    """Tell whether a file of the project, named relative to its root, can be data or code.

    In hidden folders people keep caches, and sometimes data: `hidden` is for what is read.
    """
    parts = name.split("/")
    skipped = _SKIPPED | _HIDDEN
    if parts[0] in _RUNNER or any(
        part in skipped or (part.startswith(".") and not hidden) for part in parts[:-1]
    ):
        return False
    if parts[0] != _OUTPUTS:
        return True
    inner = parts[1:]
    return bool(inner) and inner[0][0] != "." and not RESERVED_OUTPUTS.intersection(inner[1:2])


def source_of(path: str) -> str:
    """Give for a file of compiled Python the source beside its folder, else the path itself."""
    folder, _, name = path.rpartition("/")
    above, _, last = folder.rpartition("/")
    if last != _CACHE:
        return path
    return f"{above}/{name.partition('.')[0]}.py"


def read(data: bytes | None, root: Path, working_directory: Path) -> Trace:
    """Read the trace of a kernel that belongs to the project `root`; None where it wrote none."""
    found: dict[str, set[str]] = defaultdict(set)
    moments: dict[str, float] = {}
    for kind, text in records(data or b""):
        moment, slash, rest = text.partition("/") if kind == READ else ("", "", text)
        found[kind].add(slash + rest)
        if moment:
            moments[slash + rest] = float(moment)
    files = ProjectFiles(root)
    compiled = {path for path in found[READ] if f"/{_CACHE}/" in path}
    modules = {source_of(path) for path in compiled} | set(map(source_of, found[MODULE]))
    reads = {
        name: moments.get(path, 0.0)
        for path in found[READ] - compiled
        for name in files.names_of(path, hidden=True)
    }
    loaded = frozenset(name for name in files.names(modules, hidden=True) if _is_file(root / name))
    written = found[WRITTEN] | found[BOTH]
    named = _in_commands(found[STARTED], working_directory)
    return Trace(
        reads=frozenset(reads.keys() - loaded),
        moments=reads,
        writes=files.names(found[WRITTEN]),
        either=files.names(found[BOTH]),
        gone=files.names(found[GONE]),
        listed=files.names({path for path in found[LISTED] if path not in written}),
        modules=loaded,
        many_read=files.names(found[MANY_READ]),
        many_written=files.names(found[MANY_WRITTEN]),
        perhaps_read=files.names({one for one in named if os.path.isfile(one)}),  # noqa: PTH113
        perhaps_listed=files.names({one for one in named if os.path.isdir(one)}),  # noqa: PTH112
        witness=data is not None,
        whole=data is None or (bool(found[END]) and not found[LOST]),
        children=data is None or bool(found[STARTED]),
    )


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - Path's raises where a folder may not be entered


def _in_commands(lines: set[str], folder: Path) -> set[str]:
    """Find the files and folders that commands name."""
    found = set()
    for line in lines:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            words = line.split()
        for word in words:
            found.add(os.path.normpath(folder / word))
    return found
