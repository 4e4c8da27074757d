"""From the words of a command line to what is to be done for each profile, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import kernelspecs, params, pipeline, targets
from .build import Task
from .errors import Problem, ProjectError, UsageError
from .freshness import Freshness
from .model import Pipeline, Reason
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
        """
        return tuple(self._task(selection, anew=anew) for selection in self.selections)

    def _task(self, selection: Selection, *, anew: bool) -> Task:
        found = self.pipelines[selection.profile]
        freshness = Freshness(self.project, found)
        fresh = self._is_fresh(selection) and (anew or not selection.from_scratch)
        forced = {*self.options.forced, *(selection.named if self.settings.force else ())}
        look = _look(freshness, forced, fresh=fresh)
        planned = plan(freshness.pipeline, selection.named, look)
        return Task(
            freshness.pipeline, freshness, planned, self.options.words, selection.whole, fresh
        )


def read(project: Project, settings: Settings, options: Options) -> Request:
    """Read the words and the parameters.

    Raises:
        UsageError: a word or an option says nothing possible.
        ProjectError: the project has mistakes.
    """
    selections = targets.select(options.words, project)
    pipelines = bind(project, [one.profile for one in selections], options.parameters)
    for name in options.forced:
        if name not in project.notebooks:
            hint = did_you_mean(name, project.notebooks)
            message = f"--force={name}: there is no stage `{name}`{hint}"
            raise UsageError(message)
    return Request(project, settings, options, selections, pipelines)


def bind(
    project: Project, profiles: Sequence[str], overrides: Sequence[str] = ()
) -> dict[str, Pipeline]:
    """Bind the parameters of profiles to the stages, all mistakes at once.

    Raises:
        ProjectError: there are some.
        UsageError: an override cannot be read.
    """
    problems: list[Problem] = []
    settings = [params.read_override(text, project.notebooks) for text in overrides]
    found: dict[str, Pipeline | None] = {}
    for name in profiles:
        told = {problem.where for problem in problems if problem.where.startswith("notebooks/")}
        fresh: list[Problem] = []
        found[name] = pipeline.resolve(project, name, settings, fresh)
        # A mistake of a notebook's own is there in every profile.
        problems += [problem for problem in fresh if problem.where not in told]
    problems += kernelspecs.missing(project)
    if problems:
        raise ProjectError(problems)
    return {name: one for name, one in found.items() if one is not None}


def _look(
    freshness: Freshness, forced: set[str], *, fresh: bool
) -> Callable[[str, frozenset[str]], tuple[Reason, ...]]:
    def look(name: str, unsettled: frozenset[str]) -> tuple[Reason, ...]:
        if fresh:
            return (Reason("from_scratch", "built from scratch"),)
        if name in forced:
            return (Reason("forced", "forced on the command line"),)
        return freshness.reasons(name, unsettled)

    return look
