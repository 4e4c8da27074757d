"""Which run a person means, among those of all profiles."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from ..model import BuildKey, State
from ..project import Outline
from ..words import did_you_mean
from . import store
from .journal import RUN_ID

# As in outputs/all/runs/20260131T120000Z-h3k9.
_DEPTH = 4


def newest(known: Outline, profiles: Iterable[str] = ()) -> list[store.Run]:
    """Give the newest run of each of some profiles, or of all, that has one."""
    names = tuple(profiles) or known.profiles
    found = (next(store.of_build(known.build(BuildKey(name))), None) for name in names)
    return [run for run in found if run is not None]


def with_id(known: Outline, run_id: str) -> store.Run:
    """Give the run with an id.

    Raises:
        UsageError: there is none.
    """
    for name in known.profiles:
        if (run := store.of_folder(known.build(BuildKey(name)) / "runs" / run_id)) is not None:
            return run
    message = f"there is no run {run_id}; python run.py history shows them"
    raise UsageError(message)


def to_come(known: Outline, run: store.Run) -> list[Path]:
    """Give the folders of the runs that come after one in the same command."""
    folders = (Path(label) for label in run.record.then)
    return [
        known.build(BuildKey(one.parts[1])) / "runs" / one.name
        for one in folders
        if len(one.parts) == _DEPTH and one.parts[1] in known.profiles
    ]


def waited_for(known: Outline, newest_runs: Iterable[store.Run], word: str) -> store.Run | None:
    """Give the run under way after which its command builds a profile, or does a run by its id."""
    for run in newest_runs:
        if run.state == State.RUNNING:
            for folder in to_come(known, run):
                if word in {folder.name, folder.parents[1].name}:
                    return run
    return None


def again(run: store.Run) -> store.Run:
    """Look at a run once more; one whose folder is gone is lost."""
    return store.of_folder(run.folder) or replace(run, held=False, silent=math.inf)


def chosen(command: str, words: Sequence[str], known: Outline) -> store.Run:
    """Give the run that is meant: by its id, or the newest one of a profile or of all.

    Raises:
        UsageError: there is none.
    """
    if len(words) > 1:
        message = f"{command} takes one profile or one run's id, not {len(words)} words"
        raise UsageError(message)
    if words and RUN_ID.fullmatch(words[0]):
        return with_id(known, words[0])
    if words and words[0] not in known.profiles:
        hint = did_you_mean(words[0], known.profiles)
        message = f"{command}: `{words[0]}` is no profile and no run's id{hint}"
        raise UsageError(message)
    found = [run for run in newest(known) if run.folder.parents[1].name in words or not words]
    if not found:
        message = f"nothing has run yet{f' of {words[0]}' if words else ''}"
        raise UsageError(message)
    last = max(found, key=lambda run: run.started)
    # The ids of one command's runs are of the same second: its first run counts.
    first = [run for run in found if last.folder in to_come(known, run)]
    return max(first, key=lambda run: len(to_come(known, run)), default=last)
