"""Commands that act on a run from elsewhere: its log as it grows, and a request to stop."""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from . import finding, heartbeat, runs
from .errors import Exit, UsageError
from .files import why
from .journal import RUN_ID
from .logs import seconds_in_words
from .model import State, state_in_words
from .options import Options
from .project import Outline, did_you_mean

_LOOK = 0.5
# A run that is asked to stop interrupts its cells, saves, and ends; killing takes no time.
_PATIENCE = 60.0
# One that is not heard of may still be there, if clocks or the disk mislead us.
_LITTLE = 15.0
# How a run ended is recorded first, then told in its log.
_LAST_WORDS = 5.0
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
    stages = [word for word in words if word in known.stages]
    rest = [word for word in words if word not in stages]
    strange = [word for word in rest if word not in known.profiles and not RUN_ID.fullmatch(word)]
    if len(rest) > 1 and strange:
        message = f"there is no stage `{strange[-1]}`{did_you_mean(strange[-1], known.stages)}"
        raise UsageError(message)
    if len(stages) > 1 or len(rest) > 1:
        message = "log takes a profile or a run's id, and one stage"
        raise UsageError(message)
    run = _chosen("log", rest, known)
    if not (follow or rest):
        run = _that_matters(known, run)
    code = _print(run, stages, follow=follow)
    while follow and (then := _then(known, run)) is not None:
        run = then
        last = _print(run, stages, follow=True)
        code = code or last
    return code if follow else Exit.OK


def _that_matters(known: Outline, run: runs.Run) -> runs.Run:
    """Give of a command's runs, of which this is the first, the one that failed, or the last."""
    after = map(runs.of_folder, finding.to_come(known, run))
    found = [run, *(one for one in after if one is not None)]
    bad = [one for one in found if one.state == State.LOST or one.record.get("exit_code")]
    return bad[0] if bad else found[-1]


def _print(run: runs.Run, stages: Sequence[str], *, follow: bool) -> int:
    """Print the lines of one run, of all stages or of some; give its exit code."""
    for line in _lines(run.folder / "log.txt", run, follow=follow):
        if not stages or any(_is_of(line, stage) for stage in stages):
            sys.stdout.write(line)
            sys.stdout.flush()
    now_is = _again(run)
    if follow and now_is.state == State.LOST:
        print(f"run {run.folder.name} is lost: it gives no sign of life any more{now_is.heard}")
    return int(now_is.record.get("exit_code", Exit.FAILED))


def _then(known: Outline, run: runs.Run) -> runs.Run | None:
    """Give the run of another profile that the same command went on with, if it did."""
    now_is = _again(run)
    folders = finding.to_come(known, now_is)
    if not folders or now_is.state == State.LOST:
        return None
    until = time.monotonic() + _GAP
    while (found := runs.of_folder(folders[0])) is None:
        if time.monotonic() > until and not runs.is_held(folders[0]):
            return None
        time.sleep(_LOOK)
    return found


def _lines(path: Path, run: runs.Run, *, follow: bool) -> Iterator[str]:
    """Give whole lines as they are written, until the run is over."""
    while follow and not path.exists() and _again(run).state == State.RUNNING:
        time.sleep(_LOOK)
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        pending, last_words = "", 0.0
        while True:
            # Asked before reading, so that what is written last is read.
            over = not follow or _again(run).state != State.RUNNING
            while text := file.readline():
                pending += text
                if pending.endswith("\n"):
                    yield pending
                    pending = ""
            if over and (time.monotonic() > last_words or not runs.is_held(run.folder)):
                break
            if not over:
                last_words = time.monotonic() + _LAST_WORDS
            time.sleep(_LOOK)
        if pending:
            yield f"{pending}\n"


def _is_of(line: str, stage: str) -> bool:
    """Tell whether a line of the log comes from a stage; see `logs.formatted`."""
    words = line.split(maxsplit=3)
    if len(words) < 4:  # noqa: PLR2004 - date, time, level, the rest
        return False
    return words[3].startswith((f"{stage}:", f"{stage}[", f"{stage} "))


