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
    FOLDER,
    GONE,
    LINK,
    LISTED,
    LOST,
    MANY_READ,
    MANY_WRITTEN,
    MODULE,
    NATIVE,
    READ,
    STARTED,
    TIMED,
    WRITTEN,
    records,
)
from ..model import Trace
from ..project import INDEX, RESERVED_OUTPUTS

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
# Of these, what lies in folders; a file directly in one is someone's own.
_OF_TOOLS = {".cache", ".config", ".local"}
_OUTPUTS = "outputs"


class ProjectFiles:
    """Names the files of a project relative to its root, whatever way led to them."""

    def __init__(self, root: Path) -> None:
        """Begin."""
        self._root = str(root)
        self._real = lru_cache(maxsize=1 << 14)(os.path.realpath)

    def names_of(self, path: str, *, follow: bool = True) -> set[str]:
        """Give a path's names as far as it is a file of the project that could matter.

        There are two where a link led to it; what the link points to may be another file later.
        Without `follow` a link itself is meant.
        """
        if path == self._root:
            return {"."}
        folder, _, name = path.rpartition("/")
        is_link = follow and os.path.islink(path)  # noqa: PTH114 - quick
        real = self._real(path) if is_link else f"{self._real(folder)}/{name}"
        inner = {one.removeprefix(f"{self._root}/") for one in (real, path)} - {real, path}
        return {one for one in inner if matters(one)}

    def names(self, paths: Iterable[str], *, follow: bool = True) -> frozenset[str]:
        """Give the names of those that matter."""
        return frozenset(name for path in paths for name in self.names_of(path, follow=follow))


def matters(name: str) -> bool:
    """Tell whether a file of the project, named relative to its root, can be data or code."""
    parts = name.split("/")
    inside = parts[:-1]
    if inside and inside[-1] in _OF_TOOLS:
        inside = inside[:-1]
    if parts[0] in _RUNNER or not (_SKIPPED | _HIDDEN).isdisjoint(inside):
        return False
    if parts[0] != _OUTPUTS:
        return True
    inner = parts[1:]
    if inner == [INDEX]:
        return False
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
        moment, slash, rest = text.partition("/") if kind in TIMED else ("", "", text)
        found[kind].add(slash + rest)
        if moment:
            moments[slash + rest] = float(moment)
    files = ProjectFiles(root)
    compiled = {path for path in found[READ] if f"/{_CACHE}/" in path}
    modules = {source_of(path) for path in compiled} | set(map(source_of, found[MODULE]))

    def when(paths: set[str]) -> dict[str, float]:
        return {name: moments.get(path, 0.0) for path in paths for name in files.names_of(path)}

    written = found[WRITTEN] | found[BOTH]
    reads, listed = when(found[READ] - compiled), when(found[LISTED] - written)
    # Path's raises where a folder may not be entered.
    loaded = frozenset(one for one in files.names(modules) if os.path.isfile(root / one))  # noqa: PTH113
    named = _in_commands(found[STARTED], working_directory)
    return Trace(
        reads=frozenset(reads.keys() - loaded),
        moments=reads | listed,
        writes=files.names(found[WRITTEN]),
        links=files.names(found[LINK], follow=False),
        either=files.names(found[BOTH]),
        gone=files.names(found[GONE]),
        listed=frozenset(listed),
        folders=files.names(found[FOLDER]),
        modules=loaded,
        many_read=files.names(found[MANY_READ]),
        many_written=files.names(found[MANY_WRITTEN]),
        perhaps_read=files.names({one for one in named if os.path.isfile(one)}),  # noqa: PTH113
        perhaps_listed=files.names({one for one in named if os.path.isdir(one)}),  # noqa: PTH112
        witness=data is not None,
        whole=data is None or (bool(found[END]) and not found[LOST]),
        children=data is None or bool(found[STARTED] or found[NATIVE]),
    )


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
