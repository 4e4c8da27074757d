"""Metrics: the numbers in what a stage writes as JSON, each by its path."""

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..system import content

# Larger files, and those with more numbers, are data.
_LARGEST, _MOST = 64 << 10, 1000
# Beyond this, programs that read JSON take a whole number for another one.
_GREATEST = 2**53
# So many are shown of one run.
_SHOWN = 8

Number = int | float


def of_files(paths: Iterable[Path], build: Path) -> dict[str, Number | str]:
    """Read the metrics off files of a build: `{"model.json: weights.w0": 1.0}`.

    What is no JSON, or cannot be read, has none. Numbers that are not finite are `nan`, `inf` and
    `-inf`, which JSON has not.
    """
    found: dict[str, Number | str] = {}
    for path in paths:
        if path.suffix.lower() != ".json" or not path.is_relative_to(build):
            continue
        # Nesting without end is a RecursionError.
        with contextlib.suppress(OSError, ValueError, RecursionError):
            if path.stat().st_size > _LARGEST:
                continue
            name = path.relative_to(build).as_posix()
            numbers = dict(_numbers(json.loads(content(path)), ""))
            if len(numbers) <= _MOST:
                found |= {f"{name}: {where}": value for where, value in numbers.items()}
    return found


def _numbers(value: Any, where: str) -> Iterator[tuple[str, Number | str]]:  # noqa: ANN401
    """Give each number in a value, with its path as `testdata/expected/` names it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _numbers(inner, f"{where}[{place}]")
    elif is_number(value):
        yield where, value
    elif isinstance(value, float):
        yield where, str(value)


def is_number(value: object) -> bool:
    """Tell whether a value can be a metric."""
    if type(value) is int:
        return abs(value) <= _GREATEST
    return isinstance(value, float) and math.isfinite(value)


def in_words(metrics: Mapping[str, Any]) -> str:
    """Write metrics for a person, in one line: not those of long lists, and not too many."""
    numbers = {name: value for name, value in metrics.items() if is_number(value)}
    single = {name: value for name, value in numbers.items() if "[" not in name}
    words, before = [], ""
    for name, value in list(single.items())[:_SHOWN]:
        file, _, where = name.partition(": ")
        words.append(f"{where} {value:.6g}" if file == before else f"{name} {value:.6g}")
        before = file
    if len(numbers) > len(words):
        words.append(f"{len(numbers) - len(words)} more in run.json")
    return ", ".join(words)
