"""The frozen values that everything speaks in: stages, jobs, results, events, their states."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import NamedTuple


class State(StrEnum):
    """How a run or a stage ended, or `running` while it has not."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    TAKEN_OVER = "taken_over"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    KERNEL_DIED = "kernel_died"
    EXITED_EARLY = "exited_early"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"
    LOST = "lost"

    @property
    def good(self) -> bool:
        """Whether what needs this stage can go on."""
        return self in {State.SUCCEEDED, State.SKIPPED, State.TAKEN_OVER}


LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
# papermill and nbclient leave out cells with this tag.
SKIP_CELL = "skip-execution"
# The tags that change how a cell runs: with one of them, what is wrong in it is no failure.
RUN_TAGS = ("raises-exception", SKIP_CELL)
# papermill's tag for the cell with the values of a profile.
INJECTED_CELL = "injected-parameters"
# The folder of a build's points.
VARIANTS = "variants"
# In the metadata of a cell that has run: the bytes that its kernel had then.
MEMORY = "runner-memory"


@dataclass(frozen=True)
class Cell:
    """A code cell of a source notebook that has something to run.

    `number` counts such cells from 1. `parameters` marks the cell that was understood as
    assignments, so that their values say all that it does.
    """

    id: str | None
    number: int
    source: str
    tags: tuple[str, ...] = ()
    parameters: bool = False

    @property
    def left_out(self) -> bool:
        """Whether it is not run."""
        return SKIP_CELL in self.tags

    @property
    def may_fail(self) -> bool:
        """Whether what is wrong in it is no failure."""
        return any(tag in RUN_TAGS for tag in self.tags)


@dataclass(frozen=True)
class Preload:
    """What a notebook imports before anything else, as statements.

    They can be carried out ahead of its kernel. `cold` is why they must not be: then its
    kernel starts by itself. `folder` is where that runs.
    """

    imports: tuple[str, ...] = ()
    cold: str | None = None
    folder: str = "."

    @property
    def wanted(self) -> "Wanted":
        """What a warm kernel is to be like."""
        return Wanted(self.imports, self.folder)


class Wanted(NamedTuple):
    """A kernel that has imported this, and runs there."""

    imports: tuple[str, ...]
    folder: str


@dataclass(frozen=True)
class Parameter:
    """An assignment in the parameters cell; `line` counts from 1 in that cell."""

    name: str
    default: object
    annotation: str | None
    line: int


@dataclass(frozen=True)
class SourceNotebook:
    """What a source notebook declares.

    `warm` is whether its kernel may be forked, `always` whether it is never up to date,
    `repairs` says what in its file is not as it should be, but understood, and `has_outputs`
    whether it was saved with what a run left in it.
    """

    stage: str
    path: Path
    label: str
    language: str
    kernel: str | None
    parameters: Mapping[str, Parameter]
    has_parameters_cell: bool
    cells: tuple[Cell, ...]
    warm: bool = True
    always: bool = False
    repairs: tuple[str, ...] = ()
    # To run it in Jupyter and save it is not to edit it.
    has_outputs: bool = field(default=False, compare=False)

    @property
    def folder(self) -> Path:
        """Where it runs, in Jupyter and here; its paths are relative to that."""
        return self.path.parent

    @property
    def kernel_to_use(self) -> str | None:
        """The installed kernel that it needs; a Python notebook runs on this interpreter."""
        return None if self.language == "python" else self.kernel


@dataclass(frozen=True)
class Value:
    """A parameter's value after all layers, and the layer that it came from."""

    value: object
    origin: str


@dataclass(frozen=True)
class Input:
    """A path that a stage reads.

    `path` is the local one; `source` is what the project says where `path` is not
    simply that (a package's file, a URL). `made_by` names the stage that writes it.
    """

    parameter: str
    path: Path
    source: str | None = None
    made_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Output:
    """A path that a stage writes."""

    parameter: str
    path: Path


