"""From the words of a command line to what is to be done for each profile, and why."""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..errors import Problem, ProjectError, UsageError
from ..model import BuildKey, Pipeline, Planned, Reason, Stage
from ..project import Project, Selection, Settings, bind, other_builds, targets
from ..system import kind
from ..words import did_you_mean
from .freshness import Freshness
from .plan import plan


@dataclass(frozen=True)
class BuildPlan:
    """What is to be done for one profile; `fresh` removes the old build first.

    `targets` and `parameters` are what the command line says.
    """

    pipeline: Pipeline
    freshness: Freshness
    planned: tuple[Planned, ...]
    targets: tuple[str, ...]
    whole: bool
    fresh: bool
    parameters: tuple[str, ...] = ()

    @property
    def profile(self) -> str:
        """The profile's name."""
        return self.pipeline.profile

    @property
    def key(self) -> BuildKey:
        """The name of the build."""
        return self.pipeline.key


@dataclass(frozen=True)
class Request:
    """What is asked for, free of mistakes; nothing of the builds has been looked at.

    `words`, `parameters` and `forced` are those of the command line: its targets, what `-p` sets,
    the stages that `--force=` names.
    """

    project: Project
    settings: Settings
    selections: tuple[Selection, ...]
    pipelines: dict[str, Pipeline]
    words: tuple[str, ...]
    parameters: tuple[str, ...]
    forced: tuple[str, ...]

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles to build, in this order."""
        return tuple(selection.profile for selection in self.selections)

    @property
    def from_scratch(self) -> bool:
        """Whether some of it is built from nothing, whatever is there."""
        return any(self._is_fresh(one) for one in self.selections)

    def _is_fresh(self, selection: Selection) -> bool:
        return selection.from_scratch or (self.settings.force and selection.whole)

    def plans(self, *, anew: bool = True) -> tuple[BuildPlan, ...]:
        """Look at the builds as they stand, and plan.

        To carry them out, hold the builds' locks first.

        Args:
            anew: plan what always starts from nothing so.

        Raises:
            UsageError: a stage is to be forced that is not needed.
        """
        found: list[BuildPlan] = []
        for selection in self.selections:
            found.append(self._plan(selection, found, anew=anew))
        needed = {each.stage for one in found for each in one.planned}
        for name in self.forced:
            if name not in needed:
                words = " ".join(self.words)
                message = f"--force={name}: `{words}` does not need {name}; make it a target, too"
                raise UsageError(message)
        return tuple(found)

    def _plan(self, selection: Selection, before: Sequence[BuildPlan], *, anew: bool) -> BuildPlan:
        found = self.pipelines[selection.profile]
        freshness = Freshness(self.project, found)
        fresh = self._is_fresh(selection) and (anew or not selection.from_scratch)
        forced = {*self.forced, *(selection.named if self.settings.force else ())}
        built = {one.profile for one in before if any(each.may_run for each in one.planned)}

        def look(name: str, unsettled: frozenset[str]) -> tuple[Reason, ...]:
            if fresh:
                return (Reason("from_scratch", "built from scratch"),)
            if name in forced:
                return (Reason("forced", "forced on the command line"),)
            if reasons := freshness.reasons(name, unsettled):
                return reasons
            if self.project.always(name):
                return (Reason("always", "it always runs"),)
            return tuple(_anew(found.stages[name], built))

        pipeline = freshness.pipeline
        planned = plan(pipeline, selection.named, look)
        words, given = self.words, self.parameters
        return BuildPlan(pipeline, freshness, planned, words, selection.whole, fresh, given)


def read(
    project: Project,
    settings: Settings,
    words: Sequence[str],
    parameters: Sequence[str] = (),
    forced: Sequence[str] = (),
) -> Request:
    """Read the words and the parameters.

    Raises:
        UsageError: a word or an option says nothing possible.
        ProjectError: the project has mistakes.
    """
    selections = targets.select(words, project)
    named = {one.profile: one.named for one in selections}
    pipelines = bind(project, list(named), parameters, named)
    _refuse_no_folders(project, list(named))
    stages = tuple(_forced(project, word) for word in forced)
    return Request(
        project, settings, selections, pipelines, tuple(words), tuple(parameters), stages
    )


def _refuse_no_folders(project: Project, profiles: Sequence[str]) -> None:
    """See that `outputs/` and the builds' folders can be made.

    Raises:
        ProjectError: something else is there.
    """
    places = (project.outputs, *(project.build(BuildKey(one)) for one in profiles))
    problems = [
        Problem(project.label(place), f"is {kind(place) or 'no folder'}; move it away")
        for place in places
        if os.path.lexists(place) and not place.is_dir()
    ]
    if problems:
        raise ProjectError(problems)


def _forced(project: Project, word: str) -> str:
    if (name := project.stage(word)) is None:
        hint = did_you_mean(word, project.notebooks)
        message = f"--force={word}: there is no stage `{word}`{hint}"
        raise UsageError(message)
    return name


def _anew(stage: Stage, built: Collection[str]) -> Iterable[Reason]:
    """Say which builds a stage reads that the same command may change before."""
    for one in stage.inputs:
        if other_builds.build_of(one.source) in built:
            yield Reason("upstream", f"{one.source} may be made anew before it")
