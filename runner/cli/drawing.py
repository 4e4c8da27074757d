"""A graph of names as text: a tree, or what Mermaid and Graphviz draw. Knows nothing of stages."""

from collections.abc import Collection, Iterator

from ..graph import Needs


def tree(needs: Needs) -> Iterator[str]:
    """Draw names below what they need; one that needs several stands below the last of them.

    Args:
        needs: what each name needs, in an order in which that comes before it.
    """
    place = {name: number for number, name in enumerate(needs)}
    parents = {name: sorted(needed, key=place.__getitem__) for name, needed in needs.items()}
    below: dict[str | None, list[str]] = {}
    for name, needed in parents.items():
        below.setdefault(needed[-1] if needed else None, []).append(name)
    # With what stands before the name, and before those below it.
    todo = [(name, "", "") for name in reversed(below.get(None, []))]
    while todo:
        name, head, indent = todo.pop()
        others = parents[name][:-1]
        yield f"{head}{name}" + (f"  (and {', '.join(others)})" if others else "")
        children = below.get(name, [])
        for child in reversed(children):
            last = child == children[-1]
            branch, rest = ("└── ", "    ") if last else ("├── ", "│   ")
            todo.append((child, indent + branch, indent + rest))


def mermaid(needs: Needs, after: Needs) -> Iterator[str]:
    """Write a flow chart for Mermaid, as Markdown on GitHub and in Jupyter shows it.

    Args:
        needs: what each name needs.
        after: those of them that it only waits for.
    """
    ids = {name: f"n{number}" for number, name in enumerate(needs)}
    yield "flowchart TD"
    for name, short in ids.items():
        label = name.replace('"', "#quot;")
        yield f'    {short}["{label}"]'
    for one, other, waits in _edges(needs, after):
        yield f"    {ids[one]} {'-.->' if waits else '-->'} {ids[other]}"


def dot(needs: Needs, after: Needs) -> Iterator[str]:
    """Write a graph for Graphviz, with the same arguments."""
    yield "digraph {"
    for name in needs:
        yield f"    {_quoted(name)};"
    for one, other, waits in _edges(needs, after):
        yield f"    {_quoted(one)} -> {_quoted(other)}{' [style=dashed]' if waits else ''};"
    yield "}"


def _quoted(name: str) -> str:
    text = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _edges(needs: Needs, after: Needs) -> Iterator[tuple[str, str, bool]]:
    place = {name: number for number, name in enumerate(needs)}
    for name, needed in needs.items():
        only_after: Collection[str] = after.get(name, ())
        for one in sorted(needed, key=place.__getitem__):
            yield one, name, one in only_after
