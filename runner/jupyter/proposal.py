"""What notebooks would be as stages: which files become inputs and outputs, and what cannot."""

import ast
import fnmatch
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..project import RESERVED_OUTPUTS, naming
from .existing import Existing
from .paths import Code, Found, Reading, read
from .traced import Traced, Use

BUILD = "outputs/test"
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Note:
    """Something that a person has to do: where, and what."""

    place: str
    what: str

    def __str__(self) -> str:
        """Give the line that the user reads."""
        return f"{self.place}: {self.what}"


@dataclass(frozen=True)
class Port:
    """A file or folder that becomes a parameter: its kind, and its place from now on."""

    kind: str
    name: str
    place: str
    parameter: str


@dataclass
class Sheet:
    """A notebook, what its cells say of paths, and what is to become of it.

    `target` is where it is to lie; `ports` are by the names of files and folders as they are
    now; `frozen` says why its paths cannot be told, if so.
    """

    old: Existing
    use: Use
    reading: Reading
    target: str
    ports: dict[str, Port] = field(default_factory=dict)
    frozen: Note | None = None

    @property
    def moved(self) -> bool:
        """Whether it runs in another folder from now on."""
        return self.old.folder != self.folder

    @property
    def folder(self) -> str:
        """Where it runs from now on."""
        return str(PurePosixPath(self.target).parent)

    @property
    def stage(self) -> str:
        """The stage that it becomes."""
        return naming.stage_name(PurePosixPath(self.target))

    def place(self, code: Code, line: int) -> str:
        """Name a line of it for a person."""
        return f"{self.old.label}, cell {code.number}, line {line}"

    def exact(self, root: Path) -> dict[str, list[Found]]:
        """Give the expressions that are files or folders, by their names in the project."""
        found: dict[str, list[Found]] = defaultdict(list)
        for one in [*self.reading.exact, *self.reading.leads, *self.reading.shell]:
            name = named(root, self.old.folder, one.known.text)
            if name is not None and one.known.text.strip():
                found[name].append(one)
        return found


@dataclass
class Proposal:
    """All notebooks, what a person has to do, and what each file's name is from now on."""

    sheets: list[Sheet]
    notes: list[Note]
    moved: dict[str, str]


def named(root: Path, folder: str, text: str) -> str | None:
    """Give a path's name in the project, as a notebook in a folder has it; None outside of it."""
    path = os.path.normpath(os.path.join(root, folder, text))  # noqa: PTH118 - text alone
    if "\0" in text or not (path == str(root) or path.startswith(f"{root}/")):
        return None
    return os.path.relpath(path, root)


def propose(root: Path, found: Sequence[Existing], traced: Traced) -> Proposal:
    """Decide for each file whether all notebooks that use it can name it by a parameter."""
    targets = _targets(found)
    sheets = [
        Sheet(
            one,
            traced.uses[one.label],
            read(one.cells, str(root / one.folder)),
            targets[one.label],
        )
        for label in traced.order
        for one in found
        if one.label == label
    ]
    for sheet in sheets:
        sheet.frozen = _frozen(sheet)
    # One that cannot be moved keeps what it uses where it is, for all others, too.
    while True:
        join = _Join(root, traced.copy, sheets)
        made = join.proposal()
        if not join.refuse_moves():
            return made


def _targets(found: Sequence[Existing]) -> dict[str, str]:
    """Say where each notebook is to lie: below `notebooks/`, in folders as now."""
    outside = [one for one in found if PurePosixPath(one.label).parts[0] != naming.FOLDER]
    folders = [one.folder for one in outside]
    top = os.path.commonpath(folders) if folders else "."
    made = {}
    for one in found:
        path = PurePosixPath(one.label).with_suffix(".ipynb")
        inner = os.path.relpath(path, top)
        made[one.label] = f"{naming.FOLDER}/{inner}" if one in outside else str(path)
    return made


def _frozen(sheet: Sheet) -> Note | None:
    """Find what makes relative paths mean something else later on, or a stage that is one."""
    for code in sheet.reading.codes:
        for line, text in code.opaque.items():
            if re.match(r"\s*%cd\b|\s*cd\s", text):
                return Note(sheet.place(code, line), f"{text.strip()} {_CHDIR}")
        for node in ast.walk(code.tree) if code.tree else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"os.chdir", "chdir"}:
                return Note(sheet.place(code, node.lineno), f"{ast.unparse(node)} {_CHDIR}")
    return None


