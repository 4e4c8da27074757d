"""Compares two runs: what their records say, and what they keep."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from ..model import BuildKey, State
from ..project import Outline, Settings
from ..system import digest
from . import cells, contents, kept, pictures, store
from .differences import (
    Change,
    CodeChange,
    Diff,
    FileSide,
    InputChange,
    MetricChange,
    OutputChange,
    ParameterChange,
    Same,
    Side,
    TimeChange,
)
from .evidence import with_parents
from .metrics import Number, is_number
from .record import File, StageRecord, in_any_build

__all__ = ["Diff", "of"]

# So many places of one file are named; the others are counted.
_NAMED = 10
# Of a file that is not kept what stands is compared, if it is the same one and no larger.
_STANDING = 16 << 20
# The states of stages that did not run, since a run had made them.
_AS_BEFORE = {State.SKIPPED, State.TAKEN_OVER}


def of(known: Outline, old: store.Run, new: store.Run) -> Diff:
    """Compare two runs, as far as it is known what they did."""
    return _Comparison(_Told(known, old), _Told(known, new)).diff()


class _Stage(NamedTuple):
    """A stage as its run has it: `made` is what the run says of it that made it, if known."""

    record: StageRecord
    run: store.Run
    made: StageRecord | None


class _Made(NamedTuple):
    """A stage of both runs of which both say how it was made."""

    name: str
    old: StageRecord
    new: StageRecord
    old_run: store.Run
    new_run: store.Run


class _Told:
    """One of the two runs, with those that made what it has skipped."""

    def __init__(self, known: Outline, run: store.Run) -> None:
        self._root = known.root
        self.profile = run.folder.parents[1].name
        self._build = known.build(BuildKey(self.profile))
        self._makers: dict[str, store.Run | None] = {}
        self.run = run
        self.notes: list[str] = []
        self.stages = {stage.name: self._stage(stage) for stage in run.record.stages}

    @property
    def side(self) -> Side:
        run = self.run
        code = run.record.exit_code
        return Side(run.record.id, self.profile, run.started, run.state, run.seconds, code)

    @property
    def produced(self) -> set[str]:
        """The files that its stages wrote."""
        made = [one.made for one in self.stages.values() if one.made]
        names = [file.name for one in made for file in one.outputs]
        return {
            self.plain(name) for name in [*names, *(name for one in made for name in one.writes)]
        }

    def _stage(self, stage: StageRecord) -> _Stage:
        if stage.state != State.SKIPPED:
            # Of one that has not started no more is known than that.
            return _Stage(stage, self.run, stage if stage.notebook is not None else None)
        maker = self._maker(stage.made_by)
        made = None if maker is None else maker.record.stage(stage.was or stage.name)
        if maker is None or made is None:
            by = f"run {stage.made_by}, which made it," if stage.made_by else "the run that made it"
            self.notes.append(f"{stage.name}: {by} is gone: how it was made is not compared")
            return _Stage(stage, self.run, None)
        return _Stage(stage, maker, made)

    def _maker(self, run_id: str | None) -> store.Run | None:
        if run_id is None:
            return None
        if run_id not in self._makers:
            self._makers[run_id] = store.of_folder(self._build / "runs" / run_id)
        return self._makers[run_id]

    def plain(self, name: str) -> str:
        """Name a file as in any build."""
        return name.removeprefix(f"outputs/{self.profile}/")

    def file(self, run: store.Run, file: File) -> FileSide:
        """Say where a file lies that a run wrote: in the run's folder, or as it stands."""
        path = kept.kept(self._build, run.record.id, file.hash, file.name)
        # Anyone may have changed it since.
        path = path if path is not None and _is_still(path, file.hash) else None
        stands = self._root / file.name
        if path is None and _is_still(stands, file.hash):
            path = stands
        return FileSide(self.plain(file.name), file.hash, path)


def _is_still(path: Path, file_hash: str | None) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= _STANDING and digest(path) == file_hash
    except OSError:
        return False


