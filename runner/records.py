"""What the record of a run says: the events of its journal, and `run.json` made from them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .model import Planned, Result, Stage, State

VERSION = 1

Event = dict[str, Any]


def moment(seconds: float) -> str:
    """Write a time for the record: UTC, ISO 8601, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def planned_details(planned: Planned) -> Event:
    """Say of a stage in the plan why it runs; one without reasons is up to date."""
    return {"stage": planned.stage, "reasons": [asdict(reason) for reason in planned.reasons]}


def stage_details(stage: Stage, label: Mapping[Path, str], hashes: Mapping[Path, Any]) -> Event:
    """Say what a stage was made from.

    Args:
        stage: the stage.
        label: names of paths for the record, relative to the project where possible.
        hashes: of the notebook and the inputs.
    """
    return {
        "notebook": {"path": stage.notebook.label, "hash": hashes.get(stage.notebook.path)},
        "parameters": {
            name: {"value": _storable(value.value), "from": value.origin}
            for name, value in stage.values.items()
        },
        "inputs": [
            {
                "parameter": one.parameter,
                "path": label[one.path],
                **({"source": one.source} if one.source else {}),
                "hash": hashes.get(one.path),
            }
            for one in stage.inputs
        ],
    }


def _storable(value: object) -> object:
    """Give a default that JSON does not know (a tuple, a set) as Python writes it."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return repr(value)
    return value


def result_details(result: Result) -> Event:
    """Say how a stage ended."""
    return {
        "stage": result.stage,
        "state": result.state,
        "started": moment(result.started),
        "seconds": round(result.seconds, 3),
        "cpu_seconds": result.usage.cpu_seconds,
        "peak_memory": result.usage.peak_memory,
        "oom_kills": result.usage.oom_kills,
        "error": result.error,
        "cell": asdict(result.cell) if result.cell else None,
        "exit_status": result.exit_status,
    }


def _lost(stage: dict[str, Any]) -> dict[str, Any]:
    """End a stage whose runner vanished, if it had not ended."""
    ends = {State.RUNNING: State.LOST, None: State.CANCELLED}
    if stage["state"] not in ends:
        return stage
    return stage | {"state": ends[stage["state"]], "error": "the runner vanished"}


def summary(events: Iterable[Event]) -> dict[str, Any]:
    """Fold a journal into what `run.json` holds."""
    record: dict[str, Any] = {"version": VERSION, "id": None, "profile": None, "state": "running"}
    stages: dict[str, dict[str, Any]] = {}
    for event in events:
        details = {k: v for k, v in event.items() if k not in {"v", "at", "event", "stage"}}
        match event["event"]:
            case "run_started":
                record |= details | {"started": moment(event["at"])}
            case "facts":
                record |= details
            case "run_ended":
                record |= details | {"ended": moment(event["at"])}
            case "run_lost":
                record |= {"state": State.LOST, "ended": moment(event["at"])}
                stages = {name: _lost(stage) for name, stage in stages.items()}
            case "stage_planned":
                stages[event["stage"]] = {"name": event["stage"], "state": None} | details
            case "stage_started":
                stages[event["stage"]] |= {"state": State.RUNNING} | details
            case "cell_started":
                stages[event["stage"]]["cell"] = details["cell"]
            case "stage_ended":
                stages[event["stage"]] |= details
    record["stages"] = list(stages.values())
    return record
