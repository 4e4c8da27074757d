"""What a build of the project has made already, found by what a stage is made from."""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..model import BuildKey, Planned, Reason, Stage
from ..project import CACHE, TEST_PROFILE
from ..runs import RUN_ID, Environment, Fingerprint, Made, Seen, kept, made_in
from ..system import append_line, is_folder, read_json, read_plain
from .freshness import Freshness

_FILE = "made.jsonl"
# Reasons of stages that are to run in any case: one that failed is tried again.
_ANYWAY = {"forced", "from_scratch", "unfinished"}
# What a kernel is told of its run: with that in its code, a stage is no other build's.
_OWN = re.compile(r"\bRUN_(PROFILE|STAGE|NOTEBOOK|ID|OUTPUTS)\b")
_POINT = re.compile(r"^variants/[^/]+/")


@dataclass(frozen=True)
class Source:
    """A stage that a run has made from the same; `files` are where its outputs are, with hashes.

    `executed` is its executed notebook, `seen` what else it was seen to use.
    """

    build: str
    run: str
    stage: str
    files: tuple[tuple[Path, str], ...]
    executed: Path
    seen: Seen | None


class Elsewhere:
    """An index of what all builds have made; the journals of their runs say whether it is true."""

    def __init__(self, freshness: Freshness) -> None:
        """Read nothing yet."""
        self._project = project = freshness.project
        self._freshness = freshness
        self._key = freshness.pipeline.key
        self._path = project.outputs / CACHE / _FILE
        self._runs: dict[Path, dict[str, tuple[Made, Environment]]] = {}

    def of_planned(self, planned: Planned) -> Source | None:
        """Find where a stage would be taken over from, if that is known before others run."""
        stage = self._freshness.pipeline.stages[planned.stage]
        open_yet = planned.before or any(one.kind == "upstream" for one in planned.reasons)
        if open_yet or not planned.reasons or not self.may_take(stage, planned.reasons):
            return None
        return self.find(stage, self._freshness.of_stage(stage))

    def may_take(self, stage: Stage, reasons: tuple[Reason, ...]) -> bool:
        """Tell whether a stage may be taken over: not in a test, nor if it is to run anyway."""
        anyway = any(reason.kind in _ANYWAY for reason in reasons)
        anyway |= self._project.always(stage.notebook.stage)
        return not anyway and self._key != BuildKey(TEST_PROFILE)

    def find(self, stage: Stage, basis: Fingerprint) -> Source | None:
        """Find a run that has made a stage from the same, and whose outputs are still there."""
        wanted = self._digest(stage, basis)
        for entry in reversed(self._index.get(wanted or "", ())):
            # What is not as it should be is made anew.
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                if (found := self._source(stage, basis, *entry)) is not None:
                    return found
        return None

    def add(self, stage: Stage, basis: Fingerprint, run: str) -> None:
        """Note that a run has made a stage; that this cannot be noted does not matter."""
        digest = self._digest(stage, basis)
        if digest is not None:
            line = {"made": digest, "build": self._key.folder, "run": run, "stage": stage.name}
            with contextlib.suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # A link is not followed.
                if is_folder(self._path.parent):
                    append_line(self._path, line, lasting=False)

    @cached_property
    def _index(self) -> dict[str, list[tuple[str, str, str]]]:
        found: dict[str, list[tuple[str, str, str]]] = {}
        with contextlib.suppress(OSError):
            for line in read_plain(self._path).splitlines():
                with contextlib.suppress(ValueError, LookupError, TypeError):
                    one = read_json(line)
                    entry = str(one["build"]), str(one["run"]), str(one["stage"])
                    found.setdefault(str(one["made"]), []).append(entry)
        return found

    def _digest(self, stage: Stage, basis: Fingerprint) -> str | None:
        """Give the name of all that a stage is made from; None if it is its build's alone."""
        own = any(_OWN.search(cell.source) for cell in stage.notebook.cells)
        if own or not stage.outputs or None in basis.inputs.values():
            return None
        return _digest(stage.name, basis, self._freshness.environment, self._key.folder)

    def _source(
        self, stage: Stage, basis: Fingerprint, build: str, run: str, name: str
    ) -> Source | None:
        key = BuildKey.of(build)
        if not RUN_ID.fullmatch(run) or "/" in build or build.startswith("."):
            return None
        folder = self._project.build(key) / "runs" / run
        if folder not in self._runs:
            self._runs[folder] = made_in(folder)
        made, environment = self._runs[folder][name]
        same = _digest(name, made.basis, environment, build) == self._digest(stage, basis)
        executed = folder / "notebooks" / f"{name}.ipynb"
        if not same or not executed.is_file() or not self._is_seen_alike(stage, made.seen):
            return None
        files = []
        for path, value in made.outputs.items():
            place = self._project.root / path
            if value is None or ".." in place.parts or not path.startswith(f"outputs/{build}/"):
                return None
            if self._freshness.hashes.of(place) != value:
                kept_at = kept.kept(self._project.build(key), run, value, path)
                if kept_at is None:
                    return None
                place = kept_at
            files.append((place, value))
        if len(files) != len(stage.outputs):
            return None
        seen = made.seen and replace(made.seen, perhaps=_outside(made.seen.perhaps))
        return Source(build, run, name, tuple(files), executed, seen)

    def _is_seen_alike(self, stage: Stage, seen: Seen | None) -> bool:
        """Tell whether what a stage was seen to use beside what it declares is the same here."""
        if seen is None:
            return True
        made = [*seen.writes, *seen.written, *seen.folders]
        others = any("__pycache__" not in name.split("/") for name in made)
        if others or seen.many or seen.doubted or seen.own:
            return False
        names = [*seen.reads, *seen.modules, *seen.absent]
        if seen.alone or seen.children:
            names += [*seen.perhaps, *seen.listed]
        if any(one.startswith("outputs/") for one in names):
            return False
        seen = replace(seen, perhaps=_outside(seen.perhaps), listed=_outside(seen.listed))
        return not self._freshness.reasons_seen(stage.name, seen)


def _outside(names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in names.items() if not name.startswith("outputs/")}


def _digest(stage: str, basis: Fingerprint, environment: Environment, build: str) -> str:
    """Hash a fingerprint, with names as they are in any build, at any point."""
    inside = f"outputs/{build}/"

    def plain(name: str) -> str:
        if not name.startswith(inside):
            return name
        return f"outputs/*/{_POINT.sub('', name.removeprefix(inside))}"

    def files() -> Iterator[Any]:
        for parameter, names in basis.paths.items():
            yield parameter, [[plain(name), basis.inputs.get(name)] for name in names]

    parts = [
        # In another folder its paths would mean other files.
        stage.partition("[")[0].rpartition("/")[0],
        [*basis.code.values()],
        dict(files()),
        basis.parameters,
        basis.modules,
        basis.kernel,
        environment.python,
        environment.packages,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
