"""What a notebook prints, as lines for a log and as text for the executed notebook."""

import logging
import re
import time
from collections import deque
from collections.abc import Callable

_RECORD = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL):([^:\n]+):(.*)", re.DOTALL)
_LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")

LEVELS = {"stdout": logging.INFO, "stderr": logging.WARNING}


def overwritten(text: str) -> str:
    """Give what is left to see of lines that a carriage return overwrote."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    kept = [line.rstrip("\r").rpartition("\r")[2] for line in lines[:-1]]
    last = lines[-1]
    body = last.rstrip("\r")
    return "\n".join([*kept, body.rpartition("\r")[2] + last[len(body) :][:1]])


def record(text: str, stream: str, *, is_bar: bool) -> tuple[int, str | None, str]:
    """Read level, logger's name and message off a line of a stream.

    A line in the form of `logging.BASIC_FORMAT` has all three. Of other lines on stderr
    a level's name tells the level; a progress bar is no warning.
    """
    found = _RECORD.fullmatch(text)
    if found:
        return logging.getLevelNamesMapping()[found[1]], found[2], found[3]
    named = _LEVEL.search(text) if stream == "stderr" else None
    if named:
        return logging.getLevelNamesMapping()[named[1]], None, text
    return logging.INFO if is_bar else LEVELS[stream], None, text


class Lines:
    """Cuts a stream into lines: a whole one at once, an unfinished one after a while.

    A progress bar that overwrites itself gives a line now and then, and its last state. So
    does a stream that has given more than `MOST` characters: what it printed is elsewhere.
    """

    UNFINISHED = 2.0
    NOW_AND_THEN = 10.0
    LONGEST = 1 << 16
    MOST = 8 << 20

    def __init__(self, emit: Callable[[str, bool], None], overflow: Callable[[], None]) -> None:
        """Have `emit` called with each line, and `overflow` when it is no longer each.

        It is told, too, whether the line is a bar, that is, has overwritten itself.
        """
        self._emit = emit
        self._overflow = overflow
        self._rest = ""
        self._is_bar = False
        self._since = 0.0
        self._shown = 0.0
        self._given = 0

    def feed(self, text: str) -> None:
        """Take in a piece of the stream."""
        if self._given > self.MOST:
            self._rest = (self._rest + text[-self.LONGEST :]).rstrip("\r\n")
            self._rest = re.split(r"[\r\n]", self._rest)[-1][-self.LONGEST :] + "\r"
            return
        if not self._rest:
            self._since = time.monotonic()
        *whole, rest = (self._rest + text).replace("\r\n", "\n").split("\n")
        for line in whole:
            self._give(line.rstrip("\r"))
        self._is_bar |= "\r" in rest.rstrip("\r")
        self._rest = overwritten(rest)
        if len(self._rest) > self.LONGEST:
            self._give(self._rest)
            self._rest = ""
        if whole:
            self._since = time.monotonic()
        if self._given > self.MOST:
            self._rest = ""
            self._overflow()

    def _give(self, line: str) -> None:
        self._given += len(line)
        is_bar, self._is_bar = self._is_bar or "\r" in line, False
        self._emit(overwritten(line), is_bar)

    def tick(self) -> None:
        """Show an unfinished line that has stood for long enough; a bar stays open."""
        now = time.monotonic()
        if not self._rest.strip() or now - self._since < self.UNFINISHED:
            return
        if self._is_bar or "\r" in self._rest:
            if now - self._shown >= self.NOW_AND_THEN:
                self._shown = now
                self._emit(self._rest.strip("\r"), self._is_bar)
        else:
            self._show_rest()

    def finish(self) -> None:
        """Show what is left; what comes next is another cell's."""
        self._show_rest()
        self._given = 0

    def _show_rest(self) -> None:
        if self._rest.strip():
            self._give(self._rest.strip("\r"))
        self._rest = ""


class Text:
    """A text that grows by pieces and stays small: its beginning, and its end.

    A line that a carriage return overwrote leaves its last state, as on a terminal.
    """

    _LONGEST_BAR = 1 << 16

    def __init__(self, head: int, tail: int) -> None:
        """Keep that many characters of the beginning and of the end."""
        self._room = head
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._tail_length = 0
        self._most_tail = tail
        self._line: list[str] = []
        self._line_length = 0
        self.left_out = 0

    def feed(self, text: str) -> None:
        """Add a piece."""
        if "\r" in text or (self._line and self._line[-1].endswith("\r")):
            text = overwritten("".join(self._line) + text)
            self._line.clear()
            self._line_length = 0
        body, newline, line = text.rpartition("\n")
        if newline:
            self._add("".join(self._line) + body + newline)
            self._line = []
            self._line_length = 0
        self._line.append(line)
        self._line_length += len(line)
        if self._line_length > self._LONGEST_BAR:
            self._add("".join(self._line))
            self._line = []
            self._line_length = 0

    def _add(self, text: str) -> None:
        if self._room and not self._tail:
            self._head.append(text[: self._room])
            self._room -= len(self._head[-1])
            text = text[len(self._head[-1]) :]
        if not text:
            return
        self._tail.append(text)
        self._tail_length += len(text)
        while (over := self._tail_length - self._most_tail) > 0:
            first = self._tail[0]
            cut = first[:over]
            self.left_out += len(cut.encode("utf-8", "surrogatepass"))
            self._tail_length -= len(cut)
            if len(cut) == len(first):
                self._tail.popleft()
            else:
                self._tail[0] = first[over:]

    def value(self, left_out: str) -> str:
        """Give the text; `left_out` stands where something is missing, if so."""
        middle = f"\n[{self.left_out:,} bytes left out, {left_out}]\n" if self.left_out else ""
        return "".join([*self._head, middle, *self._tail, *self._line])
