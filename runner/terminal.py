"""The display on a terminal: what is running, below the lines of the log."""

import logging
import sys
from collections.abc import Callable
from types import TracebackType
from typing import IO, Self, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from .model import CellStarted, Line, Result
from .screen import Screen

_STYLES = {
    logging.DEBUG: "dim",
    logging.INFO: "",
    logging.WARNING: "yellow",
    logging.ERROR: "red",
    logging.CRITICAL: "bold red",
}


class _Lasting:
    """A standard output that outlives its terminal, and one that does not take anything."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._screen = Screen(file.fileno())

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        self._screen.write(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: what is written is shown at once."""

    def close(self) -> None:
        self._screen.close()


class LiveConsole:
    """The log's lines scroll by; a bar for each running stage stays below them."""

    def __init__(self) -> None:
        """Prepare the display."""
        self._output = _Lasting(sys.stdout)
        self._console = Console(file=cast("IO[str]", self._output), highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(20),
            TextColumn("{task.fields[cell]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._situation = Text(style="dim")
        shown = Group(self._progress, self._situation)
        self._live = Live(shown, console=self._console, transient=True, refresh_per_second=8)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Show the display."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was, with the lines on it."""
        self._live.stop()
        self.close()

    def line(self, line: Line, text: str) -> None:
        """Print a line of the log, coloured by its level."""
        styled = Text(text.removesuffix("\n"), style=_STYLES.get(line.level, ""))
        self._console.print(styled, soft_wrap=True)

    def cell(self, event: CellStarted) -> None:
        """Move the stage's bar on."""
        task = self._tasks.get(event.stage)
        if task is not None:
            cell = event.cell
            words = f"cell {cell.number}/{cell.cells}  {_shortened(cell.line)}"
            self._progress.update(task, completed=cell.number - 1, total=cell.cells, cell=words)

    def started(self, stage: str) -> None:
        """Add a bar."""
        self._tasks[stage] = self._progress.add_task(stage, total=None, cell="starting")

    def situation(self, text: Callable[[], str]) -> None:
        """Show a line below the bars."""
        self._situation.plain = text()

    def close(self) -> None:
        """Show nothing more."""
        self._output.close()

    def ended(self, result: Result) -> None:
        """Remove the bar; the log has the outcome."""
        task = self._tasks.pop(result.stage, None)
        if task is not None:
            self._progress.remove_task(task)


def _shortened(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
