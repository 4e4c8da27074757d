"""What the journals of a build's runs say: how each stage was last made."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..model import State
from .evidence import Environment, Fingerprint, Seen
from .journal import has_started, read_journal, run_folders


@dataclass(frozen=True)
class Made:
    """How a stage was last made: in which run, from what, with what outputs.

    `seen` is what else it was seen to use, where that is known; `since` how a later attempt to
    make it ended, if there was one; `was` its name then, if its notebook was renamed.
    """

    run: str
    basis: Fingerprint
    environment: Environment
    outputs: Mapping[str, str | None]
    seen: Seen | None = None
    since: str | None = None
    was: str | None = None


def last_made(build: Path, stages: Collection[str]) -> dict[str, Made]:
    """Find for each stage the run in which it last succeeded, if any.

    The newest run comes first; one that skipped a stage did not make it. While a stage is not
    found, others that are no stages any more are: it may be one of them, renamed.
    """
    found: dict[str, Made] = {}
    since: dict[str, str] = {}
    for folder in reversed(run_folders(build)):
        if found.keys() >= set(stages):
            break
        if not has_started(folder):
            # As after a command with nothing to do: it has made nothing.
            continue
        made, tried, _ = _of_run(folder)
        for name, one in made.items():
            found.setdefault(name, replace(one, since=since.get(name)))
        since = tried | since
    return found


def made_in(folder: Path) -> dict[str, tuple[Made, Environment]]:
    """Give what a run made, and in which environment."""
    made, _, environment = _of_run(folder)
    return {name: (one, environment) for name, one in made.items()}


def _of_run(folder: Path) -> tuple[dict[str, Made], dict[str, str], Environment]:
    """Give what a run made, how stages ended that it tried to make and did not, and where."""
    environment = Environment("", {})
    bases: dict[str, Fingerprint] = {}
    found: dict[str, Made] = {}
    tried: dict[str, str] = {}
    for event in read_journal(folder / "journal.jsonl"):
        stage = str(event.get("stage"))
        try:
            if event["event"] == "run_started":
                environment = Environment(**event["environment"])
            elif event["event"] == "stage_started":
                bases[stage] = Fingerprint(**event["basis"])
                tried[stage] = State.LOST
            elif event["event"] == "stage_ended" and not event.get("made") and stage in tried:
                tried[stage] = event["state"]
            elif event["event"] == "stage_ended" and stage in bases:
                del tried[stage]
                outputs = {one["path"]: one["hash"] for one in event["outputs"]}
                seen = Seen.of(event["seen"]) if event.get("seen") else None
                found[stage] = Made(folder.name, bases[stage], environment, outputs, seen)
        except (KeyError, TypeError):
            # Another version's journal; what it made is made again.
            continue
    return found, tried, environment
