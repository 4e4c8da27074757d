"""Stages with axes: what a notebook becomes at each point, its name, its place, what it reads."""

import hashlib
import itertools
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath
from typing import Generic, TypeVar

from ..errors import Problem, UsageError
from ..model import VARIANTS, BuildKey, Input, Output, Pipeline, SourceNotebook, Stage, Value
from ..words import did_you_mean
from .axes import Axis, canonical

# In bytes: a point's name, and what is added where it does not say all.
_LONGEST, _MARK = 80, 9
# So many points are named in a message.
_FEW = 20
_PLAIN = re.compile(r"[^\w.+-]+")
_NAME = re.compile(r"[\w.]+")
# What stands beside `input_NAME` and gets the points of what that gathers.
_AXES = "axes_"
_FILE = TypeVar("_FILE", Input, Output)

Makers = Callable[[Path], tuple[str, ...]]
# Which step of each axis of a stage, in the order of these.
_Point = tuple[int, ...]


@dataclass(frozen=True)
class Place(Generic[_FILE]):
    """A path that a stage reads or writes, and the text by which the notebook is told of it."""

    file: _FILE
    text: str

    def moved(self, path: Path, folder: Path) -> str:
        """Give the text for another path, in the same style, for a notebook in `folder`."""
        seen = str(path) if PurePath(self.text).is_absolute() else os.path.relpath(path, folder)
        return f"{seen}/" if self.text.endswith("/") else seen


@dataclass
class Draft:
    """A notebook with the parameters of a profile, its paths as they are without axes.

    `chosen` are the steps of its own axes.
    """

    notebook: SourceNotebook
    values: Mapping[str, Value]
    chosen: _Point = ()
    inputs: dict[str, list[Place[Input]]] = field(default_factory=dict)
    outputs: dict[str, list[Place[Output]]] = field(default_factory=dict)

    @property
    def input_files(self) -> Iterator[Input]:
        """What it reads."""
        return (place.file for places in self.inputs.values() for place in places)

    def find_makers(self, makers: Makers) -> None:
        """Note which stages write what it reads."""
        for name, places in self.inputs.items():
            self.inputs[name] = [
                replace(one, file=replace(one.file, made_by=makers(one.file.path)))
                for one in places
            ]

    def is_list(self, name: str) -> bool:
        """Tell whether a parameter is a list of paths."""
        return isinstance(self.values[name].value, list)

    def stage(self) -> Stage:
        """Give the stage that it is where nothing has axes."""
        return self.at(self.notebook.stage, {}, "", self.inputs, self.outputs, {})

    def at(  # noqa: PLR0913, PLR0917 - all that a stage consists of
        self,
        name: str,
        point: Mapping[str, object],
        label: str,
        inputs: Mapping[str, Sequence[Place[Input]]],
        outputs: Mapping[str, Sequence[Place[Output]]],
        gathered: Mapping[str, Value],
    ) -> Stage:
        """Give the stage that it is at a point, with what it reads and writes there."""
        values = {**self.values, **gathered}
        injected: dict[str, object] = {}
        for parameter, value in values.items():
            seen = value.value
            texts = [one.text for one in inputs.get(parameter, ())]
            texts += [one.text for one in outputs.get(parameter, ())]
            if isinstance(seen, list) and parameter.startswith(("input_", "output_")):
                seen = texts
            elif texts:
                seen = texts[0]
            # 1, 1.0 and true are equal, but not the same, in lists too.
            if repr(seen) != repr(self.notebook.parameters[parameter].default):
                injected[parameter] = seen
        return Stage(
            name,
            self.notebook,
            values,
            injected,
            tuple(one.file for places in inputs.values() for one in places),
            tuple(one.file for places in outputs.values() for one in places),
            point,
            label,
        )


@dataclass(frozen=True)
class Plan:
    """All notebooks of a build in the order in which they run, and their own axes."""

    key: BuildKey
    build: Path
    drafts: Mapping[str, Sequence[Draft]]
    axes: Mapping[str, Sequence[Axis]]
    needs: Mapping[str, Collection[str]]