class _Comparison:
    """Two runs, and how much of them is the same."""

    def __init__(self, old: _Told, new: _Told) -> None:
        self._old = old
        self._new = new
        self._notes = [*old.notes, *new.notes]
        self._same: list[Same] = []
        self._both = [name for name in old.stages if name in new.stages]
        self._made = [
            _Made(name, one.made, other.made, one.run, other.run)
            for name in self._both
            for one, other in [(old.stages[name], new.stages[name])]
            if one.made is not None and other.made is not None
        ]

    def diff(self) -> Diff:
        old, new = self._old.side, self._new.side
        verdict = tuple(self._verdict())
        self._same.append(Same("verdict", 0 if verdict else 1, 1))
        return Diff(
            old,
            new,
            verdict,
            tuple(self._parameters()),
            tuple(self._code()),
            tuple(self._packages()),
            tuple(self._inputs()),
            tuple(self._metrics()),
            tuple(self._outputs()),
            tuple(self._times()),
            tuple(one for one in self._same if one.all),
            tuple(self._notes),
        )

    def _count(self, kind: str, differ: int, of_all: int) -> None:
        self._same.append(Same(kind, of_all - differ, of_all))

    def _verdict(self) -> Iterator[Change]:
        old, new = self._old.side, self._new.side
        if old.state != new.state:
            yield Change("state", old.state, new.state)
        if old.exit_code != new.exit_code:
            yield Change("exit code", _text(old.exit_code), _text(new.exit_code))
        for name in dict.fromkeys([*self._old.stages, *self._new.stages]):
            one, other = (told.stages.get(name) for told in (self._old, self._new))
            states = [each and (each.record.state or "not started") for each in (one, other)]
            # What was up to date, or taken over, has succeeded before.
            alike = {State.SUCCEEDED if each in _AS_BEFORE else each for each in states}
            if len(alike) > 1:
                yield Change("state", states[0], states[1], name)
            whys = [each and _why(each.record) for each in (one, other)]
            if whys[0] != whys[1]:
                yield Change("error", whys[0], whys[1], name)

    def _parameters(self) -> Iterator[ParameterChange]:
        count = differ = 0
        for stage, one, other, *_ in self._made:
            old, new = one.parameters, other.parameters
            for name in dict.fromkeys([*old, *new]):
                before, after = old.get(name), new.get(name)
                count += 1
                # To a notebook 1 is neither True nor 1.0.
                if before and after:
                    value = in_any_build(before.value, self._old.profile)
                    if repr(value) == repr(in_any_build(after.value, self._new.profile)):
                        continue
                differ += 1
                yield ParameterChange(stage, name, before, after)
        self._count("parameters", differ, count)

    def _code(self) -> Iterator[CodeChange]:
        count = differ = 0
        for made in self._made:
            found = self._cells(made)
            modules = [
                Change(name, old, new)
                for name, old, new in _pairs(made.old.modules, made.new.modules)
                if old != new
            ]
            left_out = (made.old.left_out, made.new.left_out)
            count += found is not None
            if found or modules or left_out[0] != left_out[1]:
                differ += found is not None
                numbers = left_out if left_out[0] != left_out[1] else None
                yield CodeChange(made.name, found or (), tuple(modules), numbers)
        self._count("stages' code", differ, count)

    def _cells(self, made: _Made) -> tuple[cells.CellChange, ...] | None:
        """Compare the cells of a stage; None if they are not known."""
        if made.old_run.folder == made.new_run.folder:
            return ()
        found = []
        for run, stage in ((made.old_run, made.old), (made.new_run, made.new)):
            try:
                path = run.folder / "notebooks" / f"{stage.name}.ipynb"
                found.append(cells.of_notebook(path))
            except (OSError, ValueError):
                text = f"its executed notebook in run {run.record.id} cannot be read"
                self._notes.append(f"{made.name}: {text}: its cells are not compared")
                return None
        return cells.changes(found[0], found[1])

    def _packages(self) -> Iterator[Change]:
        old, new = self._old.run.record, self._new.run.record
        for told, record in ((self._old, old), (self._new, new)):
            if not record.packages:
                text = f"the packages of run {told.side.id} are not known"
                self._notes.append(text)
        if not (old.packages and new.packages):
            return
        found = [("Python", old.python, new.python), *_pairs(old.packages, new.packages)]
        differ = [Change(*each) for each in found if each[1] != each[2]]
        yield from differ
        self._count("packages", len(differ), len(found))

    def _inputs(self) -> Iterator[InputChange]:
        """Compare what comes from outside: the rest differs as what some stage wrote."""
        produced = self._old.produced | self._new.produced
        stages: dict[tuple[str, File | None, File | None], list[str]] = {}
        for name, one, other, *_ in self._made:
            # What was seen is known of a stage at its end.
            whole = _is_good(one) and _is_good(other)
            reads = [_seen(each.reads) if whole else [] for each in (one, other)]
            for parameter, old, new in self._files(
                [*one.inputs, *reads[0]], [*other.inputs, *reads[1]]
            ):
                sides = [(self._old, old), (self._new, new)]
                names = [told.plain(file.name) for told, file in sides if file]
                if any(each in produced for one_of in names for each in with_parents(one_of)):
                    continue
                stages.setdefault((parameter, old, new), []).append(name)
        differ = 0
        for (parameter, old, new), names in stages.items():
            if (old and old.hash) != (new and new.hash):
                differ += 1
                yield InputChange(tuple(names), parameter, old, new)
        self._count("inputs", differ, len(stages))

    def _files(
        self, old: Sequence[File], new: Sequence[File]
    ) -> Iterator[tuple[str, File | None, File | None]]:
        """Give the files that belong together, by their parameters, else by their own names."""
        for parameter in dict.fromkeys(one.parameter for one in (*old, *new)):
            before, after = (
                [one for one in side if one.parameter == parameter] for side in (old, new)
            )
            if parameter:
                for one, other in zip_longest(before, after):
                    yield parameter, one, other
                continue
            mine = {self._old.plain(one.name): one for one in before}
            theirs = {self._new.plain(one.name): one for one in after}
            for _, one, other in _pairs(mine, theirs):
                yield "", one, other

    def _metrics(self) -> Iterator[MetricChange]:
        count = differ = 0
        for name in self._both:
            one, other = self._old.stages[name].record, self._new.stages[name].record
            if not (_is_good(one) and _is_good(other)):
                continue
            for metric, old, new in _pairs(one.named_metrics, other.named_metrics):
                before, after = (each if is_number(each) else None for each in (old, new))
                count += 1
                if before is None or after is None or not _equal(before, after):
                    differ += 1
                    yield MetricChange(name, metric, before, after, _percent(before, after))
        self._count("metrics", differ, count)

    def _outputs(self) -> Iterator[OutputChange]:
        count = differ = 0
        for made in self._made:
            one, other = made.old, made.new
            if not (_is_good(one) and _is_good(other)):
                continue
            for parameter, old, new in self._files(
                [*one.outputs, *_seen(one.writes)], [*other.outputs, *_seen(other.writes)]
            ):
                count += 1
                if old and new and old.hash == new.hash:
                    continue
                before = None if old is None else self._old.file(made.old_run, old)
                after = None if new is None else self._new.file(made.new_run, new)
                if (found := _output(made.name, parameter, before, after)) is not None:
                    differ += 1
                    yield found
        self._count("outputs", differ, count)

    def _times(self) -> Iterator[TimeChange]:
        yield TimeChange(None, self._old.side.seconds, self._new.side.seconds)
        for name in dict.fromkeys([*self._old.stages, *self._new.stages]):
            one, other = (told.stages.get(name) for told in (self._old, self._new))
            # One that was skipped, or has not started, has no notebook.
            old, new = (
                each.record.seconds if each and each.record.notebook is not None else None
                for each in (one, other)
            )
            if old is not None or new is not None:
                yield TimeChange(name, old, new)


