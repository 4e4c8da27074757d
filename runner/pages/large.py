"""What is large in an executed notebook is moved into files, before the rest is parsed.

nbformat writes JSON with one value a line, and no line ends inside a text. So a notebook is gone
through line by line, and what is large is never parsed as a whole.
"""

import base64
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

# A text, and a picture, of more bytes is a file beside the page; once the page holds so much,
# all that is longer than this is.
TEXT, PICTURE = 64 << 10, 1 << 20
_PAGE, _SHORT = 2 << 20, 1 << 10
# So many outputs of a cell are shown, and so many bytes of a text that is a file; then fewer.
MOST, _SHOWN = 200, 4 << 10
_FEW, _LITTLE = 5, 200
_CHUNK = 1 << 20
_TEXT = re.compile(rb'( *)"((?:[^"\\\n]|\\.){1,100})": "')
_OPEN = re.compile(rb'( *)"((?:[^"\\\n]|\\.){1,100})": ([\[{])\n')
_PICTURES = {b"image/png": ".png", b"image/jpeg": ".jpg", b"image/gif": ".gif"}
# What a browser would run is not called so.
_SUFFIXES = {**_PICTURES, b"image/svg+xml": ".svg"}
# No notebook can have it: what it stands for is a file that is read.
_MARK = secrets.token_hex(16)

# Keeps a file that a function writes, by its suffix, and gives its name.
Put = Callable[[str, Callable[[BinaryIO], object]], str]


class Large(NamedTuple):
    """A value that is a file now: its name, its size in bytes, how it begins."""

    name: str
    size: int
    head: str

    @classmethod
    def of(cls, value: object) -> "Large | None":
        """Read what stands in a reduced notebook in the place of a value."""
        found = value.get(_MARK) if isinstance(value, dict) else None
        return cls(*found) if found else None


def reduced(data: bytes, put: Put) -> dict[str, Any]:
    """Parse a notebook in which files stand for what is large: see `Large.of`.

    Raises:
        ValueError: it is no notebook.
    """
    if not re.match(rb'\{\n "cells": \[', data):
        data = json.dumps(json.loads(data), indent=1, sort_keys=True, ensure_ascii=False).encode(
            "utf-8", "backslashreplace"
        )
    found = json.loads(b"".join(_Reducer(data, put).lines()))
    if not isinstance(found, dict) or not isinstance(found.get("cells"), list):
        message = "it has no cells"
        raise ValueError(message)  # noqa: TRY004 - as for any file that is no notebook
    return found


class _Reducer:
    def __init__(self, data: bytes, put: Put) -> None:
        self._data, self._view, self._put = data, memoryview(data), put
        self._kept = 0

    def lines(self) -> Iterator[bytes]:
        """Give the smaller notebook, piece by piece."""
        data, at, cut, closed = self._data, 0, -1, 0
        while at < len(data):
            if at == cut:
                left_out = data.count(b"\n    {\n", at - 1, closed)
                yield b'{"output_type": "left_out", "count": %d}\n' % left_out
                at = closed + 1
            if data.startswith(b'   "outputs": [\n', at):
                closed = data.find(b"\n   ]", at)
                cut = self._start_of_output(at, closed, _FEW if self._is_full else MOST)
            piece, at = self._piece(at)
            self._kept += len(piece)
            yield piece

    def _start_of_output(self, at: int, end: int, number: int) -> int:
        """Find where an output begins that comes after so many others, or -1."""
        for _ in range(number + 1):
            at = self._data.find(b"\n    {\n", at + 1, end)
            if at < 0:
                return -1
        return at + 1

    def _piece(self, at: int) -> tuple[bytes, int]:
        """Give a line, or what stands for a value that begins there, and where to go on."""
        data = self._data
        after = data.find(b"\n", at) + 1 or len(data)
        if found := _TEXT.match(data, at):
            if after - at > self._most(PICTURE if found[2] in _PICTURES else TEXT):
                texts = [(found.end(), data.rfind(b'"', found.end(), after))]
                return self._moved(found, texts, after - 1), after
        elif found := _OPEN.match(data, at):
            is_list = found[3] == b"["
            closed = data.find(b"\n" + found[1] + (b"]" if is_list else b"}"), after - 1)
            end = data.find(b"\n", closed + 1)
            if closed - after > self._most(TEXT):
                if is_list and data[after : after + 200].lstrip(b" ").startswith(b'"'):
                    return self._moved(found, self._texts(after, closed), end), end + 1
                if not is_list and found[2].endswith(b"json"):
                    whole = (self._view[after - 2 : end].tobytes().rstrip(b",") for _ in "1")
                    return self._put_away(found, ".json", whole, end), end + 1
        return data[at:after], after

    @property
    def _is_full(self) -> bool:
        return self._kept >= _PAGE

    def _most(self, usual: int) -> int:
        return _SHORT if self._is_full else usual

    def _texts(self, at: int, end: int) -> Iterator[tuple[int, int]]:
        """Give where each text of a list begins and ends."""
        while at < end:
            after = self._data.find(b"\n", at, end)
            after = end if after < 0 else after
            yield self._data.find(b'"', at, after) + 1, self._data.rfind(b'"', at, after)
            at = after + 1

    def _moved(self, found: re.Match[bytes], texts: Iterable[tuple[int, int]], end: int) -> bytes:
        pieces: Iterator[bytes] = (piece for text in texts for piece in self._unescaped(*text))
        if found[2] in _PICTURES:
            pieces = _decoded(pieces)
        return self._put_away(found, _SUFFIXES.get(found[2], ".txt"), pieces, end)

    def _put_away(
        self, found: re.Match[bytes], suffix: str, pieces: Iterable[bytes], end: int
    ) -> bytes:
        """Write a value to a file, and give the line that stands for it."""
        size, head, most = 0, b"", _LITTLE if self._is_full else _SHOWN

        def write(file: BinaryIO) -> None:
            nonlocal size, head
            for piece in pieces:
                head += piece[: max(0, most - len(head))]
                size += file.write(piece)

        name = self._put(suffix, write)
        shown = "" if found[2] in _PICTURES else head.decode("utf-8", "replace")
        stands = json.dumps({_MARK: [name, size, shown]}).encode()
        comma = b"," if self._data[end - 1 : end] == b"," else b""
        return b'%s"%s": %s%s\n' % (found[1], found[2], stands, comma)

    def _unescaped(self, at: int, end: int) -> Iterator[bytes]:
        """Give a JSON text as UTF-8, in pieces."""
        while at < end:
            cut = min(at + _CHUNK, end)
            # An escape, or two for one character, is not cut, nor is a character.
            while cut < end and (
                b"\\" in self._data[cut - 12 : cut] or 0x80 <= self._data[cut] < 0xC0  # noqa: PLR2004
            ):
                cut += 1
            text = json.loads(b'"%s"' % self._view[at:cut])
            yield text.encode("utf-8", "backslashreplace")
            at = cut


def _decoded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decode base64 that comes in pieces."""
    rest = b""
    for piece in pieces:
        rest += piece.translate(None, b" \n\r")
        whole = len(rest) // 4 * 4
        yield base64.b64decode(rest[:whole])
        rest = rest[whole:]
