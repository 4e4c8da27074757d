"""Strict JSON, and what a value read from it looks like: anyone can write a file."""

import json
import math
from collections.abc import Mapping
from typing import Any

# A value of ours is never nested so deeply; what reads it goes down by calls.
_DEEPEST = 100
_LAST_SECOND = 253_402_300_799.0  # the year 9999 ends

Shape = Any
"""A type; a tuple of shapes, one of which fits; `[shape]`, a list of such; `{str: shape}`, texts
with such; `{"name": shape, "name?": shape}`, an object that has these, or may have; a function.
"""


def number(value: object) -> bool:
    """Tell a number that any arithmetic takes."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 53


def count(value: object) -> bool:
    """Tell a whole number."""
    return isinstance(value, int) and number(value)


def second(value: object) -> bool:
    """Tell a time in seconds since 1970."""
    return number(value) and 0 <= value <= _LAST_SECOND  # type: ignore[operator]


def fits(value: object, shape: Shape) -> bool:
    """Tell whether a value has a shape."""
    if shape is None:
        return value is None
    if isinstance(shape, tuple):
        return any(fits(value, one) for one in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(one, shape[0]) for one in value)
    if isinstance(shape, dict):
        return isinstance(value, dict) and _has(value, shape)
    return isinstance(value, shape) if isinstance(shape, type) else bool(shape(value))


def _has(value: Mapping[str, object], shape: Mapping[Any, Shape]) -> bool:
    if str in shape:
        return all(fits(one, shape[str]) for one in value.values())
    for name, one in shape.items():
        key = name.rstrip("?")
        if key in value:
            if not fits(value[key], one):
                return False
        elif name == key:
            return False
    return True


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        message = f"no finite number: {text}"
        raise ValueError(message)
    return found


_DECODER = json.JSONDecoder(parse_constant=_finite, parse_float=_finite)


def read_json(data: bytes) -> Any:  # noqa: ANN401 - whatever JSON gives
    """Read strict JSON of moderate depth.

    Raises:
        ValueError: it is none.
    """
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except RecursionError:
        value = None
        depth = _DEEPEST + 1
    else:
        # Few values have so many brackets, and only these are looked at.
        depth = _depth(value) if data.count(b"[") + data.count(b"{") > _DEEPEST else 0
    if depth > _DEEPEST:
        message = "it is nested too deeply"
        raise ValueError(message)
    return value


def _depth(value: object) -> int:
    """Say how deeply a value is nested, level by level, as that may be deep."""
    depth, level = 0, [value]
    while level and depth <= _DEEPEST:
        inner: list[object] = []
        for one in level:
            if isinstance(one, list):
                inner += one
            elif isinstance(one, dict):
                inner += one.values()
        depth, level = depth + 1, inner
    return depth
