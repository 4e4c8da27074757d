"""What the lines of a journal look like: anyone can write a file, so none is believed unseen."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .model import State

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


def _moment(value: object) -> bool:
    try:
        datetime.fromisoformat(value).timestamp()  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return False
    return True


def _state(value: object) -> bool:
    return value in [*State]


_TEXT_OR_NOT = (str, None)
_CELL = {"id": _TEXT_OR_NOT, "number": count, "line": str, "execution?": (count, None)}
_HASHES = {str: _TEXT_OR_NOT}
_STAGE = {
    "reasons?": [{"kind": str, "text": str}],
    "parameters?": {str: {"from": str}},
    "cell?": (_CELL, None),
    "error?": _TEXT_OR_NOT,
    "metrics?": dict,
    "seconds?": number,
    "started?": _moment,
}
_BASIS = {
    "code": _HASHES,
    "paths": {str: [str]},
    "parameters": dict,
    "inputs": _HASHES,
    "modules": _HASHES,
    "kernel": _TEXT_OR_NOT,
}
_SEEN = {
    **dict.fromkeys(("reads?", "writes?", "modules?", "perhaps?", "many?", "written?"), _HASHES),
    "absent?": [str],
    "entered?": [str],
    "doubted?": [str],
    "own?": [str],
    "listed?": {str: ([str], str)},
}
_END = {"state": _state, "seconds?": number, "exit_code": count}

BEAT = {"at": second, "host": str, "memory": count, "limit?": (count, None)}
EVENTS: dict[str, Shape] = {
    "run_started": {
        "id": str,
        "profile": str,
        "command": [str],
        "targets": [str],
        "jobs": count,
        "environment?": {"python?": str, "packages?": {str: str}},
        "then?": [str],
    },
    "facts": {"host?": str},
    "stage_planned": {"stage": str, **_STAGE},
    "stage_started": {"stage": str, "basis?": _BASIS, **_STAGE},
    "cell_started": {"stage": str, **_STAGE, "cell": _CELL},
    "stage_ended": {
        "stage": str,
        **_STAGE,
        "state": _state,
        "outputs?": [{"path": str, "hash": _TEXT_OR_NOT}],
        "seen?": _SEEN,
        "made_by?": str,
    },
    "run_ended": _END,
    "run_lost": {"beat?": (BEAT, None)},
}
RECORD = {
    "state": _state,
    "seconds?": number,
    "exit_code?": count,
    "id": str,
    "profile": _TEXT_OR_NOT,
    "started": _moment,
    "ended?": _moment,
    "stages": [{"name": str, "state": (_state, None), **_STAGE}],
    "then?": [str],
    "host?": str,
    "jobs?": count,
}


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
    return all(
        fits(value[key], one) if (key := name.rstrip("?")) in value else name != key
        for name, one in shape.items()
    )


def is_event(value: object, version: int) -> bool:
    """Tell whether a line of a journal is one that this version writes."""
    head = {"v": int, "at": second, "event": str}
    if not isinstance(value, dict) or not fits(value, head) or value["v"] != version:
        return False
    return fits(value, EVENTS.get(value["event"], {}))


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
