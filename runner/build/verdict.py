"""How a run has ended: its state and its exit code; and what the test check says."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ..console import Log
from ..errors import Exit
from ..model import BuildKey, Result, State
from ..project import TEST_PROFILE, Project, Settings
from ..stop import Stop
from ..words import counted, few_in_words
from . import expected

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


def of_run(results: Mapping[str, Result], stop: Stop, *, is_late: bool) -> tuple[State, Exit]:
    """Reduce the results of the stages to the run's state and exit code.

    Args:
        results: how the stages ended.
        stop: whether the run was asked to end.
        is_late: whether a stage was not started because of the deadline.
    """
    bad = [one.state for one in results.values() if not one.good]
    own = [state for state in bad if state is not State.BLOCKED]
    # Neither another stage's fault nor a request to end: the first of these is the run's.
    at_fault = [state for state in own if state is not State.CANCELLED]
    state = (at_fault or own or bad or [State.SUCCEEDED])[0]
    code = Exit.OK if state is State.SUCCEEDED else Exit.FAILED
    late = is_late and not at_fault
    if stop.reason is not None or late:
        code = stop.exit_code if stop.reason is not None else Exit.OUT_OF_TIME
        state = State.TIMED_OUT if code is Exit.OUT_OF_TIME else State.CANCELLED
    return state, code
