"""Which saved files matter: to a project by their place, to builds by what their stages use."""

import ast
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from ..model import SourceNotebook, Stage, Trace
from ..project import NotebookError, Project, naming, notebooks
from ..system import content, files
from .request import BuildPlan

_TOP = {"pyproject.toml", "requirements.txt"}
_NOT_LOOKED_INTO = {"outputs", "node_modules"}
# Past so many folders only those are watched that stages are known to use.
_MOST_FOLDERS = 2_000


def is_source(name: PurePath) -> bool:
    """Tell whether a file of the project, by its name there, is one that builds are made from."""
    parts = name.parts
    if any(part.startswith((".", "#", "~")) or part.endswith("~") for part in parts):
        return False
    if parts[0] == "outputs" or "__pycache__" in parts:
        return False
    if name.suffix == ".ipynb":
        return parts[0] == naming.FOLDER and not any(map(naming.is_scratch, (*parts, name.stem)))
    if parts[0] in {"params", "testdata"}:
        return parts[0] == "testdata" or name.suffix in {".yaml", ".yml", ".csv"}
    return name.suffix == ".py" or str(name) in _TOP


def is_runner(name: PurePath) -> bool:
    """Tell whether a file of the project is one of the runner's own."""
    return str(name) == "run.py" or (name.parts[0] == "runner" and name.suffix == ".py")


def is_half(path: Path) -> bool:
    """Tell whether a file seems to have been written but in part."""
    try:
        if path.suffix == ".py":
            ast.parse(content(path))
        elif path.suffix in {".ipynb", ".json"}:
            json.loads(content(path))
        return path.stat().st_size == 0 and path.name != "__init__.py"
    except OSError:
        return False
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return True


def folders(root: Path) -> Iterator[Path]:
    """Give the folders in which sources of a project may lie."""
    todo, count = [root], 0
    while todo and count < _MOST_FOLDERS:
        folder = todo.pop(0)
        count += 1
        yield folder
        try:
            with files.OPENED.ours(folder), os.scandir(folder) as entries:
                inner = sorted(
                    folder / one.name for one in entries if one.is_dir(follow_symlinks=False)
                )
        except OSError:
            continue
        todo += [one for one in inner if _is_looked_into(one)]


def _is_looked_into(folder: Path) -> bool:
    name = folder.name
    hidden = name.startswith(".") or name == "__pycache__" or name in _NOT_LOOKED_INTO
    return not hidden and not (folder / "pyvenv.cfg").exists()


class Used:
    """The files that the stages of some plans are made from, each as it was then.

    `written` are those that the stages write.
    """

    def __init__(self, project: Project | None = None, plans: Sequence[BuildPlan] = ()) -> None:
        """Look at what is used by the stages of plans for a project."""
        # A notebook is told by what of it runs, another file by its hash; None is missing.
        self._files: dict[Path, SourceNotebook | str | None] = {}
        self._listed: set[Path] = set()
        self.written: set[Path] = set()
        if project is None or not plans:
            return
        self._project = project
        self._hashes = plans[0].freshness.hashes
        for plan in plans:
            self._look(project.root / name for name in _TOP)
            # One may begin with another one, or have its values in a table.
            self._look([*project.profiles.values(), *(project.root / "params").glob("*.csv")])
            for planned in plan.planned:
                self._take(plan.pipeline.stages[planned.stage], plan)

    def _take(self, stage: Stage, plan: BuildPlan) -> None:
        root = self._project.root
        self._files[stage.notebook.path] = self._project.notebooks[stage.notebook.stage]
        self.written |= {one.path for one in stage.outputs}
        self._look(one.path for one in stage.inputs if not one.made_by)
        self._look(root / name for name in plan.freshness.of_stage(stage).modules)
        made = plan.freshness.made.get(stage.name)
        if made is not None and (seen := made.seen) is not None:
            self.written |= {root / name for name in (*seen.writes, *seen.written)}
            used = (*seen.reads, *seen.perhaps, *seen.modules, *seen.absent)
            self._look(root / name for name in used)
            self._listed |= {root / name for name in (*seen.listed, *seen.many)}

    def add(self, trace: Trace) -> None:
        """Take in what a stage was seen to do, however it has ended."""
        root = self._project.root
        self.written |= {root / name for name in trace.writes | trace.either}
        self._look(root / name for name in trace.reads | trace.modules | trace.perhaps_read)
        self._listed |= {root / name for name in trace.listed}

    def _look(self, paths: Iterable[Path]) -> None:
        for path in paths:
            if path not in self._files and path not in self.written:
                self._files[path] = self._content(path)

    def _content(self, path: Path) -> str | None:
        try:
            return self._hashes.of(path)
        except OSError as error:
            return f"unreadable: {error.strerror}"

    def has(self, path: Path) -> bool:
        """Tell whether a file is used, or would be noticed in a folder."""
        return self.has_file(path) or path.parent in self._listed

    def has_file(self, path: Path) -> bool:
        """Tell whether a file is used, by itself or within a folder."""
        return self._key(path) is not None

    def _key(self, path: Path) -> Path | None:
        if path in self.written:
            return None
        return next((one for one in (path, *path.parents) if one in self._files), None)

    def is_same(self, path: Path) -> bool:
        """Tell whether a file that is used has the content that it had."""
        if (key := self._key(path)) is None:
            return False
        before = self._files[key]
        if not isinstance(before, SourceNotebook):
            return self._content(key) == before
        try:
            return notebooks.read(key, before.label) == before
        except (NotebookError, OSError):
            return False

    def edited(self) -> bool:
        """Tell whether a notebook is not what it was any more."""
        found = [path for path, one in self._files.items() if isinstance(one, SourceNotebook)]
        return not all(map(self.is_same, found))

    @property
    def folders(self) -> set[Path]:
        """The folders in which the files lie."""
        files = [*self._files]
        return {*self._listed, *files, *(one.parent for one in files)}
