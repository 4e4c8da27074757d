"""Values that cells take from a configuration, such as `config["fit"]["degree"]`, as parameters."""

import ast
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ..project import literals
from ..secrets import looks_secret
from .paths import Code, Reading

_LOADERS = {"load", "safe_load", "full_load", "loads"}
_SUFFIXES = {".yaml", ".yml", ".json", ".toml"}


@dataclass(frozen=True)
class Key:
    """An expression that takes a value from a configuration, and the parameter that it becomes."""

    code: Code
    node: ast.Subscript
    parameter: str
    value: object


def keys(root: Path, reading: Reading, read: dict[int, str]) -> Iterator[Key]:
    """Find such expressions; `read` are the names of files that a notebook reads, by nodes."""
    trees = [(one, one.tree) for one in reading.codes if one.tree is not None]
    for code, tree in trees:
        files = {read[id(node)] for node in ast.walk(tree) if id(node) in read}
        configs = [one for one in files if Path(one).suffix in _SUFFIXES]
        for statement in ast.walk(tree):
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=function)):
                    loads = ast.unparse(function).rpartition(".")[2] in _LOADERS
                    if loads and len(configs) == 1 and reading.count[name] == 1:
                        content = _content(root / configs[0])
                        yield from _of(name, content, trees, reading, code)


def _of(
    name: str, content: object, trees: list[tuple[Code, ast.Module]], reading: Reading, first: Code
) -> Iterator[Key]:
    inner: set[int] = set()
    found = []
    for code, tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Subscript) or id(node) in inner or code.index < first.index:
                continue
            path = _path(node, name)
            if path is None:
                continue
            inner |= {id(each) for each in ast.walk(node)}
            if not isinstance(node.ctx, ast.Load):
                # It is changed later, so it is no constant.
                return
            found.append((code, node, path))
    for code, node, path in found:
        value = content
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        parameter = "_".join(path)
        fits = parameter.isidentifier() and not reading.count[parameter]
        plain = isinstance(value, int | float) or (isinstance(value, str) and "/" not in value)
        if fits and plain and literals.unwritable(value) is None and not looks_secret(parameter):
            yield Key(code, node, parameter, value)


def _path(node: ast.expr, name: str) -> list[str] | None:
    match node:
        case ast.Name(id=found):
            return [] if found == name else None
        case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
            before = _path(value, name)
            return None if before is None else [*before, key]
    return None


def _content(path: Path) -> Any:  # noqa: ANN401 - whatever it holds
    try:
        text = path.read_text("utf-8")
        if path.suffix == ".json":
            return json.loads(text)
        if path.suffix == ".toml":
            return tomllib.loads(text)
        return YAML(typ="safe").load(text)
    except (OSError, ValueError, YAMLError):
        return None
