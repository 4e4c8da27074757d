"""What a stage was made from and what it was seen to use, as it is recorded."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

Named = Mapping[str, str | None]


@dataclass(frozen=True)
class Fingerprint:
    """Plain values, as they stand in the journal.

    `code` has a hash for each code cell but the parameters', by its number; `inputs` and
    `modules` have one for each file, None where it is missing. `paths` says to which files
    the names of inputs and outputs are bound.
    """

    code: Mapping[str, str]
    paths: Mapping[str, list[str]]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str | None]
    modules: Mapping[str, str | None]
    kernel: str | None


@dataclass(frozen=True)
class Environment:
    """The interpreter and the packages of the lock, for all stages of a run."""

    python: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class Seen:
    """Files of the project by their names, each with its hash when the stage had ended.

    Nothing of it is declared. `perhaps` are files that may have been read, `absent` names that
    were looked for in vain, `folders` are those that it made, `listed` has the names in folders
    that were listed, or a digest of them, `many` a digest of how the files in a folder look of
    which very many were opened.
    Where stages ran at once, `written` are files that one of them has written, and
    `entered` those of the listed folders that one of them has listed. `doubted` were changed
    after they may have been read, perhaps by someone else: the stage runs again. Those that it
    changes each time are its `own`.
    """

    reads: Named = field(default_factory=dict)
    writes: Named = field(default_factory=dict)
    modules: Named = field(default_factory=dict)
    perhaps: Named = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    listed: Mapping[str, list[str] | str] = field(default_factory=dict)
    many: Named = field(default_factory=dict)
    written: Named = field(default_factory=dict)
    entered: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    witness: bool = True
    alone: bool = True
    whole: bool = True
    children: bool = True

    def without(self, used: "CertainUse", declared: Collection[str]) -> "Seen":
        """Give what is left of the hints when others, which ran meanwhile, have had theirs.

        Nothing can tell what processes have read that it started: that remains.

        Args:
            used: what all have used, this one among them.
            declared: the names of its own inputs and outputs.
        """
        if self.alone:
            return self
        theirs, listed, writes = used.of_others(self, declared)

        def rest(named: Named, *used_by: Callable[[str], bool]) -> dict[str, str | None]:
            return {
                name: value
                for name, value in named.items()
                if not any(is_used(one) for is_used in used_by for one in with_parents(name))
            }

        perhaps, folders = self.perhaps, self.listed
        if not self.children:
            perhaps = rest(self.perhaps, theirs, writes)
            left_out = {one for one in self.entered if listed(one)}
            folders = {name: value for name, value in folders.items() if name not in left_out}
        written = rest(self.written, writes)
        doubted = rest(dict.fromkeys(self.doubted), theirs, writes)
        return replace(
            self,
            perhaps=perhaps,
            listed=folders,
            writes={**self.writes, **written},
            written={},
            doubted=tuple(doubted),
        )

    def details(self) -> dict[str, object]:
        """Give it for the journal."""
        return {key: value for key, value in asdict(self).items() if value not in ({}, ())}

    @classmethod
    def of(cls, details: Mapping[str, object]) -> "Seen":
        """Read it from the journal.

        Raises:
            TypeError: another version has written it.
        """
        return cls(**details)  # type: ignore[arg-type]


def with_parents(name: str) -> Iterator[str]:
    """Give a name and those of the folders around it; one that ends in / is a folder's content."""
    while name:
        yield name
        name = name.rpartition("/")[0]


class CertainUse:
    """How many stages have surely used each file: `reads`, `lists`, `writes`."""

    def __init__(self, stages: Iterable[tuple[Seen | None, Collection[str]]]) -> None:
        """Count what stages were seen to use, and the names that they declare."""
        self._counts: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        for seen, declared in stages:
            for count, names in zip(self._counts, _surely(seen, declared), strict=True):
                count.update(names)

    def of_others(self, seen: Seen, declared: Collection[str]) -> list[Callable[[str], bool]]:
        """Give what tells whether another stage than this one has used a file, in each way."""

        def tell(count: Counter[str], own: Collection[str]) -> Callable[[str], bool]:
            return lambda name: count[name] > (name in own)

        own = _surely(seen, declared)
        return [tell(count, names) for count, names in zip(self._counts, own, strict=True)]


def _surely(seen: Seen | None, declared: Collection[str]) -> tuple[set[str], set[str], set[str]]:
    """Give the names that a stage has surely read, listed and written."""
    if seen is None:
        return {*declared}, {*declared}, {*declared}
    return (
        {*declared, *seen.reads, *seen.modules},
        {*declared, *(seen.listed.keys() - {*seen.entered})},
        {*declared, *seen.writes},
    )
