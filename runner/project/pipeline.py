"""From notebooks and parameters to stages: what each reads and writes, and the order."""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .. import graph
from ..errors import Problem
from ..model import BuildKey, Input, Output, Pipeline, SourceNotebook, Stage, Value
from ..words import did_you_mean
from . import lost_tags, notebooks, other_builds, parameters
from .layout import RESERVED_OUTPUTS, TEST_PROFILE, Project
from .sources import DOWNLOADS, SourceError, is_outside, locate

# In bytes, on common systems.
_LONGEST_PATH, _LONGEST_NAME = 3000, 255


def resolve(
    project: Project,
    profile: str,
    overrides: list[parameters.Setting],
    problems: list[Problem],
    coming: Collection[Path] = (),
) -> Pipeline | None:
    """Bind a profile's parameters to the stages and put these in order.

    Every mistake is added to `problems`; with one that leaves no order, the answer is
    None. `coming` are files of other builds that the same command makes before.
    """
    settings = parameters.read_profile(project.profiles[profile], problems) + overrides
    values = parameters.layered(project.notebooks, settings, problems, project.settings.secrets)
    stages = {
        name: _Binder(project, profile, one.folder, coming, problems).stage(one, values[name])
        for name, one in project.notebooks.items()
    }
    writers = _writers(project, stages, problems)
    stages = {
        name: replace(
            stage, inputs=tuple(replace(i, made_by=writers.of(i.path)) for i in stage.inputs)
        )
        for name, stage in stages.items()
    }
    problems += _missing(project, profile, stages)
    needs = _needs(stages)
    try:
        ordered = graph.order(needs)
    except graph.Cycle as cycle:
        path = " -> ".join(cycle.path)
        what = f"these stages need each other: {path}; let one of them read something else"
        problems.append(Problem(_edge(stages, cycle.path), what))
        return None
    return Pipeline(profile, {name: stages[name] for name in ordered}, needs)


@dataclass(frozen=True)
class _Binder:
    """Turns a notebook and its values into a stage of one profile; paths start in `folder`."""

    project: Project
    profile: str
    folder: Path
    coming: Collection[Path]
    problems: list[Problem]

    def stage(self, notebook: SourceNotebook, values: Mapping[str, Value]) -> Stage:
        inputs: list[Input] = []
        outputs: list[Output] = []
        injected: dict[str, object] = {}
        for name, value in values.items():
            where = _where(notebook, name, value)
            if not name.startswith(("input_", "output_")):
                self._refuse_hidden_path(name, value, where)
                seen = value.value
            elif name.startswith("input_"):
                found = [
                    self._input(name, text, value, where) for text in self._texts(value, where)
                ]
                inputs += [one for one, _ in found]
                seen = _same_shape(value.value, [text for _, text in found])
            else:
                made = [
                    self._output(name, text, value, where) for text in self._texts(value, where)
                ]
                outputs += [one for one, _ in made]
                seen = _same_shape(value.value, [text for _, text in made])
            default = notebook.parameters[name].default
            # 1, 1.0 and true are equal, but not the same, in lists too.
            if repr(seen) != repr(default):
                injected[name] = seen
        seen_here = notebooks.as_in(notebook, self.profile)
        return Stage(notebook.stage, seen_here, values, injected, tuple(inputs), tuple(outputs))

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
        path = self.project.build(BuildKey(self.profile)) / path.relative_to(test)
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
            wrong = other_builds.of_profile(self.project, self.profile, name, self._local(text))
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
                path = other_builds.locate(self.project, self.profile, text, self.coming)
                what = ""
        except SourceError as error:
            what = str(error)
        if what:
            self.problems.append(Problem(where, f"`{name}`: {what}"))
        return Input(name, path, source=text), self._relative(path)

    def _output(self, name: str, text: str, value: Value, where: str) -> tuple[Output, str]:
        build = self.project.build(BuildKey(self.profile))
        if is_outside(text) or other_builds.is_named(text):
            self.problems.append(Problem(where, f"`{name}`: an output is a local path"))
            return Output(name, build / name), text
        what = other_builds.of_default(self.project, name, self._local(text))
        if value.origin == "notebook" and what is not None:
            self.problems.append(Problem(where, what))
            return Output(name, build / name), text
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
        return Output(name, path), seen

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
                    what = other_builds.of_profile(self.project, self.profile, name, path) or what
                self.problems.append(Problem(where, what))


