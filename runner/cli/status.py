"""`status`: how builds and their runs stand, from any host that sees the files."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from ..errors import Exit, ProjectError, UsageError
from ..kernels import keeping
from ..model import BuildKey, State
from ..plan import request
from ..project import CACHE, Outline, Project, Variation, dotenv, layout
from ..runs import RUN_ID, VERSION, find, store
from ..words import clock_in_words, did_you_mean, state_in_words
from .commands import RESERVED
from .options import Options
from .shared import plan_lines, warn


def status(known: Outline, chosen: Options) -> int:
    """Print for each build what is running, else what is up to date, what not and why.

    Args:
        known: the project's names.
        chosen: profiles or runs' ids; none is every profile that has a build. And the options.

    Raises:
        UsageError: a word is neither.
        ProjectError: the project has mistakes; what runs is told before that.
    """
    words = chosen.rest
    asked = [find.with_id(known, word) for word in words if RUN_ID.fullmatch(word)]
    names = [word for word in words if not RUN_ID.fullmatch(word)]
    for name in names:
        if name not in known.profiles:
            hint = did_you_mean(name, known.profiles)
            message = f"status: `{name}` is no profile and no run's id{hint}"
            raise UsageError(message)
    if not words:
        names = [name for name in known.profiles if known.build(BuildKey(name)).is_dir()]
    past = {name: list(store.of_build(known.build(BuildKey(name)), warn)) for name in names}
    loaded, mistakes = _load(known.root, past)
    mask = dotenv.mask(known.root, os.environ, loaded.settings.secrets if loaded else ())
    newest = find.newest(known)
    kept = keeping.kept(known.outputs / CACHE)
    waited = {name: find.waited_for(known, newest, name) for name in names}
    builds = [
        _Build(name, past[name], waited[name], _plan(loaded, chosen, name, past[name]))
        for name in names
    ]
    if chosen.has("json"):
        told = [_of_run(run) for run in asked] + [one.details() for one in builds]
        about = {"version": VERSION, "builds": told, "kept": [_kept(one) for one in kept]}
        print(json.dumps(mask.texts(about), indent=2))
    else:
        lines = [line for run in asked for line in _run_lines(run)]
        lines += [line for one in builds for line in one.lines()]
        lines += [_kept_line(one) for one in kept]
        print(mask("\n".join(lines or ["nothing has run yet"])))
    if mistakes is not None:
        raise mistakes
    return Exit.OK


@dataclass(frozen=True)
class _Build:
    """How a build stands: its runs, the newest first, and what the next one would do."""

    name: str
    past: Sequence[store.Run]
    waits: store.Run | None
    planned: Sequence[request.BuildPlan]

    def lines(self) -> list[str]:
        lines = []
        if self.waits is not None:
            lines.append(f"waits for run {self.waits.folder.name} of the same command")
        if self.past and self.past[0].state == State.RUNNING:
            lines += store.under_way(self.past[0], store.durations(self.past))
        else:
            lines += [line for plan in self.planned for line in plan_lines(plan, "up to date")]
            lines += [f"newest run: {store.line(run)}{run.heard}" for run in self.past[:1]]
        return [f"{self.name}:", *(f"  {line}" for line in lines)]

    def details(self) -> dict[str, Any]:
        """Say it for programs."""
        stages = [
            {
                "name": one.stage,
                "up_to_date": not one.may_run,
                "reasons": [asdict(reason) for reason in one.reasons],
                "before": list(one.before),
            }
            for plan in self.planned
            for one in plan.planned
        ]
        newest = store.details(self.past[0]) if self.past else None
        waits = self.waits and self.waits.folder.name
        return {"profile": self.name, "run": newest, "plan": stages, "waits_for": waits}


def _kept_line(one: keeping.Kept) -> str:
    until = clock_in_words(one.until)
    where = f"python run.py debug {quote(one.stage)} --profile {one.profile}"
    what = f"kept until {until}: the kernel of {one.profile}-{one.stage}, run {one.run}"
    return f"{what}; {where}; python run.py stop ends it"


def _kept(one: keeping.Kept) -> dict[str, Any]:
    """Say it for programs; times are in seconds, as in records."""
    return {"stage": one.stage, "profile": one.profile, "run": one.run, "until": one.until}


def _of_run(run: store.Run) -> dict[str, Any]:
    return {"profile": run.record.profile, "run": store.details(run), "plan": []}


def _load(
    root: Path, builds: dict[str, list[store.Run]]
) -> tuple[Project | None, ProjectError | None]:
    """Read the project, if that is needed: not to tell what runs."""
    if all(past and past[0].state == State.RUNNING for past in builds.values()):
        return None, None
    try:
        return layout.load(root, RESERVED), None
    except ProjectError as error:
        return None, error


def _plan(
    loaded: Project | None, chosen: Options, name: str, past: Sequence[store.Run]
) -> list[request.BuildPlan]:
    """Say what the next run would do, if none is under way and it can be known."""
    running = bool(past) and past[0].state == State.RUNNING
    key, given, variation = BuildKey(name), chosen.parameters, Variation()
    if loaded is not None and name not in loaded.profiles:
        # A build beside a profile is what its newest run says.
        key = BuildKey.of(name)
        given = given or (past[0].record.parameters if past else ())
        variation = Variation(key.variant)
    if loaded is None or key.profile not in loaded.profiles or running:
        return []
    settings = replace(chosen.settings(loaded.settings), force=False)
    asked = request.read(loaded, settings, [key.profile], given, variation=variation)
    return list(asked.plans(anew=False))


def _run_lines(run: store.Run) -> list[str]:
    if run.state == State.RUNNING:
        return [f"{run.record.profile}:", *(f"  {text}" for text in store.under_way(run, {}))]
    lines = [f"{run.record.profile}:", f"  {store.line(run)}{run.heard}"]
    for stage in run.record.stages:
        state = state_in_words(stage.state or "not started")
        error = f": {stage.error}" if stage.error else ""
        lines.append(f"  {stage.name}  {state}{error}")
    return lines
