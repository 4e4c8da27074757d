"""The layers of parameters: notebook default, `params/<profile>.yaml`, `-p`."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import MappingNode

from ..errors import Problem, UsageError
from ..model import SourceNotebook, Value
from ..secrets import looks_secret
from ..words import did_you_mean
from . import plainyaml
from .literals import converted, describe, fits, unwritable
from .notebooks import PYTHON
from .plainyaml import at, is_null, name_of

# How a value begins that stands for several builds.
_EACH = "each:"


@dataclass(frozen=True)
class Setting:
    """A value for a stage's parameter, and where it stands; no name: a stage's section begins."""

    stage: str
    name: str
    value: object
    where: str


def read_profile(path: Path, problems: list[Problem]) -> list[Setting]:
    """Read a profile as YAML 1.2, with the line of each value; keys may not repeat."""
    label = f"params/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
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
    return list(_settings(root, label, problems))


def _settings(root: MappingNode, label: str, problems: list[Problem]) -> Iterator[Setting]:
    for key, section in root.value:
        stage = name_of(key)
        if stage is None:
            problems.append(Problem(at(key, label), "the name of a stage must be a text"))
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
            yield Setting(stage, name, value, at(inner, label))


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
    if value.startswith(_EACH):
        message = (
            f"-p {text}: `{_EACH}` is kept for variants, which are not there yet; "
            f"a text that begins so is written text:{_EACH}…"
        )
        raise UsageError(message)
    if value.startswith(f"text:{_EACH}"):
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


def layered(
    stages: Mapping[str, SourceNotebook],
    settings: list[Setting],
    problems: list[Problem],
    secrets: Collection[str] = (),
) -> dict[str, dict[str, Value]]:
    """Give every stage's parameters after all layers; later settings win.

    `secrets` are the patterns of the settings: `!NAME` is none, whatever it looks like.
    """
    values = {
        stage: {name: Value(one.default, "notebook") for name, one in notebook.parameters.items()}
        for stage, notebook in stages.items()
    }
    for each in stages.values():
        problems += _own_mistakes(each, [one[1:] for one in secrets if one[:1] == "!"])
    for setting in settings:
        notebook = stages.get(setting.stage)
        if notebook is None and not setting.name:
            what = f"there is no stage `{setting.stage}`{did_you_mean(setting.stage, stages)}"
            problems.append(Problem(setting.where, what))
        if notebook is None or not setting.name:
            continue
        found = list(_mistakes(setting, notebook))
        problems += found
        if not found:
            one = notebook.parameters[setting.name]
            value = converted(setting.value, one.annotation, one.default)
            values[setting.stage][setting.name] = Value(value, setting.where)
    return values


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
