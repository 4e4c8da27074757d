"""What a stage was seen to use, as it is recorded; and what of that is another one now."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..model import Reason, Trace
from ..project import RESERVED_OUTPUTS
from ..runs import Seen, with_parents
from ..system import files
from .hashes import Hashes

# More names of a folder than this are kept as one digest.
_MOST_NAMES = 1000
_FEW = 3
# In the place of a hash: the file changed after it was read, and not by the stage.
CHANGED = "changed meanwhile"
# Before where a link leads.
_LINK = "link:"
# What people write while a stage runs is no output of it, unless its kernel is the witness.
_WRITTEN_BY_HAND = (".py", ".ipynb", ".md")


@dataclass(frozen=True)
class Look:
    """Looks at the files of a project."""

    root: Path
    hashes: Hashes

    def of(self, name: str) -> str | None:
        """Give the hash of a file, None if there is none."""
        path = self.root / name
        try:
            return None if path.is_dir() else self.hashes.of(path)
        except NotADirectoryError:
            return None
        except OSError as error:
            # It is none of the stage's own, and what matters is whether that changes.
            return f"unreadable: {error.strerror}"

    def link(self, name: str) -> str | None:
        """Say where a link leads; None if there is none."""
        try:
            return f"{_LINK}{os.readlink(self.root / name)}"  # noqa: PTH115 - as above
        except OSError:
            return None

    def is_there(self, name: str) -> bool:
        """Tell whether there is a file, a folder or whatever else of that name."""
        return os.path.exists(self.root / name)  # noqa: PTH110 - Path's may raise

    def is_folder(self, name: str) -> bool:
        """Tell whether there is a folder of that name."""
        return os.path.isdir(self.root / name)  # noqa: PTH112 - as above

    def changed_since(self, name: str, moment: float, *, moved: bool = True) -> bool:
        """Tell whether a file was changed after a moment; with `moved`, or put there."""
        try:
            status = (self.root / name).stat()
        except OSError:
            return False
        # The time of its content may have come with it.
        return status.st_mtime >= moment or (moved and status.st_ctime >= moment)

    def any_changed_since(self, folder: str, moment: float) -> bool:
        """Tell whether a file in a folder was changed after a moment."""
        return any(self.changed_since(f"{folder}/{name}", moment) for name in self.names(folder))

    def names(self, folder: str) -> list[str]:
        """Give the names in a folder; hidden ones and compiled modules do not count."""
        path = self.root / folder
        try:
            with files.OPENED.ours(path):
                found = os.listdir(path)  # noqa: PTH208 - names alone
        except OSError:
            return []
        left_out = {"__pycache__", *(RESERVED_OUTPUTS if path.parent.name == "outputs" else ())}
        return sorted(name for name in found if name[0] != "." and name not in left_out)

    def looks(self, folder: str, without: Collection[str] = ()) -> str:
        """Give a digest of the names, sizes and times of the files in a folder, but for some."""
        total = hashlib.sha256()
        for name in self.names(folder):
            if f"{folder}/{name}" in without:
                continue
            try:
                status = (self.root / folder / name).stat()
            except OSError:
                continue
            looks = f"\0{status.st_size}\0{status.st_mtime_ns}\n"
            total.update(os.fsencode(name) + looks.encode())
        return f"looks:{total.hexdigest()}"


@dataclass(frozen=True)
class Around:
    """What is known of a stage beside its trace.

    `declared` are the names of its inputs and outputs, files or folders; it `began` in seconds
    since 1970; `before` is what it used when it last ran; `of_later` gives the names of files
    that stages write which come after it.
    """

    declared: Collection[str]
    began: float
    before: Seen
    of_later: Callable[[], Collection[str]]


def of_trace(trace: Trace, look: Look, around: Around) -> Seen:
    """Look at what a stage has used, when it has ended.

    Raises:
        OSError: a file cannot be read.
    """
    began, before = around.began, around.before

    def is_declared(name: str) -> bool:
        return any(one in around.declared for one in with_parents(name))

    changed = {one for one in trace.either if look.changed_since(one, began)}
    by_hand = {one for one in trace.perhaps_written if one.endswith(_WRITTEN_BY_HAND)}
    hinted = trace.perhaps_written - by_hand
    changes = {one for one in trace.doubted & trace.perhaps_written if not is_declared(one)}
    changes |= {f"{one}/" for one in _overtaken(trace, look)}
    own = changes.intersection((*before.doubted, *before.own))
    doubted = changes - own
    hinted -= doubted
    touched = trace.writes | changed | (hinted if trace.alone else set())

    def files_of(names: Collection[str]) -> set[str]:
        return {file for name in names for file in _files(look.root, name) if not is_declared(file)}

    def is_stale(name: str) -> bool:
        """Tell whether a file is another one than that which the stage read."""
        read = trace.moments.get(name, began)
        moved = name in hinted
        return name not in by_itself and look.changed_since(name, read, moved=moved)

    by_itself = files_of(trace.writes | changed)
    written = files_of(touched)
    by_some = files_of(hinted) - written
    reads: dict[str, str | None] = {}
    absent: list[str] = []
    for name in sorted((trace.reads | (trace.either - changed)) - trace.modules):
        if is_declared(name) or look.is_folder(name):
            continue
        value = look.of(name)
        if value is not None:
            reads[name] = CHANGED if is_stale(name) else value
        elif not look.is_there(name) and name not in trace.writes | trace.either:
            absent.append(name)
    modules = {one: CHANGED if is_stale(one) else look.of(one) for one in sorted(trace.modules)}
    opened = trace.perhaps_read - reads.keys() - modules.keys() - written
    perhaps = {
        name: value
        for name in sorted(opened)
        if not is_declared(name) and (value := look.of(name)) is not None
    }
    folders = sorted(one for one in trace.listed | trace.perhaps_listed if not is_declared(one))
    many = sorted(one for one in trace.many_read | trace.many_written if not is_declared(one))
    # What was removed, or listed, and is not there: it is looked for again.
    others = (trace.gone | trace.listed) - trace.writes - trace.either - trace.folders - {*absent}
    absent += sorted(one for one in others if not is_declared(one) and not look.is_there(one))
    return Seen(
        reads=reads,
        writes={name: look.of(name) for name in sorted(written - trace.links)}
        | {one: look.link(one) for one in sorted(trace.links) if not is_declared(one)},
        modules=modules,
        perhaps=perhaps,
        absent=tuple(absent),
        folders=tuple(
            sorted(one for one in trace.folders if not is_declared(one) and look.is_folder(one))
        ),
        listed={one: _short(look.names(one)) for one in folders if look.is_folder(one)},
        many={
            one: CHANGED
            if one not in trace.many_written and look.any_changed_since(one, began)
            else look.looks(one, around.of_later())
            for one in many
        },
        written={name: look.of(name) for name in sorted(by_some)},
        entered=() if trace.alone else tuple(sorted(trace.perhaps_listed.intersection(folders))),
        doubted=tuple(sorted(doubted)),
        own=tuple(sorted(own)),
        witness=trace.witness,
        alone=trace.alone,
        whole=trace.whole,
        children=trace.children,
    )


def _overtaken(trace: Trace, look: Look) -> list[str]:
    """Give the folders that have other names than when they were listed, and not by the stage.

    Where the system tells of changes, these are looked at instead.
    """
    if trace.watched:
        return []
    touched = trace.writes | trace.either | trace.gone | trace.folders
    own = {one.rpartition("/")[0] or "." for one in touched}
    return [
        one
        for one in trace.listed - own
        if look.is_folder(one) and look.changed_since(one, trace.moments.get(one, 0.0), moved=False)
    ]


def _files(root: Path, name: str) -> list[str]:
    """Give a file's name if it is there, or those of the files in a folder that was moved.

    What is no file with a content, such as a pipe, is none.
    """
    path = root / name
    if os.path.isdir(path):  # noqa: PTH112 - Path's may raise
        inside = (str(one.relative_to(root)) for one in path.rglob("*") if one.is_file())
        return list(islice(inside, _MOST_NAMES))
    return [name] if os.path.isfile(path) else []  # noqa: PTH113 - as above


def _short(names: list[str]) -> list[str] | str:
    if len(names) <= _MOST_NAMES:
        return names
    return f"sha256:{hashlib.sha256(chr(0).join(names).encode('utf-8', 'replace')).hexdigest()}"


@dataclass(frozen=True)
class Comparison:
    """Compares what a stage has used with what is there now.

    `left_out` tells what is not to be looked at, since it may be made anew before; `as_left`
    whether a file that the stage wrote is as it, or a later stage, left it; `of_later` gives the
    names of files that stages write which come after it, `of_earlier` folders that those before
    it make.
    """

    look: Look
    left_out: Callable[[str], bool]
    as_left: Callable[[str, str | None], bool]
    of_later: Callable[[], Collection[str]]
    of_earlier: Callable[[], Collection[str]]

    def reasons(self, seen: Seen) -> Iterator[Reason]:
        """Say what of all that a stage has used is another one now; a few of each kind."""
        count: Counter[str] = Counter()
        for one in self._reasons(seen):
            count[one.kind] += 1
            if count[one.kind] <= _FEW:
                # A name may be no text.
                text = one.text.encode("utf-8", "backslashreplace").decode()
                yield Reason(one.kind, text)
        for kind, number in count.items():
            if number > _FEW:
                yield Reason(kind, f"and {number - _FEW} more like that")

    def _reasons(self, seen: Seen) -> Iterator[Reason]:  # noqa: C901 - one line for each kind
        if not seen.whole:
            yield Reason("unsure", "it used more files than could be watched")
        yield from self._writes(seen)
        for word, named in (("", seen.reads), ("perhaps ", seen.perhaps)):
            for name, value in named.items():
                own = name in seen.writes and value != CHANGED
                if not own and not self.left_out(name):
                    yield from self._other("read", f"{name}, which it {word}read,", name, value)
        for name, value in seen.modules.items():
            yield from self._other("module", f"module {name}", name, value)
        for name in seen.absent:
            if not self.left_out(name) and self.look.is_there(name):
                yield Reason("read", f"{name}, which it looked for, is there now")
        for folder, looks in seen.many.items():
            if self.left_out(f"{folder}/"):
                continue
            if self.look.looks(folder, self.of_later()) != looks:
                yield Reason("read", f"files in {folder}/, many of which it used, changed")
        for folder, names in seen.listed.items():
            if not self.left_out(f"{folder}/"):
                yield from self._listing(folder, names)

    def _writes(self, seen: Seen) -> Iterator[Reason]:
        for name in seen.doubted:
            if not self.left_out(name):
                yield Reason("read", f"{name} changed while it ran, perhaps not by it")
        for name, value in seen.writes.items():
            is_link = value is not None and value.startswith(_LINK)
            now = self.look.link(name) if is_link else self.look.of(name)
            if now is None:
                yield Reason("written", f"{name}, which it wrote, is missing")
            elif now != value and not self.as_left(name, now):
                yield Reason("written", f"{name}, which it wrote, was changed")

        for name in seen.folders:
            if not self.look.is_folder(name) and name not in self.of_earlier():
                yield Reason("written", f"{name}/, which it made, is missing")

    def _other(self, kind: str, words: str, name: str, value: str | None) -> Iterator[Reason]:
        now = self.look.of(name)
        if now != value:
            yield Reason(kind, f"{words} {'is missing' if now is None else 'changed'}")

    def _listing(self, folder: str, before: list[str] | str) -> Iterator[Reason]:
        names = self.look.names(folder)
        if isinstance(before, str):
            if _short(names) != before:
                yield Reason("listed", f"the files in {folder}/, which it listed, are others")
            return
        place = "" if folder == "." else f"{folder}/"
        # A folder that a later stage makes counts as little as its files.
        later = {one for file in self.of_later() for one in with_parents(file)}
        new = [one for one in names if one not in before and place + one not in later]
        gone = [one for one in before if one not in names and place + one not in later]
        if new or gone:
            example = f"{place}{new[0]} is new" if new else f"{place}{gone[0]} is gone"
            yield Reason("listed", f"{example}, in a folder that it listed")
