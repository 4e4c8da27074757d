"""The runs of a build, past and under way, as a person asks after them."""

import math
import shlex
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model import State
from ..project import PAGES
from ..system import append_line, digest, fits, is_folder, kind, lock
from ..words import clock_in_words, seconds_in_words, state_in_words
from . import heartbeat, metrics, shapes
from .journal import (
    REMOVED,
    Journal,
    is_run,
    journal_of,
    left_out,
    number,
    record_of,
    run_folders,
    strange,
)
from .made import Made
from .record import VERSION, Record, moment, read

# After so many seconds without a sign of life a run is lost: here, where its lock would be
# seen; elsewhere, where the disk may not hand on locks and may be slow; before the first one.
_DEAD_HERE, _DEAD, _FIRST_BEAT = 8.0, 60.0, 10.0
# A run that holds its lock lives, but after so long something is wrong.
_SILENT = 20.0
# What a line of the history does not name; and so many points of a notebook are named.
_USUAL, _FEW = {State.SKIPPED, State.SUCCEEDED, State.BLOCKED, None}, 3


@dataclass(frozen=True)
class Run:
    """One run of a build, from its journal.

    `silent` is how many seconds ago it was heard of, `held` whether its lock is seen here.
    """

    folder: Path
    record: Record
    beat: heartbeat.Beat | None
    silent: float
    held: bool

    @property
    def state(self) -> str:
        """How it ended, or `running`; one that is not heard of any more is lost."""
        state = self.record.state
        if state != State.RUNNING:
            return state
        limit = _FIRST_BEAT
        if self.beat is not None:
            limit = _DEAD_HERE if self.beat.is_here else _DEAD
        return State.RUNNING if self.held or self.silent < limit else State.LOST

    @property
    def heard(self) -> str:
        """For a lost run, when it was last heard of."""
        return f", {self.beat.words}" if self.beat and self.state == State.LOST else ""

    @property
    def started(self) -> float:
        """When it started, in seconds since 1970."""
        return self.record.started

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        if self.record.seconds is not None:
            return self.record.seconds
        if self.state == State.LOST and self.beat is not None:
            return max(0.0, self.beat.at - self.started)
        return max(0.0, (self.record.ended or time.time()) - self.started)

    def stages(self, *states: str) -> list[str]:
        """Give the names of its stages that are in one of these states."""
        return [stage.name for stage in self.record.stages if stage.state in states]


def of_build(build: Path, tell: Callable[[str], None] | None = None) -> Iterator[Run]:
    """Give a build's runs, the newest first; what no record can be made of is left out.

    That is told where `tell` is given.
    """
    if tell is not None:
        for text in strange(build):
            tell(text)
    for folder in reversed(run_folders(build)):
        if (run := of_folder(folder, tell)) is not None:
            yield run


def of_folder(folder: Path, tell: Callable[[str], None] | None = None) -> Run | None:
    """Give the run that a folder holds, if a record can be made of it."""
    if not is_run(folder):
        return None
    # In this order: a run that ends meanwhile is not taken for one that is lost.
    beat = heartbeat.last(folder)
    journal = journal_of(folder)
    record = _record(folder, journal)
    if journal.flaw is not None and tell is not None:
        tell(left_out(folder, journal.flaw))
    silent, held = math.inf, False
    if record is not None and record.state == State.RUNNING:
        held = is_held(folder)
        silent = heartbeat.silence(folder, beat) if beat else abs(time.time() - record.started)
        record = record if held else _record(folder, journal_of(folder))
    if record is None:
        return None
    return Run(folder, record, beat or heartbeat.beat_of(record.beat), silent, held)


def _record(folder: Path, journal: Journal) -> Record | None:
    found = record_of(folder, journal)
    return read(found) if journal.flaw is None and fits(found, shapes.RECORD) else None


def is_held(folder: Path) -> bool:
    """Tell whether a command holds a lock for the run in this folder, as far as can be seen."""
    held = lock.holder(folder.parents[2], folder.parents[1].name)
    return (held or "").startswith(f"run {folder.name}")


def goes_on(folder: Path) -> bool:
    """Tell whether a run gives signs of life, though its record may say how it ended."""
    return is_held(folder) and (folder / heartbeat.FILE).exists()


def line(run: Run) -> str:
    """Write a run for the history: id, when, how long, state, what ran."""
    when = clock_in_words(run.started)
    skipped = run.stages(State.SKIPPED)
    states = {stage.state: None for stage in run.record.stages if stage.state not in _USUAL}
    others = [
        f"{name} {state_in_words(state)}"
        for state in states
        if state is not None
        for name in _together(run.stages(state))
    ]
    ran = _together(run.stages(State.SUCCEEDED))
    words = [*([f"ran {', '.join(ran)}"] if ran else []), *others]
    if skipped:
        words.append(f"{len(skipped)} skipped")
    took = seconds_in_words(run.seconds)
    state = state_in_words(run.state)
    return f"{run.folder.name}  {when}  {took:>9}  {state:<12}  {'; '.join(words) or 'nothing'}"