@dataclass(frozen=True)
class Stage:
    """A notebook with the parameters of one profile, at one point if it has axes there.

    `injected` holds the values that differ from the notebook's own, as the notebook
    is to see them. `point` has the values of all its axes, by `stage.parameter`, and
    `label` is what that point is called.
    """

    name: str
    notebook: SourceNotebook
    values: Mapping[str, Value]
    injected: Mapping[str, object]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    point: Mapping[str, object] = field(default_factory=dict)
    label: str = ""

    @property
    def folder(self) -> PurePosixPath:
        """Where in the build its outputs stand."""
        return PurePosixPath(VARIANTS, self.label) if self.label else PurePosixPath()

    @property
    def executed(self) -> PurePosixPath:
        """Where in the build its executed notebook stands."""
        return self.folder / "notebooks" / f"{self.notebook.stage}.ipynb"

    @property
    def left_out(self) -> tuple[int, ...]:
        """The numbers of the cells that are not run."""
        return tuple(cell.number for cell in self.notebook.cells if cell.left_out)


class BuildKey(NamedTuple):
    """The name of a build: a profile, and which variant of it, if it is one."""

    profile: str
    variant: str | None = None

    @property
    def folder(self) -> str:
        """The name of its folder below `outputs/`."""
        return self.profile if self.variant is None else f"{self.profile}+{self.variant}"

    @classmethod
    def of(cls, folder: str) -> "BuildKey":
        """Read the name of a folder."""
        profile, plus, variant = folder.partition("+")
        return cls(profile, variant) if plus and profile and variant else cls(folder)


@dataclass(frozen=True)
class Pipeline:
    """The stages of one build in the order in which they run, and what each needs.

    A notebook with axes is a stage for each of its points. `after` is what a stage only waits
    for: what it does not need, or not as far as is known. `axes` names the axes of the notebooks
    that have some; `listing` are stages that write the values of one, `coming` are notebooks
    whose points are known when these have run.
    """

    key: BuildKey
    stages: Mapping[str, Stage]
    needs: Mapping[str, frozenset[str]]
    after: Mapping[str, frozenset[str]] = field(default_factory=dict)
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    coming: tuple[str, ...] = ()
    listing: frozenset[str] = frozenset()

    @property
    def profile(self) -> str:
        """The profile whose values it has."""
        return self.key.profile

    @cached_property
    def points(self) -> Mapping[str, tuple[str, ...]]:
        """The stages of each notebook: one, or one for each point."""
        found: dict[str, list[str]] = {}
        for name, stage in self.stages.items():
            found.setdefault(stage.notebook.stage, []).append(name)
        return {notebook: tuple(names) for notebook, names in found.items()}

    @property
    def outputs(self) -> list[Path]:
        """The files and folders that all stages declare to write."""
        return [one.path for stage in self.stages.values() for one in stage.outputs]

    def declares(self, name: str) -> bool:
        """Tell whether a stage says what it reads or writes."""
        return bool(self.stages[name].inputs or self.stages[name].outputs)


@dataclass(frozen=True)
class Reason:
    """Why a stage must run: a word for programs, a text for people."""

    kind: str
    text: str


@dataclass(frozen=True)
class Planned:
    """What is to become of a stage.

    Without reasons it is skipped, unless one of the stages `before` it, which may run,
    writes something else than it did.
    """

    stage: str
    reasons: tuple[Reason, ...]
    before: tuple[str, ...] = ()

    @property
    def may_run(self) -> bool:
        """Whether it runs, as far as is known."""
        return bool(self.reasons or self.before)


@dataclass(frozen=True)
class Limits:
    """Bounds in seconds; None is no bound."""

    start: float = 60.0
    cell: float | None = None
    stage: float | None = None
    end: float = 60.0


@dataclass(frozen=True)
class Pace:
    """How often a busy cell is heard of, in seconds; None is never.

    After `heartbeat` a line says that it is alive; after `silence` one shows where it is.
    """

    heartbeat: float | None = 60.0
    silence: float | None = 600.0


@dataclass(frozen=True)
class Keep:
    """That the kernel of a stage is to be kept for some seconds if the stage raises an exception.

    `note` is the file that says so as long as it is.
    """

    seconds: float
    note: Path
    stage: str
    run: str
    profile: str

    @property
    def command(self) -> str:
        """What leads into the kernel."""
        return f"python run.py debug {quote(self.stage)} --profile {self.profile}"


