"""`log`: the log of a run, also as it grows."""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import Exit, UsageError
from ..model import State
from ..project import Outline, variants
from ..runs import RUN_ID, find, store
from ..words import did_you_mean
from .options import Options

_LOOK = 0.5
# How a run ended is recorded first, then told in its log; on a busy machine that takes a while.
_LAST_WORDS = 60.0
# Between the end of one profile's run and the beginning of the next one's, where no lock tells.
_GAP = 3.0


def log(known: Outline, chosen: Options) -> int:
    """Print the log of a run; with `--follow`, as it grows, until its command has ended.

    Args:
        known: the project's names.
        chosen: a profile or a run's id, and a stage, all of whose lines are to be shown.

    Returns:
        With `--follow` the run's exit code, which is 1 for one that is lost; else 0.

    Raises:
        UsageError: a word says nothing possible, or nothing has run.
    """
    words, follow = chosen.rest, chosen.has("follow")
    stages = [word for word in words if word.partition("[")[0] in known.stages]
    rest = [word for word in words if word not in stages]
    strange = [word for word in rest if word not in known.profiles and not RUN_ID.fullmatch(word)]
    if len(rest) > 1 and strange:
        message = f"there is no stage `{strange[-1]}`{did_you_mean(strange[-1], known.stages)}"
        raise UsageError(message)
    if len(stages) > 1 or len(rest) > 1:
        message = "log takes a profile or a run's id, and one stage"
        raise UsageError(message)
    run = find.chosen("log", rest, known)
    if not (follow or rest):
        run = _that_matters(known, run)
    code = _print(run, stages, follow=follow)
    while follow and (then := _then(known, run)) is not None:
        run = then
        last = _print(run, stages, follow=True)
        code = code or last
    return code if follow else Exit.OK


def _that_matters(known: Outline, run: store.Run) -> store.Run:
    """Give of a command's runs, of which this is the first, the one that failed, or the last."""
    after = map(store.of_folder, find.to_come(known, run))
    found = [run, *(one for one in after if one is not None)]
    bad = [one for one in found if one.state == State.LOST or one.record.exit_code]
    return bad[0] if bad else found[-1]


def _print(run: store.Run, stages: Sequence[str], *, follow: bool) -> int:
    """Print the lines of one run, of all stages or of some; give its exit code."""
    names = [name for stage in stages for name in _named(run, stage)]
    for line in _lines(run.folder / "log.txt", run, follow=follow):
        if not stages or any(_is_of(line, stage) for stage in names):
            sys.stdout.write(line)
            sys.stdout.flush()
    now_is = find.again(run)
    if follow and now_is.state == State.LOST:
        print(f"run {run.folder.name} is lost: it gives no sign of life any more{now_is.heard}")
    code = now_is.record.exit_code
    return Exit.FAILED if code is None else code


def _then(known: Outline, run: store.Run) -> store.Run | None:
    """Give the run of another profile that the same command went on with, if it did."""
    now_is = find.again(run)
    folders = find.to_come(known, now_is)
    if not folders or now_is.state == State.LOST:
        return None
    until = time.monotonic() + _GAP
    while (found := store.of_folder(folders[0])) is None:
        if time.monotonic() > until and not store.is_held(folders[0]):
            return None
        time.sleep(_LOOK)
    return found


def _lines(path: Path, run: store.Run, *, follow: bool) -> Iterator[str]:
    """Give whole lines as they are written, until the run is over."""
    while follow and not path.exists() and find.again(run).state == State.RUNNING:
        time.sleep(_LOOK)
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        pending, until = "", math.inf
        while True:
            # Asked before reading, so that what is written last is read.
            if follow and until == math.inf and find.again(run).state != State.RUNNING:
                until = time.monotonic() + _LAST_WORDS
            over = not follow or (
                until < math.inf and (time.monotonic() > until or not store.goes_on(run.folder))
            )
            while text := file.readline():
                pending += text
                if pending.endswith("\n"):
                    yield pending
                    pending = ""
            if over:
                break
            time.sleep(_LOOK)
        if pending:
            yield f"{pending}\n"


def _named(run: store.Run, word: str) -> list[str]:
    """Give the stages of a run that a word such as `model[degree=2]` means."""
    notebook, bracket, rest = word.partition("[")
    if not bracket:
        return [word]
    wanted = variants.wanted_by(rest.removesuffix("]"))
    stages = [one for one in run.record.stages if one.name.startswith(f"{notebook}[")]
    return [one.name for one in stages if variants.is_at(one.point, wanted)] or [word]


def _is_of(line: str, stage: str) -> bool:
    """Tell whether a line of the log comes from a stage; see `console/logfile.py`."""
    words = line.split(maxsplit=3)
    if len(words) < 4:  # noqa: PLR2004 - date, time, level, the rest
        return False
    return words[3].startswith((f"{stage}:", f"{stage}[", f"{stage} "))