def _together(names: Sequence[str]) -> list[str]:
    """Name stages; of many points of a notebook say how many."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.partition("[")[0], []).append(name)
    return [
        each
        for notebook, those in found.items()
        for each in (those if len(those) <= _FEW else [f"{notebook} × {len(those)}"])
    ]


def given(run: Run) -> list[str]:
    """Write what else the history says of a run: the parameters given, and its metrics."""
    lines = []
    if run.record.parameters:
        lines.append(" ".join(f"-p {shlex.quote(one)}" for one in run.record.parameters))
    numbers: dict[str, Any] = {}
    for stage in run.record.stages:
        numbers |= stage.named_metrics
    return [*lines, *([metrics.in_words(numbers)] if numbers else [])]


def details(run: Run) -> dict[str, Any]:
    """Say for programs how a run stands; memory in bytes, times in seconds."""
    beat = run.beat if run.state in {State.RUNNING, State.LOST} else None
    return {
        "id": run.folder.name,
        "state": run.state,
        "started": moment(run.started),
        "seconds": round(run.seconds, 3),
        "host": beat.host if beat else run.record.host,
        "memory": beat.memory if beat and beat.memory else None,
        "stages": [
            {key: getattr(stage, key) for key in ("name", "state", "cell", "error", "seconds")}
            for stage in run.record.stages
        ],
    }


def under_way(run: Run, usual: Mapping[str, float]) -> list[str]:
    """Write what a run is doing: stage, cell, elapsed, an estimate, memory.

    Args:
        run: the run.
        usual: the seconds that stages took before.
    """
    beat = run.beat
    where = f" on {beat.host}" if beat else ""
    if beat and beat.memory:
        where += f", memory {beat.memory_words}"
    lines = [f"running for {seconds_in_words(run.seconds)}{where}: run {run.folder.name}"]
    if run.silent > _SILENT:
        silent = seconds_in_words(run.silent)
        lines.append(f"no sign of life for {silent}: it is held up, or its disk is full or away")
    running: dict[str, float] = {}
    waiting: list[str] = []
    done: list[str] = []
    at_work: list[str] = []
    for stage in run.record.stages:
        name = stage.name
        took = f"usually {seconds_in_words(usual[name])}" if name in usual else ""
        if stage.state is None:
            waiting.append(name)
        elif stage.state == State.RUNNING:
            running[name] = max(0.0, time.time() - (stage.began or run.started))
            words = [f"running for {seconds_in_words(running[name])}", stage.place, took]
            at_work.append(f"{name}: {', '.join(filter(None, words))}")
        elif stage.state == State.SUCCEEDED:
            done.append(f"{name} ({seconds_in_words(stage.seconds or 0.0)})")
        else:
            done.append(f"{name} ({state_in_words(stage.state)})")
    lines += [f"done: {', '.join(done)}"] if done else []
    lines += at_work
    to_come = [
        f"{name} (usually {seconds_in_words(usual[name])})" if name in usual else name
        for name in waiting
    ]
    lines += [f"to come: {', '.join(to_come)}"] if to_come else []
    left = estimate(usual, running, waiting, run.record.jobs)
    if left is not None:
        lines.append(f"about {seconds_in_words(left)} left, by earlier runs")
    return lines


def estimate(
    usual: Mapping[str, float], running: Mapping[str, float], waiting: Collection[str], jobs: int
) -> float | None:
    """Give the seconds that a run will go on, if that can be known.

    Args:
        usual: the seconds that stages took before.
        running: for how many seconds stages have run.
        waiting: the stages that have not started.
        jobs: how many run at a time.
    """
    if not (running or waiting) or not {*running, *waiting} <= usual.keys():
        return None
    rest = [max(0.0, usual[stage] - seconds) for stage, seconds in running.items()]
    return max([sum([*rest, *(usual[stage] for stage in waiting)]) / jobs, *rest])


def durations(runs: Iterable[Run], wanted: Collection[str] = ()) -> dict[str, float]:
    """Give for each stage the seconds of its newest success, if `wanted` for these alone.

    The newest run comes first; no more are looked at than needed.
    """
    found: dict[str, float] = {}
    for run in runs:
        if wanted and found.keys() >= {*wanted}:
            break
        for stage in run.record.stages:
            if stage.state == State.SUCCEEDED and stage.seconds is not None:
                found.setdefault(stage.name, stage.seconds)
    return found


def prune(build: Path, keep: int, made: Mapping[str, Made]) -> None:
    """Remove all runs but the newest ones and those that made a stage as it stands."""
    needed = {each.run for each in made.values()}
    remove(build, [one for one in run_folders(build)[:-keep] if one.name not in needed], "--keep")


def remove(build: Path, folders: Iterable[Path], by: str) -> None:
    """Remove runs, and leave a line about each, so that one that is missing otherwise is known.

    Raises:
        OSError: the lines cannot be written; the runs are still there then.
    """
    for folder in folders:
        written = folder / "run.json"
        line = {
            "v": VERSION,
            "at": time.time(),
            "id": folder.name,
            "number": number(folder),
            "record": digest(written) if not kind(written) and written.is_file() else None,
            "by": by,
        }
        append_line(build / "runs" / REMOVED, line)
        # At once: what is left if this is killed is none of the runs any more.
        aside = folder.with_name(f".{folder.name}.tmp")
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        if is_folder(build / PAGES):
            shutil.rmtree(build / PAGES / folder.name, ignore_errors=True)
