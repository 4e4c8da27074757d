"""The layers of parameters: notebook default, `params/<profile>.yaml`, `-p`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML, MappingNode, Node, ScalarNode
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from .errors import Problem, UsageError
from .literals import converted, describe, fits, unwritable
from .model import SourceNotebook, Value
from .notebooks import PYTHON
from .project import did_you_mean
from .secrets import looks_secret


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
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # `_duplicates` finds them, at any depth
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(label, f"cannot be read: {error}"))
        return []
    except YAMLError as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        where = f"{label}:{mark.line + 1}" if mark else label
        what = getattr(error, "problem", None) or str(error)
        problems.append(Problem(where, f"is not YAML: {what}"))
        return []
    if root is None or _is_null(root):
        return []
    if not isinstance(root, MappingNode):
        problems.append(Problem(label, "must hold a section per stage: `stage:` and its values"))
        return []
    found = list(_duplicates(root, label))
    problems += found
    if any("contains itself" in problem.what for problem in found):
        return []
    return list(_settings(yaml, root, label, problems))


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _at(node: Node, label: str) -> str:
    return f"{label}:{node.start_mark.line + 1}"


def _duplicates(node: Node, label: str, around: tuple[Node, ...] = ()) -> Iterator[Problem]:
    """Find keys that stand twice in one mapping, at any depth; refuse a value inside itself."""
    if node in around:
        yield Problem(_at(node, label), "contains itself, through its anchor; write the values out")
        return
    around = (*around, node)
    if isinstance(node, MappingNode):
        first: dict[object, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, ScalarNode):
                if key.value in first:
                    what = f"`{key.value}` stands twice (first on line {first[key.value]})"
                    yield Problem(f"{label}:{line}", f"{what}; keep one")
                first.setdefault(key.value, line)
            yield from _duplicates(value, label, around)
    elif isinstance(node.value, list):
        for item in node.value:
            yield from _duplicates(item, label, around)


def _settings(
    yaml: YAML, root: MappingNode, label: str, problems: list[Problem]
) -> Iterator[Setting]:
    for stage, section in root.value:
        yield Setting(str(stage.value), "", None, _at(stage, label))
        if _is_null(section):
            continue
        if not isinstance(section, MappingNode):
            what = f"`{stage.value}` is a stage's section; write `name: value` lines below it"
            problems.append(Problem(_at(stage, label), what))
            continue
        for key, node in section.value:
            try:
                value = yaml.constructor.construct_object(node, deep=True)
            except (YAMLError, ValueError, TypeError) as error:
                what = f"`{key.value}` cannot be read: {str(error).splitlines()[0]}"
                problems.append(Problem(_at(key, label), what))
                continue
            yield Setting(str(stage.value), str(key.value), value, _at(key, label))


def read_override(text: str, stages: Mapping[str, SourceNotebook]) -> Setting:
    """Read `-p STAGE.NAME=VALUE`, the value as YAML.

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
    try:
        node = YAML(typ="safe", pure=True).compose(value)
        found = None
        again = list(_duplicates(node, f"-p {text}")) if node is not None else []
        if again:
            message = f"-p {text}: {again[0].what}"
            raise UsageError(message)
        if node is not None:
            found = YAML(typ="safe", pure=True).load(value)
    except (YAMLError, ValueError) as error:
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        message = f"-p {text}: the value is not YAML ({what}); put it in quotes"
        raise UsageError(message) from None
    return Setting(stage, name, found, f"-p {stage}.{name}")


def layered(
    stages: Mapping[str, SourceNotebook], settings: list[Setting], problems: list[Problem]
) -> dict[str, dict[str, Value]]:
    """Give every stage's parameters after all layers; later settings win."""
    values = {
        stage: {name: Value(one.default, "notebook") for name, one in notebook.parameters.items()}
        for stage, notebook in stages.items()
    }
    for each in stages.values():
        problems += _own_mistakes(each)
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


def _own_mistakes(notebook: SourceNotebook) -> Iterator[Problem]:
    """Check a notebook's own parameters: their names and, if annotated, their values."""
    for one in notebook.parameters.values():
        if looks_secret(one.name):
            where = f"{notebook.label}, parameters, line {one.line}"
            what = (
                f"`{one.name}` looks like a secret, and parameters are written into the record; "
                "read it from an environment variable in a later cell"
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
