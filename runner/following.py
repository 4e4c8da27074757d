"""Commands that act on a run from elsewhere: its log as it grows, and a request to stop."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import heartbeat, runs
from .errors import Exit, UsageError
from .journal import RUN_ID
from .logs import seconds_in_words
from .model import State
from .project import Project, did_you_mean

_LOOK = 0.2
# A run that is asked to stop interrupts its cells, saves, and ends; killing takes no time.
_PATIENCE = 60.0
# Between the end of one profile's run and the beginning of the next one's.
_GAP = 3.0


def log(loaded: Project, words: Sequence[str], *, follow: bool) -> int:
    """Print the log of a run; with `follow`, as it grows, until the run has ended.

    Args:
        loaded: the project.
        words: a profile or a run's id, and a stage, all of whose lines are to be shown.
        follow: wait for more.

    Raises:
        UsageError: a word says nothing possible, or nothing has run.
    """
    stages = [word for word in words if word in loaded.notebooks]
    rest = [word for word in words if word not in stages]
    if len(stages) > 1 or len(rest) > 1:
        message = "log takes a profile or a run's id, and one stage"
        raise UsageError(message)
    run = _chosen("log", rest, loaded)
    _print(run, stages, follow=follow)
    while follow and (then := _then(loaded, run)) is not None:
        run = then
        _print(run, stages, follow=True)
    return Exit.OK


def _print(run: runs.Run, stages: Sequence[str], *, follow: bool) -> None:
    """Print the lines of one run, of all stages or of some."""
    for line in _lines(run.folder / "log.txt", run, follow=follow):
        if not stages or any(_is_of(line, stage) for stage in stages):
            sys.stdout.write(line)
            sys.stdout.flush()
    if follow and (now_is := _again(run)).state == State.LOST:
        print(f"run {run.folder.name} is lost: it is not heard of any more{now_is.heard}")


def _then(loaded: Project, run: runs.Run) -> runs.Run | None:
    """Give the run of another profile that the same command went on with, if it did."""
    now_is = _again(run)
    if "then" not in now_is.record or now_is.state == State.LOST:
        return None
    folder = loaded.root / now_is.record["then"]
    until = time.monotonic() + _GAP
    while (found := runs.of_folder(folder)) is None and time.monotonic() < until:
        time.sleep(_LOOK)
    return found


def _lines(path: Path, run: runs.Run, *, follow: bool) -> Iterator[str]:
    """Give whole lines as they are written, until the run is over."""
    while follow and not path.exists() and _again(run).state == State.RUNNING:
        time.sleep(_LOOK)
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        pending = ""
        while True:
            # Asked before reading, so that what is written last is read.
            over = not follow or _again(run).state != State.RUNNING
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


def _is_of(line: str, stage: str) -> bool:
    """Tell whether a line of the log comes from a stage; see `logs.formatted`."""
    words = line.split(maxsplit=3)
    if len(words) < 4:  # noqa: PLR2004 - date, time, level, the rest
        return False
    return words[3].startswith((f"{stage}:", f"{stage}[", f"{stage} "))


def stop(loaded: Project, words: Sequence[str], *, now: bool) -> int:
    """Ask a run to end in good order, whatever host it is on, and wait until it has.

    Args:
        loaded: the project.
        words: a profile or a run's id; none is the one that is running.
        now: kill the kernels, do not interrupt them.

    Raises:
        UsageError: a word says nothing possible, or several runs are meant.
    """
    if words:
        running = [_chosen("stop", words, loaded)]
    else:
        newest = [next(runs.of_build(loaded.build(name)), None) for name in loaded.profiles]
        running = [run for run in newest if run is not None and run.state == State.RUNNING]
    if len(running) > 1:
        names = ", ".join(str(run.record["profile"]) for run in running)
        message = f"several runs are under way; say which one: {names}"
        raise UsageError(message)
    if not running or running[0].state != State.RUNNING:
        what = f"run {running[0].folder.name} has ended ({_state(running[0])})" if running else ""
        print(what or "nothing is running")
        return Exit.OK
    (run,) = running
    heartbeat.ask_to_stop(run.folder, at_once=now)
    where = f" on {run.beat.host}" if run.beat else ""
    print(f"asked run {run.folder.name}{where} to stop", flush=True)
    began = time.monotonic()
    while (now_is := _again(run)).state == State.RUNNING:
        if time.monotonic() - began > _PATIENCE:
            hint = "" if now else "; --now kills its kernels"
            print(f"it has not ended in {seconds_in_words(_PATIENCE)}{hint}", file=sys.stderr)
            return Exit.FAILED
        time.sleep(_LOOK)
    print(f"it has ended: {_state(now_is)}")
    return Exit.OK


def _state(run: runs.Run) -> str:
    return run.state.replace("_", " ")


def _again(run: runs.Run) -> runs.Run:
    """Look at a run once more."""
    return runs.of_folder(run.folder) or run


def _chosen(command: str, words: Sequence[str], loaded: Project) -> runs.Run:
    """Give the run that is meant: by its id, or the newest one of a profile or of all.

    Raises:
        UsageError: there is none.
    """
    if len(words) > 1:
        message = f"{command} takes one profile or one run's id, not {len(words)} words"
        raise UsageError(message)
    builds = {name: loaded.build(name) for name in loaded.profiles}
    if words and RUN_ID.fullmatch(words[0]):
        folders = [build / "runs" / words[0] for build in builds.values()]
        found = [run for folder in folders if (run := runs.of_folder(folder)) is not None]
        if not found:
            message = f"there is no run {words[0]}; python run.py history shows them"
            raise UsageError(message)
        return found[0]
    if words and words[0] not in builds:
        hint = did_you_mean(words[0], [*builds, *loaded.notebooks])
        message = f"{command}: `{words[0]}` is no profile and no run's id{hint}"
        raise UsageError(message)
    chosen = [builds[words[0]]] if words else list(builds.values())
    newest = [run for build in chosen if (run := next(runs.of_build(build), None)) is not None]
    if not newest:
        message = f"nothing has run yet{f' of {words[0]}' if words else ''}"
        raise UsageError(message)
    return max(newest, key=lambda run: run.folder.name)
