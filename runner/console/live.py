"""The display on a terminal: what is running, below the lines of the log."""

import logging
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import IO, Self, cast

from rich.console import Console as Terminal
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ..model import CellStarted, Line, Result, State
from ..words import cut, one_line, seconds_in_words, size_in_words, state_in_words
from .logfile import RUN, Console
from .screen import Screen

_STYLES = {
    logging.DEBUG: "dim",
    logging.INFO: "",
    logging.WARNING: "yellow",
    logging.ERROR: "red",
    logging.CRITICAL: "bold red",
}
_COLOURS = ("cyan", "magenta", "green", "blue", "bright_cyan", "bright_magenta")
# A sign for each state that a line may tell, and the one for what cannot show that.
_SIGNS = {
    State.RUNNING: ("▶", ">", "bold"),
    State.SUCCEEDED: ("✓", "+", "green"),
    State.EXITED_EARLY: ("✓", "+", "green"),
    State.SKIPPED: ("-", "-", "dim"),
    State.TAKEN_OVER: ("✓", "+", "green"),
    State.CANCELLED: ("-", "-", "yellow"),
    State.BLOCKED: ("-", "-", "yellow"),
}
# Which cell it is stands in the file, and in the display below the lines.
_CELL = re.compile(r"\[\d+/\d+\]$")
_FAILED = ("✗", "x", "red")
# How wide the column of the names is, at first and at most.
_NARROWEST, _WIDEST = 8, 24
# How often the line below the bars is made anew, in seconds.
_ANEW = 0.5


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


class _Situation:
    """A line that is made anew each time that it is shown, but not too often."""

    def __init__(self) -> None:
        self._text: Callable[[], str] = str
        self._shown, self._at = "", 0.0

    def take(self, text: Callable[[], str]) -> None:
        """Show what `text` gives, from now on."""
        self._text = text
        self._make()

    def _make(self) -> None:
        self._shown, self._at = self._text(), time.monotonic()

    def __rich__(self) -> Text:
        if time.monotonic() - self._at > _ANEW:
            self._make()
        return Text(self._shown, style="dim")


class LiveConsole(Console):
    """The log's lines scroll by, lighter than in the file; below them a bar for each stage."""

    def __init__(self) -> None:
        """Prepare the display."""
        self._output = _Lasting(sys.stdout)
        self._console = Terminal(file=cast("IO[str]", self._output), highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(20),
            TextColumn("{task.fields[cell]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._situation = _Situation()
        shown = Group(self._progress, self._situation)
        self._live = Live(shown, console=self._console, transient=True, refresh_per_second=8)
        self._tasks: dict[str, TaskID] = {}
        self._colours: dict[str, str] = {}
        self._head: tuple[object, ...] = ()
        self._width = _NARROWEST

    def __enter__(self) -> Self:
        """Show the display."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was, with the lines on it."""
        self._live.stop()
        self.close()

    def line(self, line: Line, text: str) -> None:  # noqa: ARG002 - the seam's signature
        """Print a line: the time of day, the stage, a sign, and from WARNING on the level.

        What comes at once from one place stands together below one head.
        """
        stage = _CELL.sub("", line.where)
        clock = time.strftime("%H:%M:%S", time.localtime(line.at))
        head = (clock, stage, line.level, line.logger)
        self._width = min(_WIDEST, max(self._width, len(stage)))
        shown = Text()
        if head == self._head and line.state is None:
            shown.append(" " * (len(clock) + self._width + 4))
        else:
            shown.append(f"{clock}  ", "dim")
            shown.append(f"{_shortened(stage, _WIDEST):<{self._width}}  ", self._colour(stage))
        # What follows a sign begins anew, with its own head.
        self._head = head if line.state is None else ()
        if line.state is not None:
            sign, style = self._sign(line.state)
            shown.append(f"{sign} ", style)
        if line.level >= logging.WARNING and line.state is None:
            shown.append(f"{logging.getLevelName(line.level)} ", _STYLES.get(line.level, ""))
        if line.logger is not None:
            shown.append(f"{line.logger}: ", "dim")
        indented = line.text.replace("\n", "\n" + " " * (len(clock) + self._width + 4))
        shown.append(indented, _STYLES.get(line.level, ""))
        self._console.print(shown, soft_wrap=True)

    def _colour(self, stage: str) -> str:
        if stage == RUN:
            return "dim"
        return self._colours.setdefault(stage, _COLOURS[len(self._colours) % len(_COLOURS)])

    def _sign(self, state: State) -> tuple[str, str]:
        sign, plain, style = _SIGNS.get(state, _FAILED)
        return sign if self._console.encoding.startswith("utf") else plain, style

    def results(self, results: Sequence[Result]) -> None:
        """Print a table: each stage, its state, how long it took, and its memory."""
        table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
        for name in ("stage", "", "state"):
            table.add_column(name)
        for name in ("time", "memory"):
            table.add_column(name, justify="right")
        for one in results:
            sign, style = self._sign(one.state)
            ran, memory = one.state is not State.SKIPPED, one.usage.peak_memory
            table.add_row(
                Text(one_line(one.stage), self._colour(one.stage)),
                Text(sign, style),
                Text(state_in_words(one.state), style),
                seconds_in_words(one.seconds) if ran and one.seconds else "",
                size_in_words(memory) if memory else "",
            )
        self._console.print(table)

    def cell(self, event: CellStarted) -> None:
        """Move the stage's bar on."""
        task = self._tasks.get(event.stage)
        if task is not None:
            cell = event.cell
            words = f"cell {cell.number}/{cell.cells}  {_shortened(cell.line)}"
            self._progress.update(task, completed=cell.number - 1, total=cell.cells, cell=words)

    def started(self, stage: str) -> None:
        """Add a bar."""
        self._tasks[stage] = self._progress.add_task(one_line(stage), total=None, cell="starting")

    def situation(self, text: Callable[[], str]) -> None:
        """Show a line below the bars."""
        # Here and now: it may have to look at earlier runs, which is not to hold up the display.
        self._situation.take(text)

    def close(self) -> None:
        """Show nothing more."""
        self._output.close()

    def ended(self, result: Result) -> None:
        """Remove the bar; the log has the outcome."""
        task = self._tasks.pop(result.stage, None)
        if task is not None:
            self._progress.remove_task(task)


def _shortened(text: str, most: int = 40) -> str:
    return cut(one_line(text), most)
