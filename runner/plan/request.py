"""From the words of a command line to what is to be done for each profile, and why."""

import os
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..errors import Problem, ProjectError, UsageError
from ..model import BuildKey, Pipeline, Planned, Reason, Stage
from ..project import (
    Project,
    Selection,
    Settings,
    Variation,
    bind,
    dotenv,
    other_builds,
    targets,
    variants,
)
from ..system import kind
from ..words import did_you_mean
from .freshness import Freshness
from .plan import plan


@dataclass(frozen=True)
class BuildPlan:
    """What is to be done for one build; `fresh` removes the old one first.

    `targets` and `parameters` are what the command line says. One that `is_part` makes what says
    the points of the others: then these are planned.
    """

    pipeline: Pipeline
    freshness: Freshness
    planned: tuple[Planned, ...]
    targets: tuple[str, ...]
    whole: bool
    fresh: bool
    parameters: tuple[str, ...] = ()
    is_part: bool = False

    @property
    def key(self) -> BuildKey:
        """The name of the build."""
        return self.pipeline.key


@dataclass(frozen=True)
class Choice:
    """Which points of stages are meant: those with the values of `where`, or a sample of them.

    A stage that needs others is left out.
    """

    where: tuple[str, ...] = ()
    sample: int | None = None
    seed: int = 0

    def __bool__(self) -> bool:
        """Whether not all are meant."""
        return bool(self.where) or self.sample is not None

    def of(self, pipeline: Pipeline, selection: Selection) -> list[str]:
        """Give the stages of the notebooks and points that are asked for.

        Raises:
            UsageError: there are none.
        """
        found: list[str] = []
        for notebook in selection.named:
            names = pipeline.points.get(notebook, ())
            stages = {name: pipeline.stages[name] for name in names}
            some = selection.points.get(notebook, ())
            chosen = {name for one in some for name in variants.matching(stages, one)}
            found += [name for name in names if not some or name in chosen]
        if not self:
            return found
        others = self._others(pipeline, found)
        left = [name for name in found if name not in others]
        if not left:
            words = f"--where {','.join(self.where)}" if self.where else f"--sample {self.sample}"
            axes = ", ".join(dict.fromkeys(one for each in pipeline.axes.values() for one in each))
            message = f"{words}: nothing of it is left; there are the axes {axes or '(none)'}"
            raise UsageError(message)
        return left

    def _others(self, pipeline: Pipeline, names: Sequence[str]) -> set[str]:
        """Give the stages at points that are not meant, and all that need one of these."""
        wanted = {
            name: one for each in self.where for name, one in variants.wanted_by(each).items()
        }
        known = {key for stage in pipeline.stages.values() for key in stage.point}
        shorts = {key.rpartition(".")[2] for key in known}
        for key, value in wanted.items():
            if key not in known | shorts or not value:
                hint = did_you_mean(key, sorted(shorts))
                message = f"--where {key}={value}: write AXIS=VALUE; there is no `{key}`{hint}"
                raise UsageError(message)
        others = {
            name
            for name, stage in pipeline.stages.items()
            if variants.is_at(stage.point, wanted) is False
        }
        if self.sample is not None:
            others |= self._not_in_sample(pipeline, [one for one in names if one not in others])
        found: set[str] = set()
        for name in pipeline.stages:
            if name in others or not found.isdisjoint(pipeline.needs[name]):
                found.add(name)
        return found

    def _not_in_sample(self, pipeline: Pipeline, names: Sequence[str]) -> set[str]:
        points = {
            repr(stage.point): stage.point
            for stage in map(pipeline.stages.__getitem__, names)
            if stage.point
        }
        needed = {
            repr(pipeline.stages[other].point)
            for name in names
            for other in pipeline.needs[name]
            if len(pipeline.stages[other].point) < len(pipeline.stages[name].point)
        }
        last = [point for text, point in points.items() if text not in needed]
        count = min(self.sample or 0, len(last))
        chosen = [point.items() for point in random.Random(self.seed).sample(last, count)]  # noqa: S311 - no secret
        return {
            name
            for name, stage in pipeline.stages.items()
            if stage.point and not any(stage.point.items() <= one for one in chosen)
        }


