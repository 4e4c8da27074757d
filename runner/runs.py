"""The runs of a build, past and under way, as a person asks after them."""

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from . import heartbeat
from .history import Made
from .journal import read_journal, run_folders
from .logs import seconds_in_words
from .machine import size_in_words
from .model import State
from .records import summary

# A run that has only just started may not have given a sign of life.
_FIRST_BEAT = 10.0


@dataclass(frozen=True)
class Run:
    """One run of a build, from its journal."""

    folder: Path
    record: Mapping[str, Any]
    beat: heartbeat.Beat | None

    @property
    def state(self) -> str:
        """How it ended, or `running`; one that is not heard of any more is lost."""
        state = str(self.record["state"])
        if state != State.RUNNING:
            return state
        alive = self.beat.alive if self.beat else time.time() - self.started < _FIRST_BEAT
        return State.RUNNING if alive else State.LOST

    @property
    def heard(self) -> str:
        """For a lost run, when it was last heard of."""
        return f", {self.beat.words}" if self.beat and self.state == State.LOST else ""

    @property
    def started(self) -> float:
        """When it started, in seconds since 1970."""
        return datetime.fromisoformat(self.record["started"]).timestamp()

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        if "seconds" in self.record:
            return float(self.record["seconds"])
        ended = self.record.get("ended")
        until = datetime.fromisoformat(ended).timestamp() if ended else time.time()
        return max(0.0, until - self.started)

    def stages(self, *states: str) -> list[str]:
        """Give the names of its stages that are in one of these states."""
        return [stage["name"] for stage in self.record["stages"] if stage["state"] in states]


def of_build(build: Path) -> Iterator[Run]:
    """Give a build's runs, the newest first; what no record can be made of is left out."""
    for folder in reversed(run_folders(build)):
        if (run := of_folder(folder)) is not None:
            yield run


def of_folder(folder: Path) -> Run | None:
    """Give the run that a folder holds, if a record can be made of it."""
    # In this order: a run that ends meanwhile is not taken for one that is lost.
    beat = heartbeat.last(folder)
    record = summary(read_journal(folder / "journal.jsonl"))
    return Run(folder, record, beat) if "started" in record else None


def line(run: Run) -> str:
    """Write a run for the history: id, when, how long, state, what ran."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started))
    skipped = run.stages(State.SKIPPED)
    others = [
        f"{stage['name']} {str(stage['state']).replace('_', ' ')}"
        for stage in run.record["stages"]
        if stage["state"] not in {State.SKIPPED, State.SUCCEEDED, State.BLOCKED, None}
    ]
    ran = run.stages(State.SUCCEEDED)
    words = [*([f"ran {', '.join(ran)}"] if ran else []), *others]
    if skipped:
        words.append(f"{len(skipped)} skipped")
    took = seconds_in_words(run.seconds)
    state = run.state.replace("_", " ")
    return f"{run.folder.name}  {when}  {took:>9}  {state:<12}  {'; '.join(words) or 'nothing'}"


def details(run: Run) -> dict[str, Any]:
    """Say for programs how a run stands; memory in bytes, times in seconds."""
    beat = run.beat if run.state == State.RUNNING else None
    return {
        "id": run.folder.name,
        "state": run.state,
        "started": run.record["started"],
        "seconds": round(run.seconds, 3),
        "host": beat.host if beat else run.record.get("host"),
        "memory": beat.memory if beat and beat.memory else None,
        "stages": [
            {key: stage.get(key) for key in ("name", "state", "cell", "error", "seconds")}
            for stage in run.record["stages"]
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
        where += f", memory {size_in_words(beat.memory)}"
    lines = [f"running for {seconds_in_words(run.seconds)}{where}: run {run.folder.name}"]
    left = 0.0
    known = True
    for stage in run.record["stages"]:
        name, state = stage["name"], stage["state"]
        if state in {State.RUNNING, None}:
            known = known and name in usual
            left += usual.get(name, 0.0)
        if state == State.RUNNING:
            cell = stage.get("cell")
            place = f", cell {cell['number']} ({cell['line']})" if cell else ""
            took = f", usually {seconds_in_words(usual[name])}" if name in usual else ""
            lines.append(f"{name}: running{place}{took}")
    if known and left:
        lines.append(
            f"about {seconds_in_words(left)} from the running stage's beginning on, by earlier runs"
        )
    return lines


def durations(runs: Sequence[Run]) -> dict[str, float]:
    """Give for each stage the seconds of its newest success."""
    found: dict[str, float] = {}
    for run in runs:
        for stage in run.record["stages"]:
            if stage["state"] == State.SUCCEEDED:
                found.setdefault(stage["name"], float(stage["seconds"]))
    return found


def prune(build: Path, keep: int, made: Mapping[str, Made]) -> list[str]:
    """Remove all runs but the newest ones and those that made a stage as it stands.

    Returns:
        The names of those removed.
    """
    needed = {each.run for each in made.values()}
    removed = []
    for folder in run_folders(build)[:-keep]:
        if folder.name not in needed:
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)
                removed.append(folder.name)
    return removed
