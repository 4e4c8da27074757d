"""What lies in a build that is none of its own: told, or removed where it is ours."""

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ..model import VARIANTS, Stage
from ..project import RESERVED_OUTPUTS, Project
from ..runs import run_folders
from ..system import is_folder, remove


def clear(build: Path) -> None:
    """Remove a build, except the history of its runs, what shows it, and what a person tried."""
    if build.is_dir():
        for path in build.iterdir():
            if path.name not in {"runs", "log.txt", "pages", "edit"}:
                remove(path)


def strays_told(project: Project, build: Path, declared: Sequence[Path]) -> Iterator[str]:
    """Say of files of a build that no stage declares them."""
    for path in strays(build, declared):
        yield f"{project.label(path)} is no stage's output; declare it as `output_…` or delete it"


def remove_of_no_stage(build: Path, stages: Collection[Stage]) -> Iterator[Path]:
    """Remove executed notebooks of stages that are none any more; the runs keep theirs."""
    folder = build / "notebooks"
    known = {build / stage.executed for stage in stages}
    for path in of_no_stage(folder, known):
        inner = path.relative_to(folder)
        if not any((one / "notebooks" / inner).exists() for one in run_folders(build)):
            # It is no run's.
            continue
        with contextlib.suppress(OSError):
            path.unlink()
            yield path


def strays(build: Path, declared: Sequence[Path]) -> list[Path]:
    """Find files of a build that no stage declares; hidden ones do not count."""
    known = set(declared)
    around = {parent for path in declared for parent in path.parents}
    found: list[Path] = []
    todo = [build]
    while todo:
        for entry in os.scandir(todo.pop()):
            path = Path(entry.path)
            if path.parent == build and path.name in RESERVED_OUTPUTS:
                continue
            if path in around and is_folder(path):
                todo.append(path)
            elif path not in known and not path.name.startswith("."):
                found.append(path)
    return sorted(found)


def former_points(build: Path, stages: Collection[Stage]) -> list[str]:
    """Name the points of a build that it has no more; what they made is kept, as it may be used."""
    known = {stage.label for stage in stages}
    folder = build / VARIANTS
    found = folder.iterdir() if is_folder(folder) else ()
    return sorted(one.name for one in found if one.name not in known and is_folder(one))


def of_no_stage(notebooks: Path, known: Collection[Path]) -> Iterator[Path]:
    """Find a build's executed notebooks that are not those of its stages."""
    for path in sorted(notebooks.rglob("*.ipynb")):
        inner = path.relative_to(notebooks)
        hidden = any(part.startswith(".") for part in inner.parts)
        if not hidden and path not in known:
            yield path
