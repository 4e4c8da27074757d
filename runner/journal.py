"""The folder of a run and its journal: appended to, whole after a crash, ended if lost."""

import json
import os
import re
import secrets
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .files import in_reserve, reserve, sync_folder, to_json, write_whole
from .heartbeat import last
from .model import State
from .records import VERSION, Event, summary
from .secrets import Mask

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
RESERVE = ".reserve"
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[a-z0-9]{4}")


def new_run_id(build: Path) -> str:
    """Make a run's name: the UTC start time and four random characters; it sorts.

    It comes after those of the build's earlier runs, even within a second.
    """
    newest = max((folder.name for folder in run_folders(build)), default="")
    while True:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        name = f"{now}-{''.join(secrets.choice(_ALPHABET) for _ in range(4))}"
        if name > newest:
            return name
        time.sleep(0.01)


def run_folders(build: Path) -> list[Path]:
    """Give the folders of a build's runs, oldest first."""
    runs = build / "runs"
    found = runs.iterdir() if runs.is_dir() else ()
    return sorted(folder for folder in found if RUN_ID.fullmatch(folder.name))


class RunRecord:
    """The folder of one run; every change is appended to its journal first.

    The journal is JSON lines. `run.json` is what `summary` makes of it, written whole.
    Some disk space is set aside, so that the verdict finds room on a full disk.
    """

    _PACE = 1.0  # seconds between two writings of run.json while stages end
    _RESERVED = 1 << 19

    def __init__(self, build: Path, run_id: str, mask: Mask) -> None:
        """Make the folder; what `mask` hides never reaches the record.

        Raises:
            OSError: it cannot be written.
        """
        self.id = run_id
        self.folder = build / "runs" / run_id
        self.notebooks = self.folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        self._events: list[Event] = []
        self._mask = mask
        self._reserve = self.folder / RESERVE
        reserve(self._reserve, self._RESERVED)
        self._path = self.folder / "journal.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._journal = os.open(self._path, flags, 0o644)
        sync_folder(self.folder)
        self._length = 0
        self._written = 0.0
        self._lock = threading.Lock()

    def append(self, event: str, *, sync: bool = False, **details: object) -> None:
        """Add a line to the journal, from any thread; with `sync` it outlasts a power loss.

        Raises:
            OSError: it cannot be written, and is not part of the record then.
        """
        line = self._line(event, details)
        data = json.dumps(line, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
        with self._lock:
            in_reserve(lambda: self._write(data, sync=sync), self._reserve)
            self._events.append(line)

    def _line(self, event: str, details: Mapping[str, Any]) -> Event:
        """Make an event, without secrets in what comes from the user; names and hashes stay."""
        shown = dict(details)
        for key in ("command", "error", "parameters", "reasons"):
            if self._mask and key in shown:
                shown[key] = _texts(self._mask, shown[key])
        return {"v": VERSION, "at": time.time(), "event": event, **shown}

    def _write(self, data: bytes, *, sync: bool) -> None:
        """Write a line whole, or leave the journal as it was."""
        try:
            rest = data
            while rest:
                rest = rest[os.write(self._journal, rest) :]
            if sync:
                os.fsync(self._journal)
        except OSError as error:
            os.ftruncate(self._journal, self._length)
            error.filename = str(self._path)
            raise
        self._length += len(data)

    def remember(self, event: str, **details: object) -> None:
        """Add to `run.json` what the journal could not take."""
        line = self._line(event, details)
        with self._lock:
            self._events.append(line)

    def publish(self, *, now: bool = True) -> None:
        """Write `run.json`; without `now` only when it was not written for a while.

        Raises:
            OSError: it cannot be written; the last good version stands.
        """
        if now or time.monotonic() - self._written >= self._PACE:
            with self._lock:
                data = to_json(summary(self._events))
            in_reserve(lambda: write_whole(self.folder / "run.json", data), self._reserve)
            self._written = time.monotonic()

    def close(self) -> None:
        """End the journal."""
        os.close(self._journal)
        self._reserve.unlink(missing_ok=True)


def _texts(mask: Mask, value: Any) -> Any:  # noqa: ANN401 - of the type that came in
    """Hide secrets in values, at any depth, but not in keys."""
    if isinstance(value, Mapping):
        return {key: _texts(mask, each) for key, each in value.items()}
    return [_texts(mask, each) for each in value] if isinstance(value, list) else mask.deep(value)


def read_journal(path: Path) -> list[Event]:
    """Read a journal; a line cut off by a crash, and what follows it, is left out."""
    return _read(path)[0]


def _read(path: Path) -> tuple[list[Event], int]:
    """Give a journal's events, and the length in bytes of the part that they stand in."""
    events: list[Event] = []
    length = 0
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    for line in data.split(b"\n")[:-1]:
        try:
            event = json.loads(line)
        except ValueError:
            break
        if not isinstance(event, dict) or event.get("v") != VERSION:
            break
        if not isinstance(event.get("event"), str):
            break
        events.append(event)
        length += len(line) + 1
    return events, length


def settle_lost(build: Path) -> list[str]:
    """Find runs whose runner vanished, and end their records as lost.

    The caller holds the build's lock, so no run is under way.

    Returns:
        For each, what to tell: which run, and where it was.

    Raises:
        OSError: a record cannot be written.
    """
    told: list[str] = []
    # Each run looks after those before it, so only the newest can have no end.
    for folder in reversed(run_folders(build)):
        journal = folder / "journal.jsonl"
        events, length = _read(journal)
        ended = any(event["event"] in {"run_ended", "run_lost"} for event in events)
        # What is set aside is removed last, when the record says how the run ended.
        if ended and not (folder / RESERVE).exists():
            break
        if journal.exists() and journal.read_bytes().rfind(b"\n") >= length:
            # More than a torn tail: another version's, and none of our business.
            break
        for left in (*folder.glob(".*"), *folder.glob("notebooks/**/.*")):
            # A folder is someone else's, such as Jupyter's checkpoints.
            inner = left.relative_to(folder).parts[:-1]
            if not left.is_dir() and not any(part.startswith(".") for part in inner):
                left.unlink(missing_ok=True)
        for left in build.glob("notebooks/.*.tmp"):
            left.unlink(missing_ok=True)
        if ended:
            write_whole(folder / "run.json", to_json(summary(events)))
            break
        event = {"v": VERSION, "at": time.time(), "event": "run_lost"}
        with journal.open("ab") as file:
            file.truncate(length)
            file.write(json.dumps(event).encode("ascii") + b"\n")
        record = summary([*events, event])
        record["id"] = folder.name
        write_whole(folder / "run.json", to_json(record))
        heard = f", {beat.words}" if (beat := last(folder)) else ""
        told.append(f"run {folder.name} was lost{_place(record)}: its runner vanished{heard}")
    return told


def _place(record: Mapping[str, Any]) -> str:
    """Say in which stages and cells a lost run was."""
    places = []
    for stage in record["stages"]:
        if stage["state"] == State.LOST:
            cell = stage.get("cell")
            where = f", cell {cell['number']} ({cell['line']})" if cell else ""
            places.append(f"{stage['name']}{where}")
    return f" in {' and in '.join(places)}" if places else ""
