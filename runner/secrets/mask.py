"""Secrets: which names look like theirs, and how their values are kept out of what is written.

A secret is looked for in a text in its normal form, in which there is nothing of escapes, quotes
and white space: so it does not matter by which ways, and how often, it was escaped or wrapped.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .forms import encoded, first_gap, forms, has_gap, normal, placed

PATTERNS = (
    "*TOKEN*",
    "*SECRET*",
    "*PASSWORD*",
    "*PASSWD*",
    "*PASSPHRASE*",
    "*API_KEY*",
    "*APIKEY*",
    "*ACCESS_KEY*",
    "*PRIVATE_KEY*",
    "*CREDENTIAL*",
    "RUN_NOTIFY",
)
MASK = "***"
# Shorter values, and words of everyday use, would black out innocent text.
_SHORTEST = 4
_SHORTEST_NUMBER = 6
# So many characters of a secret's normal form may be hidden although they are wrapped, or cut.
_WRAPPED, _CUT, _CUT_END = 12, 6, 4
_DOTS = re.compile(r"\.\.\.|…")
# What an escape is cut to where a text comes in pieces.
_PIECE = re.compile(
    r"(?:\\[\\\s+]*(?:[xuU][0-9A-Fa-f\s+]*)?|%(?:25|[\s+])*[0-9A-Fa-f]?[\s+]*"
    r"|&(?:amp;|[\s+])*#?[\w\s+]*)\Z"
)
# The same within a line, where nothing of a secret stands before it.
_LONE_PIECE = re.compile(r"(?:\\+(?:[xuU][0-9A-Fa-f]*)?|%(?:25)*[0-9A-Fa-f]?|&(?:amp;)*#?\w*)\Z")
# How much longer an escape is than what it stands for.
_LONGER = 6
_LONGEST_PIECE = 40
# So much of a text is looked at once where there is something in it.
_WINDOW = 1 << 16
_PLAIN = frozenset({"true", "false", "none", "null", "auto", "default", "enabled", "disabled"})

# Whole words, so that `max_tokens` and `tokenizer` stay legal names of parameters.
_SECRET = re.compile(
    r"(?:^|_)(?:secret|password|passwd|passphrase|token|api_?key|access_?key|private_?key"
    r"|credentials?)(?:_|$)",
    re.IGNORECASE,
)

T = TypeVar("T")


def looks_secret(name: str) -> bool:
    """Tell whether a parameter's name is that of a secret."""
    return bool(_SECRET.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)))


