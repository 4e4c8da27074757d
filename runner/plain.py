"""What a line may hold that a person reads: in a log, on a terminal, in a message."""

import re
from typing import IO

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# They would move the cursor, or worse, of whoever reads the text on a terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
# They would begin a line, have it read in another order, or are no characters.
_MISLEADING = re.compile(
    r"[\r\x85\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def shown(text: str) -> str:
    """Give a text as it may be shown: of control characters only tabs and ends of lines stay.

    Colours and cursor movements are left out; what would mislead a reader is escaped.
    """
    if text.isascii() and text.isprintable():
        return text
    return _MISLEADING.sub(_escaped, _CONTROL.sub("", _ANSI.sub("", text)))


def one_line(text: str) -> str:
    """Give a text as it may be shown within a line."""
    return shown(text).replace("\n", r"\n")


def shortened(text: str, most: int) -> str:
    """Give the beginning and the end of a text that is longer than `most` characters."""
    if len(text) <= most:
        return text
    left_out = f" [{len(text) - most:,} characters left out] "
    return f"{text[: most * 3 // 4]}{left_out}{text[len(text) - most // 4 :]}"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return r"\r" if code == ord("\r") else f"\\x{code:02x}" if code < 1 << 8 else f"\\u{code:04x}"


class Shown:
    """A text stream that takes what may be shown, whatever is written."""

    def __init__(self, file: IO[str]) -> None:
        """Write to `file`."""
        self._file = file

    def __getattr__(self, name: str) -> object:
        """Be like the file otherwise."""
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write a text."""
        self._file.write(shown(text))
        return len(text)
