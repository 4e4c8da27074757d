"""What can be imported ahead of the kernels of the stages to come."""

from collections.abc import Sequence
from itertools import islice, takewhile

from ..execution import preload
from ..model import Preload
from ..plan import request
from ..project import Project, Settings

# Imports of so many stages to come are looked at.
_IN_SIGHT = 50


class Ahead:
    """Knows which stages are still to run, and which of them may install packages."""

    def __init__(self, project: Project, settings: Settings, plan: request.BuildPlan) -> None:
        """Begin with all stages that may run."""
        self._project = project
        self._kernel = settings.kernel
        self._stages = plan.pipeline.stages
        self._coming = {planned.stage: None for planned in plan.planned if planned.may_run}
        notebooks = {name: self._stages[name].notebook for name in self._coming}
        self._installing = {name for name, one in notebooks.items() if preload.installs(one)}
        self._found: dict[str, Preload] = {}

    def of(self, stage: str) -> Preload:
        """Say what can be imported ahead of a stage's kernel."""
        if stage not in self._found:
            notebook = self._stages[stage].notebook
            kernel = self._kernel or notebook.kernel_to_use
            self._found[stage] = preload.of_notebook(notebook, kernel, self._project)
        return self._found[stage]

    def first(self) -> Preload | None:
        """Give what is to be imported first, if any stage gets a warm kernel."""
        return next((one for one in map(self.of, self._coming) if one.cold is None), None)

    def coming(self) -> Sequence[Preload]:
        """Give what the next stages import, up to one that waits for packages."""
        names = takewhile(lambda one: not self._installing - {one}, self._coming)
        return [self.of(one) for one in islice(names, _IN_SIGHT)]

    def again(self) -> Sequence[Preload]:
        """Give what may be needed if all is built once more: that of those that ran comes first."""
        ran = dict.fromkeys(self._found) | dict.fromkeys(self._stages)
        return [found for one in islice(ran, _IN_SIGHT) if (found := self.of(one)).cold is None]

    def started(self, stage: str) -> None:
        """Take note that a stage is not to come any more."""
        self._coming.pop(stage, None)

    def ended(self, stage: str) -> bool:
        """Take note of a stage's end; tell whether it may have installed something."""
        self.started(stage)
        installs = stage in self._installing
        self._installing.discard(stage)
        return installs
