"""Notebooks that exist become stages: seen as they run, proposed, tried in a copy, then written."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..build import expected
from ..errors import UsageError
from ..execution import Executors
from ..project import layout
from ..system import copy_whole, write_whole
from ..words import counted, first_few
from . import existing, sample, traced
from .existing import notebook_of
from .proposal import BUILD, Note, Proposal, Sheet, propose
from .rewrite import Rewriter, Rewritten, diff

_PROFILES = {"params/test.yaml": "", "params/all.yaml": ""}
_KEPT = ".orig"
_TOLERANCE = 1e-9


@dataclass
class Adoption:
    """What is to be written: texts by the names of files, and what moves aside."""

    root: Path
    traced: traced.Traced
    proposal: Proposal
    cells: dict[str, Rewritten]
    files: dict[str, bytes] = field(default_factory=dict)
    aside: list[str] = field(default_factory=list)

    def adopted(self) -> list[Sheet]:
        """Give the notebooks that become stages that declare what they use."""
        return [one for one in self.proposal.sheets if one.frozen is None]

    def diffs(self) -> Iterator[str]:
        """Show for each notebook what becomes of it."""
        for sheet in self.proposal.sheets:
            new = self.cells[sheet.old.label].cells
            if self.changes(sheet):
                yield diff(sheet.old.cells, new, sheet.old.label, sheet.target)

    def changes(self, sheet: Sheet) -> bool:
        """Tell whether a notebook becomes another one, or lies elsewhere."""
        new = self.cells[sheet.old.label].cells
        return sheet.frozen is None and (new != sheet.old.cells or sheet.target != sheet.old.label)

    def notes(self) -> list[Note]:
        """Say what a person has to do."""
        return self.proposal.notes


@contextlib.contextmanager
def adopt(
    root: Path,
    words: Sequence[str],
    executors: Executors,
    tell: Callable[[str], None],
    rows: int | None = None,
) -> Iterator[Adoption]:
    """Find out what notebooks would be as stages; nothing of the project is changed.

    Args:
        root: the project.
        words: notebooks, or folders of some.
        executors: makes what runs them, once, in a copy of the project.
        tell: takes lines that say what is done.
        rows: so many rows of each table that is read become test data.

    Raises:
        UsageError: there are none, or one does not run.
    """
    found, left_out = existing.find(root, words)
    if left_out:
        tell(f"left out: {first_few(left_out, 10)}")
    if not found:
        message = "there is no notebook to adopt"
        raise UsageError(message)
    declared = [one.label for one in found if _declares(one)]
    if declared:
        tell(f"these are stages already, and stay as they are: {first_few(declared, 10)}")
        found = [one for one in found if one.label not in declared]
        if not found:
            message = "all of these are stages already"
            raise UsageError(message)
    found, script = existing.order(root, found)
    if script is not None:
        tell(f"the order is that of {script}")
    with tempfile.TemporaryDirectory(prefix="adopt-") as folder:
        seen = traced.trace(root, found, Path(folder), executors, tell)
        proposal = propose(root, found, seen)
        samples = sample.of(root, proposal, rows) if rows is not None else sample.Samples()
        proposal.notes += samples.notes
        cells = {
            one.old.label: Rewriter(root, one, samples.values.get(one.stage, {})).rewritten()
            for one in proposal.sheets
        }
        made = Adoption(root, seen, proposal, cells, dict(samples.files))
        _refuse_names(made)
        _plan(made, samples)
        yield made


def _refuse_names(made: Adoption) -> None:
    """Refuse notebooks that would be called as something else is.

    Raises:
        UsageError: one would.
    """
    known = layout.outline(made.root)
    taken = dict.fromkeys((*known.profiles, "test", "all"), "a profile")
    for sheet in made.adopted():
        if sheet.stage in taken:
            what = taken[sheet.stage]
            message = f"{sheet.old.label} would be the stage `{sheet.stage}`, as {what} is called; "
            message += "rename it, then adopt again"
            raise UsageError(message)
        taken[sheet.stage] = sheet.old.label


def _declares(one: existing.Existing) -> bool:
    tagged = [cell for cell in one.cells if "parameters" in cell["metadata"].get("tags", [])]
    return any(
        line.startswith(("input_", "output_")) and BUILD in line
        for cell in tagged
        for line in cell["source"].splitlines()
    )


def _plan(made: Adoption, samples: sample.Samples) -> None:
    """Put together the files that are to be written."""
    root = made.root
    for sheet in filter(made.changes, made.proposal.sheets):
        label, target = sheet.old.label, sheet.target
        if label != target and (root / target).exists():
            message = f"{label} would become {target}, which is there already; rename one"
            raise UsageError(message)
        if (root / f"{label}{_KEPT}").exists():
            message = f"{label}{_KEPT} is there already, from an earlier time; move it away"
            raise UsageError(message)
        made.files[target] = notebook_of(made.cells[label].cells, sheet.old.metadata).encode()
        made.aside.append(label)
    for name in _PROFILES:
        text = samples.profile if name == "params/all.yaml" else ""
        path = root / name
        if text and path.exists() and path.read_text("utf-8").strip():
            before = path.read_text("utf-8").rstrip("\n")
            taken = [one for one in samples.values if f"\n{one}:" in f"\n{before}"]
            if taken:
                what = f"has a section {taken[0]} already; write there:\n{text}"
                made.proposal.notes.append(Note(name, what))
                continue
            made.files[name] = f"{before}\n{text}".encode()
        elif text or not path.exists():
            made.files[name] = text.encode()
    if not (root / "outputs/.gitignore").exists():
        made.files["outputs/.gitignore"] = b"*\n!.gitignore\n"


def write(made: Adoption, folder: Path, *, keeps: bool = True) -> None:
    """Write what is proposed into the project, or into a copy of it.

    With `keeps` the originals stay as `.orig`, and are there before anything else is written.

    Raises:
        OSError: a file cannot be written; each is whole, and no original is lost.
    """
    for label in made.aside if keeps else ():
        copy_whole(made.root / label, folder / f"{label}{_KEPT}")
    for name, data in made.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, data)
    for label in made.aside:
        if label not in made.files:
            (folder / label).unlink()


@dataclass(frozen=True)
class Proof:
    """How the stages did in a copy of the project: what was built, and what differs."""

    log: str | None
    compared: int
    differences: tuple[str, ...]
    again: tuple[str, ...]

    @property
    def built(self) -> bool:
        """Whether all stages succeeded."""
        return self.log is None


def prove(made: Adoption, *, test: bool) -> Proof:
    """Build the stages from nothing in a copy of the project, and again; compare what they make.

    With `test` the test build is made, too.
    """
    copy = made.traced.copy.parent / "proof"
    traced.copy_project(made.root, copy)
    write(made, copy)
    for path in (copy / "notebooks").rglob("*.ipynb"):
        # A path into the project leads into the copy.
        text = path.read_text("utf-8")
        path.write_text(text.replace(str(made.root), str(copy)), "utf-8")
    shutil.copytree(
        Path(__file__).resolve().parent.parent,
        copy / "runner",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy2(made.root / "run.py", copy)
    for name in [*made.proposal.moved, *_written(made)]:
        # From nothing: what was made before is not there.
        with contextlib.suppress(OSError):
            (copy / name).unlink()
    for profile in ["all", *(["test"] if test else [])]:
        done = _run(copy, profile)
        if done.returncode:
            return Proof("\n".join((done.stdout + done.stderr).splitlines()[-12:]), 0, (), ())
    again = [
        line.split()[0]
        for line in _run(copy, "-n", "all").stdout.splitlines()[1:]
        if " skip " not in line
    ]
    pairs = [(old, new.replace(BUILD, "outputs/all")) for old, new in made.proposal.moved.items()]
    pairs += [(name, name) for name in _written(made) if name not in made.proposal.moved]
    files = [(one, other) for one, other in pairs if (made.traced.copy / one).is_file()]
    differences = [line for one, other in files for line in _differences(made, copy, one, other)]
    return Proof(None, len(files), tuple(differences), tuple(again))


def _written(made: Adoption) -> list[str]:
    """Give what stages write; a notebook that stays outside of `notebooks/` is none."""
    stages = [one for one in made.proposal.sheets if one.frozen is None or not one.moved]
    return sorted({name for one in stages for name in one.use.writes - one.use.updates})


def _run(copy: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RUN_")}
    return subprocess.run(  # noqa: S603 - the runner itself
        [sys.executable, str(copy / "run.py"), *words],
        cwd=copy,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _differences(made: Adoption, copy: Path, old: str, new: str) -> Iterator[str]:
    """Compare a file of the traced run with that of the build."""
    beside = made.traced.copy.parent / "compared"
    name = PurePosixPath(new).name
    for folder, source in (("one", made.traced.copy / old), ("other", copy / new)):
        (beside / folder).mkdir(parents=True, exist_ok=True)
        (beside / folder / name).unlink(missing_ok=True)
        if source.is_file():
            copy_whole(source, beside / folder / name)
    found = expected.compare(beside / "one", beside / "other", _TOLERANCE, [Path(name)])
    yield from (f"{new}: {str(one).removeprefix(name).lstrip(', ')}" for one in found)


def summary(made: Adoption) -> str:
    """Say in a line what the stages declare."""
    ports = [port for one in made.adopted() for port in one.ports.values()]
    inputs = sum(one.kind == "input" for one in ports)
    constants = sum(len(made.cells[one.old.label].constants) for one in made.adopted())
    return (
        f"{counted(len(made.adopted()), 'notebook')}: {counted(inputs, 'input')}, "
        f"{counted(len(ports) - inputs, 'output')}, {counted(constants, 'parameter')}"
    )