def _is_good(stage: StageRecord) -> bool:
    """Tell whether a stage has left what it was to leave."""
    left_early = stage.state == State.EXITED_EARLY and stage.error is None
    return left_early or stage.state == State.SUCCEEDED or stage.state in _AS_BEFORE


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _why(stage: StageRecord) -> str | None:
    """Say why a stage ended badly, and where, if it did."""
    if stage.error is None:
        return None
    return f"{stage.place}: {stage.error}" if stage.place else stage.error


def _pairs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Give each name with what two mappings have under it, or None."""
    for name in dict.fromkeys([*old, *new]):
        yield name, old.get(name), new.get(name)


def _seen(files: Mapping[str, str | None]) -> list[File]:
    """Give files that a stage was seen to use, and does not declare."""
    return [File("", name, file_hash) for name, file_hash in files.items()]


def _equal(old: Number, new: Number) -> bool:
    return contents.equal(old, new, Settings.tolerance)


def _percent(old: Number | None, new: Number | None) -> float | None:
    if old is None or new is None or old == 0:
        return None
    percent = 100 * (new - old) / abs(old)
    return percent if math.isfinite(percent) else None


def _output(
    stage: str, parameter: str, old: FileSide | None, new: FileSide | None
) -> OutputChange | None:
    """Say how two files differ whose hashes do; None if their values are the same."""
    change = OutputChange(stage, parameter, old, new)
    if old is None or new is None:
        return change
    if old.path is None or new.path is None:
        return replace(change, note=_unknown(parameter, old, new))
    try:
        if {Path(one.name).suffix.lower() for one in (old, new)} <= pictures.KINDS:
            found = pictures.compared(old.path, new.path)
            return None if found.share == 0 else replace(change, pictures=found)
        places = contents.differences(old.path, new.path, Settings.tolerance)
        named = tuple(islice(places, _NAMED))
        more = sum(1 for _ in places)
    except Exception as error:  # noqa: BLE001 - whatever a library makes of what was written
        said = [*str(error).splitlines(), type(error).__name__][0]
        return replace(change, note=f"it cannot be read: {said}")
    is_drawing = Path(new.name).suffix.lower() in contents.IMAGES
    if not named and is_drawing:
        return replace(change, note="its bytes differ")
    return replace(change, places=named, more=more) if named else None


def _unknown(parameter: str, old: FileSide, new: FileSide) -> str:
    if not parameter:
        return "not declared, so not kept: the hashes differ"
    missing = [word for word, side in (("old", old), ("new", new)) if side.path is None]
    which = "neither run keeps" if len(missing) > 1 else f"the {missing[0]} run does not keep"
    return f"{which} it: the hashes differ"