def stop(known: Outline, chosen: Options) -> int:
    """Ask a run to end in good order, whatever host it is on, and wait until it has.

    A run that waits for another one of the same command is stopped together with that.

    Args:
        known: the project's names.
        chosen: a profile or a run's id; none is the one that is running. With `--now` its
            kernels are killed, not interrupted.

    Raises:
        UsageError: a word says nothing possible, or several runs are meant, or the request
            cannot be written.
    """
    words, now = chosen.rest, chosen.has("now")
    run = _to_stop(known, words)
    if run is None or "exit_code" in run.record or run.record["state"] == State.LOST:
        print(
            f"run {run.folder.name} has ended ({state_in_words(run.state)})"
            if run
            else "nothing is running"
        )
        return Exit.OK
    silent = run.state == State.LOST
    if silent and run.beat is not None and run.beat.is_here:
        print(f"run {run.folder.name} is lost{run.heard}: nothing is left to stop")
        return Exit.OK
    try:
        heartbeat.ask_to_stop(run.folder, at_once=now)
    except OSError as error:
        message = f"the request to stop cannot be left in the run's folder: {why(error)}"
        raise UsageError(message) from None
    where = f" on {run.beat.host}" if run.beat else ""
    doubt = ", which gives no sign of life," if silent else ""
    print(f"asked run {run.folder.name}{where}{doubt} to stop", flush=True)
    asked: set[Path] = set()
    began, patience = time.monotonic(), _LITTLE if silent else _PATIENCE
    while (
        (now_is := _again(run)).state == State.RUNNING
        or runs.is_held(run.folder)
        or (silent and now_is.record["state"] == State.RUNNING)
    ):
        if time.monotonic() - began > patience:
            hint = "" if now else "; --now kills its kernels"
            print(f"it has not ended in {seconds_in_words(patience)}{hint}", file=sys.stderr)
            return Exit.FAILED
        for folder in finding.to_come(known, now_is):
            # It had ended when it was asked, and its command went on.
            then = runs.of_folder(folder)
            if then is not None and then.state == State.RUNNING and folder not in asked:
                asked.add(folder)
                heartbeat.ask_to_stop(folder, at_once=now)
        time.sleep(_LOOK)
    print(f"it has ended: {state_in_words(now_is.state)}{now_is.heard}")
    return Exit.FAILED if now_is.state == State.LOST else Exit.OK


def _to_stop(known: Outline, words: Sequence[str]) -> runs.Run | None:
    """Give the run that is to be stopped, if there is one.

    Raises:
        UsageError: a word says nothing possible, or several runs are meant.
    """
    newest = finding.newest(known)
    if len(words) == 1 and (run := finding.waited_for(known, newest, words[0])) is not None:
        print(f"{words[0]} waits for run {run.folder.name} of the same command")
        return run
    if words:
        return _chosen("stop", words, known)
    running = [run for run in newest if run.state == State.RUNNING]
    if len(running) > 1:
        names = ", ".join(str(run.record["profile"]) for run in running)
        message = f"several runs are under way; say which one: {names}"
        raise UsageError(message)
    return running[0] if running else None


def _again(run: runs.Run) -> runs.Run:
    """Look at a run once more; one whose folder is gone is lost."""
    return runs.of_folder(run.folder) or replace(run, held=False, silent=math.inf)


def _chosen(command: str, words: Sequence[str], known: Outline) -> runs.Run:
    """Give the run that is meant: by its id, or the newest one of a profile or of all.

    Raises:
        UsageError: there is none.
    """
    if len(words) > 1:
        message = f"{command} takes one profile or one run's id, not {len(words)} words"
        raise UsageError(message)
    if words and RUN_ID.fullmatch(words[0]):
        return finding.with_id(known, words[0])
    if words and words[0] not in known.profiles:
        hint = did_you_mean(words[0], known.profiles)
        message = f"{command}: `{words[0]}` is no profile and no run's id{hint}"
        raise UsageError(message)
    newest = [
        run for run in finding.newest(known) if run.folder.parents[1].name in words or not words
    ]
    if not newest:
        message = f"nothing has run yet{f' of {words[0]}' if words else ''}"
        raise UsageError(message)
    chosen = max(newest, key=lambda run: run.started)
    # The ids of one command's runs are of the same second: its first run counts.
    first = [run for run in newest if chosen.folder in finding.to_come(known, run)]
    return max(first, key=lambda run: len(finding.to_come(known, run)), default=chosen)
