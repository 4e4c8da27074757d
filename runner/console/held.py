"""A run of which a person sees its lines only where it fails; what runs is shown meanwhile."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from ..model import CellStarted, Line, Result
from .logfile import RUN, Console


class HeldConsole(Console):
    """Holds back the lines of a run for `tell`, and gives the rest to another console.

    `said` are the warnings of the runner that were told before; one is told once.
    """

    def __init__(
        self, shown: Console, said: set[str], ended: Callable[[Result], None] = lambda _: None
    ) -> None:
        """Begin; `ended` is called for each stage that has ended."""
        self._shown = shown
        self._said = said
        self._ended = ended
        self._held: list[tuple[Line, str]] = []
        self._is_over = False
        self.profiles: list[str] = []
        self.stages: list[Result] = []

    def tell(self, *, failed: bool) -> None:
        """Show what was held back and matters."""
        for line, text in self._held:
            news = line.level >= logging.ERROR
            if line.level == logging.WARNING and line.text not in self._said:
                self._said.add(line.text)
                news = True
            if news and (failed or line.level < logging.ERROR):
                self._shown.line(line, text)

    def line(self, line: Line, text: str) -> None:
        """Hold a line back, if it may matter; the one that sums up a run does not."""
        is_own = line.where in {RUN, "check"}
        if self._is_over and is_own:
            self._is_over = False
        elif line.level >= logging.ERROR or (line.level == logging.WARNING and is_own):
            self._held.append((line, text))

    def run_started(self, run_id: str, profile: str, log: Path, *, more: bool) -> None:
        """Take note of what is built."""
        self.profiles.append(profile)
        self._shown.run_started(run_id, profile, log, more=more)

    def cell(self, event: CellStarted) -> None:
        """Show that a cell is running."""
        self._shown.cell(event)

    def started(self, stage: str) -> None:
        """Show that a stage is running."""
        self._shown.started(stage)

    def situation(self, text: Callable[[], str]) -> None:
        """Show how far the run is."""
        self._shown.situation(text)

    def ended(self, result: Result) -> None:
        """Show that a stage has ended."""
        self._shown.ended(result)
        self._ended(result)

    def results(self, results: Sequence[Result]) -> None:
        """Take note of how all stages have ended."""
        self.stages += results
        self._is_over = True