@dataclass(frozen=True)
class Request:
    """What is asked for, free of mistakes; nothing of the builds has been looked at.

    `words`, `parameters` and `forced` are those of the command line: its targets, what `-p` sets,
    the notebooks that `--force=` names; `choice` is which points are meant.
    """

    project: Project
    settings: Settings
    selections: tuple[Selection, ...]
    pipelines: dict[str, Pipeline]
    words: tuple[str, ...]
    parameters: tuple[str, ...]
    forced: tuple[str, ...]
    choice: Choice = Choice()
    variation: Variation = field(default_factory=Variation)

    @property
    def builds(self) -> tuple[BuildKey, ...]:
        """The builds to make, in this order."""
        return tuple(self.pipelines[selection.profile].key for selection in self.selections)

    @property
    def from_scratch(self) -> bool:
        """Whether some of it is built from nothing, whatever is there."""
        return any(self._is_fresh(one) for one in self.selections)

    def _is_fresh(self, selection: Selection) -> bool:
        if self.choice or self.pipelines[selection.profile].key.variant is not None:
            return self.settings.force and selection.whole and not self.choice
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
        needed = {
            one.pipeline.stages[each.stage].notebook.stage for one in found for each in one.planned
        }
        for name in self.forced:
            if name not in needed:
                words = " ".join(self.words)
                message = f"--force={name}: `{words}` does not need {name}; make it a target, too"
                raise UsageError(message)
        return tuple(found)

    def rest(self, part: BuildPlan) -> BuildPlan:
        """Plan what comes after a part, whose values are there now.

        Raises:
            ProjectError: they cannot be used.
        """
        profile = part.key.profile
        selection = next(one for one in self.selections if one.profile == profile)
        named = {profile: selection.named}
        variation = replace(self.variation, final=True)
        bound = bind(self.project, [profile], self.parameters, named, variation)
        again = replace(self, pipelines=self.pipelines | bound)
        return again._plan(selection, (), anew=True, done=part)  # noqa: SLF001 - it is one of us

    def _plan(
        self,
        selection: Selection,
        before: Sequence[BuildPlan],
        *,
        anew: bool,
        done: BuildPlan | None = None,
    ) -> BuildPlan:
        found = self.pipelines[selection.profile]
        freshness = Freshness(self.project, found)
        fresh = self._is_fresh(selection) and (anew or not selection.from_scratch)
        forced = {*self.forced, *(selection.named if self.settings.force else ())}
        built = {one.key.folder for one in before if any(each.may_run for each in one.planned)}

        made = {one.stage for one in done.planned} if done is not None else ()

        def look(name: str, unsettled: frozenset[str]) -> tuple[Reason, ...]:
            if name in made:
                return freshness.reasons(name, unsettled)
            if fresh:
                return (Reason("from_scratch", "built from scratch"),)
            if found.stages[name].notebook.stage in forced:
                return (Reason("forced", "forced on the command line"),)
            if reasons := freshness.reasons(name, unsettled):
                return reasons
            if self.project.always(found.stages[name].notebook.stage):
                return (Reason("always", "it always runs"),)
            return tuple(_anew(found.stages[name], built))

        pipeline = freshness.pipeline
        planned = plan(pipeline, self.choice.of(pipeline, selection), look)
        first = {one.stage for one in planned if one.stage in pipeline.listing and one.may_run}
        if not {*selection.named}.isdisjoint(pipeline.coming):
            first |= pipeline.listing
        first -= {*made}
        if first:
            planned = plan(pipeline, first, look)
        words, given = self.words, self.parameters
        whole = selection.whole and not self.choice and not first
        fresh = fresh and done is None
        return BuildPlan(pipeline, freshness, planned, words, whole, fresh, given, bool(first))


def read(  # noqa: PLR0913, PLR0917 - all that a command line says
    project: Project,
    settings: Settings,
    words: Sequence[str],
    parameters: Sequence[str] = (),
    forced: Sequence[str] = (),
    choice: Choice = Choice(),
    variation: Variation = Variation(),  # noqa: B008 - it is frozen
) -> Request:
    """Read the words and the parameters.

    Raises:
        UsageError: a word or an option says nothing possible.
        ProjectError: the project has mistakes.
    """
    selections = targets.select(words, project)
    named = {one.profile: one.named for one in selections}
    pipelines = bind(project, list(named), parameters, named, variation)
    _refuse_no_folders(project, [one.key for one in pipelines.values()])
    _refuse_secrets(project, pipelines.values())
    for selection in selections:
        # What is chosen must be there before anything is locked.
        choice.of(pipelines[selection.profile], selection)
    stages = tuple(_forced(project, word) for word in forced)
    return Request(
        project,
        settings,
        selections,
        pipelines,
        tuple(words),
        tuple(parameters),
        stages,
        choice,
        variation,
    )


def _refuse_no_folders(project: Project, keys: Sequence[BuildKey]) -> None:
    """See that `outputs/` and the builds' folders can be made.

    Raises:
        ProjectError: something else is there.
    """
    places = (project.outputs, *map(project.build, keys))
    problems = [
        Problem(project.label(place), f"is {kind(place) or 'no folder'}; move it away")
        for place in places
        if os.path.lexists(place) and not place.is_dir()
    ]
    if problems:
        raise ProjectError(problems)


def _refuse_secrets(project: Project, pipelines: Iterable[Pipeline]) -> None:
    """See that no secret would stand in the name of a folder.

    Raises:
        UsageError: one would.
    """
    mask = dotenv.mask(project.root, os.environ, project.settings.secrets)
    for pipeline in pipelines:
        for stage in pipeline.stages.values():
            if mask(stage.label) != stage.label:
                axes = " or ".join(pipeline.axes[stage.notebook.stage])
                message = f"a value of {axes} is a secret, and would stand in the name of a folder"
                message += "; have the notebook read it from its environment"
                raise UsageError(message)


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
