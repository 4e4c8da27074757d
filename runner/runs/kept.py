"""What a run has written, kept in its folder: small files by their hashes, each once."""

import hashlib
import os
import re
from itertools import islice
from pathlib import Path

from ..system import digest, is_folder, is_full, kind, looked_at, replacing
from .journal import is_run, run_folders

_FOLDER = "outputs"
# A run's whole, in files of the largest size.
_FILES = 10
# In so many of the runs before it a file is looked for.
_BACK = 20
# As much of a hash as nothing else has.
_DIGITS = 20
_SUFFIX = re.compile(r"\.\w{1,16}", re.ASCII)


class ChangedError(Exception):
    """A file is not as it was when its hash was taken."""


def kept(build: Path, run_id: str, file_hash: str | None, name: str) -> Path | None:
    """Give where a run keeps what it wrote to a file, if it does.

    Args:
        build: the build's folder.
        run_id: the run that wrote it; for a stage that was skipped, the one that made it.
        file_hash: what the record says of it.
        name: its name, for the suffix.
    """
    folder = build / "runs" / run_id
    if file_hash is None or not is_run(folder) or not is_folder(folder / _FOLDER):
        return None
    path = folder / _FOLDER / _name(file_hash, name)
    return path if path.is_file() and not kind(path) else None


def _name(file_hash: str, name: str) -> str:
    suffix = Path(name).suffix.lower()
    digits = re.sub(r"[^0-9a-f]", "", file_hash.rpartition(":")[2])
    return digits[:_DIGITS] + (suffix if _SUFFIX.fullmatch(suffix) else "")


class Keeper:
    """Keeps what one run writes, as long as there is room for it."""

    def __init__(self, folder: Path, largest: int) -> None:
        """Keep files of at most `largest` bytes, 0 is none, in the folder of a run."""
        self._run = folder
        self._folder = folder / _FOLDER
        self._largest = largest
        self._left = largest * _FILES
        self._earlier: list[Path] | None = None

    def keep(self, path: Path, file_hash: str | None) -> None:
        """Keep a file, if it is small enough; what an earlier run keeps takes no space again.

        It need not outlast a power cut: no more is lost then than what is kept of it.

        Raises:
            OSError: it cannot be kept; nothing of it is left.
            ChangedError: it is not as its hash says.
        """
        if file_hash is None or not path.is_file():
            return
        size = path.stat().st_size
        target = self._folder / _name(file_hash, path.name)
        if size > min(self._largest, self._left) or target.exists():
            return
        try:
            self._folder.mkdir(exist_ok=True)
            if not self._link(target, file_hash):
                _copy(path, target, file_hash)
        except OSError as error:
            if is_full(error):
                self._left = 0
            raise
        self._left -= size

    def _link(self, target: Path, file_hash: str) -> bool:
        if self._earlier is None:
            runs = reversed(run_folders(self._run.parents[1]))
            others = (folder for folder in runs if folder != self._run)
            self._earlier = [*islice(others, _BACK)]
        for folder in self._earlier:
            found = kept(folder.parents[1], folder.name, file_hash, target.name)
            try:
                if found is not None and digest(found) == file_hash:
                    os.link(found, target)
                    return True
            except OSError:
                # Not all disks have links, and not every file may be linked to.
                continue
        return False


def _copy(source: Path, target: Path, file_hash: str) -> None:
    total = hashlib.sha256()
    with looked_at(source) as reader, replacing(target, lasting=False) as writer:
        while block := reader.read(1 << 20):
            total.update(block)
            writer.write(block)
        if f"sha256:{total.hexdigest()}" != file_hash:
            raise ChangedError
