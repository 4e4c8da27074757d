"""What a run writes of itself as it goes on: its folder, its journal, its `run.json`."""

import contextlib
import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import Exit
from ..model import CellStarted, Planned, Reason, Result, State
from ..secrets import Mask
from ..system import in_reserve, open_plain, reserve, sync_folder, to_json, why, write_whole
from .evidence import Environment
from .journal import RESERVE, number, removed, run_folders
from .record import VERSION, Event, reasons_told, result_details, storable, summary


@dataclass(frozen=True)
class RunStarted:
    """What a run is to do, as its journal says first.

    `then` are the folders of the runs with which the same command goes on.
    """

    profile: str
    command: Sequence[str]
    targets: Sequence[str]
    parameters: Sequence[str]
    jobs: int
    environment: Environment
    then: Sequence[str] = ()


class RunWriter:
    """Keeps the folder of one run; whatever happens is appended to its journal first.

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
        self.number = 1 + max([*map(number, run_folders(build)), *removed(build)], default=0)
        self.notebooks = self.folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        self._events: list[Event] = []
        self._mask = mask
        self._reserve = self.folder / RESERVE
        self._path = self.folder / "journal.jsonl"
        try:
            reserve(self._reserve, self._RESERVED)
            self._journal = open_plain(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        except OSError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        sync_folder(self.folder)
        self._length = 0
        self._written = 0.0
        self._lock = threading.Lock()
        # The exit code, once how the run ended has been told.
        self.ended: Exit | None = None

    def run_started(self, started: RunStarted) -> None:
        """Say what the run is to do.

        Raises:
            OSError: it cannot be written; so with all that is told here, if nothing else is said.
        """
        details = asdict(started)
        then = details.pop("then")
        more = {"then": then} if then else {}
        self._append("run_started", number=self.number, id=self.id, **details, **more)

    def stage_planned(
        self, planned: Planned, needs: Iterable[str], point: Mapping[str, object] | None = None
    ) -> None:
        """Say of a stage in the plan why it runs; one without reasons is up to date."""
        reasons = reasons_told(planned.reasons)
        details: dict[str, Any] = {"reasons": reasons, "needs": sorted(needs)}
        if point:
            details["point"] = {name: storable(one) for name, one in point.items()}
        self._append("stage_planned", stage=planned.stage, **details)

    def facts(self, found: Mapping[str, Any]) -> None:
        """Say what the run depends on: the machine, the packages, the commit."""
        self._append("facts", **found)

    def stage_started(self, stage: str, reasons: Iterable[Reason], details: Event) -> None:
        """Say why a stage runs, and what it is made from (see `record.stage_details`)."""
        self._append("stage_started", stage=stage, reasons=reasons_told(reasons), **details)

    def cell_started(self, event: CellStarted) -> None:
        """Say where a stage is. Only `run.json` has it if the journal cannot take it."""
        cell = {"id": event.cell.id, "number": event.cell.number, "line": event.cell.line}
        try:
            self._append("cell_started", stage=event.stage, cell=cell)
        except OSError:
            # The stage's end will fail to be recorded, too, if this goes on.
            self._remember("cell_started", stage=event.stage, cell=cell)

    def stage_ended(self, result: Result, details: Event) -> None:
        """Make a stage's end last, with what it left (see `record.result_details`).

        That `run.json` cannot be written now is no failure of it.
        """
        details = result_details(result) | details
        self._append("stage_ended", sync=result.state is not State.SKIPPED, **details)
        with contextlib.suppress(OSError):
            self.publish(now=not result.good)

    def stage_lost(self, result: Result, outputs: Sequence[Event]) -> None:
        """Keep for `run.json` how a stage ended of which the journal could not take that."""
        self._remember("stage_ended", **result_details(result), outputs=outputs)

    def run_ended(self, state: State, code: Exit, **more: object) -> list[str]:
        """Say how the run ended; give what went wrong with that, which makes it a failure."""
        self.ended = code
        details = {"state": state, "exit_code": code, **more}
        problems = []
        try:
            self._append("run_ended", sync=True, **details)
        except OSError as error:
            problems.append(f"the verdict is not in the journal: {why(error)}")
            self._remember("run_ended", **details | {"exit_code": code or Exit.FAILED})
        try:
            self.publish()
        except OSError as error:
            problems.append(f"the record is not complete: {why(error)}")
        return problems

    def _append(self, event: str, *, sync: bool = False, **details: object) -> None:
        """Add a line to the journal, from any thread; with `sync` it outlasts a power loss.

        Raises:
            OSError: it cannot be written, and is not part of the record then.
        """
        line = self._line(event, details)
        data = json.dumps(line, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
        with self._lock:
            if self._journal < 0:
                raise OSError(errno.EBADF, "the run has ended", str(self._path))
            in_reserve(lambda: self._write(data, sync=sync), self._reserve)
            self._events.append(line)

    def _line(self, event: str, details: Mapping[str, Any]) -> Event:
        """Make an event, without secrets in what comes from the user; names and hashes stay."""
        shown = dict(details)
        for key in ("command", "error", "parameters", "point", "reasons"):
            if self._mask and key in shown:
                shown[key] = self._mask.texts(shown[key])
        # Their names come from files that the stage wrote.
        if self._mask and "metrics" in shown:
            shown["metrics"] = {self._mask(one): each for one, each in shown["metrics"].items()}
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

    def _remember(self, event: str, **details: object) -> None:
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

    @property
    def begun(self) -> bool:
        """Whether there is anything to be recorded."""
        return bool(self._events)

    def close(self) -> None:
        """End the journal; a run that has not begun leaves nothing."""
        with self._lock:
            os.close(self._journal)
            self._journal = -1
        if not self.begun:
            shutil.rmtree(self.folder, ignore_errors=True)
        # Removed last: that it is there says that something else may be.
        with contextlib.suppress(OSError):
            self._reserve.unlink(missing_ok=True)
