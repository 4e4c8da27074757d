"""The layers of parameters: notebook default, `params/<profile>.yaml`, `-p`."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ruamel.yaml import MappingNode

from ..errors import Problem, UsageError
from ..model import SourceNotebook, Value
from ..secrets import looks_secret
from ..words import did_you_mean
from . import axes, plainyaml
from .axes import EACH, FROM, Axis, AxisError, Each, Step
from .literals import converted, describe, fits, unwritable
from .notebooks import PYTHON
from .plainyaml import at, is_null, name_of


@dataclass(frozen=True)
class Setting:
    """A value for a stage's parameter, and where it stands; no name: a stage's section begins.

    The value may be an axis; one of several parameters together has the name `each`.
    """

    stage: str
    name: str
    value: object
    where: str


def read_profile(
    profiles: Mapping[str, Path], name: str, problems: list[Problem], to: Sequence[str] = ()
) -> list[Setting]:
    """Read a profile as YAML 1.2, with the line of each value; keys may not repeat.

    Args:
        profiles: the files of all.
        name: the one to read; what it begins `from` is read before it.
        problems: takes what is wrong.
        to: the profiles that begin with this one, the last one first.
    """
    label = f"params/{profiles[name].name}"
    try:
        text = profiles[name].read_text(encoding="utf-8")
    except OSError as error:
        problems.append(Problem(label, f"cannot be read: {error.strerror}"))
        return []
    except UnicodeDecodeError:
        problems.append(Problem(label, "is not UTF-8; save it as UTF-8 in your editor"))
        return []
    root = plainyaml.compose(text, label, problems)
    if root is None or is_null(root):
        return []
    if not isinstance(root, MappingNode):
        problems.append(Problem(label, "must hold a section per stage: `stage:` and its values"))
        return []
    before: list[Setting] = []
    for key, node in root.value:
        if name_of(key) != FROM:
            continue
        other, where = str(name_of(node)), at(key, label)
        if other not in profiles:
            what = "`from` names the profile that this one begins with, such as `from: all`"
            problems.append(Problem(where, what + did_you_mean(other, profiles)))
        elif other in {name, *to}:
            way = " -> ".join([*reversed(to), name, other])
            problems.append(Problem(where, f"these profiles begin with each other: {way}"))
        else:
            before = read_profile(profiles, other, problems, (name, *to))
    return [*before, *_settings(root, label, problems)]


def _settings(root: MappingNode, label: str, problems: list[Problem]) -> Iterator[Setting]:
    for key, section in root.value:
        stage = name_of(key)
        if stage is None:
            problems.append(Problem(at(key, label), "the name of a stage must be a text"))
            continue
        if stage == FROM:
            continue
        yield Setting(stage, "", None, at(key, label))
        if is_null(section):
            continue
        if not isinstance(section, MappingNode):
            what = f"`{stage}` is a stage's section; write `name: value` lines below it"
            problems.append(Problem(at(key, label), what))
            continue
        for inner, node in section.value:
            name = name_of(inner)
            if name is None or name == "<<":
                what = "the name of a parameter must be a text"
                what = what if name is None else "`<<` is not understood here; write the values out"
                problems.append(Problem(at(inner, label), what))
                continue
            try:
                value = plainyaml.value_of(node)
            except ValueError as error:
                problems.append(Problem(at(inner, label), f"`{name}` cannot be read: {error}"))
                continue
            yield Setting(stage, name, axes.as_written(name, value), at(inner, label))


def read_override(text: str, stages: Mapping[str, SourceNotebook]) -> Setting:
    """Read `-p STAGE.NAME=VALUE`, the value as YAML, or as it stands where the default is a text.

    Raises:
        UsageError: it is not of that form.
    """
    target, equals, value = text.partition("=")
    stage, dot, name = target.rpartition(".")
    if not (equals and dot and stage and name):
        message = f"-p {text}: write -p STAGE.NAME=VALUE, such as -p features.degree=1"
        raise UsageError(message)
    if stage not in stages:
        message = f"-p {text}: there is no stage `{stage}`{did_you_mean(stage, stages)}"
        raise UsageError(message)
    where = f"-p {stage}.{name}"
    if value.startswith(axes.PREFIX):
        return Setting(stage, name, Each(value.removeprefix(axes.PREFIX), on_line=True), where)
    if value.startswith(f"text:{axes.PREFIX}"):
        return Setting(stage, name, value.removeprefix("text:"), where)
    parameter = stages[stage].parameters.get(name)
    if parameter is not None and isinstance(parameter.default, str):
        return Setting(stage, name, value, where)
    wrong: list[Problem] = []
    node = plainyaml.compose(value, "", wrong)
    try:
        found = None if node is None or wrong else plainyaml.value_of(node)
    except ValueError as error:
        wrong.append(Problem("", str(error)))
    if wrong:
        what = wrong[0].what.removeprefix("is not YAML: ")
        message = f"-p {text}: the value is not YAML ({what}); put it in quotes"
        raise UsageError(message)
    return Setting(stage, name, found, where)


@dataclass(frozen=True)
class Layers:
    """All parameters of all stages after all layers, and the axes of each stage.

    A parameter with several values has the first one in `values`.
    """

    values: Mapping[str, dict[str, Value]]
    axes: Mapping[str, list[Axis]]


def layered(  # noqa: PLR0913 - all that decides it
    stages: Mapping[str, SourceNotebook],
    settings: list[Setting],
    problems: list[Problem],
    *,
    secrets: Collection[str] = (),
    folder: Path,
    read: Callable[[str], object],
    final: bool,
) -> Layers:
    """Give every stage's parameters after all layers; later settings win.

    Args:
        stages: the notebooks.
        settings: what is set, the later ones last.
        problems: takes what is wrong.
        secrets: the patterns of the settings: `!NAME` is none, whatever it looks like.
        folder: where a CSV file of an axis stands.
        read: gives what a JSON file of the build holds.
        final: what such a file says of an axis must be right; else it may be made again.
    """
    values = {
        stage: {name: Value(one.default, "notebook") for name, one in notebook.parameters.items()}
        for stage, notebook in stages.items()
    }
    found = Layers(values, {stage: [] for stage in stages})
    for each in stages.values():
        problems += _own_mistakes(each, [one[1:] for one in secrets if one[:1] == "!"])
    for setting in settings:
        notebook = stages.get(setting.stage)
        if notebook is None and not setting.name:
            what = f"there is no stage `{setting.stage}`{did_you_mean(setting.stage, stages)}"
            problems.append(Problem(setting.where, what))
        if notebook is None or not setting.name:
            continue
        if isinstance(setting.value, Each):
            wrong, axis = _axis(setting, setting.value, notebook, folder, read)
            if wrong and axis is not None and not final:
                # What says the values may be made again.
                wrong = []
        else:
            wrong, axis = list(_mistakes(setting, notebook)), None
        problems += wrong or _in_the_way(setting, axis, found.axes[setting.stage])
        if not wrong:
            _set(found, setting, axis, notebook)
    return found


def _set(found: Layers, setting: Setting, axis: Axis | None, notebook: SourceNotebook) -> None:
    """Have a setting take the place of those before it."""
    names = axis.names if axis else (setting.name,)
    others = found.axes[setting.stage]
    found.axes[setting.stage][:] = [one for one in others if {*one.names}.isdisjoint(names)]
    if axis is not None:
        found.axes[setting.stage].append(axis)
        found.values[setting.stage].update(axis.steps[0] if axis.steps else {})
    else:
        found.values[setting.stage][setting.name] = _value(setting, notebook)


def _value(setting: Setting, notebook: SourceNotebook) -> Value:
    one = notebook.parameters[setting.name]
    return Value(converted(setting.value, one.annotation, one.default), setting.where)


def _in_the_way(setting: Setting, axis: Axis | None, others: Sequence[Axis]) -> Iterator[Problem]:
    """Find axes of several parameters of which a later setting sets some alone."""
    names = {*(axis.names if axis else (setting.name,))}
    for one in others:
        if not names.isdisjoint(one.names) and not names.issuperset(one.names):
            both = " and ".join(f"`{name}`" for name in one.names)
            what = f"{both} have their values together ({one.where}); set all of them here, or none"
            yield Problem(setting.where, what)


def _axis(
    setting: Setting,
    each: Each,
    notebook: SourceNotebook,
    folder: Path,
    read: Callable[[str], object],
) -> tuple[list[Problem], Axis | None]:
    """Work out the values of an axis, and all that is wrong with them.

    Where these are a stage's, there is an axis all the same, of which nothing is known yet.
    """
    known, where = notebook.parameters, setting.where
    together = setting.name == EACH
    what = _no_axis(setting, each, notebook)
    if what is not None:
        return [Problem(where, f"`{setting.name}`: {what}")], None
    if not together and setting.name not in known:
        return list(_mistakes(replace(setting, value=None), notebook)), None
    coming = None
    try:
        if (file := axes.file_of(each)) is not None:
            names = () if together else (setting.name,)
            coming = Axis(setting.stage, names, (), where, file)
        texts = [name for name, one in known.items() if isinstance(one.default, str)]
        rows: list[Mapping[str, object]]
        if together:
            rows = axes.combinations(each, texts, folder, read)
        else:
            found = axes.values(each, is_text=setting.name in texts, read=read)
            rows = [{setting.name: value} for value in found]
    except axes.ComingError:
        return [], coming
    except AxisError as error:
        return [Problem(where, f"`{setting.name}`: {error}")], coming
    wrong, axis = _checked(setting, each, notebook, rows)
    return wrong, axis or coming


def _no_axis(setting: Setting, each: Each, notebook: SourceNotebook) -> str | None:
    """Say why a parameter can have no axis, if so."""
    if setting.name == EACH:
        is_own = EACH in notebook.parameters
        return "a parameter cannot be called so; rename it in the notebook" if is_own else None
    one = notebook.parameters.get(setting.name)
    if one is not None and isinstance(one.default, dict) and not each.on_line:
        mend = f"below the stage write `each: [{{{setting.name}: …}}, …]`"
        return f"it is a mapping, which has no axis of its own; {mend}"
    return None


def _checked(
    setting: Setting, each: Each, notebook: SourceNotebook, rows: Sequence[Mapping[str, object]]
) -> tuple[list[Problem], Axis | None]:
    where = setting.where
    if not rows:
        return [Problem(where, f"`{setting.name}`: an axis needs a value at least")], None
    wrong: list[Problem] = []
    steps: list[Step] = []
    for row in rows:
        settings = [replace(setting, name=name, value=value) for name, value in row.items()]
        found = [problem for one in settings for problem in _mistakes(one, notebook)]
        for name in row:
            if name.startswith("output_"):
                what = f"`{name}`: an output has no axis; each point gets a folder of its own"
                found.append(Problem(where, what))
        wrong += found
        if not found:
            steps.append({one.name: _value(one, notebook) for one in settings})
    same = axes.twice([{name: one.value for name, one in step.items()} for step in steps])
    if same is not None:
        wrong.append(Problem(where, f"`{setting.name}`: {same!r} stands there twice; keep one"))
    if wrong:
        return list(dict.fromkeys(wrong)), None
    return [], Axis(setting.stage, (*rows[0],), tuple(steps), where, axes.file_of(each))


def _own_mistakes(notebook: SourceNotebook, harmless: Collection[str]) -> Iterator[Problem]:
    """Check a notebook's own parameters: their names and, if annotated, their values."""
    for one in notebook.parameters.values():
        if looks_secret(one.name) and one.name not in harmless:
            where = f"{notebook.label}, parameters, line {one.line}"
            what = (
                f"`{one.name}` looks like a secret, and parameters are written into the record; "
                "read it from an environment variable in a later cell; if it is none, "
                f'secrets = ["!{one.name}"] under [tool.runner] says so'
            )
            yield Problem(where, what)
        wanted = fits(one.default, one.annotation, one.default)
        if wanted is not None:
            where = f"{notebook.label}, parameters, line {one.line}"
            what = f"`{one.name}` is annotated {wanted}, but its value is {describe(one.default)}"
            yield Problem(where, what)


def _mistakes(setting: Setting, notebook: SourceNotebook) -> Iterator[Problem]:
    name, where = setting.name, setting.where
    one = notebook.parameters.get(name)
    if one is None:
        if not notebook.has_parameters_cell:
            what = f"{notebook.label} has no cell tagged `parameters`; add one with `{name} = …`"
        else:
            what = f"{notebook.stage} has no parameter `{name}`"
            what += did_you_mean(name, notebook.parameters)
        yield Problem(where, what)
        return
    why = unwritable(setting.value)
    if why is not None:
        yield Problem(where, f"`{name}`: {why}")
        return
    wanted = fits(setting.value, one.annotation, one.default)
    if wanted is not None and (notebook.language == PYTHON or one.default is not None):
        yield Problem(where, f"`{name}` takes {wanted}, not {describe(setting.value)}")
