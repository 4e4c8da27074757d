"""Parameters of a profile bound to the stages: their values, and the files they read and write."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import graph
from ..errors import Problem, ProjectError
from ..model import BuildKey, Pipeline
from . import axes, kernelspecs, lost_tags, parameters, pipeline
from .layout import Project


@dataclass(frozen=True)
class Variation:
    """How stages with several points are made.

    `name` is that of builds of their own beside those of the profiles; for `breadth` and `most`
    see `variants.expanded`. With `final` what a stage has written must say the values of an axis;
    else it may be made again.
    """

    name: str | None = None
    breadth: bool = False
    most: int | None = axes.MOST
    final: bool = False


def bind(
    project: Project,
    profiles: Sequence[str],
    overrides: Sequence[str] = (),
    named: Mapping[str, Collection[str]] | None = None,
    variation: Variation = Variation(),
) -> dict[str, Pipeline]:
    """Bind the parameters of profiles to the stages, all mistakes at once.

    Args:
        project: the project.
        profiles: the profiles, in the order in which they are built, if they are.
        overrides: what `-p` sets; with several values for a parameter, builds of their own are
            meant.
        named: the notebooks to build of each; a later profile may read what they make.
        variation: how stages with several points are made.

    Raises:
        ProjectError: there are some.
        UsageError: an override cannot be read.
    """
    problems: list[Problem] = []
    settings = [parameters.read_override(text, project.notebooks) for text in overrides]
    variant = variation.name or _named_by(settings)
    found: dict[str, Pipeline | None] = {}
    coming: set[Path] = set()
    for name in profiles:
        told = {problem.where for problem in problems if problem.where.startswith("notebooks/")}
        fresh: list[Problem] = []
        key = BuildKey(name, variant)
        if variant is not None and key.folder in project.profiles:
            label = f"params/{project.profiles[key.folder].name}"
            what = f"has the name of the build {key.folder}; give another one with --name"
            fresh.append(Problem(label, what))
        found[name] = one = pipeline.resolve(
            project,
            key,
            settings,
            fresh,
            coming,
            breadth=variation.breadth,
            most=variation.most,
            final=variation.final,
        )
        if one is not None and named is not None:
            coming.update(_made_by(one, named[name]))
        # A mistake of a notebook's own is there in every profile.
        problems += [problem for problem in fresh if problem.where not in told]
    problems += lost_tags.lost(project)
    problems += kernelspecs.missing(project)
    if problems:
        raise ProjectError(problems)
    return {name: one for name, one in found.items() if one is not None}


def _named_by(settings: Sequence[parameters.Setting]) -> str | None:
    """Name a build by the parameters that the command line gives several values."""
    several = [one for one in settings if isinstance(one.value, axes.Each)]
    names = [one.stage.replace("/", "-") if one.name == axes.EACH else one.name for one in several]
    return "-".join(dict.fromkeys(names)) or None


def _made_by(found: Pipeline, named: Collection[str]) -> list[Path]:
    """Give the outputs of stages, and of those that they need."""
    stages = [stage for notebook in named for stage in found.points.get(notebook, ())]
    names = graph.closure(stages, found.needs)
    return [output.path for name in names for output in found.stages[name].outputs]
