"""What differs between two runs, as values: whoever shows it needs to read nothing more."""

from dataclasses import dataclass
from pathlib import Path

from ..model import Value
from .cells import CellChange
from .contents import Place
from .metrics import Number
from .pictures import Pictures
from .record import File


@dataclass(frozen=True)
class Side:
    """One of the two runs; times in seconds, `started` since 1970."""

    id: str
    profile: str
    started: float
    state: str
    seconds: float
    exit_code: int | None


@dataclass(frozen=True)
class Change:
    """Something that differs, in words; None is where it is not there.

    In a verdict, `stage` is None for what is said of the whole run.
    """

    name: str
    old: str | None
    new: str | None
    stage: str | None = None


@dataclass(frozen=True)
class ParameterChange:
    """A parameter that differs, each value with where it came from; None has not got it."""

    stage: str
    name: str
    old: Value | None
    new: Value | None


@dataclass(frozen=True)
class CodeChange:
    """How the code of a stage differs: its cells, and modules of the project by their hashes.

    `left_out` has the numbers of the cells that were not run, of both runs, if these differ.
    """

    stage: str
    cells: tuple[CellChange, ...]
    modules: tuple[Change, ...] = ()
    left_out: tuple[tuple[int, ...], tuple[int, ...]] | None = None


@dataclass(frozen=True)
class InputChange:
    """A file that no stage wrote and that differs, and which stages read it; None: it is not read.

    `parameter` is empty for one that was seen to be read, and is not declared.
    """

    stages: tuple[str, ...]
    parameter: str
    old: File | None
    new: File | None


@dataclass(frozen=True)
class MetricChange:
    """A number that differs; `percent` is by how much of the old one, where that can be said."""

    stage: str
    name: str
    old: Number | None
    new: Number | None
    percent: float | None


@dataclass(frozen=True)
class FileSide:
    """What a stage wrote: its name in the build, its hash, and where it lies, if it still does."""

    name: str
    hash: str | None
    path: Path | None


@dataclass(frozen=True)
class OutputChange:
    """A file that differs; None is where no such file was written.

    `places` are the first ones in which the values do, `more` is the number of the others;
    `pictures` is there for two pictures; `note` says why no more is known than the hashes.
    """

    stage: str
    parameter: str
    old: FileSide | None
    new: FileSide | None
    places: tuple[Place, ...] = ()
    more: int = 0
    pictures: Pictures | None = None
    note: str | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        side = self.new or self.old
        return side.name if side else self.parameter


@dataclass(frozen=True)
class TimeChange:
    """The seconds of a stage, or of the whole run; None is where it did not run."""

    stage: str | None
    old: float | None
    new: float | None


@dataclass(frozen=True)
class Same:
    """Of `all` things of a kind that could be compared, `same` do not differ."""

    kind: str
    same: int
    all: int


@dataclass(frozen=True)
class Diff:
    """What differs between two runs; `notes` say what could not be compared, and why.

    `times` are all there are: that these differ is no difference.
    """

    old: Side
    new: Side
    verdict: tuple[Change, ...]
    parameters: tuple[ParameterChange, ...]
    code: tuple[CodeChange, ...]
    packages: tuple[Change, ...]
    inputs: tuple[InputChange, ...]
    metrics: tuple[MetricChange, ...]
    outputs: tuple[OutputChange, ...]
    times: tuple[TimeChange, ...]
    same: tuple[Same, ...]
    notes: tuple[str, ...] = ()

    @property
    def different(self) -> bool:
        """Whether more differs than times."""
        found = (self.verdict, self.parameters, self.code, self.packages)
        return any((*found, self.inputs, self.metrics, self.outputs))
