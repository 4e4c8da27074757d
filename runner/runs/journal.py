"""The folder of a run and its journal: appended to, and whole after a crash."""

import contextlib
import re
import secrets
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError
from ..system import count, fits, is_folder, kind, open_plain, read_json, read_plain, why
from . import shapes
from .record import VERSION, Event, summary

_ALPHABET = "23456789abcdefghijkmnpqrstuvwxyz"
_NAMES, _STEP = len(_ALPHABET) ** 4, 1 << 12
RESERVE = ".reserve"
# Among the runs: a line about each one that was removed.
REMOVED = ".removed.jsonl"
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[a-z0-9]{4}")
ENDS = frozenset({"run_ended", "run_lost"})
# As the first line of a journal begins.
_NUMBER = re.compile(rb'.{,64}"event": "run_started", "number": (\d{1,9}),')
_numbers: dict[Path, int] = {}


def new_run_id(build: Path) -> str:
    """Make a run's name: the UTC start time and four random characters.

    It sorts after those of earlier runs, but for those that are still to come by our clock.
    """
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    same = sorted(one.name for one in run_folders(build) if one.name.startswith(now))
    # In the lower half, or little above the newest of this second: there is room for more.
    value = secrets.randbelow(_NAMES // 2)
    if same:
        value = 1 + _value(same[-1]) + secrets.randbelow(_STEP)
    while (name := f"{now}-{_letters(value)}") in same:
        value = secrets.randbelow(_NAMES)
    return name


def _letters(value: int) -> str:
    count = len(_ALPHABET)
    return "".join(_ALPHABET[value // count**place % count] for place in (3, 2, 1, 0))


def _value(name: str) -> int:
    places = [bisect_left(_ALPHABET, letter) for letter in name[-4:]]
    return sum(place * len(_ALPHABET) ** power for power, place in enumerate(reversed(places)))


def run_folders(build: Path) -> list[Path]:
    """Give the folders of a build's runs, oldest first: by their numbers, not by a clock.

    One whose journal tells no number comes before all others. A link is never followed.
    """
    if not (is_folder(build) and is_folder(build / "runs")):
        return []
    found = [one for one in (build / "runs").iterdir() if RUN_ID.fullmatch(one.name)]
    return sorted(filter(is_folder, found), key=lambda one: (number(one), one.name))


def is_run(folder: Path) -> bool:
    """Tell whether a folder is that of a run, reached by no link."""
    return bool(RUN_ID.fullmatch(folder.name)) and all(
        map(is_folder, [folder, *folder.parents[:2]])
    )


def number(folder: Path) -> int:
    """Give a run's number among those of its build, from the first line of its journal; or 0."""
    if folder not in _numbers:
        try:
            with open(open_plain(folder / "journal.jsonl"), "rb") as file:  # noqa: PTH123 - it is open
                found = _NUMBER.match(file.read(256))
        except OSError:
            found = None
        if found is None:
            return 0
        _numbers[folder] = int(found[1])
    return _numbers[folder]


class Journal(NamedTuple):
    """What a journal says: its events, the bytes that they take, and why no more are read."""

    events: list[Event]
    length: int = 0
    flaw: str | None = None

    @property
    def ended(self) -> bool:
        """Whether it says how the run ended."""
        return any(event["event"] in ENDS for event in self.events)


def read_journal(path: Path) -> list[Event]:
    """Read a journal; a line cut off by a crash, and what follows it, is left out."""
    return journal_of(path.parent).events


def has_started(folder: Path) -> bool:
    """Tell whether the journal of a run says of any stage that it started, without reading it."""
    try:
        return b'"event": "stage_started"' in read_plain(folder / "journal.jsonl")
    except OSError:
        return False


def journal_of(folder: Path) -> Journal:
    """Read the journal of a run, as far as it is one that this version has written."""
    events: list[Event] = []
    length = 0
    try:
        data = read_plain(folder / "journal.jsonl")
    except FileNotFoundError:
        return Journal([])
    except OSError as error:
        return Journal([], flaw=why(error))
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            event = read_json(line)
        except ValueError:
            event = None
        if not shapes.is_event(event, VERSION):
            return Journal(events, length, f"line {number} of its journal is not understood")
        if event["event"] == "run_started" and event["id"] != folder.name:
            return Journal(events, length, "its journal is that of another run")
        if not events and event["event"] != "run_started":
            return Journal(events, length, "its journal has no beginning")
        events.append(event)
        length += len(line) + 1
    return Journal(events, length)


def left_out(folder: Path, why: str) -> str:
    """Say that no record can be made of a run's folder."""
    return f"{folder.relative_to(folder.parents[3])}: {why}; the run is left out"


def record_of(folder: Path, journal: Journal) -> dict[str, Any]:
    """Give the record of a run: what its journal says.

    Where there was no room in that for the end, `run.json` has it.
    """
    if not journal.ended and (written := written_record(folder)) is not None:
        return written
    return summary(journal.events)


def written_record(folder: Path) -> dict[str, Any] | None:
    """Read `run.json`, if that is whole and says how the run ended."""
    try:
        record: dict[str, Any] = read_json(read_plain(folder / "run.json"))
    except (OSError, ValueError):
        return None
    whole = fits(record, shapes.RECORD) and record["id"] == folder.name
    return record if whole and "ended" in record and record["state"] != "running" else None


def refuse_links(build: Path) -> None:
    """Refuse a build where something of ours is a link or the like, before it is written to.

    Raises:
        UsageError: it is.
    """
    names = ("runs", "notebooks", "log.txt", "../.cache")
    if found := next((name for name in names if kind(build / name)), None):
        path = f"outputs/{build.name}/{found}".replace(f"{build.name}/../", "")
        message = f"{path} is {kind(build / found)}; move it away: nothing is written through it"
        raise UsageError(message)


def strange(build: Path) -> list[str]:
    """Name what stands among a build's runs and is no folder: it is left alone."""
    runs = build / "runs"
    found = [one for one in (build, runs) if kind(one)] or (
        [one for one in sorted(runs.iterdir()) if kind(one)] if is_folder(runs) else []
    )
    top = build.parents[1]
    return [f"{one.relative_to(top)} is {kind(one)}, and left alone" for one in found]


def removed(build: Path) -> Iterator[int]:
    """Give the numbers of runs that were removed: they are not given again."""
    with contextlib.suppress(OSError):
        for line in read_plain(build / "runs" / REMOVED).splitlines():
            with contextlib.suppress(ValueError):
                found = read_json(line)
                if fits(found, {"number": count}):
                    yield found["number"]
