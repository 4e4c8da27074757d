"""From notebooks and parameters to stages: what each reads and writes, and the order."""

import itertools
import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .. import graph
from ..errors import Problem
from ..model import BuildKey, Input, Output, Pipeline, SourceNotebook, Value
from ..system import read_json, read_plain, why
from ..words import did_you_mean
from . import axes, lost_tags, notebooks, other_builds, parameters, variants
from .layout import RESERVED_OUTPUTS, TEST_PROFILE, Project
from .sources import DOWNLOADS, SourceError, is_outside, locate
from .variants import Draft, Place

# In bytes, on common systems.
_LONGEST_PATH, _LONGEST_NAME = 3000, 255
_Found = TypeVar("_Found")


def resolve(  # noqa: PLR0913 - all that decides it
    project: Project,
    key: BuildKey,
    overrides: list[parameters.Setting],
    problems: list[Problem],
    coming: Collection[Path] = (),
    *,
    breadth: bool = False,
    most: int | None = axes.MOST,
    final: bool = False,
) -> Pipeline | None:
    """Bind a profile's parameters to the stages and put these in order.

    Every mistake is added to `problems`; with one that leaves no order, the answer is
    None. `coming` are files of other builds that the same command makes before. For the others
    see `binding.Variation`.
    """
    build = project.build(key)
    settings = parameters.read_profile(project.profiles, key.profile, problems) + overrides
    layers = parameters.layered(
        project.notebooks,
        settings,
        problems,
        secrets=project.settings.secrets,
        folder=project.root / "params",
        read=lambda name: _of_build(build / name),
        final=final,
    )
    drafts = {
        name: _drafts(_Binder(project, key, one.folder, coming, problems), one, layers)
        for name, one in project.notebooks.items()
    }
    writers = _writers(project, drafts, problems)
    for stage in drafts.values():
        for draft in stage:
            draft.find_makers(writers.of)
    problems += _missing(project, build, drafts)
    needs = _needs(drafts)
    for axis in itertools.chain(*layers.axes.values()):
        if axis.file is not None:
            makers = writers.of(build / axis.file)
            needs[axis.stage] |= {*makers}
            if not makers:
                what = f"no stage writes {project.label(build / axis.file)}"
                problems.append(Problem(axis.where, what))
    try:
        ordered = graph.order(needs)
    except graph.Cycle as cycle:
        path = " -> ".join(cycle.path)
        what = f"these stages need each other: {path}; let one of them read something else"
        problems.append(Problem(_edge(drafts, cycle.path), what))
        return None
    if not any(layers.axes.values()):
        stages = {name: drafts[name][0].stage() for name in ordered}
        return Pipeline(key, stages, {name: frozenset(needs[name]) for name in needs})
    return variants.expanded(
        variants.Plan(key, build, {name: drafts[name] for name in ordered}, layers.axes, needs),
        problems,
        breadth=breadth,
        most=most,
    )


def _drafts(
    binder: "_Binder", notebook: SourceNotebook, layers: parameters.Layers
) -> tuple[Draft, ...]:
    """Bind a notebook's parameters at each of its own points."""
    seen_here = notebooks.as_in(notebook, binder.key.profile)
    found = layers.axes[notebook.stage]
    choices = [range(len(axis.steps)) for axis in found]
    if not any(axis.steps for axis in found):
        # Without axes, or with some of which nothing is known.
        choices = []
    values = layers.values[notebook.stage]
    drafts = []
    for chosen in itertools.product(*choices):
        own = dict(values)
        for axis, step in zip(found, chosen, strict=False):
            own |= axis.steps[step]
        drafts.append(binder.draft(seen_here, own, chosen))
    return tuple(drafts)


def _of_build(path: Path) -> object:
    """Read the values of an axis that a stage writes."""
    try:
        return read_json(read_plain(path))
    except FileNotFoundError:
        raise axes.ComingError from None
    except (OSError, ValueError) as error:
        said = why(error) if isinstance(error, OSError) else "it is no JSON"
        message = f"{path.name} cannot be read: {said}"
        raise axes.AxisError(message) from None


