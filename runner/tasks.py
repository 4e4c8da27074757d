"""From the words of a command line to what is to be done for each profile, and why."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import foreign, graph, kernelspecs, packages, params, pipeline, preflight, tags, targets
from .errors import Problem, ProjectError, UsageError
from .freshness import Freshness, Task
from .model import Pipeline, Reason, Stage
from .options import Options
from .plan import plan
from .project import Project, did_you_mean
from .settings import Settings
from .targets import Selection


@dataclass(frozen=True)
class Request:
    """What is asked for, free of mistakes; nothing of the builds has been looked at."""

    project: Project
    settings: Settings
    options: Options
    selections: tuple[Selection, ...]
    pipelines: dict[str, Pipeline]

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

    def tasks(self, *, anew: bool = True) -> tuple[Task, ...]:
        """Look at the builds as they stand, and plan.

        To run the tasks, hold the builds' locks first.

        Args:
            anew: plan what always starts from nothing so.

        Raises:
            UsageError: a stage is to be forced that is not needed.
        """
        found: list[Task] = []
        for selection in self.selections:
            found.append(self._task(selection, found, anew=anew))
        needed = {one.stage for task in found for one in task.planned}
        for name in self.options.forced:
            if name not in needed:
                words = " ".join(self.options.words)
                message = f"--force={name}: `{words}` does not need {name}; make it a target, too"
                raise UsageError(message)
        return tuple(found)

    def _task(self, selection: Selection, before: Sequence[Task], *, anew: bool) -> Task:
        found = self.pipelines[selection.profile]
        freshness = Freshness(self.project, found)
        fresh = self._is_fresh(selection) and (anew or not selection.from_scratch)
        forced = {*self.options.forced, *(selection.named if self.settings.force else ())}
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
        words, given = self.options.words, self.options.parameters
        return Task(pipeline, freshness, planned, words, selection.whole, fresh, given)


def read(project: Project, settings: Settings, options: Options) -> Request:
    """Read the words and the parameters.

    Raises:
        UsageError: a word or an option says nothing possible.
        ProjectError: the project has mistakes.
    """
    selections = targets.select(options.words, project)
    named = {one.profile: one.named for one in selections}
    pipelines = bind(project, list(named), options.parameters, named)
    preflight.refuse_no_folders(project, list(named))
    forced = []
    for word in options.forced:
        name = project.stage(word)
        if name is None:
            hint = did_you_mean(word, project.notebooks)
            message = f"--force={word}: there is no stage `{word}`{hint}"
            raise UsageError(message)
        forced.append(name)
    options = replace(options, forced=tuple(forced))
    return Request(project, settings, options, selections, pipelines)


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
    settings = [params.read_override(text, project.notebooks) for text in overrides]
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
    problems += tags.lost(project)
    problems += kernelspecs.missing(project)
    if problems:
        raise ProjectError(problems)
    return {name: one for name, one in found.items() if one is not None}


def outputs(project: Project, profile: str) -> list[Path]:
    """Give the files and folders that the stages of a profile declare to write.

    Raises:
        ProjectError: the project has mistakes.
    """
    known = profile in project.profiles
    return bind(project, [profile])[profile].outputs if known else []


def refuse_missing_packages(project: Project, tasks: Iterable[Task]) -> None:
    """See that all is installed that the stages which may run surely import.

    Raises:
        ProjectError: something is not.
    """
    problems: list[Problem] = []
    for task in tasks:
        stages = task.pipeline.stages
        coming = [stages[one.stage].notebook for one in task.planned if one.may_run]
        problems += packages.missing(project, coming)
    if problems:
        raise ProjectError(problems)


def _made_by(found: Pipeline, named: Collection[str]) -> list[Path]:
    """Give the outputs of stages, and of those that they need."""
    names = graph.closure(named, found.needs)
    return [output.path for name in names for output in found.stages[name].outputs]


def _anew(stage: Stage, built: Collection[str]) -> Iterable[Reason]:
    """Say which builds a stage reads that the same command may change before."""
    for one in stage.inputs:
        if foreign.build_of(one.source) in built:
            yield Reason("upstream", f"{one.source} may be made anew before it")
