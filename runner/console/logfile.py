"""The log: the same lines in the run's file, in the build's, and on the terminal."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ..model import CellStarted, Line, Result, State
from ..secrets import Mask
from ..system import open_plain
from ..words import one_line, shown
from .screen import Screen

# Where lines come from that are of no stage.
RUN = "run"


class Console:
    """Where a person watches; one method for each thing that can be seen. Here nothing is."""

    def line(self, line: Line, text: str) -> None:
        """Show a line of the log; `text` is how it stands in the file."""

    def run_started(self, run_id: str, profile: str, log: Path, *, more: bool) -> None:
        """Show that a run writes to its `log`; `more` says whether others come after it."""

    def cell(self, event: CellStarted) -> None:
        """Show that a cell is running."""

    def started(self, stage: str) -> None:
        """Show that a stage is running."""

    def situation(self, text: Callable[[], str]) -> None:
        """Show how far the run is; the text takes a look at earlier runs."""

    def ended(self, result: Result) -> None:
        """Show that a stage has ended."""

    def results(self, results: Sequence[Result]) -> None:
        """Show how all stages have ended."""

    def close(self) -> None:
        """Show nothing more."""


class PlainConsole(Console):
    """Lines only, each written at once: for a file, a pipe, a job in the background."""

    def __init__(self, descriptor: int) -> None:
        """Write to an open file descriptor."""
        self._screen = Screen(descriptor)

    def line(self, line: Line, text: str) -> None:  # noqa: ARG002 - the seam's signature
        """Write the line."""
        self._screen.write(text)

    def close(self) -> None:
        """Write nothing more, and leave the descriptor's file alone."""
        self._screen.close()


class Log:
    """Writes lines as they come, from any thread, in one order everywhere.

    Whoever emits a line waits until it is written, so memory stays flat however much a
    notebook prints.
    """

    def __init__(self, console: Console, level: str, mask: Mask) -> None:
        """Log to `console` alone until `to_files` adds files, without what `mask` hides."""
        self.console = console
        self._mask = mask
        self._level = logging.getLevelNamesMapping()[level]
        self._lock = threading.Lock()
        self._files: dict[int, Path] = {}
        self._torn: set[int] = set()
        self.failure: str | None = None

    @contextlib.contextmanager
    def to_files(self, *paths: Path) -> Iterator[None]:
        """Append to these files, too.

        Raises:
            OSError: one cannot be opened.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        opened: dict[int, Path] = {}
        for path in paths:
            try:
                opened[open_plain(path, flags)] = path
            except OSError:
                for descriptor in opened:
                    os.close(descriptor)
                raise
        with self._lock:
            self._files |= opened
            # A run that was killed may have left a line without an end.
            self._torn |= {one for one in opened if not _ends_in_line(one)}
        try:
            yield
        finally:
            with self._lock:
                for descriptor in opened:
                    self._files.pop(descriptor, None)
                    self._torn.discard(descriptor)
                    os.close(descriptor)

    def emit(self, event: CellStarted | Line) -> None:
        """Take in what happens in a stage.

        Once a file could not take a line, what notebooks print is not written to files any
        more: what room there is on the disk is for the verdict.
        """
        if isinstance(event, CellStarted):
            with self._lock:
                self.console.cell(event)
        else:
            self._line(event, to_files=self.failure is None)

    def say(
        self,
        text: str,
        where: str = RUN,
        level: int = logging.INFO,
        state: State | None = None,
    ) -> None:
        """Log a line of the runner's own; `state` is what a stage has come to by it."""
        at = datetime.now().timestamp()  # noqa: DTZ005
        self._line(Line(at, level, where, text, state=state), to_files=True)

    def _line(self, line: Line, *, to_files: bool) -> None:
        if line.level < self._level:
            return
        with self._lock:
            # As a whole first: a secret may have several lines, or colours within.
            line = replace(
                line,
                text=self._mask(shown(self._mask(line.text))),
                where=one_line(line.where),
                logger=line.logger and one_line(line.logger),
            )
            text = self._mask(formatted(line))
            for descriptor in self._files if to_files else ():
                self._append(descriptor, text)
            self.console.line(line, text)

    def _append(self, descriptor: int, text: str) -> None:
        """Write lines to a file; what a full disk cut off stays a line of its own."""
        try:
            _write(descriptor, f"\n{text}" if descriptor in self._torn else text)
            self._torn.discard(descriptor)
        except OSError as error:
            self._torn.add(descriptor)
            path = self._files[descriptor]
            self.failure = f"{path}: {error.strerror}; lines are missing there"

    def run_started(self, run_id: str, profile: str, log: Path, *, more: bool) -> None:
        """Show on the console that a run has begun."""
        with self._lock:
            self.console.run_started(run_id, profile, log, more=more)

    def started(self, stage: str) -> None:
        """Show on the console that a stage is running."""
        with self._lock:
            self.console.started(stage)

    def situation(self, text: Callable[[], str]) -> None:
        """Show on the console how far the run is; no line waits while that is found out."""
        self.console.situation(text)

    def ended(self, result: Result) -> None:
        """Show on the console that a stage has ended."""
        with self._lock:
            self.console.ended(result)

    def results(self, results: Sequence[Result]) -> None:
        """Show on the console how all stages have ended."""
        with self._lock:
            self.console.results(results)


def formatted(line: Line) -> str:
    """Write a line of the log; a text of several lines becomes as many.

    `2026-01-31 12:00:00.000 INFO     model[3/9] sklearn: text`: local time with
    milliseconds, level, stage, cell and cells, the logger's name where there is one.
    """
    at = datetime.fromtimestamp(line.at).isoformat(" ", "milliseconds")  # noqa: DTZ006
    source = f"{line.where} {line.logger}" if line.logger else line.where
    head = f"{at} {logging.getLevelName(line.level):<8} {source}: "
    return "".join(f"{head}{each}\n" for each in line.text.split("\n"))


def _ends_in_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return not size or os.pread(descriptor, 1, size - 1) == b"\n"


def _write(descriptor: int, text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(descriptor, data) :]
