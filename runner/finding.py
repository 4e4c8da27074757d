"""Which run a person means, among those of all profiles."""

from collections.abc import Iterable
from pathlib import Path

from . import runs
from .errors import UsageError
from .model import State
from .project import Outline

# As in outputs/all/runs/20260131T120000Z-h3k9.
_DEPTH = 4


def newest(known: Outline, profiles: Iterable[str] = ()) -> list[runs.Run]:
    """Give the newest run of each of some profiles, or of all, that has one."""
    names = tuple(profiles) or known.profiles
    found = (next(runs.of_build(known.build(name)), None) for name in names)
    return [run for run in found if run is not None]


def with_id(known: Outline, run_id: str) -> runs.Run:
    """Give the run with an id.

    Raises:
        UsageError: there is none.
    """
    for name in known.profiles:
        if (run := runs.of_folder(known.build(name) / "runs" / run_id)) is not None:
            return run
    message = f"there is no run {run_id}; python run.py history shows them"
    raise UsageError(message)


def to_come(known: Outline, run: runs.Run) -> list[Path]:
    """Give the folders of the runs that come after one in the same command."""
    folders = (Path(label) for label in run.record.get("then", ()))
    return [
        known.build(one.parts[1]) / "runs" / one.name
        for one in folders
        if len(one.parts) == _DEPTH and one.parts[1] in known.profiles
    ]


def waited_for(known: Outline, newest_runs: Iterable[runs.Run], word: str) -> runs.Run | None:
    """Give the run under way after which its command builds a profile, or does a run by its id."""
    for run in newest_runs:
        if run.state == State.RUNNING:
            for folder in to_come(known, run):
                if word in {folder.name, folder.parents[1].name}:
                    return run
    return None