@dataclass(frozen=True)
class _Binder:
    """Turns a notebook and its values into a draft for one build; paths start in `folder`."""

    project: Project
    key: BuildKey
    folder: Path
    coming: Collection[Path]
    problems: list[Problem]
    # What paths are, which are mostly the same at all points.
    known: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    @property
    def build(self) -> Path:
        return self.project.build(self.key)

    def draft(
        self, notebook: SourceNotebook, values: Mapping[str, Value], chosen: tuple[int, ...]
    ) -> Draft:
        draft = Draft(notebook, values, chosen)
        for name, value in values.items():
            where = _where(notebook, name, value)
            if name.startswith("input_"):
                draft.inputs[name] = [
                    Place(*self._once(self._input, name, text, value, where))
                    for text in self._texts(value, where)
                ]
            elif name.startswith("output_"):
                draft.outputs[name] = [
                    self._once(self._output, name, text, value, where)
                    for text in self._texts(value, where)
                ]
            else:
                self._refuse_hidden_path(name, value, where)
        return draft

    def _once(
        self,
        look: Callable[[str, str, Value, str], _Found],
        name: str,
        text: str,
        value: Value,
        where: str,
    ) -> _Found:
        key = name, text, value.origin
        if key not in self.known:
            self.known[key] = look(name, text, value, where)
        found: _Found = self.known[key]
        return found

    def _texts(self, value: Value, where: str) -> list[str]:
        """Give the paths that a value names: one, a list, or none for null."""
        items = value.value if isinstance(value.value, list) else [value.value]
        if value.value is None:
            return []
        texts = [item for item in items if isinstance(item, str) and item.strip()]
        if len(texts) != len(items):
            what = "an input or output is a path (a text) or a list of paths"
            self.problems.append(Problem(where, what))
            return []
        for text in (one for one in texts if not is_outside(one)):
            if (wrong := _no_path(text)) is not None:
                self.problems.append(Problem(where, wrong))
                return []
        return texts

    def _local(self, text: str) -> Path:
        return Path(os.path.normpath(self.folder / text))

    def _moved(self, text: str, value: Value) -> tuple[Path, str]:
        """Move a notebook's own path from the test build into this profile's."""
        path = self._local(text)
        test = self.project.build(BuildKey(TEST_PROFILE))
        if value.origin != "notebook" or not path.is_relative_to(test):
            return path, text
        path = self.build / path.relative_to(test)
        seen = str(path) if Path(text).is_absolute() else self._relative(path)
        return path, seen if not text.endswith("/") else f"{seen}/"

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self.folder)

    def _input(self, name: str, text: str, value: Value, where: str) -> tuple[Input, str]:
        if other_builds.is_named(text):
            return self._of_another_build(name, text, value, where)
        if is_outside(text):
            try:
                path = locate(text, self.project.outputs / DOWNLOADS)
            except SourceError as error:
                self.problems.append(Problem(where, str(error)))
                path = self.folder / "unknown"
            return Input(name, path, source=text), str(path)
        scheme = re.match(r"([a-z][a-z0-9+.-]*)://", text, re.IGNORECASE)
        if scheme or text.startswith("~"):
            hint = "a path from the notebook's folder, package:NAME/path or https://…#sha256=…"
            what = f"`{name}`: {text} is not understood; write {hint}"
            self.problems.append(Problem(where, what))
            return Input(name, self.folder, source=text), text
        if value.origin == "notebook":
            wrong = other_builds.of_default(self.project, name, self._local(text))
        else:
            wrong = other_builds.of_profile(self.project, self.key, name, self._local(text))
        if wrong is not None:
            self.problems.append(Problem(where, wrong))
            # It is not looked for, too.
            return Input(name, self.folder, source=text), text
        path, seen = self._moved(text, value)
        return Input(name, path), seen

    def _of_another_build(
        self, name: str, text: str, value: Value, where: str
    ) -> tuple[Input, str]:
        path = self.folder / "unknown"
        what = f"{text} would be no path in Jupyter; write it in a profile, not in the notebook"
        try:
            if value.origin != "notebook":
                path = other_builds.locate(self.project, self.key, text, self.coming)
                what = ""
        except SourceError as error:
            what = str(error)
        if what:
            self.problems.append(Problem(where, f"`{name}`: {what}"))
        return Input(name, path, source=text), self._relative(path)

    def _output(self, name: str, text: str, value: Value, where: str) -> Place[Output]:
        build = self.build
        if is_outside(text) or other_builds.is_named(text):
            self.problems.append(Problem(where, f"`{name}`: an output is a local path"))
            return Place(Output(name, build / name), text)
        what = other_builds.of_default(self.project, name, self._local(text))
        if value.origin == "notebook" and what is not None:
            self.problems.append(Problem(where, what))
            return Place(Output(name, build / name), text)
        path, seen = self._moved(text, value)
        folder = self.project.label(build)
        if not path.is_relative_to(build) or path == build:
            what = f"`{name}` must be a path in {folder}/, not {self.project.label(path)}"
            if path.is_relative_to(self.project.outputs) and value.origin != "notebook":
                what += "; leave it out to use the notebook's own path in this profile's build"
            self.problems.append(Problem(where, what))
        elif path.relative_to(build).parts[0] in RESERVED_OUTPUTS:
            taken = path.relative_to(build).parts[0]
            what = f"`{name}`: {folder}/{taken} is where the runner writes; choose another name"
            self.problems.append(Problem(where, what))
        return Place(Output(name, path), seen)

    def _refuse_hidden_path(self, name: str, value: Value, where: str) -> None:
        for item in _texts_in(value.value):
            if other_builds.build_of(item) in self.project.profiles:
                what = f"`{name}`: {item} is for inputs alone; call it `input_{name}`"
                self.problems.append(Problem(where, what))
            if "outputs" not in item or "\0" in item:
                continue
            if self._local(item).is_relative_to(self.project.outputs):
                what = (
                    f"`{name}` points into outputs/; call it `input_{name}` if the notebook "
                    f"reads it, `output_{name}` if it writes it"
                )
                if value.origin != "notebook":
                    path = self._local(item)
                    what = other_builds.of_profile(self.project, self.key, name, path) or what
                self.problems.append(Problem(where, what))


