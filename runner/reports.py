"""Commands that tell what is there: the stages, the builds, the runs and their logs."""

import os
import sys
from collections.abc import Iterator, Sequence

from . import dotenv, drawing, project, runs, tasks
from .errors import Exit, UsageError
from .freshness import Freshness, Task
from .model import Planned
from .options import Options
from .project import Project
from .settings import Settings

_MOST = 20


def stages(loaded: Project, settings: Settings, chosen: Options) -> int:
    """Print the stages in order: what each reads and writes, and its parameters."""
    words = chosen.rest
    profiles_only("list", words, loaded)
    mask = dotenv.mask(loaded.root, os.environ, settings.secrets)
    names = words or [_usual_profile(loaded)]
    for name, found in tasks.bind(loaded, names, chosen.parameters).items():
        print(f"profile {name} ({loaded.label(loaded.profiles[name])}):")
        freshness = Freshness(loaded, found)
        for stage in freshness.pipeline.stages.values():
            always = "; it always runs" if loaded.always(stage.name) else ""
            print(f"\n  {stage.name}  ({stage.notebook.label}{always})")
            for one in stage.inputs:
                print(f"    reads   {one.source or loaded.label(one.path)}")
            for output in stage.outputs:
                print(f"    writes  {loaded.label(output.path)}")
            for line in _seen(freshness, stage.name):
                print(mask(f"    {line}"))
            for parameter, value in stage.values.items():
                if not parameter.startswith(("input_", "output_")):
                    origin = "" if value.origin == "notebook" else f"  ({value.origin})"
                    print(mask(f"    {parameter} = {value.value!r}{origin}"))
        print()
    print(f"profiles: {', '.join(loaded.profiles)}")
    if loaded.listing.left_out:
        print(loaded.listing.words)
    return Exit.OK


def graph(loaded: Project, settings: Settings, chosen: Options) -> int:  # noqa: ARG001 - as all
    """Print the graph of the stages."""
    words = chosen.rest
    profiles_only("graph", words, loaded)
    if len(words) > 1 or (chosen.has("mermaid") and chosen.has("dot")):
        message = "graph takes one profile, and one of --mermaid and --dot"
        raise UsageError(message)
    name = words[0] if words else _usual_profile(loaded)
    found = Freshness(loaded, tasks.bind(loaded, [name], chosen.parameters)[name]).pipeline
    needs = {stage: found.needs[stage] for stage in found.stages}
    if chosen.has("mermaid"):
        lines = drawing.mermaid(needs, found.after)
    elif chosen.has("dot"):
        lines = drawing.dot(needs, found.after)
    else:
        lines = drawing.tree(needs)
    for line in lines:
        print(line)
    return Exit.OK


def _usual_profile(loaded: Project) -> str:
    """Give the profile that is looked at where none is named: one that is built, and `test`."""

    def rank(name: str) -> tuple[bool, bool]:
        return not loaded.build(name).is_dir(), name != project.TEST_PROFILE

    return min(loaded.profiles, key=rank)


def _seen(freshness: Freshness, stage: str) -> Iterator[str]:
    """Write what a stage was seen to use in this build, and does not declare."""
    made = freshness.made.get(stage)
    if made is not None and made.seen is not None:
        used = (
            ("reads ", "seen", made.seen.reads),
            ("reads ", "perhaps", made.seen.perhaps),
            ("writes", "seen", made.seen.writes),
        )
        for word, how, names in used:
            yield from (f"{word}  {name}  ({how})" for name in list(names)[:_MOST])
            if len(names) > _MOST:
                yield f"{word}  and {len(names) - _MOST} more files  ({how})"


def plan_lines(task: Task, skipped: str) -> list[str]:
    """Write each stage and what becomes of it; `skipped` is said of one that is up to date."""
    width = max(len(planned.stage) for planned in task.planned)
    return [
        f"{planned.stage:<{width}}  {_fate(planned) if planned.may_run else skipped}"
        + ("" if planned.may_run or task.pipeline.declares(planned.stage) else " (seen)")
        for planned in task.planned
    ]


def _fate(planned: Planned) -> str:
    if planned.reasons:
        return f"run    {'; '.join(reason.text for reason in planned.reasons)}"
    return f"maybe  if {' or '.join(planned.before)} writes something else"


def profiles_only(command: str, words: Sequence[str], loaded: Project) -> None:
    """Refuse words that are no profiles.

    Raises:
        UsageError: there is one.
    """
    unknown = [word for word in words if word not in loaded.profiles]
    if unknown:
        hint = project.did_you_mean(unknown[0], loaded.profiles)
        message = f"{command} takes names of profiles; there is no profile `{unknown[0]}`{hint}"
        raise UsageError(message)


def _built(command: str, words: Sequence[str], loaded: Project) -> list[str]:
    """Give the profiles that were named, or all that have a build."""
    profiles_only(command, words, loaded)
    return [name for name in words or loaded.profiles if loaded.build(name).is_dir()]


def warn(text: str) -> None:
    """Tell of what is left out."""
    print(f"run.py: {text}", file=sys.stderr)


def history(loaded: Project, settings: Settings, chosen: Options) -> int:
    """Print the runs of builds, the oldest first, with what `-p` gave and their metrics."""
    mask = dotenv.mask(loaded.root, os.environ, settings.secrets)
    found = _built("history", chosen.rest, loaded)
    for name in found:
        print(f"{name}:")
        for run in reversed(list(runs.of_build(loaded.build(name), warn))):
            print(mask(f"  {runs.line(run)}"))
            for line in runs.given(run):
                print(mask(f"      {line}"))
    if not found:
        print("nothing has run yet")
    return Exit.OK