_CHDIR = (
    "changes what paths mean; delete it, write them relative to the notebook's folder, adopt again"
)


class _Join:
    """Joins what the notebooks use, and what their cells say of it."""

    def __init__(self, root: Path, copy: Path, sheets: list[Sheet]) -> None:
        self._root, self._copy, self._sheets = root, copy, sheets
        self._exact = {one.old.label: one.exact(root) for one in sheets}
        self._writers: dict[str, list[Sheet]] = defaultdict(list)
        self._readers: dict[str, list[Sheet]] = defaultdict(list)
        for one in sheets:
            for name in one.use.writes:
                self._writers[name].append(one)
            for name in one.use.reads:
                self._readers[name].append(one)
        self._notes: list[Note] = [one.frozen for one in sheets if one.frozen]
        self._why: dict[str, list[Note]] = {}

    def proposal(self) -> Proposal:
        """Decide, file by file; folders for what has no name of its own in a cell."""
        folders = self._output_folders()
        moved = self._moved(folders)
        for sheet in self._sheets:
            if sheet.frozen is None:
                self._give_ports(sheet, moved, folders)
        self._tell_of_what_stays(moved)
        self._notes += self._others(moved)
        return Proposal(self._sheets, list(dict.fromkeys(self._notes)), moved)

    # What is written.

    def _output_folders(self) -> dict[str, Sheet]:
        """Find folders that one notebook alone fills, with names that its cells do not spell."""
        found: dict[str, Sheet] = {}
        for sheet in self._sheets:
            spelt = self._exact[sheet.old.label]
            loose = {name for name in sheet.use.writes if name not in spelt}
            for name in sorted(loose):
                folder = self._holder(sheet, name)
                if folder is None or sheet.frozen:
                    continue
                inside = set(_inside(self._copy, folder))
                if inside <= sheet.use.writes and not inside & sheet.use.updates:
                    found[folder] = sheet
        return found

    def _holder(self, sheet: Sheet, name: str) -> str | None:
        """Give the folder by which a notebook names a file whose own name no line spells."""
        spelt = self._exact[sheet.old.label]
        above = [one for one in _above(name) if one in spelt and one != "."]
        made_up = [
            one
            for one in sheet.reading.patterns
            if fnmatch.fnmatch(name, named(self._root, sheet.old.folder, one.known.text) or "")
        ]
        for folder in above:
            names = {
                each
                for each, known in sheet.reading.names.items()
                if named(self._root, sheet.old.folder, known.text) == folder
            }
            nodes = {id(one.node) for one in spelt[folder]}
            tied = all(
                names & one.known.names or any(id(node) in nodes for node in ast.walk(one.node))
                for one in made_up
            )
            only_made = all(_is_made(one) for one in spelt[folder]) and not names
            if tied and not (only_made and not made_up):
                return folder
        return None

    def _moved(self, folders: dict[str, Sheet]) -> dict[str, str]:
        """Give the new places of files and folders that are written; None of them may be missed."""
        moved: dict[str, str] = {}
        taken: set[str] = set()
        for name in [*folders, *sorted(self._writers)]:
            holder = next((one for one in _above(name) if one in folders), None)
            if name not in folders and holder is not None:
                continue
            if (why := self._stays(name, folders)) is None:
                moved[name] = f"{BUILD}/{_free(name, taken)}"
            else:
                self._why[name] = why
        for name in self._writers:
            holder = next((one for one in _above(name) if one in moved), None)
            if holder is not None:
                moved[name] = f"{moved[holder]}/{os.path.relpath(name, holder)}"
        return moved

    def _stays(self, name: str, folders: dict[str, Sheet]) -> list[Note] | None:
        """Say why a file that is written cannot get another place, if so."""
        inside = set(_inside(self._copy, name)) if name in folders else {name}
        writers = {one.old.label for each in inside for one in self._writers[each]}
        if len(writers) > 1:
            both = " and ".join(sorted(writers))
            return [Note(name, f"is written by {both}; let each write a file of its own")]
        users = [
            (sheet, each)
            for each in sorted(inside)
            for sheet in [*self._writers[each], *self._readers[each]]
        ]
        for sheet, each in users:
            if each in sheet.use.updates:
                what = f"is read and then changed in its place by {sheet.old.label}; "
                return [Note(each, f"{what}write another file")]
            if sheet.frozen is not None:
                return [Note(each, f"stays there because of {sheet.frozen.place}")]
            if opaque := list(_opaque(sheet, each)):
                return opaque
            spelt = self._exact[sheet.old.label]
            if each not in spelt and self._holder(sheet, each) != name:
                return self._computed(sheet, each)
        return None

    def _computed(self, sheet: Sheet, name: str) -> list[Note]:
        """Find the lines that make a file's name up."""
        found = []
        for one in sheet.reading.patterns:
            pattern = named(self._root, sheet.old.folder, one.known.text)
            if pattern is not None and fnmatch.fnmatch(name, pattern):
                made_up = f"makes up the name {name}; write the path as a text"
                looked = f"finds {name} by a pattern; name the file, or a folder of such alone"
                what = made_up if one.known.pattern else looked
                found.append(Note(sheet.place(one.code, one.line), what))
        if found:
            return found
        base = PurePosixPath(name).name
        found += _opaque(sheet, name)
        beside = [*sorted(sheet.use.modules), *(one for one in sheet.use.reads if _is_text(one))]
        for other in beside:
            for line in _lines(self._copy / other, base):
                what = f"names {name}; have the notebook hand the path over"
                found.append(Note(f"{other}, line {line}", what))
        if found:
            return found
        folder = next((one for one in _above(name) if one in self._exact[sheet.old.label]), None)
        for one in self._exact[sheet.old.label].get(folder or "", ()):
            what = f"names the folder of {name}, in which there is more; name the file itself"
            found.append(Note(sheet.place(one.code, one.line), what))
        what = f"uses {name}, and no line of it says so; name it in a cell"
        return found or [Note(sheet.old.label, what)]

    # What a notebook declares.

    def _give_ports(self, sheet: Sheet, moved: dict[str, str], folders: dict[str, Sheet]) -> None:
        spelt = self._exact[sheet.old.label]
        for name in sorted(sheet.use.writes):
            holder = next((one for one in _above(name) if one in moved and one in folders), None)
            if holder is not None:
                self._port(sheet, "output", holder, moved[holder])
            elif name in moved:
                self._port(sheet, "output", name, moved[name])
        for name in sorted(sheet.use.reads - sheet.use.updates):
            written = bool(self._writers[name])
            place = moved.get(name) if written else self._in_test(name)
            if place is None:
                continue
            if name in spelt:
                self._port(sheet, "input", name, place)
                continue
            holder = self._holder(sheet, name)
            if holder is None:
                self._why.setdefault(f"{sheet.old.label}\0{name}", self._computed(sheet, name))
            elif holder in folders and holder in moved:
                self._port(sheet, "input", holder, moved[holder])
            elif not written and not self._is_filled(holder):
                self._port(sheet, "input", holder, holder)
            else:
                self._why.setdefault(f"{sheet.old.label}\0{name}", self._computed(sheet, name))

    def _in_test(self, name: str) -> str:
        """Give the name that a file of a build has in the test build; that of another as it is."""
        parts = PurePosixPath(name).parts
        if parts[0] != "outputs" or not (self._root / "outputs" / parts[1] / "runs").is_dir():
            return name
        return str(PurePosixPath(BUILD, *parts[2:]))

    def _is_filled(self, folder: str) -> bool:
        """Tell whether notebooks write into a folder."""
        return any(folder in _above(name) for name, who in self._writers.items() if who)

    @staticmethod
    def _port(sheet: Sheet, kind: str, name: str, place: str) -> None:
        if name in sheet.ports:
            return
        taken = {one.parameter for one in sheet.ports.values()} | set(sheet.reading.count)
        path = PurePosixPath(name)
        words = (path.stem, path.name if path.suffix else f"{path.name}_files")
        free = (
            f"{kind}_{_word(one)}" for one in (*words, *(f"{path.stem}_{n}" for n in range(99)))
        )
        sheet.ports[name] = Port(kind, name, place, next(one for one in free if one not in taken))

    # What is told.

    def _tell_of_what_stays(self, moved: dict[str, str]) -> None:
        for name, notes in self._why.items():
            if name not in moved:
                self._notes += notes

    def refuse_moves(self) -> bool:
        """Freeze notebooks that cannot lie below `notebooks/`; tell whether there are more now."""
        more = False
        for sheet in self._sheets:
            spelt = self._exact[sheet.old.label]
            loose = [
                name
                for name in sorted(sheet.use.files)
                if name not in spelt and not any(one in sheet.ports for one in _above(name))
            ]
            loose += [name for name in sorted(sheet.use.files) if any(_opaque(sheet, name))]
            if sheet.moved and sheet.frozen is None and loose:
                why = [*_opaque(sheet, loose[0]), *self._computed(sheet, loose[0])][0]
                what = f"{why.what}; until then {sheet.old.label} stays there, and is no stage"
                sheet.frozen, more = Note(why.place, what), True
        if more:
            for sheet in self._sheets:
                sheet.ports = {}
        return more

    def _others(self, moved: dict[str, str]) -> Iterator[Note]:
        """List other files that use a path which is another one now."""
        own = {one.old.label for one in self._sheets}
        for path, folders, names in os.walk(self._copy):
            folders[:] = [one for one in folders if one[0] != "."]
            for each in sorted(names):
                name = os.path.relpath(os.path.join(path, each), self._copy)  # noqa: PTH118
                if name in own or not _is_text(name):
                    continue
                for old, new in moved.items():
                    for line in _lines(self._copy / name, old):
                        to = new.replace(BUILD, "outputs/all")
                        yield Note(f"{name}, line {line}", f"uses {old}, which will be {to}")