def expanded(
    plan: Plan, problems: list[Problem], *, breadth: bool, most: int | None
) -> Pipeline | None:
    """Make of each notebook a stage for each of its points.

    Args:
        plan: the notebooks.
        problems: takes what is wrong.
        breadth: have all points of a notebook stand before those of the next; else each chain
            of stages is together, so that the first ends soon.
        most: how many stages there may be.

    Returns:
        The stages; None if something is wrong. Of axes that nothing is known of yet there are none.
    """
    work = _Expansion(plan, problems)
    count = work.count()
    if most is not None and count > most:
        where = next(axis.where for axis in work.axes)
        problems.append(Problem(where, f"this makes {count:,} stages; --yes says that it is meant"))
        return None
    for name in plan.drafts:
        work.expand(name)
    silent = any(not (one.inputs or one.outputs) for one in work.stages.values())
    order = list(work.stages) if breadth or silent else [*_chains(work.needs)]
    words = {
        name: tuple(work.axes[one].words for one in axes)
        for name, axes in work.axes_of.items()
        if axes
    }
    return Pipeline(
        plan.key,
        {name: work.stages[name] for name in order},
        {name: frozenset(work.needs[name]) for name in order},
        axes=words,
        coming=tuple(work.coming),
        listing=frozenset(work.listing),
    )


