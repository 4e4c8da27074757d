"""Parameters of a profile bound to the stages: their values, and the files they read and write."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from .. import graph
from ..errors import Problem, ProjectError
from ..model import Pipeline
from . import kernelspecs, lost_tags, parameters, pipeline
from .layout import Project


def bind(
    project: Project,
    profiles: Sequence[str],
    overrides: Sequence[str] = (),
    named: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Pipeline]:
    """Bind the parameters of profiles to the stages, all mistakes at once.

    Args:
        project: the project.
        profiles: the profiles, in the order in which they are built, if they are.
        overrides: what `-p` sets.
        named: the stages to build of each; a later profile may read what they make.

    Raises:
        ProjectError: there are some.
        UsageError: an override cannot be read.
    """
    problems: list[Problem] = []
    settings = [parameters.read_override(text, project.notebooks) for text in overrides]
    found: dict[str, Pipeline | None] = {}
    coming: set[Path] = set()
    for name in profiles:
        told = {problem.where for problem in problems if problem.where.startswith("notebooks/")}
        fresh: list[Problem] = []
        found[name] = one = pipeline.resolve(project, name, settings, fresh, coming)
        if one is not None and named is not None:
            coming.update(_made_by(one, named[name]))
        # A mistake of a notebook's own is there in every profile.
        problems += [problem for problem in fresh if problem.where not in told]
    problems += lost_tags.lost(project)
    problems += kernelspecs.missing(project)
    if problems:
        raise ProjectError(problems)
    return {name: one for name, one in found.items() if one is not None}


def _made_by(found: Pipeline, named: Collection[str]) -> list[Path]:
    """Give the outputs of stages, and of those that they need."""
    names = graph.closure(named, found.needs)
    return [output.path for name in names for output in found.stages[name].outputs]
