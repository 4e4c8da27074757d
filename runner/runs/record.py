"""What the record of a run says: the events of its journal, and `run.json` made from them."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..model import Reason, Result, Stage, State, Value
from .evidence import Fingerprint

VERSION = 1

Event = dict[str, Any]


@dataclass(frozen=True)
class File:
    """A file or folder that a stage declares; `name` is relative to the project, or a source.

    `hash` is None for one that was not there.
    """

    parameter: str
    name: str
    hash: str | None


@dataclass(frozen=True)
class StageRecord:
    """What a record says of a stage; `state` is None before it has started.

    `cell` is the one in which it is, or ended badly; `metrics` are numbers by their names;
    `parameters` are values with where each came from; `point` has the values of its axes by
    `stage.parameter`, `taken_from` the build, the run and the stage whose outputs were copied;
    `reads` and `writes` are the files that it
    was seen to use and does not declare, with their hashes. `made_by` is the run that made what
    was skipped, `was` its name there if that was another one. Memory is in bytes.
    """

    name: str
    state: str | None
    began: float | None
    seconds: float | None
    error: str | None
    cell: Mapping[str, Any] | None
    metrics: Mapping[str, Any]
    reasons: tuple[Reason, ...] = ()
    parameters: Mapping[str, Value] = field(default_factory=dict)
    inputs: tuple[File, ...] = ()
    outputs: tuple[File, ...] = ()
    reads: Mapping[str, str | None] = field(default_factory=dict)
    writes: Mapping[str, str | None] = field(default_factory=dict)
    modules: Mapping[str, str | None] = field(default_factory=dict)
    notebook: str | None = None
    left_out: tuple[int, ...] = ()
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    attempts: int = 1
    warm: bool | None = None
    exit_status: str | None = None
    made_by: str | None = None
    needs: tuple[str, ...] = ()
    was: str | None = None
    point: Mapping[str, Any] = field(default_factory=dict)
    taken_from: Mapping[str, str] = field(default_factory=dict)

    @property
    def named_metrics(self) -> dict[str, Any]:
        """Its metrics, with the point in their names, since other points have the same."""
        at = self.name[self.name.find("[") :] if self.point else ""
        return {f"{name} {at}".rstrip(): value for name, value in self.metrics.items()}

    @property
    def place(self) -> str:
        """Name the cell, if there is one."""
        return f"cell {self.cell['number']} ({self.cell['line']})" if self.cell else ""


@dataclass(frozen=True)
class Record:
    """What a run says of itself; times in seconds since 1970.

    `then` are the folders of the runs with which its command goes on, `beat` is its last sign
    of life if it was lost; `facts` is what it says of its surroundings, such as the machine.
    """

    id: str
    profile: str | None
    state: str
    started: float
    ended: float | None
    seconds: float | None
    exit_code: int | None
    stages: tuple[StageRecord, ...]
    then: tuple[str, ...]
    parameters: tuple[str, ...]
    host: str | None
    jobs: int
    beat: object = None
    number: int | None = None
    command: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    error: str | None = None
    python: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def stage(self, name: str) -> StageRecord | None:
        """Give what it says of a stage, if it had that."""
        return next((one for one in self.stages if one.name == name), None)

    @property
    def metrics(self) -> dict[str, Any]:
        """The numbers that its stages wrote."""
        return {name: one for stage in self.stages for name, one in stage.named_metrics.items()}


# What is said of the surroundings.
_FACTS = ("platform", "interpreter", "limits", "disk_free", "git", "determinism", "portable")


def read(found: Mapping[str, Any]) -> Record:
    """Read what `summary` has made, and `shapes.RECORD` fits."""
    parameters = found.get("parameters")
    return Record(
        id=found["id"],
        profile=found["profile"],
        state=found["state"],
        started=_seconds(found["started"]),
        ended=_seconds(found["ended"]) if "ended" in found else None,
        seconds=found.get("seconds"),
        exit_code=found.get("exit_code"),
        stages=tuple(map(_stage, found["stages"])),
        then=tuple(found.get("then", ())),
        parameters=tuple(map(str, parameters)) if isinstance(parameters, list) else (),
        host=found.get("host"),
        jobs=found.get("jobs") or 1,
        beat=found.get("beat"),
        number=found.get("number"),
        command=tuple(found.get("command", ())),
        targets=tuple(found.get("targets", ())),
        error=found.get("error"),
        python=found.get("python"),
        packages=found.get("packages") or {},
        facts={name: found[name] for name in _FACTS if found.get(name) is not None},
    )


def _stage(found: Mapping[str, Any]) -> StageRecord:
    notebook = found.get("notebook") or {}
    return StageRecord(
        name=found["name"],
        state=found["state"],
        began=_seconds(found["started"]) if "started" in found else None,
        seconds=found.get("seconds"),
        error=found.get("error"),
        cell=found.get("cell"),
        metrics=found.get("metrics") or {},
        reasons=tuple(Reason(one["kind"], one["text"]) for one in found.get("reasons", ())),
        parameters={
            name: Value(one.get("value"), one["from"])
            for name, one in (found.get("parameters") or {}).items()
        },
        inputs=tuple(map(_file, found.get("inputs", ()))),
        outputs=tuple(map(_file, found.get("outputs", ()))),
        reads=found.get("reads") or {},
        writes=found.get("writes") or {},
        modules=found.get("modules") or {},
        notebook=notebook.get("path"),
        left_out=tuple(found.get("left_out", ())),
        cpu_seconds=found.get("cpu_seconds"),
        peak_memory=found.get("peak_memory"),
        attempts=found.get("attempts") or 1,
        warm=found.get("warm"),
        exit_status=found.get("exit_status"),
        made_by=found.get("made_by"),
        needs=tuple(found.get("needs", ())),
        was=found.get("was"),
        point=found.get("point") or {},
        taken_from=found.get("taken_from") or {},
    )


def _file(found: Mapping[str, Any]) -> File:
    return File(
        found.get("parameter", ""), found.get("path") or found.get("source", ""), found["hash"]
    )


def in_any_build(value: Any, profile: str | None) -> Any:  # noqa: ANN401 - what a parameter is
    """Give a parameter's value with paths as they are in any build, to compare two profiles."""
    if isinstance(value, str):
        inside = rf"(^|/)outputs/{re.escape(profile or '')}(?=/|$)"
        return re.sub(inside, r"\1outputs", value)
    return [in_any_build(one, profile) for one in value] if isinstance(value, list) else value


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def moment(seconds: float) -> str:
    """Write a time for the record: UTC, ISO 8601, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def storable(value: object) -> object:
    """Give a value that JSON does not keep as it is (a tuple, a set) as Python writes it."""
    try:
        kept = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return repr(value)
    return value if repr(kept) == repr(value) else repr(value)


def reasons_told(reasons: Iterable[Reason]) -> list[Event]:
    """Write reasons for the record."""
    return [asdict(reason) for reason in reasons]


def stage_details(
    stage: Stage, label: Callable[[Path], str], basis: Fingerprint, own: str
) -> Event:
    """Say what a stage was made from.

    Args:
        stage: the stage.
        label: names a path for the record, relative to the project where possible.
        basis: what it is made from.
        own: the hash of the source notebook.
    """
    return {
        "notebook": {"path": stage.notebook.label, "hash": own},
        "parameters": {
            name: {"value": storable(stage.injected.get(name, value.value)), "from": value.origin}
            for name, value in stage.values.items()
        },
        "inputs": [
            {
                "parameter": one.parameter,
                # Where a package lies is this machine's affair.
                **({"source": one.source} if one.source else {"path": label(one.path)}),
                "hash": basis.inputs[one.source or label(one.path)],
            }
            for one in stage.inputs
        ],
        "modules": basis.modules,
        **({"left_out": [*stage.left_out]} if stage.left_out else {}),
        "basis": asdict(basis),
    }


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
        "attempts": result.attempts,
        "warm": result.warm,
    }


def _ended(stage: dict[str, Any], running: State, why: str) -> dict[str, Any]:
    """End a stage with its run, if it had not ended; `running` is what one that ran ends as."""
    ends = {State.RUNNING: running, None: State.CANCELLED}
    if stage["state"] not in ends:
        return stage
    return stage | {"state": ends[stage["state"]], "error": why}


def _with_seen(details: Event) -> Event:
    """Have what a stage was seen to use stand beside what it declares."""
    seen = details.pop("seen", None)
    return details if seen is None else details | {"reads": {}, "writes": {}, "modules": {}} | seen


def summary(events: Iterable[Event]) -> dict[str, Any]:
    """Fold a journal into what `run.json` holds."""
    record: dict[str, Any] = {"version": VERSION, "id": None, "profile": None, "state": "running"}
    stages: dict[str, dict[str, Any]] = {}
    for event in events:
        details = {k: v for k, v in event.items() if k not in {"v", "at", "event", "stage"}}
        match event["event"]:
            case "run_started":
                details.pop("environment", None)
                record |= details | {"started": moment(event["at"])}
            case "facts":
                record |= details
            case "run_ended":
                record |= details | {"ended": moment(event["at"])}
                why = details.get("error") or "the run ended before it"
                stages = {k: _ended(one, State.CANCELLED, why) for k, one in stages.items()}
            case "run_lost":
                record |= details | {"state": State.LOST, "ended": moment(event["at"])}
                why = "the runner vanished"
                stages = {k: _ended(one, State.LOST, why) for k, one in stages.items()}
            case "stage_planned":
                stages[event["stage"]] = {"name": event["stage"], "state": None} | details
            case "stage_started":
                # For programs that compare; people find the same in the other entries.
                details.pop("basis", None)
                stages.setdefault(event["stage"], {"name": event["stage"], "state": None})
                began = {"state": State.RUNNING, "started": moment(event["at"])}
                stages[event["stage"]] |= began | details
            case "cell_started":
                stages.setdefault(event["stage"], {"name": event["stage"], "state": None})
                stages[event["stage"]]["cell"] = details.get("cell")
            case "stage_ended":
                stages.setdefault(event["stage"], {"name": event["stage"], "state": None})
                stages[event["stage"]] |= _with_seen(details)
    record["stages"] = list(stages.values())
    return record
