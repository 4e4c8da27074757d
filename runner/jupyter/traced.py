"""What notebooks read and write, seen as they run once: in a copy of the project."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .. import graph
from ..errors import UsageError
from ..execution import Executors
from ..model import Job, Result, Trace
from ..project import RESERVED_OUTPUTS
from ..stop import Stop
from ..words import size_in_words
from .existing import Existing
from .scaffold import left_behind

# So much of what is free a copy may take, for the notebooks write there, too.
_SHARE = 0.9
# These are sources, or say nothing of data.
_NO_DATA = (".py", ".pyc", ".ipynb", ".orig")


@dataclass(frozen=True)
class Use:
    """What a notebook was seen to use, by names in the project.

    It `reads` what it did not write before, and `updates` what was there and that it changed;
    of all that `sure` is what its own kernel told.
    """

    reads: frozenset[str]
    writes: frozenset[str]
    updates: frozenset[str]
    sure: frozenset[str]
    modules: frozenset[str]

    @property
    def files(self) -> frozenset[str]:
        """All of it."""
        return self.reads | self.writes


@dataclass(frozen=True)
class Traced:
    """The copy in which the notebooks ran, their order, and what each used by its name."""

    copy: Path
    order: tuple[str, ...]
    uses: dict[str, Use]


def copy_project(root: Path, folder: Path) -> None:
    """Copy a project without what its runs have left, caches and environments.

    Raises:
        UsageError: the disk has no room for it.
    """

    def left(path: str, names: list[str]) -> set[str]:
        found = left_behind(path, names)
        if Path(path) == root:
            found |= {"runner", "runner.old"}
        if Path(path).parent == root / "outputs" and "runs" in names:
            # What stages have made may be read.
            found |= RESERVED_OUTPUTS
        return found

    size = _size(root, left)
    free = shutil.disk_usage(folder.parent).free
    if size > _SHARE * free:
        what = f"adopt works in a copy of the project, which takes {size_in_words(size)}"
        room = f"{folder.parent} has {size_in_words(free)} free"
        message = f"{what}; {room}: free some, or have TMPDIR name a folder with more"
        raise UsageError(message)
    shutil.copytree(root, folder, symlinks=True, ignore=left)


def _size(root: Path, left: Callable[[str, list[str]], set[str]]) -> int:
    """Give the bytes of what is copied of a project."""
    size = 0
    for path, folders, names in os.walk(root):
        left_out = left(path, [*folders, *names])
        folders[:] = [one for one in folders if one not in left_out]
        for name in set(names) - left_out:
            # One that is gone meanwhile takes no room.
            with contextlib.suppress(OSError):
                size += (Path(path) / name).lstat().st_size
    return size


def trace(
    root: Path,
    found: Sequence[Existing],
    folder: Path,
    executors: Executors,
    tell: Callable[[str], None],
) -> Traced:
    """Run notebooks once, each in its own folder, in an order in which they all run.

    Args:
        root: the project.
        found: the notebooks, in the order to begin with.
        folder: an empty one to work in.
        executors: makes what runs them.
        tell: takes a line for each that ran.

    Raises:
        UsageError: one fails, or they need each other.
    """
    order = list(found)
    # What lies there from before may hide that one needs what a later one makes.
    for attempt in range(len(found) + 1):
        copy = folder / f"copy-{attempt}"
        copy_project(root, copy)
        uses = _run(root, copy, order, executors, tell)
        ran = [one for one in order if one.label in uses]
        needs = needed(uses, [one.label for one in found])
        try:
            right = graph.order(needs)
        except graph.Cycle as cycle:
            path = " -> ".join(cycle.path)
            message = f"these notebooks need each other: {path}; let one of them write another file"
            raise UsageError(message) from None
        place = {label: n for n, label in enumerate(one.label for one in order)}
        if all(place[one] < place[label] for label, before in needs.items() for one in before):
            return Traced(copy, tuple(one.label for one in order), uses)
        by_label = {one.label: one for one in ran}
        order = [by_label[one] for one in right]
        tell(f"once more, in the order that follows: {', '.join(right)}")
        shutil.rmtree(copy)
    message = "no order was found in which each notebook runs after what it reads was written"
    raise UsageError(message)


def needed(uses: dict[str, Use], labels: Sequence[str]) -> dict[str, frozenset[str]]:
    """Say which notebooks each reads from."""
    writers: dict[str, set[str]] = {}
    for label, use in uses.items():
        for name in use.writes - use.updates:
            writers.setdefault(name, set()).add(label)
    return {
        label: frozenset(
            w for name in uses[label].reads for w in writers.get(name, ()) if w != label
        )
        for label in labels
    }


def _run(
    root: Path,
    copy: Path,
    order: list[Existing],
    executors: Executors,
    tell: Callable[[str], None],
) -> dict[str, Use]:
    """Run notebooks; one that fails is tried again after the others. `order` becomes theirs."""
    uses: dict[str, Use] = {}
    waiting, done = list(order), list[Existing]()
    with executors(1, lambda _: None, Stop()) as executor:
        while waiting:
            failed: list[tuple[Existing, Result]] = []
            for one in waiting:
                source = _written(root, copy, one)
                before = {name: _looks(copy / name) for name in _files(copy)}
                result = executor.submit(_job(copy, source, one)).result()
                tell(f"{one.label}: {result.state.value} in {result.seconds:.1f} s")
                if not result.good or result.trace is None:
                    failed.append((one, result))
                    continue
                uses[one.label] = _use(root, copy, result.trace, before)
                done.append(one)
            if len(failed) == len(waiting):
                raise UsageError(_why(failed))
            waiting = [one for one, _ in failed]
    order[:] = done
    return uses


def _why(failed: list[tuple[Existing, Result]]) -> str:
    lines = []
    for one, result in failed:
        cell = f", {result.cell}" if result.cell else ""
        lines.append(f"  {one.label}{cell}: {result.error}")
    return "these notebooks do not run; mend them, then adopt again:\n" + "\n".join(lines)


def _written(root: Path, copy: Path, one: Existing) -> Path:
    """Write a notebook into the copy; a path into the project leads into the copy."""
    path = copy / PurePosixPath(one.label).with_suffix(".ipynb")
    cells = tuple({**c, "source": c["source"].replace(str(root), str(copy))} for c in one.cells)
    path.write_text(Existing(one.label, cells, one.metadata).text, "utf-8")
    return path


def _job(copy: Path, source: Path, one: Existing) -> Job:
    beside = copy.parent / "executed"
    executed = beside / PurePosixPath(one.label).with_suffix(".ipynb")
    executed.parent.mkdir(parents=True, exist_ok=True)
    return Job(
        stage=one.label,
        root=copy,
        source=source,
        executed=executed,
        printed=beside / "printed",
        working_directory=source.parent,
        parameters={},
        outputs=(),
        language="python",
        kernel=None,
        log_level="WARNING",
    )


def _files(folder: Path) -> Iterator[str]:
    for path, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one[0] != "."]
        yield from (str((Path(path) / one).relative_to(folder)) for one in names)


def _use(root: Path, copy: Path, trace: Trace, before: dict[str, tuple[int, int]]) -> Use:
    def data(names: frozenset[str]) -> frozenset[str]:
        return frozenset(
            one
            for one in names
            if not one.endswith(_NO_DATA)
            and not any(part[0] == "." for part in PurePosixPath(one).parts)
            and (copy / one).is_file()
        )

    written = data(
        trace.writes | trace.either | trace.perhaps_written | _inside(copy, trace.many_written)
    )
    # One that was opened for both, as SQLite does, may only have been read.
    written -= {one for one in trace.either if before.get(one) == _looks(copy / one)}
    read = data(trace.reads | trace.either | trace.perhaps_read | _inside(copy, trace.many_read))
    # What it read before it wrote it was there, and is changed in its place.
    updates = frozenset(
        one
        for one in written & before.keys()
        if one in trace.either
        or trace.moments.get(one, float("inf")) < (copy / one).stat().st_mtime - 0.0005
        or _is_appended(root / one, copy / one, before[one][0])
    )
    sure = trace.reads | trace.writes | trace.either
    return Use(
        reads=(read - written) | updates,
        writes=written,
        updates=updates,
        sure=frozenset(sure),
        modules=frozenset(one for one in trace.modules if one.endswith(".py")),
    )


def _looks(path: Path) -> tuple[int, int]:
    """Give the size and the time of a file, of a link as such."""
    status = path.lstat()
    return status.st_size, status.st_mtime_ns


def _is_appended(old: Path, new: Path, size: int) -> bool:
    """Tell whether a file has grown by what a notebook wrote at its end."""
    if not 0 < size < new.stat().st_size or not old.is_file() or old.stat().st_size != size:
        return False
    with old.open("rb") as one, new.open("rb") as other:
        return all(
            block == other.read(len(block)) for block in iter(lambda: one.read(1 << 20), b"")
        )


def _inside(copy: Path, folders: frozenset[str]) -> frozenset[str]:
    return frozenset(
        f"{folder}/{one.name}"
        for folder in folders
        for one in (copy / folder).iterdir()
        if one.is_file()
    )
