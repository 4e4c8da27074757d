"""The forms that a secret may take in a text: escaped, quoted, in base64, wrapped, cut."""

import base64
import re
from collections.abc import Iterator

# What may be put into a text, or left out of it, without its being another one.
_SPACE, _QUOTES = re.compile(r"[\s+]+"), re.compile("['\"]+")
_GAP = re.compile(r"[\s+'\"]+")
# As often as it was escaped; `\x41` and the like are characters, `\n` is white space.
_ESCAPES = {
    "\x1b": re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]"),
    "%": re.compile(r"%(?:25)*(?P<percent>[0-9A-Fa-f]{2})"),
    "&": re.compile(
        r"&(?:amp;)*(?P<entity>#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
    ),
    "\\": re.compile(
        r"\\+(?:u(?P<u>[0-9A-Fa-f]{4})|U(?P<U>[0-9A-Fa-f]{8})|x(?P<x>[0-9A-Fa-f]{2})|[nrtfvab])?"
    ),
}
# So often an escape may stand in an escape of another kind.
_ROUNDS = 5
_LAST = 0x10FFFF
# So many characters of base64 are not there by chance.
_SURE = 8


def normal(text: str) -> str:
    """Give a text's normal form: what escapes stand for, without what says nothing."""
    text = "".join(text.split()).replace("+", "")
    for _ in range(_ROUNDS):
        before = text
        for sign, escape in _ESCAPES.items():
            if sign in text:
                text = escape.sub(_meaning, text)
        text = text.replace("'", "").replace('"', "")
        if text == before:
            break
        text = "".join(text.split()).replace("+", "")
    return text


def placed(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Give a text's normal form, and where each character of it begins and ends in the text."""
    places = [(index, index + 1) for index in range(len(text))]
    text, places = _without(_SPACE, text, places)
    for _ in range(_ROUNDS):
        before = text
        for escape in (*_ESCAPES.values(), _QUOTES):
            text, places = _without(escape, text, places)
        if text == before:
            break
        text, places = _without(_SPACE, text, places)
    return text, places


def _without(
    pattern: re.Pattern[str], text: str, places: list[tuple[int, int]]
) -> tuple[str, list[tuple[int, int]]]:
    parts: list[str] = []
    kept: list[tuple[int, int]] = []
    last = 0
    for found in pattern.finditer(text):
        start, end = found.span()
        meaning = _meaning(found)
        parts += [text[last:start], meaning]
        kept += places[last:start]
        kept += [(places[start][0], places[end - 1][1])] * len(meaning)
        last = end
    return ("".join([*parts, text[last:]]), kept + places[last:]) if last else (text, places)


def _meaning(escape: re.Match[str]) -> str:
    """Give what an escape stands for: nothing for a colour, a gap or a backslash."""
    kind = escape.lastgroup
    if kind is None:
        return ""
    if kind == "entity":
        import html  # noqa: PLC0415 - few texts have one, and its table is large

        return html.unescape(f"&{escape['entity']};")
    code = int(escape[kind], 16)
    return chr(code) if code <= _LAST else ""


def has_gap(text: str, start: int = 0, end: int | None = None) -> bool:
    """Tell whether white space, quotes or a plus stand in a part of a text."""
    return _GAP.search(text, start, len(text) if end is None else end) is not None


def first_gap(text: str) -> int | None:
    """Give how much of a text's normal form stands before its first gap, if it has one."""
    found = _GAP.search(text)
    return len(normal(text[: found.start()])) if found else None


def forms(text: str) -> Iterator[str]:
    """Give the normal forms in which a text may be found: bytes may stand for characters."""
    own = normal(text)
    yield own
    if not own.isascii():
        yield own.encode("utf-8", "surrogatepass").decode("latin-1")
        wide = own.encode("utf-16-be", "surrogatepass")
        yield "".join(chr(wide[n] << 8 | wide[n + 1]) for n in range(0, len(wide), 2))


def encoded(text: str) -> Iterator[str]:
    """Give the normal forms of a text in base64, also with something before it."""
    data = text.encode("utf-8", "surrogatepass")
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode("ascii")
        # Only what stands for these bytes alone.
        sure = whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(sure) >= _SURE:
            yield normal(sure)
            yield normal(sure.replace("+", "-").replace("/", "_"))
