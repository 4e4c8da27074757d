"""An order of names; a cycle as its path. Knows nothing of stages."""

import heapq
from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

Needs = Mapping[str, Collection[str]]


class Cycle(Exception):  # noqa: N818 - the graph's word for it
    """The names need each other; `path` starts and ends with the same name."""

    def __init__(self, path: tuple[str, ...]) -> None:
        """Keep the path, from a name to what needs it and so on."""
        self.path = path
        super().__init__(" -> ".join(path))


def order(needs: Needs) -> tuple[str, ...]:
    """Sort names so that each comes after what it needs.

    Among names that could come next, the one that stands first in `needs` does.

    Raises:
        Cycle: some names need each other.
    """
    rank = {name: position for position, name in enumerate(needs)}
    sorter = TopologicalSorter(needs)
    try:
        sorter.prepare()
    except CycleError as error:
        raise Cycle(tuple(error.args[1])) from None
    names = list(needs)
    heap: list[int] = []
    result = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(heap, rank[name])
        name = names[heapq.heappop(heap)]
        result.append(name)
        sorter.done(name)
    return tuple(result)


def closure(names: Iterable[str], needs: Needs) -> frozenset[str]:
    """Give `names` and everything that they need, directly or not."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(needs[name])
    return frozenset(found)


def readers(name: str, needs: Needs) -> frozenset[str]:
    """Give everything that needs `name`, directly or not; not `name` itself."""
    users: dict[str, list[str]] = {}
    for user, needed in needs.items():
        for one in needed:
            users.setdefault(one, []).append(user)
    return closure((name,), {each: users.get(each, ()) for each in needs}) - {name}