class _Expansion:
    """The stages that notebooks become, one notebook after the other."""

    def __init__(self, plan: Plan, problems: list[Problem]) -> None:
        self._plan = plan
        self._problems = problems
        self.axes = [axis for name in plan.drafts for axis in plan.axes[name]]
        self._own = {
            name: tuple(n for n, axis in enumerate(self.axes) if axis.stage == name)
            for name in plan.drafts
        }
        self.axes_of: dict[str, tuple[int, ...]] = {}
        self.coming: dict[str, None] = {}
        for name in plan.drafts:
            self.axes_of[name] = self._axes_of(name)
            pending = any(not self.axes[n].steps for n in self.axes_of[name])
            if pending or any(one in self.coming for one in plan.needs[name]):
                self.coming[name] = None
        count = Counter(name for axis in self.axes for name in axis.names)
        self._short = {name for name, times in count.items() if times == 1}
        self._labels: dict[tuple[tuple[int, ...], _Point], tuple[dict[str, object], str]] = {}
        self._points = plan.build / VARIANTS
        self._inside: dict[Path, PurePath] = {}
        self.stages: dict[str, Stage] = {}
        self.needs: dict[str, dict[str, None]] = {}

    def _axes_of(self, name: str) -> tuple[int, ...]:
        """Give the axes of a notebook: those of what it reads one path of, and its own."""
        found: set[int] = {*self._own[name]}
        for draft in self._plan.drafts[name]:
            for parameter, places in draft.inputs.items():
                if not draft.is_list(parameter):
                    makers = (maker for one in places for maker in one.file.made_by)
                    found.update(n for maker in makers for n in self.axes_of.get(maker, ()))
        return tuple(sorted(found))

    def count(self) -> int:
        """Say how many stages there will be."""
        total = 0
        for name, axes in self.axes_of.items():
            points = 1
            for one in axes:
                points *= len(self.axes[one].steps)
            total += points if name not in self.coming else 0
        return total

    def expand(self, name: str) -> None:
        """Make the stages of a notebook."""
        if name in self.coming:
            return
        axes, own = self.axes_of[name], self._own[name]
        drafts = {draft.chosen: draft for draft in self._plan.drafts[name]}
        for steps in itertools.product(*(range(len(self.axes[one].steps)) for one in axes)):
            point = dict(zip(axes, steps, strict=True))
            self._add(name, drafts[tuple(point[one] for one in own)], point)

    def _add(self, name: str, draft: Draft, point: Mapping[int, int]) -> None:
        values, label = self._point(tuple(point), tuple(point.values()))
        instance = f"{name}[{label}]" if label else name
        inputs: dict[str, list[Place[Input]]] = {}
        gathered: dict[str, Value] = {}
        for parameter, places in draft.inputs.items():
            found = [each for one in places for each in self._read(draft, one, point)]
            inputs[parameter] = [place for place, _ in found]
            beside = _AXES + parameter.removeprefix("input_")
            points = [values for _, values in found]
            if beside in draft.values and any(points):
                gathered[beside] = Value(points, "axes")
        outputs = {
            parameter: [self._written(draft, one, label) for one in places]
            for parameter, places in draft.outputs.items()
        }
        self.stages[instance] = draft.at(instance, values, label, inputs, outputs, gathered)
        makers = [m for places in inputs.values() for one in places for m in one.file.made_by]
        for one in self._own[name]:
            makers += self._makers.get(self.axes[one].file or "", ())
        self.needs[instance] = dict.fromkeys(one for one in makers if one != instance)

    @cached_property
    def _makers(self) -> dict[str, list[str]]:
        """The stages that write the values of axes, by the names of the files."""
        found: dict[str, list[str]] = {}
        for axis in self.axes:
            if axis.file is None or axis.file in found:
                continue
            path = self._plan.build / axis.file
            found[axis.file] = [
                name
                for name, drafts in self._plan.drafts.items()
                for places in drafts[0].outputs.values()
                if any(path.is_relative_to(place.file.path) for place in places)
            ]
            if any(self.axes_of[name] for name in found[axis.file]):
                what = f"{axis.file} is written at several points; it must be one file"
                self._problems.append(Problem(axis.where, what))
        return found

    @property
    def listing(self) -> Iterator[str]:
        """The stages that write the values of axes."""
        return (name for names in self._makers.values() for name in names if name in self.stages)

    def _read(
        self, draft: Draft, place: Place[Input], point: Mapping[int, int]
    ) -> Iterator[tuple[Place[Input], dict[str, object]]]:
        """Give the paths that one of a notebook stands for, each with the point gathered there."""
        makers = place.file.made_by
        kinds = {self.axes_of[maker] for maker in makers}
        if not any(kinds):
            yield place, {}
            return
        if len(kinds) > 1:
            both = " and ".join(makers)
            what = f"`{place.file.parameter}`: {both} write there, and have not the same axes"
            self._problems.append(Problem(draft.notebook.label, f"{what}; read them one by one"))
            return
        axes = kinds.pop()
        open_axes = [one for one in axes if one not in point]
        for steps in itertools.product(*(range(len(self.axes[one].steps)) for one in open_axes)):
            there = {**point, **dict(zip(open_axes, steps, strict=True))}
            _, label = self._point(axes, tuple(there[one] for one in axes))
            values, _ = self._point(tuple(open_axes), steps)
            path = self._moved(place.file.path, label)
            file = replace(
                place.file, path=path, made_by=tuple(f"{maker}[{label}]" for maker in makers)
            )
            text = place.moved(path, draft.notebook.folder)
            yield Place(file, text), {self._name(key): value for key, value in values.items()}

    def _written(self, draft: Draft, place: Place[Output], label: str) -> Place[Output]:
        if not label:
            return place
        path = self._moved(place.file.path, label)
        text = place.moved(path, draft.notebook.folder)
        return Place(replace(place.file, path=path), text)

    def _moved(self, path: Path, label: str) -> Path:
        if path not in self._inside:
            self._inside[path] = path.relative_to(self._plan.build)
        return self._points / label / self._inside[path]

    def _point(self, axes: tuple[int, ...], steps: _Point) -> tuple[dict[str, object], str]:
        """Give the values of a point by `stage.parameter`, and what it is called."""
        found = self._labels.get((axes, steps))
        if found is None:
            values: dict[str, object] = {}
            for axis, step in zip(axes, steps, strict=True):
                one = self.axes[axis]
                values |= {f"{one.stage}.{k}": v.value for k, v in one.steps[step].items()}
            label = _label({self._name(key): value for key, value in values.items()}, values)
            found = self._labels[axes, steps] = (values, label)
        return found

    def _name(self, key: str) -> str:
        """Give what a parameter of an axis is called in points: `degree`, if there is one."""
        short = key.rpartition(".")[2]
        return short if short in self._short else key


