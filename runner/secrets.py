"""Secrets: which names look like theirs, and how their values are kept out of what is written."""

import contextlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus, urlsplit

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
    """Replaces the values of secret-looking environment variables by `***`."""

    def __init__(self, values: Iterable[str]) -> None:
        """Hide these values, the lines of those that have several, and their JSON forms."""
        forms: set[str] = set()
        for value in values:
            for text in (value, *value.splitlines()):
                if _hidden(text):
                    forms |= {html.escape(text), html.escape(text, quote=False)}
                    forms |= {quote(text), quote(text, safe=""), quote_plus(text)}
                    forms |= {
                        text,
                        json.dumps(text)[1:-1],
                        json.dumps(text, ensure_ascii=False)[1:-1],
                    }
                    forms.add(repr(text)[1:-1])
        # The longest first: a secret may begin with another one.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._first = {form[0] for form in forms}
        self._found = re.compile("|".join(map(re.escape, self._forms))) if forms else None

    @classmethod
    def of(cls, environment: Mapping[str, str], patterns: Iterable[str] = ()) -> "Mask":
        """Find the secrets in an environment.

        Args:
            environment: names and values.
            patterns: further ones for names, as on a command line; `!NAME` leaves one out.
        """
        wanted = [*PATTERNS, *(each for each in patterns if not each.startswith("!"))]
        left_out = [each[1:] for each in patterns if each.startswith("!")]
        found = {
            name: value
            for name, value in environment.items()
            if _matches(name, wanted) and not _matches(name, left_out)
        }
        return cls([*found.values(), *_in_urls(found.get("RUN_NOTIFY", ""))])

    def __bool__(self) -> bool:
        """Tell whether there is anything to hide."""
        return self._found is not None

    def __call__(self, text: str) -> str:
        """Hide the secrets in a text."""
        return self._found.sub(MASK, text) if self._found else text

    def deep(self, value: T) -> T:
        """Hide the secrets in every text of a plain value, keys included; gives a copy."""
        return self._deep(value) if self._found else value  # type: ignore[return-value]

    def _deep(self, value: object) -> object:
        if isinstance(value, str):
            hidden = self(value)
            return hidden if hidden != value else value
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
        for found in self._found.finditer(text) if self._found and cut < len(text) else ():
            if found.start() < cut < found.end():
                cut = len(text) - self._unfinished(text[found.end() :])
        return self(text[:cut]), text[cut:]

    def _unfinished(self, text: str) -> int:
        """Give the length of the longest end of a text that may be the beginning of a secret."""
        for start in range(max(0, len(text) - self.longest + 1), len(text)):
            if text[start] in self._first:
                end = text[start:]
                if any(len(form) > len(end) and form.startswith(end) for form in self._forms):
                    return len(end)
        return 0

    @property
    def longest(self) -> int:
        """The length of the longest form."""
        return len(self._forms[0]) if self._forms else 0


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
