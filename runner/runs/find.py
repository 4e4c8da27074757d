"""Which run a person means, among those of all profiles."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import dropwhile, islice
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


def pair(command: str, words: Sequence[str], known: Outline) -> tuple[store.Run, store.Run]:
    """Give the two runs that are to be compared, the old one first.

    Each word is a run's id, or a profile, which means its newest run that has ended. One word
    alone is compared with the run before it; without any it is the newest of all.

    Raises:
        UsageError: there are no such runs.
    """
    most = 2
    if len(words) > most:
        message = f"{command} takes two words, each a profile or a run's id, not {len(words)}"
        raise UsageError(message)
    if len(words) == most:
        return _named(command, words[0], known), _named(command, words[1], known)
    if words:
        new = _named(command, words[0], known)
    else:
        ended = [run for name in known.profiles for run in _ended(known, name)]
        if not ended:
            message = "no run has ended yet; there is nothing to compare"
            raise UsageError(message)
        new = max(ended, key=lambda run: run.started)
    return _before(command, new), new


def _named(command: str, word: str, known: Outline) -> store.Run:
    if RUN_ID.fullmatch(word):
        return with_id(known, word)
    if word not in known.profiles:
        hint = did_you_mean(word, known.profiles)
        message = f"{command}: `{word}` is no profile and no run's id{hint}"
        raise UsageError(message)
    for run in _ended(known, word):
        return run
    message = f"{command}: no run of {word} has ended yet; python run.py history shows the runs"
    raise UsageError(message)


def _ended(known: Outline, profile: str) -> Iterator[store.Run]:
    """Give the newest run of a profile that has ended, if there is one."""
    runs = store.of_build(known.build(BuildKey(profile)))
    return islice((run for run in runs if run.state != State.RUNNING), 1)


def _before(command: str, run: store.Run) -> store.Run:
    build = run.folder.parents[1]
    runs = store.of_build(build)
    later = dropwhile(lambda one: one.folder != run.folder, runs)
    for one in islice(later, 1, None):
        return one
    message = f"{command}: {run.folder.name} is the first run of {build.name} that there is"
    message += "; name the two that are to be compared (python run.py history shows them)"
    raise UsageError(message)


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