def _label(shown: Mapping[str, object], values: Mapping[str, object]) -> str:
    """Call a point by its values; where these do not say all, a part of their hash is added."""
    if not shown:
        return ""
    parts = [(_PLAIN.sub("_", name), *_text(name, value)) for name, value in shown.items()]
    label = ",".join(f"{name}={text}" for name, text, _ in parts)
    whole = all(is_whole for _, _, is_whole in parts)
    if whole and len(label.encode()) <= _LONGEST and all(map(_NAME.fullmatch, shown)):
        return label
    mark = hashlib.sha256(canonical(values).encode()).hexdigest()[: _MARK - 1]
    head = label.encode()[: _LONGEST - _MARK].decode(errors="ignore")
    return f"{head}~{mark}"


def _text(name: str, value: object) -> tuple[str, bool]:
    """Write a value as it can stand in a file's name, and say whether that tells it wholly."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value], True
    if isinstance(value, int | float):
        return repr(value), True
    if not isinstance(value, str):
        return _PLAIN.sub("_", canonical(value)), False
    if name.rpartition(".")[2].startswith("input_"):
        value = PurePosixPath(value).name or value
        return _PLAIN.sub("_", value), False
    return _PLAIN.sub("_", value), _says_itself(value)


def _says_itself(text: str) -> bool:
    if not text or _PLAIN.search(text) or text.lower() in {"true", "false", "null"}:
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def matching(stages: Mapping[str, Stage], words: str) -> list[str]:
    """Give the stages at points that words such as `degree=2,alpha=0.1` speak of.

    Raises:
        UsageError: none of them has such a point.
    """
    whole = [name for name, stage in stages.items() if stage.label == words]
    if whole:
        return whole
    wanted = wanted_by(words)
    found = [name for name, stage in stages.items() if is_at(stage.point, wanted) is True]
    if found:
        return found
    known = dict.fromkeys(key for stage in stages.values() for key in stage.point)
    if not known:
        message = f"[{words}]: {' and '.join(stages)} has no axes here"
        raise UsageError(message)
    for key in wanted:
        if not any(key in {one, one.rpartition(".")[2]} for one in known):
            short = [one.rpartition(".")[2] for one in known]
            message = f"[{words}]: there is no axis `{key}`{did_you_mean(key, short)}"
            raise UsageError(message)
    labels = [stage.label for stage in stages.values()]
    near = did_you_mean(words, labels) if len(labels) <= _FEW else ""
    message = f"[{words}]: there is no such point{near}"
    raise UsageError(message)


def wanted_by(words: str) -> dict[str, str]:
    """Read `degree=2,alpha=0.1`: the text of the value by the name of the axis."""
    return dict(one.strip().partition("=")[::2] for one in words.split(","))


def is_at(point: Mapping[str, object], wanted: Mapping[str, str]) -> bool | None:
    """Tell whether a point has these values; None where it has not all of these axes."""
    has_all = True
    for name, text in wanted.items():
        keys = [key for key in point if name in {key, key.rpartition(".")[2]}]
        if not keys:
            has_all = False
        elif not any(_is_value(key, point[key], text) for key in keys):
            return False
    return True if has_all else None


def _is_value(key: str, value: object, text: str) -> bool:
    if text in {str(value), _text(key, value)[0]}:
        return True
    try:
        return isinstance(value, int | float) and float(text) == value
    except ValueError:
        return False


def _chains(needs: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Order stages so that what the first of the last ones needs comes first, and so on."""
    needed = {one for each in needs.values() for one in each}
    told: set[str] = set()
    for last in (one for one in needs if one not in needed):
        todo = [(last, iter(needs[last]))]
        while todo:
            name, rest = todo[-1]
            below = next((one for one in rest if one not in told), None)
            if below is not None:
                todo.append((below, iter(needs[below])))
                continue
            todo.pop()
            if name not in told:
                told.add(name)
                yield name
