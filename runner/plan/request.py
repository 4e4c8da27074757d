"""From the words of a command line to what is to be done for each profile, and why."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..model import Pipeline, Reason, Stage
from ..project import Project, Selection, Settings, bind, other_builds, targets
from ..words import did_you_mean
from . import preflight
from .freshness import Freshness, Task
from .plan import plan


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
        for name in self.forced:
            if name not in needed:
                words = " ".join(self.words)
                message = f"--force={name}: `{words}` does not need {name}; make it a target, too"
                raise UsageError(message)
        return tuple(found)

    def _task(self, selection: Selection, before: Sequence[Task], *, anew: bool) -> Task:
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
        return Task(pipeline, freshness, planned, words, selection.whole, fresh, given)


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
    preflight.refuse_no_folders(project, list(named))
    stages = tuple(_forced(project, word) for word in forced)
    return Request(
        project, settings, selections, pipelines, tuple(words), tuple(parameters), stages
    )


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
