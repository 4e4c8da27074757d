"""What one cell prints: bounded in the notebook, in lines in the log, and whole in a file."""

import logging
import os
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import IO

from nbformat import NotebookNode
from nbformat.v4 import new_output

from ..secrets import Mask, MaskedStream
from ..words import shown
from .streams import Lines, Text, record

STREAMS = ("stdout", "stderr")
# What a cell may print into the notebook: so many characters of its beginning and its end.
HEAD = TAIL = 250_000
# A stream's change costs an output of its own, which takes room, too.
_OUTPUT = 100
_ESCAPE = "backslashreplace"

Say = Callable[[int, str, str | None], None]


class _Whole:
    """The file of all that a stream printed in one cell, and why it may not have it all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure: str | None = None
        self._file: IO[str] | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8", errors=_ESCAPE, newline="")
        except OSError as error:
            self.failure = error.strerror or str(error)

    def write(self, text: str) -> None:
        try:
            if self._file is not None:
                self._file.write(text)
        except OSError as error:
            self.close()
            self.failure = error.strerror or str(error)

    def close(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError as error:
            self.failure = error.strerror or str(error)


class Printed:
    """Takes in the streams of one cell after the other; `last` is when it last did.

    Secrets are hidden first, so none of the three places has them.
    """

    def __init__(self, folder: Path, label: Callable[[Path], str], mask: Mask, say: Say) -> None:
        """Keep whole texts below `folder`, and log by `say(level, text, logger)`."""
        self._folder = folder
        self._label = label
        self._say = say
        self._masked = {name: MaskedStream(mask) for name in STREAMS}
        self._lines = {name: self._lines_of(name) for name in STREAMS}
        # Lines that came at once, with level and logger: they are to stand together in the log.
        self._block: list[tuple[int, str | None, str]] = []
        self.begin("", NotebookNode(outputs=[]))

    def _lines_of(self, stream: str) -> Lines:
        def line(text: str, is_bar: bool) -> None:  # noqa: FBT001 - called with both, in order
            level, logger, message = record(shown(text), stream, is_bar=is_bar)
            if message.strip():
                self._block.append((level, logger, message))

        def overflow() -> None:
            what = f"{self._note(stream)}; the log shows a line now and then"
            self._block.append((logging.WARNING, None, f"this cell prints very much: {what}"))

        return Lines(line, overflow)

    def begin(self, name: str, cell: NotebookNode) -> None:
        """Turn to another cell; `name` is that of the file for its whole text."""
        self._name = name
        self._cell = cell
        self.last = time.monotonic()
        self._room = HEAD
        self._texts: list[tuple[NotebookNode, Text]] = []
        self._tails: dict[str, tuple[NotebookNode, Text]] = {}
        self._whole: dict[str, _Whole] = {}
        self._warned = False

    def feed(self, stream: str, text: str) -> None:
        """Take in what the cell printed."""
        self.last = time.monotonic()
        self._warn_of_surrogates(text)
        shown = self._masked[stream].feed(text)
        if shown:
            self._take(stream, shown)

    def add(self, stream: str, text: str) -> None:
        """Take in a text that the log has already, without secrets."""
        if held := self._masked[stream].finish():
            self._take(stream, held)
        self._take(stream, text, logged=True)

    def cleared(self) -> None:
        """Forget what the cell printed so far, for it cleared its output."""
        self._room, self._texts, self._tails = HEAD, [], {}

    def _warn_of_surrogates(self, text: str) -> None:
        """Say once in a cell that a text is not quite what the notebook printed."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            if not self._warned:
                self._warned = True
                what = f"no Unicode character, such as {text[error.start]!r}; it is escaped so"
                self._say(logging.WARNING, f"this cell printed {what}", None)

    def _take(self, stream: str, text: str, *, logged: bool = False) -> None:
        if stream not in self._whole and len(text) > self._room:
            self._whole[stream] = self._open(stream)
        if stream in self._whole:
            self._whole[stream].write(text)
        self._node(stream, text).feed(text)
        if not logged:
            self._lines[stream].feed(text)
            self._log_block()

    def _log_block(self) -> None:
        block, self._block = self._block, []
        for (level, logger), lines in groupby(block, lambda line: line[:2]):
            self._say(level, "\n".join(text for *_, text in lines), logger)

    def _node(self, stream: str, text: str) -> Text:
        """Give the output that the text goes to: the last one, a new one, or the tail."""
        if stream in self._tails:
            return self._tails[stream][1]
        last = self._texts[-1] if self._texts else None
        if last is None or last[0] is not self._cell.outputs[-1] or last[0].name != stream:
            last = self._add(stream, self._room)
            self._texts.append(last)
            self._room -= _OUTPUT
        if len(text) > self._room:
            self._tails[stream] = last
        self._room = max(0, self._room - len(text))
        return last[1]

    def _add(self, stream: str, head: int) -> tuple[NotebookNode, Text]:
        node = new_output("stream", name=stream, text="")
        self._cell.outputs.append(node)
        return node, Text(max(0, head), TAIL)

    def _open(self, stream: str) -> "_Whole":
        """Begin the file of a stream's whole text with what was printed so far."""
        whole = _Whole(self._folder / f"{self._name}-{stream}.txt")
        for node, text in self._texts:
            if node.name == stream:
                whole.write(text.value(""))
        return whole

    def _note(self, stream: str) -> str:
        """Say where a stream's whole text is."""
        whole = self._whole.get(stream)
        if whole is None:
            return "whole text nowhere"
        name = self._label(whole.path)
        if whole.failure:
            return f"and {name} could not take the whole text: {whole.failure}"
        return f"whole text in {name}"

    def refresh(self) -> None:
        """Show what has stood unfinished for a while, here and in the notebook."""
        for lines in self._lines.values():
            lines.tick()
        self._log_block()
        self._settle()

    def _settle(self) -> None:
        """Bring the outputs of the notebook up to date with what was printed."""
        for node, text in (*self._texts, *self._tails.values()):
            node.text = text.value(self._note(node.name))

    def finish(self) -> None:
        """End the cell."""
        for stream in STREAMS:
            held = self._masked[stream].finish()
            if held:
                self._take(stream, held)
            self._lines[stream].finish()
        self._log_block()
        for whole in self._whole.values():
            whole.close()
        self._settle()


def relative(folder: Path) -> Callable[[Path], str]:
    """Name paths as a notebook that runs in `folder` sees them."""
    return lambda path: os.path.relpath(path, folder)
