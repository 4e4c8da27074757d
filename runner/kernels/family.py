"""Which warm process imports what: a tree, and who in it is to be the parent of what comes.

Pure: names of imports in, a decision out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Imports = tuple[str, ...]
_MOST_FAULTS = 3


@dataclass(eq=False)
class Member:
    """A process of the tree.

    `changed` are the imports that loaded something, from the root down to here, `loaded`
    those that would load nothing more; `importing` is what it does until it is ready.
    """

    parent: "Member | None" = None
    changed: frozenset[str] = frozenset()
    loaded: frozenset[str] = frozenset()
    importing: Imports = ()
    ready: bool = False

    def suits(self, imports: Imports) -> bool:
        """Tell whether it has imported nothing that a notebook with these imports does not."""
        return self.changed <= set(imports)

    def missing(self, imports: Imports) -> Imports:
        """Give the imports that would load something."""
        return tuple(one for one in imports if one not in self.loaded | self.changed)


@dataclass(frozen=True)
class Step:
    """What is to be done for a notebook: fork a kernel from `home`, or first import more.

    With neither `complete` nor `grow`, it is to be waited for what is being imported.
    """

    home: Member | None
    complete: bool = False
    grow: Imports = ()


@dataclass
class Family:
    """The tree; the first member is the root.

    What is `banned`, by its dotted name, is never imported, nor what is in it: each try would
    import the whole package again. For a notebook with several of these no member grows any
    more, since what its packages have in common may be at fault each time.
    """

    members: list[Member] = field(default_factory=list)
    banned: set[str] = field(default_factory=set)
    # Those of the banned whose import by another package would be as bad.
    culprits: set[str] = field(default_factory=set)

    def ban(self, statement: str, *, culprit: bool = False) -> bool:
        """Never import this; tell whether that is new."""
        if self.is_banned(statement):
            return False
        self.banned.add(_dotted(statement))
        if culprit:
            self.culprits.add(_dotted(statement))
        return True

    def is_banned(self, statement: str) -> bool:
        """Tell whether a statement is left to each kernel."""
        name = _dotted(statement)
        return any(name == one or name.startswith(f"{one}.") for one in self.banned)

    def step(self, imports: Imports, coming: Sequence[Imports]) -> Step:
        """Decide what is next for a notebook.

        Args:
            imports: what it imports.
            coming: what all that come import, this one too; what most of them share is
                imported first, so that it is imported once.
        """
        wanted = tuple(one for one in imports if not self.is_banned(one))
        suitable = [one for one in self.members if one.ready and one.suits(wanted)]
        if not suitable:
            return Step(None)
        best = max(suitable, key=lambda one: (len(one.changed), len(one.loaded)))
        missing = best.missing(wanted)
        if not missing or self._faults(imports) > _MOST_FAULTS:
            return Step(best, complete=True)
        if self.importing_for(wanted):
            return Step(best)
        return Step(best, grow=_shared(best, missing, coming))

    def _faults(self, imports: Imports) -> int:
        names = [_dotted(one) for one in imports]
        return sum(any(f"{name}.".startswith(f"{one}.") for name in names) for one in self.banned)

    def importing_for(self, wanted: Imports) -> list[Member]:
        """Give those that are importing something for a notebook."""
        return [
            one
            for one in self.members
            if not one.ready and one.suits(wanted) and set(one.importing) <= set(wanted)
        ]

    def importing(self) -> int:
        """Count those that are importing."""
        return sum(not one.ready for one in self.members)

    def below(self, member: Member) -> list[Member]:
        """Give a member and all below it."""
        found = [member]
        for each in self.members:
            if each.parent in found:
                found.append(each)
        return found

    def useless(self, coming: Iterable[Imports]) -> list[Member]:
        """Give those that nothing that comes can use; never the root."""
        wanted = list(coming)
        return [
            one
            for one in self.members[1:]
            if one.ready and not any(one.suits(imports) for imports in wanted)
        ]


def _shared(member: Member, missing: Imports, coming: Sequence[Imports]) -> Imports:
    """Choose the imports that most notebooks share; what they all share comes first."""
    users = {
        one: [n for n, each in enumerate(coming) if one in each and member.suits(each)]
        for one in missing
    }
    first = max(missing, key=lambda one: len(users[one]))
    return tuple(one for one in missing if users[one] == users[first])


def _dotted(statement: str) -> str:
    """Give the name of what `import a.b` or `from a import b` imports: a.b."""
    words = statement.split()
    return ".".join([words[1], *words[3:4]])
