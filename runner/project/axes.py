"""Axes: parameters with several values, as a profile or `-p` writes them, and what these are."""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ..model import Value
from ..system import why
from . import plainyaml

if TYPE_CHECKING:
    from ..errors import Problem

# The key of an axis in a profile, and how one begins on the command line.
EACH, PREFIX = "each", "each:"
# The key of the profile that another one begins with.
FROM = "from"
# So many points need a word of consent.
MOST = 10_000
_RANGE = "range"
# How a list or a mapping begins on the command line.
_YAML = ("[", "{")
_QUOTED = re.compile(r"""\s*(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*""", re.DOTALL)

Step = Mapping[str, Value]


@dataclass(frozen=True)
class Each:
    """What is written for an axis: a list, a range, a file; or the words of `-p`."""

    spec: object
    on_line: bool = False


@dataclass(frozen=True)
class Axis:
    """Several values for a parameter of a stage, or for some together.

    Each step has the values of all `names`; `file` is the output that is to say them, if no
    stage has written it yet.
    """

    stage: str
    names: tuple[str, ...]
    steps: tuple[Step, ...]
    where: str
    file: str | None = None

    @property
    def words(self) -> str:
        """Name it for a person."""
        return ", ".join(self.names)


class AxisError(Exception):
    """What is written is no axis; the text says why, and the mend."""


class ComingError(Exception):
    """The values stand in an output that is not there yet."""


def as_written(name: str, value: object) -> object:
    """Give what a profile sets: an axis, where it says `each`, or the value as it is."""
    if name == EACH:
        return Each(value)
    return Each(value[EACH]) if isinstance(value, dict) and value.keys() == {EACH} else value


def values(each: Each, *, is_text: bool, read: Callable[[str], object]) -> list[object]:
    """Give the values of one parameter.

    Args:
        each: what is written.
        is_text: whether the parameter is a text, which stands as it is on the command line.
        read: gives what a JSON file of the build holds.

    Raises:
        AxisError: that cannot be read.
    """
    spec = each.spec
    if each.on_line:
        words = str(spec)
        if words.lstrip()[:1] not in _YAML:
            return [_scalar(word, is_text=is_text) for word in _split(words)]
        spec = _yaml(words)
    if isinstance(spec, list):
        return spec
    if isinstance(spec, dict) and spec.keys() == {_RANGE}:
        return list(_range(spec[_RANGE]))
    if isinstance(spec, dict) and spec.keys() == {FROM}:
        return _listed(read(_file(spec)))
    message = "write a list, {range: [FIRST, LAST]} or {from: FILE.json}"
    raise AxisError(message)


def combinations(
    each: Each, texts: Sequence[str], folder: Path, read: Callable[[str], object]
) -> list[Mapping[str, object]]:
    """Give the values of several parameters together.

    Args:
        each: what is written.
        texts: the parameters that are texts, which stand as they are in a CSV file.
        folder: where a CSV file stands.
        read: gives what a JSON file of the build holds.

    Raises:
        AxisError: that cannot be read.
    """
    spec = each.spec
    if each.on_line and str(spec).lstrip()[:1] in _YAML:
        spec = _yaml(str(spec))
    if isinstance(spec, str):
        return list(_of_csv(folder / spec, texts))
    found = _listed(read(_file(spec))) if isinstance(spec, dict) and FROM in spec else spec
    if not isinstance(found, list) or not all(isinstance(one, dict) and one for one in found):
        message = (
            "write a list of combinations, such as [{alpha: 0.1, l1: 0}, {alpha: 1, l1: 1}], "
            "or the name of a CSV file beside the profile"
        )
        raise AxisError(message)
    for one in found:
        if one.keys() != found[0].keys():
            message = f"{list(one)} stands beside {list(found[0])}; all have the same names"
            raise AxisError(message)
    return found


def file_of(each: Each) -> str | None:
    """Give the output that says the values, if a stage writes them."""
    spec = each.spec
    if each.on_line and str(spec).lstrip()[:1] in _YAML:
        spec = _yaml(str(spec))
    return _file(spec) if isinstance(spec, dict) and spec.keys() == {FROM} else None


