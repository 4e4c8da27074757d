"""What a journal's lines and a record look like: none is believed unseen."""

from datetime import datetime

from ..model import State
from ..system import Shape, count, fits, number, second


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
_FILE = {"path?": str, "source?": str, "parameter?": str, "hash": _TEXT_OR_NOT}
_STAGE = {
    "reasons?": [{"kind": str, "text": str}],
    "needs?": [str],
    "parameters?": {str: {"from": str}},
    "notebook?": {"path?": str},
    "inputs?": [_FILE],
    "outputs?": [_FILE],
    "modules?": _HASHES,
    "left_out?": [count],
    "cpu_seconds?": (number, None),
    "peak_memory?": (count, None),
    "attempts?": count,
    "warm?": (bool, None),
    "exit_status?": _TEXT_OR_NOT,
    "made_by?": str,
    "was?": str,
    "point?": dict,
    "taken_from?": {"build": str, "run": str, "stage": str},
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
    "folders?": [str],
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
        "seen?": _SEEN,
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
    "number?": count,
    "command?": [str],
    "targets?": [str],
    "error?": _TEXT_OR_NOT,
    "python?": _TEXT_OR_NOT,
    "packages?": {str: str},
    "limits?": {"cpus?": (number, None), "memory?": (count, None)},
    "git?": ({"commit?": _TEXT_OR_NOT, "dirty?": bool}, None),
    "determinism?": dict,
    "disk_free?": (count, None),
    "stages": [
        {
            "name": str,
            "state": (_state, None),
            **_STAGE,
            "reads?": _HASHES,
            "writes?": _HASHES,
        }
    ],
    "then?": [str],
    "host?": str,
    "jobs?": count,
}


def is_event(value: object, version: int) -> bool:
    """Tell whether a line of a journal is one that this version writes."""
    head = {"v": int, "at": second, "event": str}
    if not isinstance(value, dict) or not fits(value, head) or value["v"] != version:
        return False
    return fits(value, EVENTS.get(value["event"], {}))
