"""What the journals of a build's runs say: how each stage was last made."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from .basis import Basis, Environment
from .journal import read_journal, run_folders


@dataclass(frozen=True)
class Made:
    """How a stage was last made: in which run, from what, with what outputs."""

    run: str
    basis: Basis
    environment: Environment
    outputs: Mapping[str, str | None]


def last_made(build: Path, stages: Collection[str]) -> dict[str, Made]:
    """Find for each stage the run in which it last succeeded, if any.

    The newest run comes first; one that skipped a stage did not make it.
    """
    found: dict[str, Made] = {}
    missing = set(stages)
    for folder in reversed(run_folders(build)):
        if not missing:
            break
        made = _made_in(folder, missing)
        found |= made
        missing -= made.keys()
    return found


def _made_in(folder: Path, stages: Collection[str]) -> dict[str, Made]:
    environment = Environment("", {})
    bases: dict[str, Basis] = {}
    found: dict[str, Made] = {}
    for event in read_journal(folder / "journal.jsonl"):
        stage = str(event.get("stage"))
        try:
            if event["event"] == "run_started":
                environment = Environment(**event["environment"])
            elif event["event"] == "stage_started" and stage in stages:
                bases[stage] = Basis(**event["basis"])
            elif event["event"] == "stage_ended" and event.get("made") and stage in bases:
                outputs = {one["path"]: one["hash"] for one in event["outputs"]}
                found[stage] = Made(folder.name, bases[stage], environment, outputs)
        except (KeyError, TypeError):
            # Another version's journal; what it made is made again.
            continue
    return found