def _is_made(found: Found) -> bool:
    """Tell whether a folder's name stands only where the folder is made."""
    for node in ast.walk(found.code.tree) if found.code.tree else ():
        if isinstance(node, ast.Call) and "mkdir" in ast.unparse(node.func).replace(
            "makedirs", "mkdir"
        ):
            return found.node in [*ast.walk(node)]
    return False


def _opaque(sheet: Sheet, name: str) -> Iterator[Note]:
    """Find lines that use a file, and cannot be rewritten."""
    base = PurePosixPath(name).name
    known = {(one.code.number, one.line) for one in sheet.reading.shell if base in one.known.text}
    for code in sheet.reading.codes:
        for line, text in code.opaque.items():
            if base in text and (code.number, line) not in known:
                what = f"uses {name}, and is no Python; write it in Python"
                yield Note(sheet.place(code, line), what)


def _above(name: str) -> list[str]:
    """Give the folders in which a file lies, the nearest first."""
    return [str(one) for one in PurePosixPath(name).parents]


def _inside(copy: Path, folder: str) -> Iterator[str]:
    for path in (copy / folder).rglob("*"):
        if path.is_file():
            yield str(path.relative_to(copy))


def _word(text: str) -> str:
    found = re.sub(r"\W+", "_", text).strip("_").lower()
    return found or "file"


def _free(name: str, taken: set[str]) -> str:
    """Give a name in the build that no other file has there."""
    path = PurePosixPath(name)
    words = [path.name, f"{path.parent.name}_{path.name}", name.replace("/", "_")]
    words += [f"{n}_{path.name}" for n in range(len(taken) + 1)]
    found = next(one for one in words if one not in taken and one not in RESERVED_OUTPUTS)
    taken.add(found)
    return found


_TEXTS = (".py", ".md", ".rst", ".sh", ".yaml", ".yml", ".toml", ".json", ".ini", ".cfg", ".r")


def _is_text(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in _TEXTS or path.name.lower() in {"makefile", "dockerfile"}


def _lines(path: Path, text: str) -> Iterator[int]:
    """Give the numbers of the lines of a file in which a text stands."""
    try:
        if path.stat().st_size > _LARGEST:
            return
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    whole = re.compile(rf"(?<![\w-]){re.escape(text)}(?![\w-])")
    yield from (number for number, line in enumerate(lines, 1) if whole.search(line))
