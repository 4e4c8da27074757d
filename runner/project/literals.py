"""Plain values: which can be injected, and whether they fit an annotation."""

import ast
import math
from collections.abc import Callable, Iterator

# What parsing raises for what is no Python, or too deep for it.
NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)

type_names = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a mapping",
    type(None): "null",
}


def describe(value: object) -> str:
    """Name the kind of a value for a message, with the value where it is short."""
    kind = type_names.get(type(value), f"a {type(value).__name__}")
    text = repr(value)
    return kind if value is None or len(text) > 40 else f"{kind} ({text})"  # noqa: PLR2004


def unwritable(value: object) -> str | None:
    """Say why a value would not read back the same from a cell, or None if it would."""
    return next(_unwritable(value), None)


def _unwritable(value: object) -> Iterator[str]:
    if value is None or isinstance(value, bool | int | str):
        # papermill writes text with unicode_escape, which keeps every character.
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            yield f"{value} is not a number that can be stored; leave it out or use null"
    elif isinstance(value, list):
        for item in value:
            yield from _unwritable(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                yield f"the key {key!r} is {describe(key)}; keys are texts, write it in quotes"
            yield from _unwritable(item)
    else:
        yield (
            f"{describe(value)} cannot be written into a cell; "
            "use a text (in quotes), a number, a list or a mapping"
        )


def fits(value: object, annotation: str | None, default: object) -> str | None:
    """Say what a parameter wants instead of `value`, or None if the value fits.

    The annotation decides; without one (or with one that says nothing about plain
    values) the type of the default does, and a default of None takes anything.
    """
    if annotation is not None:
        wanted = _wanted(annotation)
        if wanted is not None:
            return None if wanted(value) else f"`{annotation}`"
    if default is None or _is(value, type(default)):
        return None
    return type_names.get(type(default), f"a {type(default).__name__}")


def converted(value: object, annotation: str | None, default: object) -> object:
    """Give a whole number as a float where the parameter is one, else the value itself."""
    is_float = annotation == "float" or (annotation is None and isinstance(default, float))
    return float(value) if is_float and type(value) is int else value


def _is(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, kind)


Check = Callable[[object], bool]


def _wanted(annotation: str) -> Check | None:
    """Build the check that an annotation stands for; None where it says nothing we know."""
    try:
        return _check(ast.parse(annotation.strip(), mode="eval").body)
    except NO_PYTHON:
        return None


def _check(node: ast.expr) -> Check | None:
    match node:
        case ast.Constant(value=None):
            return lambda value: value is None
        case ast.Constant(value=str(text)):
            return _wanted(text)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _named(name)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _any_of([left, right])
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            return _subscripted(name, inner)
    return None


def _named(name: str) -> Check | None:
    kinds: dict[str, type] = {
        "bool": bool,
        "int": int,
        "float": float,
        "str": str,
        "list": list,
        "List": list,
        "dict": dict,
        "Dict": dict,
    }
    if name in {"Any", "object"}:
        return lambda _: True
    kind = kinds.get(name)
    return None if kind is None else (lambda value: _is(value, kind))


def _any_of(nodes: list[ast.expr]) -> Check | None:
    checks = [check for check in map(_check, nodes) if check is not None]
    if len(checks) != len(nodes):
        return None
    return lambda value: any(check(value) for check in checks)


def _subscripted(name: str, inner: ast.expr) -> Check | None:  # noqa: PLR0911
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name == "Optional":
        return _any_of([inner, ast.Constant(None)])
    if name == "Union":
        return _any_of(parts)
    if name == "Literal":
        try:
            allowed = [ast.literal_eval(part) for part in parts]
        except ValueError:
            return None
        return lambda value: any(type(value) is type(a) and value == a for a in allowed)
    if name in {"list", "List", "Sequence"}:
        of_list = _check(parts[0])
        if of_list is not None:
            return lambda value: isinstance(value, list) and all(map(of_list, value))
    if name in {"dict", "Dict", "Mapping"}:
        of_dict = _check(parts[-1])
        if of_dict is not None:
            return lambda value: isinstance(value, dict) and all(map(of_dict, value.values()))
    return None
