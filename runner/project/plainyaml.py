"""YAML 1.2 as people write it: plain values, each with its line, or one line on what is wrong."""

import re
from collections.abc import Iterator

from ruamel.yaml import YAML, MappingNode, Node, ScalarNode
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ..errors import Problem

_TAG = "tag:yaml.org,2002:"
_PLAIN = {f"{_TAG}{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map")}
# What is written without a tag and is read as more than a text: a date, a merge, a default.
_IMPLICIT = {f"{_TAG}{kind}" for kind in ("timestamp", "merge", "value")}
_NUMBERS = {f"{_TAG}int", f"{_TAG}float"}
# No person writes more; Python's own limits are not much above.
_DEEPEST, _DIGITS, _COPIES = 100, 1000, 100_000
_WIDE = re.compile(r"\\U([0-9A-Fa-f]{8})")
_LAST_CHARACTER = 0x10FFFF

_PROBLEMS = {
    "\\t": "a tab stands where only spaces may; use spaces",
    "mapping values are not allowed": "a second `:` on the line, or wrong indentation before it; "
    "put a text with `: ` in it in quotes",
    "another document": "`---` begins a second document; keep one",
}

_TOO_DEEP = f"is nested more than {_DEEPEST} deep; write it flatter"
_ITSELF = "contains itself, through its anchor; write the values out"
_TOO_MANY = f"its anchors (`&`, `*`) make more than {_COPIES:,} values; write fewer"
_KINDS = {"int": "whole number", "float": "number", "bool": "truth value", "timestamp": "date"}


def compose(text: str, label: str, problems: list[Problem]) -> Node | None:
    """Read a text as a tree of nodes; None if there is none, or it cannot be used.

    Args:
        text: the YAML.
        label: where it stands, for messages.
        problems: takes all that is wrong; keys that stand twice leave a tree that can be used.
    """
    if re.match(r"(\s*#.*\n|\s*\n)*%", text):
        problems.append(Problem(label, "a line that begins with `%` is not understood; remove it"))
        return None
    try:
        root = _yaml().compose(text)
    except (YAMLError, RecursionError, ValueError, OverflowError) as error:
        problems.append(_no_yaml(error, text, label))
        return None
    if root is None:
        return None
    found = list(_wrong(root, label))
    problems += found or _twice(root, label)
    return None if found else root


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # `_twice` finds them, at any depth
    return yaml


def _no_yaml(error: Exception, text: str, label: str) -> Problem:
    if isinstance(error, RecursionError):
        return Problem(label, _TOO_DEEP)
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        what = error.problem or str(error).splitlines()[0]
        what = next((words for part, words in _PROBLEMS.items() if part in what), what)
        return Problem(f"{label}:{mark.line + 1}" if mark else label, f"is not YAML: {what}")
    if isinstance(error, YAMLError):
        return Problem(label, f"is not YAML: {str(error).splitlines()[0]}")
    wide = (one for one in _WIDE.finditer(text) if int(one[1], 16) > _LAST_CHARACTER)
    if (one := next(wide, None)) is None:
        return Problem(label, f"is not YAML: {error}")
    line = text.count("\n", 0, one.start()) + 1
    return Problem(f"{label}:{line}", f"is not YAML: {one[0]} is no character")


def value_of(node: Node) -> object:
    """Give the plain value of a node.

    Raises:
        ValueError: it has none; the text says why, in a line.
    """
    try:
        return _yaml().constructor.construct_object(node, deep=True)
    except (YAMLError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        why = (getattr(error, "problem", None) or str(error)).partition("\n")[0]
        if isinstance(node, ScalarNode):
            kind = str(node.tag).removeprefix(_TAG)
            why = f"{str(node.value)[:40]} is no {_KINDS.get(kind, kind)}"
        message = f"{why or type(error).__name__}; put a text in quotes"
        raise ValueError(message) from None


def is_null(node: Node) -> bool:
    """Tell whether a node holds nothing."""
    return isinstance(node, ScalarNode) and node.tag == f"{_TAG}null"


def at(node: Node, label: str) -> str:
    """Give the place of a node."""
    return f"{label}:{node.start_mark.line + 1}"


def name_of(node: Node) -> str | None:
    """Give the text of a key, if it is one."""
    return str(node.value) if isinstance(node, ScalarNode) else None


class _Sizes:
    """How many values a tree has, and how deep it is, with what its anchors repeat."""

    def __init__(self) -> None:
        self.of: dict[int, tuple[int, int]] = {}
        self.around: set[int] = set()

    def look(self, node: Node, label: str, level: int) -> Iterator[Problem]:
        """Measure a node and what it holds; each node is looked at once."""
        if id(node) in self.around:
            yield Problem(at(node, label), _ITSELF)
        elif level > _DEEPEST:
            yield Problem(at(node, label), _TOO_DEEP)
        if id(node) in self.around or level > _DEEPEST:
            self.of[id(node)] = (1, 1)
        if id(node) in self.of:
            return
        self.around.add(id(node))
        count, depth = 1, 0
        for one in _inside(node):
            yield from self.look(one, label, level + 1)
            more, deep = self.of[id(one)]
            count, depth = count + more, max(depth, deep)
        self.around.discard(id(node))
        self.of[id(node)] = (count, depth + 1)


def _inside(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node.value, list):
        yield from node.value


def _wrong(root: Node, label: str) -> Iterator[Problem]:
    """Find what no plain value holds, in each node once; and more values than can be meant."""
    sizes = _Sizes()
    sized = list(sizes.look(root, label, 1))
    count, depth = sizes.of[id(root)]
    if not sized and depth > _DEEPEST:
        sized.append(Problem(label, _TOO_DEEP))
    if not sized and count > len(sizes.of) + _COPIES:
        sized.append(Problem(label, _TOO_MANY))
    yield from sized[:1]
    for node in _each(root):
        tag = str(node.tag)
        plain = tag in _PLAIN or (tag in _IMPLICIT and isinstance(node, ScalarNode))
        if not plain:
            what = f"the tag `{tag.removeprefix(_TAG)}` means nothing here; write the plain value"
            yield Problem(at(node, label), what)
        if tag in _NUMBERS and len(str(node.value)) > _DIGITS:
            what = f"a number of {len(str(node.value))} digits; put it in quotes if it is a text"
            yield Problem(at(node, label), what)


def _twice(root: Node, label: str) -> Iterator[Problem]:
    """Find keys that stand twice in one mapping."""
    for node in _each(root):
        first: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            line, name = key.start_mark.line + 1, name_of(key)
            if name is not None and name in first:
                what = f"`{name}` stands twice (first on line {first[name]})"
                yield Problem(f"{label}:{line}", f"{what}; keep one")
            first.setdefault(str(name), line)


def _each(root: Node) -> Iterator[Node]:
    """Give the nodes of a tree, each once, in their order."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if id(node) not in seen:
            seen.add(id(node))
            todo += [*_inside(node)][::-1]
            yield node