@dataclass(frozen=True)
class Job:
    """Everything that is needed to run one stage, for an executor that may be elsewhere.

    `root` is the project's folder, `printed` the one for what is too long for the notebook;
    `environment` holds what the kernel has in its own beside the runner's;
    `left_out` are the numbers of cells that are not run;
    `secrets` are patterns of further environment variables that hold some. After a failure of
    the kernel or of I/O the stage is tried again, `retries` times; after a plain exception
    only if `retry_exceptions` says so. `keep` is for the kernel of the last attempt.
    """

    stage: str
    root: Path
    source: Path
    executed: Path
    printed: Path
    working_directory: Path
    parameters: Mapping[str, object]
    outputs: tuple[Path, ...]
    language: str
    kernel: str | None
    log_level: str
    limits: Limits = field(default_factory=Limits)
    pace: Pace = field(default_factory=Pace)
    secrets: tuple[str, ...] = ()
    retries: int = 0
    retry_exceptions: bool = False
    preload: Preload = field(default_factory=Preload)
    environment: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()
    keep: Keep | None = None


@dataclass(frozen=True)
class CellRef:
    """Where something happened: a code cell by its id, number and first line.

    `execution` is the number that Jupyter shows beside it, once it has been run.
    """

    id: str | None
    number: int
    cells: int
    line: str
    execution: int | None = None

    @property
    def place(self) -> str:
        """Say where it stands."""
        run = "" if self.execution is None else f", In [{self.execution}]"
        return f"cell {self.number} of {self.cells}{run}"

    def __str__(self) -> str:
        """Give the words for a message."""
        return f"{self.place} ({self.line})"


@dataclass(frozen=True)
class Usage:
    """What a stage's processes used: CPU seconds and peak memory in bytes.

    `oom_kills` counts what the system killed in our cgroup meanwhile, for want of memory,
    where there is such a count.
    """

    cpu_seconds: float | None = None
    peak_memory: int | None = None
    oom_kills: int | None = None


@dataclass(frozen=True)
class Trace:
    """What a stage was seen to do to files of the project, named relative to its root.

    Its kernel is the witness: `reads`, `writes`, `gone` (removed or renamed), `listed` folders,
    `folders` and `links` that were made, `modules` that were loaded, `moments` when files were
    first read and folders first listed, and folders of which too many files were opened to name
    them (`many_read`, `many_written`). `either` was opened for both. Hints come from the system,
    which does not say who it was: `perhaps_read`, `perhaps_written`, `perhaps_listed`, and of
    those that were written `doubted`, which may have been read before that, and written by
    anyone; `alone` says whether no other stage ran meanwhile, `children` whether the kernel
    started processes, or has a library that opens files by itself: the witness does not see into
    these.
    `witness` and `watched` are whether there was a witness, and whether hints could be had;
    unless `whole` something was missed.
    """

    reads: frozenset[str] = frozenset()
    moments: Mapping[str, float] = field(default_factory=dict)
    writes: frozenset[str] = frozenset()
    either: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    many_read: frozenset[str] = frozenset()
    many_written: frozenset[str] = frozenset()
    perhaps_read: frozenset[str] = frozenset()
    perhaps_written: frozenset[str] = frozenset()
    perhaps_listed: frozenset[str] = frozenset()
    doubted: frozenset[str] = frozenset()
    witness: bool = False
    watched: bool = False
    alone: bool = True
    whole: bool = True
    children: bool = True


@dataclass(frozen=True)
class Result:
    """Everything that happened when a stage ran.

    `error` is the exception's last line or another single line; `exit_status` is the
    kernel's, as a signal's name or a number, where the kernel ended by itself; `warm` is
    whether the kernel was forked from a process that had imported its packages.
    """

    stage: str
    state: State
    started: float
    seconds: float
    error: str | None = None
    cell: CellRef | None = None
    exit_status: str | None = None
    usage: Usage = field(default_factory=Usage)
    attempts: int = 1
    warm: bool | None = None
    trace: Trace | None = None

    @property
    def good(self) -> bool:
        """Whether what needs the stage can go on.

        A notebook that left early on purpose, with all its outputs written, is no failure.
        """
        return self.state.good or (self.state is State.EXITED_EARLY and self.error is None)


@dataclass(frozen=True)
class CellStarted:
    """A cell is about to run."""

    stage: str
    cell: CellRef


@dataclass(frozen=True)
class Line:
    """A line for the log, or several that belong together: when, from where, how important, what.

    `state` is what a stage has come to by it, for a sign on a terminal.
    """

    at: float
    level: int
    where: str
    text: str
    logger: str | None = None
    state: State | None = None


@dataclass(frozen=True)
class SecretSet:
    """A notebook has set a secret, which is to be hidden from now on."""

    stage: str
    value: str = field(repr=False)


Event = CellStarted | Line | SecretSet
