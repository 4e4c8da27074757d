"""Makes true what killed runs have left: their records; and removes what they were writing."""

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..model import VARIANTS, State
from ..project import CACHE, DOWNLOADS
from ..system import append_line, fits, is_folder, remove, to_json, why, write_whole
from . import heartbeat, shapes
from .journal import Journal, journal_of, left_out, number, run_folders, strange, written_record
from .record import VERSION, read, summary

# What a run has in its folder for as long as it goes on, and what writing leaves if it is killed.
_LEFT = re.compile(r"heartbeat\.json|stop\.json|\.reserve|\..+\.(tmp|reserve)|\.now\.[0-9a-f]+")
# What others may be writing is let alone for so many seconds.
_OLD = 3600.0
_FIRST = {"journal.jsonl", "log.txt", "notebooks"}
# Something of another kind stands where a file of a run's would be, or is someone else's.
_NOT_OURS = {errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EACCES, errno.EPERM}


def settle(build: Path) -> list[str]:
    """Have each run's record say how it ended, and remove what killed ones have left.

    The caller holds the build's lock, so no run is under way. Each run looks after those
    before it, so this goes back to the first one where all is well.

    Returns:
        What to tell: which runs were lost and where, and what is left as it is.

    Raises:
        OSError: a record cannot be written.
    """
    told = strange(build)
    _sweep_shared(build.parent)
    for left in (build / "runs").glob(".*.tmp") if is_folder(build / "runs") else ():
        # A run that is being removed.
        remove(left)
    folders = run_folders(build)
    numbered = [folder for folder in folders if number(folder)]
    # Of the others no journal says when they were: they may be cut short at their beginning.
    for group in (numbered, folders[: len(folders) - len(numbered)]):
        for folder in reversed(group):
            journal = journal_of(folder)
            try:
                if journal.flaw is not None:
                    told.append(left_out(folder, journal.flaw))
                elif not journal.events:
                    _discard(folder)
                elif _is_settled(folder, journal):
                    break
                else:
                    told += _settle(folder, journal)
                    _sweep(folder, build)
            except OSError as error:
                if error.errno not in _NOT_OURS:
                    raise
                told.append(left_out(folder, why(error)))
    return told


def _is_settled(folder: Path, journal: Journal) -> bool:
    if any(_LEFT.fullmatch(name) for name in os.listdir(folder)):  # noqa: PTH208 - names alone
        return False
    written = written_record(folder)
    if not journal.ended:
        return written is not None
    return written is not None and written["state"] == summary(journal.events)["state"]


def _settle(folder: Path, journal: Journal) -> Iterator[str]:
    """Make a run's record true; tell of one that was lost."""
    if journal.ended:
        write_whole(folder / "run.json", to_json(summary(journal.events)))
        return
    if written_record(folder) is not None:
        return
    beat = heartbeat.last(folder)
    details = {"beat": asdict(beat)} if beat else {}
    event = {"v": VERSION, "at": time.time(), "event": "run_lost", **details}
    # The line before it may be torn.
    append_line(folder / "journal.jsonl", event, journal.length)
    found = summary([*journal.events, event])
    write_whole(folder / "run.json", to_json(found))
    heard = f", {beat.words}" if beat else ""
    yield f"run {folder.name} was lost{_place(found)}: its runner vanished{heard}"


def _place(found: Mapping[str, Any]) -> str:
    """Say in which stages and cells a lost run was."""
    if not fits(found, shapes.RECORD):
        return ""
    lost = [stage for stage in read(found).stages if stage.state == State.LOST]
    places = [", ".join(filter(None, (stage.name, stage.place))) for stage in lost]
    return f" in {' and in '.join(places)}" if places else ""


def _sweep(folder: Path, build: Path) -> None:
    """Remove what a run leaves if it is killed, its own folder last."""
    points = build / VARIANTS
    tops = [one / "notebooks" for one in points.iterdir()] if is_folder(points) else []
    for top in (build / "notebooks", *tops, folder / "notebooks", folder):
        for parent, folders, names in os.walk(top) if is_folder(top) else ():
            # A folder of such a name is someone else's, such as Jupyter's checkpoints.
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                if _LEFT.fullmatch(name):
                    Path(parent, name).unlink(missing_ok=True)


def _sweep_shared(outputs: Path) -> None:
    """Remove what was half written or half downloaded for all builds, long ago."""
    for folder in (outputs / CACHE, *(outputs / DOWNLOADS).glob("*")):
        for path in folder.glob("*tmp*") if is_folder(folder) else ():
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > _OLD and not is_folder(path):
                    path.unlink()


def _discard(folder: Path) -> None:
    """Remove the folder of a run that was killed before it began, if nothing else is in it."""
    inner = folder / "notebooks"
    alien = [one for one in os.listdir(folder) if not (one in _FIRST or _LEFT.fullmatch(one))]  # noqa: PTH208 - as above
    if not alien and not (is_folder(inner) and any(inner.iterdir())):
        shutil.rmtree(folder)
