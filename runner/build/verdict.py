"""What is said of a build at its end: the test check, and files that nobody declares."""

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from ..console import Log
from ..errors import Exit
from ..model import BuildKey, Result, State
from ..project import RESERVED_OUTPUTS, TEST_PROFILE, Project, Settings
from ..runs import run_folders
from ..stop import Stop
from ..system import is_folder, remove
from ..words import counted, few_in_words
from . import expected, telling

# So many differences of one file are shown; the others are counted.
_SHOWN = 10
_FEW = 3


def check(project: Project, settings: Settings, log: Log, outputs: Collection[Path]) -> Exit:
    """Compare the test build with what is expected, and log the differences.

    Args:
        project: the project.
        settings: its settings.
        log: takes what there is to say.
        outputs: what the stages declare to write.
    """
    folder = project.label(project.expected)
    names = expected.files(project.expected) if project.expected.is_dir() else []
    if not names:
        what = f"{folder}/ is empty" if project.expected.is_dir() else f"there is no {folder}/"
        mend = "if what was built is right, python run.py accept takes it there"
        log.say(f"nothing was checked: {what}; {mend}", "check", logging.WARNING)
        return Exit.OK
    build = project.build(BuildKey(TEST_PROFILE))
    count: Counter[str] = Counter()
    for difference in expected.compare(project.expected, build, settings.tolerance):
        count[difference.file] += 1
        if count[difference.file] <= _SHOWN:
            log.say(str(difference), "check", logging.ERROR)
    for file, number in count.items():
        if number > _SHOWN:
            log.say(f"{file}: {number - _SHOWN} more differences", "check", logging.ERROR)
    if count:
        what = f"{project.label(build)}/ differs from {folder}/"
        places = counted(count.total(), "place")
        mend = "if what was built is right, python run.py accept takes it"
        log.say(f"{what} in {places}; {mend}", "check", logging.ERROR)
        return Exit.DIFFERENT
    what = f"{counted(len(names), 'file')} as expected in {folder}/"
    log.say(f"{what}{_compared(outputs, build, names)}", "check")
    return Exit.OK


def _compared(outputs: Collection[Path], build: Path, names: Sequence[Path]) -> str:
    """Say how many of the outputs are compared, and which are not."""
    known = {each for name in names for each in (name, *name.parents)}
    inside = [path.relative_to(build) for path in outputs if path.is_relative_to(build)]
    others = [str(name) for name in inside if name not in known]
    few = f"; not {few_in_words(others, _FEW)}" if others else ""
    what = f"{len(inside) - len(others)} of {counted(len(inside), 'output')}"
    return f" ({what} compared{few})" if inside else ""


def clear(build: Path) -> None:
    """Remove a build, except the history of its runs."""
    if build.is_dir():
        for path in build.iterdir():
            if path.name not in {"runs", "log.txt"}:
                remove(path)


def of_run(results: Mapping[str, Result], stop: Stop, *, is_late: bool) -> tuple[State, Exit]:
    """Reduce the results of the stages to the run's state and exit code.

    Args:
        results: how the stages ended.
        stop: whether the run was asked to end.
        is_late: whether a stage was not started because of the deadline.
    """
    state = telling.run_state(list(results.values()))
    code = Exit.OK if state is State.SUCCEEDED else Exit.FAILED
    late = is_late and not telling.at_fault(results.values())
    if stop.reason is not None or late:
        code = stop.exit_code if stop.reason is not None else Exit.OUT_OF_TIME
        state = State.TIMED_OUT if code is Exit.OUT_OF_TIME else State.CANCELLED
    return state, code


def strays_told(project: Project, build: Path, declared: Sequence[Path]) -> Iterator[str]:
    """Say of files of a build that no stage declares them."""
    for path in strays(build, declared):
        yield f"{project.label(path)} is no stage's output; declare it as `output_…` or delete it"


def remove_of_no_stage(build: Path, stages: Collection[str]) -> Iterator[Path]:
    """Remove executed notebooks of stages that are none any more; the runs keep theirs."""
    folder = build / "notebooks"
    for path in of_no_stage(folder, stages):
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


def of_no_stage(notebooks: Path, stages: Collection[str]) -> Iterator[Path]:
    """Find a build's executed notebooks that are not those of its stages."""
    for path in sorted(notebooks.rglob("*.ipynb")):
        inner = path.relative_to(notebooks)
        hidden = any(part.startswith(".") for part in inner.parts)
        if not hidden and inner.with_suffix("").as_posix() not in stages:
            yield path