class Mask:
    """Replaces secrets by `***`; more may be added, from then on."""

    def __init__(self, values: Iterable[str]) -> None:
        """Hide these values, and the lines of those that have several."""
        self._wanted: list[str] = []
        self._left_out: list[str] = []
        # From how many characters on each may be wrapped; the longest first, for a secret may
        # begin with another one.
        self._needles: dict[str, int] = {}
        self._least = _SHORTEST
        self.add(values)

    @classmethod
    def of(cls, environment: Mapping[str, str], patterns: Iterable[str] = ()) -> "Mask":
        """Find the secrets in an environment.

        Args:
            environment: names and values.
            patterns: further ones for names, as on a command line; `!NAME` leaves one out.
        """
        made = cls(())
        made._wanted = [*PATTERNS, *(each for each in patterns if not each.startswith("!"))]
        made._left_out = [each[1:] for each in patterns if each.startswith("!")]
        made.learn(environment)
        return made

    def learn(self, environment: Mapping[str, str]) -> list[str]:
        """Hide the secrets in a further environment, too; give those that are new."""
        found = {
            name: value
            for name, value in environment.items()
            if _matches(name, self._wanted) and not _matches(name, self._left_out)
        }
        return self.add([*found.values(), *_in_urls(found.get("RUN_NOTIFY", ""))])

    def add(self, values: Iterable[str]) -> list[str]:
        """Hide further values; give those that are new."""
        needles, added = dict(self._needles), []
        for value in values:
            before = len(needles)
            texts = [text for text in (value, *value.splitlines()) if _hidden(text)]
            found = {form: first_gap(text) for text in texts for form in forms(text)}
            found |= dict.fromkeys(encoded(value) if texts else (), None)
            for form, gap in found.items():
                if len(form) >= _SHORTEST:
                    wrapped = _SHORTEST if len(form) >= _WRAPPED else len(form)
                    needles[form] = wrapped if gap is None else min(gap, wrapped, len(form) - 1)
            added += [value] if len(needles) > before else []
        self._needles = dict(sorted(needles.items(), key=lambda one: (-len(one[0]), one)))
        self._least = min(needles.values(), default=_SHORTEST)
        return added

    def __bool__(self) -> bool:
        """Tell whether there is anything to hide."""
        return bool(self._needles)

    def __call__(self, text: str) -> str:
        """Hide the secrets in a text."""
        shown, last = [], 0
        for start, end in self._spans(text):
            shown += [text[last:start], MASK]
            last = end
        return "".join([*shown, text[last:]]) if last else text

    def deep(self, value: T) -> T:
        """Hide the secrets in every text of a plain value, keys included; gives a copy."""
        return self._deep(value) if self else value  # type: ignore[return-value]

    def _deep(self, value: object) -> object:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return type(value)((self._deep(k), self._deep(v)) for k, v in value.items())  # type: ignore[call-arg]
        if isinstance(value, list | tuple):
            return type(value)([self._deep(item) for item in value])
        return value

    def texts(self, value: Any) -> Any:  # noqa: ANN401 - of the type that came in
        """Hide the secrets in values, at any depth; all keys have a meaning, and stay."""
        if isinstance(value, Mapping):
            return {key: self.texts(each) for key, each in value.items()}
        return [self.texts(each) for each in value] if isinstance(value, list) else self.deep(value)

    def values(self, value: Mapping[str, T]) -> dict[str, T]:
        """Hide the secrets in what a mapping holds; its keys have a meaning, and stay."""
        return {key: self.deep(each) for key, each in value.items()}

    def split(self, text: str) -> tuple[str, str]:
        """Hide the secrets in what is sure of a text; give it, and the end that is not.

        That end is as it was, and may be the beginning of a secret: a longer one than it holds.
        """
        cut = len(text) - self._unfinished(text)
        for start, end in self._spans(text) if cut < len(text) else ():
            if start < cut < end:
                cut = len(text) - self._unfinished(text[end:])
        return self(text[:cut]), text[cut:]

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Give where secrets stand in a text, in order."""
        if not self._needles:
            return
        found = normal(text)
        spans: list[tuple[int, int]] = []
        if any(needle in found for needle in self._needles):
            far = self.longest * _LONGER
            for start in range(0, len(text), _WINDOW):
                part = text[max(0, start - far) : start + _WINDOW]
                inner = self._whole(part)
                offset = max(0, start - far)
                spans += [(offset + first, offset + last) for first, last in inner]
        if any(needle[:_CUT] in found for needle in self._needles if len(needle) > _CUT):
            for dots in _DOTS.finditer(text):
                spans += self._cut_at(text, dots)
        last = 0
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            if start >= last:
                yield start, end
                last = end

    def _whole(self, text: str) -> Iterator[tuple[int, int]]:
        found = normal(text)
        needles = [needle for needle in self._needles if needle in found]
        if not needles:
            return
        found, places = placed(text)
        any_of = re.compile("|".join(map(re.escape, needles)))
        at = 0
        while (hit := any_of.search(found, at)) is not None:
            at = hit.start() + 1
            for needle in needles:
                if found.startswith(needle, hit.start()):
                    start, end = places[hit.start()][0], places[hit.start() + len(needle) - 1][1]
                    if self._needles[needle] < len(needle) or not has_gap(text, start, end):
                        yield start, end
                        at = hit.start() + len(needle)
                        break

    def _cut_at(self, text: str, dots: re.Match[str]) -> Iterator[tuple[int, int]]:
        """Find a secret of which a display shows the beginning only, or the two ends."""
        far = self.longest * _LONGER
        offset = max(0, dots.start() - far)
        for needle, length, start in self._begun(text[offset : dots.start()], _CUT):
            yield offset + start, dots.start()
            after, places = placed(text[dots.end() : dots.end() + far])
            for size in range(len(needle) - length, _CUT_END - 1, -1):
                if after.startswith(needle[-size:]):
                    yield dots.end() + places[0][0], dots.end() + places[size - 1][1]
                    return
            return

    def _begun(self, text: str, least: int) -> Iterator[tuple[str, int, int]]:
        """Find secrets of which an end of a text is the beginning: the longest ends first.

        With each comes how much of it there is, and from where on in the text.
        """
        end = normal(text)
        if text[-1:].isspace():
            # It is a gap, before which there must be more of a secret.
            least = max(least, self._least)
        near = [one for one in self._needles if least < _SHORTEST or one[:_SHORTEST] in end]
        found = [(length, one) for one in near if (length := _overlap(end, one, least))]
        if not found:
            return
        _, places = placed(text)
        for length, needle in sorted(found, reverse=True):
            start, _ = places[-length]
            if length >= self._needles[needle] or not has_gap(text, start):
                yield needle, length, start

    def _unfinished(self, text: str) -> int:
        """Give the length of the longest end of a text that may be the beginning of a secret."""
        tail = text[-self.longest * _LONGER :] if self else ""
        piece = _PIECE.search(tail[-_LONGEST_PIECE:])
        cut = len(tail) - len(piece[0]) if piece else None
        parts = (tail, *((tail[:cut],) if cut is not None else ()))
        starts = [start for part in parts for *_, start in self._begun(part, 1)]
        lone = _LONE_PIECE.search(tail[-_LONGEST_PIECE:])
        return max(len(lone[0]) if lone else 0, len(tail) - min(starts, default=len(tail)))

    @property
    def longest(self) -> int:
        """The length of the longest form."""
        return len(next(iter(self._needles), ""))


class MaskedStream:
    """Hides secrets in a text that comes in pieces, one cut in two among them."""

    def __init__(self, mask: Mask) -> None:
        """Hide what `mask` hides."""
        self._mask = mask
        self._held = ""

    def feed(self, text: str) -> str:
        """Take in a piece; give what is safe to show."""
        if not self._mask:
            return text
        shown, self._held = self._mask.split(self._held + text)
        return shown

    def finish(self) -> str:
        """Give what was held back."""
        held, self._held = self._mask(self._held), ""
        return held


def _overlap(text: str, needle: str, least: int) -> int:
    """Give the length of the longest end of a text that begins `needle`, and is not all of it.

    It is 0 if that is shorter than `least`.
    """
    size = len(text)
    at = text.find(needle[:_SHORTEST], max(0, size - len(needle) + 1))
    while at >= 0:
        if size - at < len(needle) and needle.startswith(text[at:]):
            return size - at if size - at >= least else 0
        at = text.find(needle[:_SHORTEST], at + 1)
    for length in range(min(_SHORTEST, len(needle)) - 1, least - 1, -1):
        if text.endswith(needle[:length]):
            return length
    return 0


def _in_urls(urls: str) -> Iterator[str]:
    """Give each of several URLs, and the password in it."""
    for url in urls.split():
        yield url
        with contextlib.suppress(ValueError):
            yield urlsplit(url).password or ""


def _hidden(text: str) -> bool:
    if text.strip().lower() in _PLAIN:
        return False
    return len(text) >= (_SHORTEST_NUMBER if text.strip().isdecimal() else _SHORTEST)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.upper(), pattern.upper()) for pattern in patterns)
