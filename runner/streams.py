"""What a notebook prints, as lines for a log and as text for the executed notebook."""

import logging
import re
import time
from collections.abc import Callable

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_RECORD = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL):([^:\s]+):(.*)", re.DOTALL)
_LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")
# Other control characters would move the cursor of whoever reads the file on a terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

LEVELS = {"stdout": logging.INFO, "stderr": logging.WARNING}


def plain(text: str) -> str:
    """Remove colours, cursor movements and other control characters."""
    return _CONTROL.sub("", _ANSI.sub("", text))


def overwritten(text: str) -> str:
    """Give what is left to see of lines that a carriage return overwrote."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    kept = [line.rstrip("\r").rpartition("\r")[2] for line in lines[:-1]]
    last = lines[-1]
    body = last.rstrip("\r")
    return "\n".join([*kept, body.rpartition("\r")[2] + last[len(body) :][:1]])


def record(text: str, stream: str) -> tuple[int, str | None, str]:
    """Read level, logger's name and message off a line of a stream.

    A line in the form of `logging.BASIC_FORMAT` has all three. Of other lines on stderr
    a level's name tells the level.
    """
    found = _RECORD.fullmatch(text)
    if found:
        return logging.getLevelNamesMapping()[found[1]], found[2], found[3]
    named = _LEVEL.search(text) if stream == "stderr" else None
    if named:
        return logging.getLevelNamesMapping()[named[1]], None, text
    return LEVELS[stream], None, text


class Lines:
    """Cuts a stream into lines: a whole one at once, an unfinished one after a while.

    A progress bar that overwrites itself gives a line now and then, and its last state.
    """

    UNFINISHED = 2.0
    BAR = 10.0

    def __init__(self, emit: Callable[[str], None]) -> None:
        """Have `emit` called with each line."""
        self._emit = emit
        self._rest = ""
        self._since = 0.0
        self._shown = 0.0

    def feed(self, text: str) -> None:
        """Take in a piece of the stream."""
        if not self._rest:
            self._since = time.monotonic()
        *whole, rest = (self._rest + text).replace("\r\n", "\n").split("\n")
        for line in whole:
            self._emit(overwritten(line.rstrip("\r")))
        self._rest = overwritten(rest)
        if whole:
            self._since = time.monotonic()

    def tick(self) -> None:
        """Show an unfinished line that has stood for long enough; a bar stays open."""
        now = time.monotonic()
        if not self._rest.strip() or now - self._since < self.UNFINISHED:
            return
        if "\r" in self._rest:
            if now - self._shown >= self.BAR:
                self._shown = now
                self._emit(self._rest.strip("\r"))
        else:
            self.finish()

    def finish(self) -> None:
        """Show what is left."""
        if self._rest.strip():
            self._emit(self._rest.strip("\r"))
        self._rest = ""
