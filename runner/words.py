"""What a person reads: times, sizes, counts and states in words, and what a line may hold."""

import re
import time
from collections.abc import Iterable, Sequence
from typing import IO

_FEW = 10
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# They would move the cursor, or worse, of whoever reads the text on a terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
# They would begin a line, have it read in another order, or are no characters.
_MISLEADING = re.compile(
    r"[\r\x85\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def clock_in_words(at: float) -> str:
    """Write a time, in seconds since 1970, for a person: local date and time of day."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def seconds_in_words(seconds: float) -> str:
    """Write a duration for a person."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min {rest} s" if hours else f"{minutes} min {rest} s"


def size_in_words(size: float) -> str:
    """Write a number of bytes for a person, in powers of 1,024."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:  # noqa: PLR2004 - the next unit's size
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


# Beyond so many per cent a number is another one.
_FAR, _WHOLE = 10_000, 100


def percent_in_words(percent: float | None) -> str:
    """Write by how much a number differs, in per cent, where that says something."""
    if percent is None or abs(percent) > _FAR:
        return ""
    return f"{percent:+,.0f} %" if abs(percent) >= _WHOLE else f"{percent:+.2g} %"


def share_in_words(share: float) -> str:
    """Write a part of a whole, from 0 to 1, in per cent."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= _FEW else f"{percent:.2g} %"


def numbers_in_words(old: float | None, new: float | None) -> tuple[str, str]:
    """Write two numbers short, but not so that they look the same."""
    texts = ["none" if one is None else f"{one:.6g}" for one in (old, new)]
    return (texts[0], texts[1]) if texts[0] != texts[1] else (repr(old), repr(new))


def counted(number: int, word: str) -> str:
    """Write a number of things."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def few_in_words(names: Sequence[str], most: int) -> str:
    """Name the first ones of several for a person."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def first_few(names: Sequence[str], most: int = 3) -> str:
    """Name the first ones of several for a person, and say how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def state_in_words(state: str) -> str:
    """Write a state as it is found in a record for a person."""
    return state.replace("_", " ")


def did_you_mean(word: str, known: Iterable[str], also: Iterable[str] = ()) -> str:
    """Give the end of a message about an unknown word: what else it may have been.

    `also` are words that it may be, too, but that are not listed.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    known = list(known)
    close = get_close_matches(word, [*known, *also], n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {few_in_words(known, _FEW)}" if known else ""


def then(text: str, more: str) -> str:
    """Go on with a message, after a question, too."""
    return f"{text}{'' if text.endswith('?') else ';'} {more}"


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


def cut(text: str, most: int) -> str:
    """Give the beginning of a text that is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


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

    def write_in(self, colour: str, text: str) -> None:
        """Write a text in a colour of a terminal: a number that such a one knows."""
        self._file.write(f"\x1b[{colour}m{shown(text)}\x1b[0m")