def _where(notebook: SourceNotebook, name: str, value: Value) -> str:
    if value.origin != "notebook":
        return value.origin
    return f"{notebook.label}, parameters, line {notebook.parameters[name].line}"


def _edge(drafts: Mapping[str, Sequence[Draft]], path: tuple[str, ...]) -> str:
    """Name the parameter by which the second stage of a cycle needs the first."""
    for draft in drafts[path[1]]:
        for name, places in draft.inputs.items():
            if any(path[0] in place.file.made_by for place in places):
                return _place(draft, name)
    return drafts[path[1]][0].notebook.label


def _place(draft: Draft, name: str) -> str:
    return _where(draft.notebook, name, draft.values[name])


def _no_path(text: str) -> str | None:
    """Say why the system can have no file of this name, if so."""
    try:
        data = os.fsencode(text)
    except UnicodeEncodeError:
        return f"{text!r} holds half a character, so it is no path"
    if b"\0" in data:
        return f"{text!r} holds a null character, so it is no path"
    if len(data) > _LONGEST_PATH or max(map(len, data.split(b"/"))) > _LONGEST_NAME:
        return f"{text[:40]}… is too long for a path"
    return None


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple | set | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(item)


@dataclass(frozen=True)
class _Writers:
    """Which stages write a path, or something in or around it."""

    exact: Mapping[Path, str]
    inside: Mapping[Path, tuple[str, ...]]

    def of(self, path: Path) -> tuple[str, ...]:
        for place in (path, *path.parents):
            if place in self.exact:
                return (self.exact[place],)
        return self.inside.get(path, ())


def _writers(
    project: Project, drafts: Mapping[str, Sequence[Draft]], problems: list[Problem]
) -> _Writers:
    """Index the outputs; refuse two that are, or lie in, the same path."""
    exact: dict[Path, str] = {}
    inside: dict[Path, dict[str, None]] = defaultdict(dict)
    # They are the same at all points of a stage.
    first = [(name, stage[0]) for name, stage in drafts.items()]
    outputs = [
        (name, draft, place.file)
        for name, draft in first
        for places in draft.outputs.values()
        for place in places
    ]
    for name, draft, output in outputs:
        other = exact.get(output.path)
        if other is not None:
            twice = "twice" if other == name else f"by {other} and by {name}"
            what = f"{project.label(output.path)} is written {twice}; give each output its own path"
            problems.append(Problem(_place(draft, output.parameter), what))
        exact[output.path] = name
        for parent in output.path.parents:
            if parent == project.outputs:
                break
            inside[parent][name] = None
    for _, draft, output in outputs:
        around = next((p for p in output.path.parents if p in exact), None)
        if around is not None:
            what = (
                f"{project.label(output.path)} lies in {project.label(around)}, an output "
                f"of {exact[around]}; give each output its own path"
            )
            problems.append(Problem(_place(draft, output.parameter), what))
    return _Writers(exact, {path: tuple(names) for path, names in inside.items()})


def _missing(
    project: Project, build: Path, drafts: Mapping[str, Sequence[Draft]]
) -> Iterator[Problem]:
    unknown = False
    written = [
        project.label(place.file.path)
        for stage in drafts.values()
        for places in stage[0].outputs.values()
        for place in places
    ]
    looked: set[Path] = set()
    for stage, draft in ((name, one) for name, each in drafts.items() for one in each):
        # One that says nothing may write what those after it read.
        unknown |= not (any(draft.inputs.values()) or any(draft.outputs.values()))
        for one in draft.input_files:
            name = project.label(one.path)
            where = _place(draft, one.parameter)
            if one.made_by == (stage,):
                what = f"{stage} reads {name}, which it writes itself; use two paths"
                yield Problem(where, what)
            elif stage in one.made_by:
                what = f"{stage} reads {name}, in which it writes itself; use two folders"
                yield Problem(where, what)
            elif one.made_by or (one.source or "").startswith("http") or one.path in looked:
                continue
            elif one.path.exists():
                looked.add(one.path)
            elif one.path.is_relative_to(build):
                likely = lost_tags.likely_writer(project, draft.notebook, one.path.name)
                hint = likely or did_you_mean(name, written)
                yield Problem(where, f"{one.parameter}: no stage writes {name}{hint}")
            elif one.source is None and not unknown:
                what = f"{one.parameter}: {name} is missing; put it there or correct the path"
                yield Problem(where, what)


def _needs(drafts: Mapping[str, Sequence[Draft]]) -> dict[str, set[str]]:
    """Say what each stage must come after, by what it declares."""
    return {
        name: {maker for draft in stage for one in draft.input_files for maker in one.made_by}
        - {name}
        for name, stage in drafts.items()
    }