def twice(steps: Sequence[Mapping[str, object]]) -> object | None:
    """Give a step that stands there more than once, if any does."""
    known: set[str] = set()
    for one in steps:
        text = canonical(one)
        if text in known:
            return next(iter(one.values())) if len(one) == 1 else dict(one)
        known.add(text)
    return None


def canonical(value: object) -> str:
    """Write a plain value so that equal ones are the same text; 1, 1.0 and true are not equal."""
    return json.dumps(value, sort_keys=True, default=repr)


def _file(spec: object) -> str:
    name = spec.get(FROM) if isinstance(spec, dict) and len(spec) == 1 else None
    if not isinstance(name, str) or not name.endswith(".json"):
        message = "`from` names a JSON file of the build, such as {from: regions.json}"
        raise AxisError(message)
    return name


def _listed(found: object) -> list[object]:
    if not isinstance(found, list):
        message = "the file must hold a list"
        raise AxisError(message)
    return found


def _range(bounds: object) -> Iterator[object]:
    """Count from the first to the last, both included, by steps of 1 or as is said."""
    plain = isinstance(bounds, list) and all(type(one) in {int, float} for one in bounds)
    if not isinstance(bounds, list) or not plain or len(bounds) not in {2, 3}:
        message = "a range is [FIRST, LAST] or [FIRST, LAST, STEP], in numbers"
        raise AxisError(message)
    first, last, *step = (Decimal(repr(one)) for one in bounds)
    by = step[0] if step else Decimal(1)
    if not all(one.is_finite() for one in (first, last, by)) or by == 0:
        message = f"{bounds} has no end; give finite numbers, and a step that is not 0"
        raise AxisError(message)
    count = int((last - first) / by) + 1 if (last - first) / by >= 0 else 0
    if not 0 < count <= 100 * MOST:
        message = f"{bounds} makes {count:,} values; correct the bounds or the step"
        raise AxisError(message)
    whole = all(type(one) is int for one in bounds)
    for number in range(count):
        value = first + number * by
        yield int(value) if whole else float(value)


def _of_csv(path: Path, texts: Sequence[str]) -> Iterator[Mapping[str, object]]:
    if path.suffix.lower() != ".csv":
        message = f"{path.name} is no CSV file; write its name, or a list"
        raise AxisError(message)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        said = why(error) if isinstance(error, OSError) else str(error)
        message = f"params/{path.name} cannot be read: {said}"
        raise AxisError(message) from None
    names = [name.strip() for name in names]
    if not rows or not all(names) or len(set(names)) < len(names):
        message = f"params/{path.name} needs a line of names, all different, and a line of values"
        raise AxisError(message)
    for number, row in enumerate(rows, 2):
        if len(row) != len(names):
            message = f"params/{path.name}, row {number} has {len(row)} values, not {len(names)}"
            raise AxisError(message)
        cells = zip(names, row, strict=True)
        yield {name: _scalar(cell.strip(), is_text=name in texts) for name, cell in cells}


def _split(words: str) -> list[str]:
    """Split at commas that stand in no quotes."""
    found, rest = [], words
    while True:
        quoted = _QUOTED.match(rest)
        at = rest.find(",", quoted.end() if quoted else 0)
        found.append(rest if at < 0 else rest[:at])
        if at < 0:
            return [one.strip() for one in found]
        rest = rest[at + 1 :]


def _scalar(word: str, *, is_text: bool) -> object:
    if is_text and not (word and _QUOTED.fullmatch(word)):
        return word
    if not word:
        message = "a value is missing between two commas, or at the end"
        raise AxisError(message)
    value = _yaml(word)
    if isinstance(value, list | dict):
        message = f"{word} is no single value; write each:[…] for lists and mappings"
        raise AxisError(message)
    return value


def _yaml(text: str) -> object:
    wrong: list[Problem] = []
    node = plainyaml.compose(text, "", wrong)
    try:
        found = None if node is None or wrong else plainyaml.value_of(node)
    except ValueError as error:
        raise AxisError(str(error)) from None
    if wrong:
        said = wrong[0].what.removeprefix("is not YAML: ")
        message = f"{text} is not YAML ({said}); put it in quotes"
        raise AxisError(message)
    return found
