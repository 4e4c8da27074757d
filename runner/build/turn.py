"""What the builds of one command share, what each of them is to do, and one that is at it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..console import Log
from ..execution import Executors
from ..plan import request
from ..project import Project, Settings
from ..runs import writer
from ..secrets import Mask
from ..stop import Stop
from .deadline import Deadline
from .notify import Notifier
from .progress import Progress

if TYPE_CHECKING:
    from ..kernels.warm import Warm


@dataclass(frozen=True)
class Command:
    """A command line that builds, and what its builds use alike."""

    project: Project
    settings: Settings
    words: tuple[str, ...]
    log: Log
    stop: Stop
    mask: Mask
    executors: Executors
    until: Deadline | None
    notifier: Notifier
    warm: "Warm | None"


@dataclass(frozen=True)
class Turn:
    """What one build of a command is to do.

    `then` are the folders of the runs with which the command goes on. The first build of a
    command also tells what there is to `remark` of the project, with levels of the log, and
    brings what all stages of the command need that lies elsewhere (`fetched`).
    """

    plan: request.BuildPlan
    run_id: str
    then: tuple[str, ...] = ()
    remarks: tuple[tuple[int, str], ...] = ()
    fetched: Collection[request.BuildPlan] = ()


@dataclass(frozen=True)
class Running:
    """One build that is under way: its record is being written, its progress is noted."""

    command: Command
    turn: Turn
    record: writer.RunWriter
    progress: Progress

    @property
    def project(self) -> Project:
        """The project whose stages run."""
        return self.command.project

    @property
    def log(self) -> Log:
        """Where all is told."""
        return self.command.log

    @property
    def plan(self) -> request.BuildPlan:
        """What is to be done."""
        return self.turn.plan

    @property
    def folder(self) -> Path:
        """The folder of the build."""
        return self.project.build(self.plan.key)