def _where(notebook: SourceNotebook, name: str, value: Value) -> str:
    if value.origin != "notebook":
        return value.origin
    return f"{notebook.label}, parameters, line {notebook.parameters[name].line}"


def _edge(stages: Mapping[str, Stage], path: tuple[str, ...]) -> str:
    """Name the parameter by which the second stage of a cycle needs the first."""
    reader = stages[path[1]]
    inputs = (one for one in reader.inputs if path[0] in one.made_by)
    one = next(inputs, None)
    return _place(reader, one.parameter) if one else reader.notebook.label


def _place(stage: Stage, name: str) -> str:
    return _where(stage.notebook, name, stage.values[name])


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


def _same_shape(value: object, texts: list[str]) -> object:
    if isinstance(value, list):
        return texts
    return texts[0] if texts else value


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


def _writers(project: Project, stages: Mapping[str, Stage], problems: list[Problem]) -> _Writers:
    """Index the outputs; refuse two that are, or lie in, the same path."""
    exact: dict[Path, str] = {}
    inside: dict[Path, dict[str, None]] = defaultdict(dict)
    outputs = [(stage, output) for stage in stages.values() for output in stage.outputs]
    for stage, output in outputs:
        other = exact.get(output.path)
        if other is not None:
            twice = "twice" if other == stage.name else f"by {other} and by {stage.name}"
            what = f"{project.label(output.path)} is written {twice}; give each output its own path"
            problems.append(Problem(_place(stage, output.parameter), what))
        exact[output.path] = stage.name
        for parent in output.path.parents:
            if parent == project.outputs:
                break
            inside[parent][stage.name] = None
    for stage, output in outputs:
        around = next((p for p in output.path.parents if p in exact), None)
        if around is not None:
            what = (
                f"{project.label(output.path)} lies in {project.label(around)}, an output "
                f"of {exact[around]}; give each output its own path"
            )
            problems.append(Problem(_place(stage, output.parameter), what))
    return _Writers(exact, {path: tuple(names) for path, names in inside.items()})


def _missing(project: Project, profile: str, stages: Mapping[str, Stage]) -> Iterator[Problem]:
    build = project.build(BuildKey(profile))
    unknown = False
    written = [project.label(o.path) for stage in stages.values() for o in stage.outputs]
    for stage in stages.values():
        # One that says nothing may write what those after it read.
        unknown |= not (stage.inputs or stage.outputs)
        for one in stage.inputs:
            name = project.label(one.path)
            where = _place(stage, one.parameter)
            if one.made_by == (stage.name,):
                what = f"{stage.name} reads {name}, which it writes itself; use two paths"
                yield Problem(where, what)
            elif stage.name in one.made_by:
                what = f"{stage.name} reads {name}, in which it writes itself; use two folders"
                yield Problem(where, what)
            elif one.made_by or (one.source or "").startswith("http") or one.path.exists():
                continue
            elif one.path.is_relative_to(build):
                likely = lost_tags.likely_writer(project, stage.notebook, one.path.name)
                hint = likely or did_you_mean(name, written)
                yield Problem(where, f"{one.parameter}: no stage writes {name}{hint}")
            elif one.source is None and not unknown:
                what = f"{one.parameter}: {name} is missing; put it there or correct the path"
                yield Problem(where, what)


def _needs(stages: Mapping[str, Stage]) -> dict[str, frozenset[str]]:
    """Say what each stage must come after, by what it declares."""
    return {
        name: frozenset(maker for one in stage.inputs for maker in one.made_by) - {name}
        for name, stage in stages.items()
    }
