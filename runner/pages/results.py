"""The files that stages wrote: where a page shows them from, and what is inside."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..runs import File, StageRecord, kept
from ..system import digest
from .files import Files, url
from .inside import PICTURES, Inside, look

# A larger picture that no run keeps is not copied beside a page.
_LARGEST = 16 << 20
# Of a larger file that no run keeps nothing is shown: to hash it takes long.
_MOST = 256 << 20


@dataclass(frozen=True)
class Result:
    """A file that a stage wrote, or `read` from outside: where a page finds it, what is inside.

    `url` is empty where there is no place to show it from; `inside` is None where the file is
    not to be had any more.
    """

    stage: str
    name: str
    hash: str | None
    url: str
    inside: Inside | None
    read: bool = False

    @property
    def is_picture(self) -> bool:
        """Whether it is shown as a picture."""
        return not self.read and Path(self.name).suffix.lower() in PICTURES and bool(self.url)


class Results:
    """Finds what the stages of a build wrote."""

    def __init__(self, root: Path, build: Path, mask: Callable[[str], str]) -> None:
        """Look in a project's folder, and in what the runs of a build keep."""
        self._root, self._build, self._mask = root, build, mask
        self._hashes: dict[Path, str | None] = {}

    def of_run(self, stage: StageRecord, run_id: str, files: Files) -> Iterator[Result]:
        """Give what a stage wrote in a run, as it was then; pictures are kept in `files`."""
        for file in _written(stage):
            path, place = self._then(run_id, file), ""
            if path is not None:
                place = self._place(path, files)
            inside = self._look(path) if path is not None else None
            yield Result(stage.name, file.name, file.hash, place, inside)

    def from_outside(self, stages: Sequence[StageRecord]) -> Iterator[Result]:
        """Give what stages read and none of them wrote, if it is still as it was."""
        made = {file.name for stage in stages for file in _written(stage)}
        told: set[str] = set()
        for stage in stages:
            seen = (File("", name, value) for name, value in stage.reads.items())
            for file in (*stage.inputs, *seen):
                if file.name not in made | told:
                    told.add(file.name)
                    path = self._as_it_was(file)
                    inside = self._look(path) if path is not None else None
                    yield Result(stage.name, file.name, file.hash, "", inside, read=True)

    def that_stand(self, stage: StageRecord, folder: Path) -> Iterator[Result]:
        """Give what a stage wrote and is there now, as a page in a folder says it."""
        for file in _written(stage):
            path = self._path(file)
            if path is not None and path.is_file():
                place = url(path, folder)
                yield Result(stage.name, file.name, file.hash, place, self._look(path))

    def _then(self, run_id: str, file: File) -> Path | None:
        """Give where a file can be read as a run left it: kept, or still as it was."""
        if (found := kept.kept(self._build, run_id, file.hash, file.name)) is not None:
            return found
        return self._as_it_was(file)

    def _path(self, file: File) -> Path | None:
        """Give where a file of the project lies; a record may have been planted."""
        name = Path(file.name)
        hidden = any(part.startswith(".") for part in name.parts)
        return None if name.is_absolute() or hidden else self._root / name

    def _as_it_was(self, file: File) -> Path | None:
        path = self._path(file)
        if path is None:
            return None
        if path not in self._hashes:
            try:
                few = path.is_file() and path.stat().st_size <= _MOST
                self._hashes[path] = digest(path) if few else None
            except OSError:
                self._hashes[path] = None
        same = file.hash is not None and self._hashes[path] == file.hash
        return path if same else None

    def _place(self, path: Path, files: Files) -> str:
        if path.is_relative_to(self._build / "runs") and not files.single:
            return url(path, files.folder.parent)
        if path.suffix.lower() not in PICTURES or path.stat().st_size > _LARGEST:
            return ""
        return files.url(files.put_bytes(path.suffix.lower(), path.read_bytes()))

    def _look(self, path: Path) -> Inside | None:
        return look(path, self._mask)


def _written(stage: StageRecord) -> list[File]:
    """Give the files that a stage wrote, those too that it did not declare."""
    seen = (File("", name, value) for name, value in stage.writes.items())
    return [*stage.outputs, *seen]
