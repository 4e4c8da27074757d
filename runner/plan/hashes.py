"""Hashes of files, remembered while a file looks the same."""

import contextlib
import os
import stat
import threading
import time
from pathlib import Path

from ..system import digest, folder_digest, is_folder, read_json, read_plain, to_json, write_whole

_VERSION = 1
# A file that changed so recently may change again within the clock's grain.
_SETTLED = 2.0

Looks = list[int]


class Hashes:
    """Remembers `sha256:…` by path, size, times and inode; usable from any thread."""

    def __init__(self, path: Path) -> None:
        """Begin with what was saved at `path`, if it can be read."""
        self._path = path
        self._known: dict[str, tuple[Looks, str]] = {}
        self._changed = False
        self._lock = threading.Lock()
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            saved = read_json(read_plain(path))
            if saved["version"] == _VERSION:
                self._known = {
                    name: (looks, str(value)) for name, (looks, value) in saved["files"].items()
                }

    def of(self, path: Path) -> str | None:
        """Give the hash of a file, or of a folder's names and contents; None if missing.

        Raises:
            OSError: it cannot be read.
        """
        if path.is_dir():
            return folder_digest(path, lambda inner: self._of_file(inner) or "")
        return self._of_file(path)

    def _of_file(self, path: Path) -> str | None:
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(status.st_mode):
            # Reading a pipe would wait for a writer.
            return None
        looks = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        with self._lock:
            known = self._known.get(str(path))
        if known is not None and known[0] == looks:
            return known[1]
        value = digest(path)
        if time.time() - max(status.st_mtime, status.st_ctime) > _SETTLED:
            with self._lock:
                self._known[str(path)] = (looks, value)
                self._changed = True
        return value

    def save(self) -> None:
        """Keep what is known for the next command; that it cannot be kept does not matter."""
        if not self._changed:
            return
        with self._lock:
            files = {name: each for name, each in self._known.items() if os.path.exists(name)}  # noqa: PTH110 - many
            data = to_json({"version": _VERSION, "files": files})
            self._changed = False
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # A link is not followed.
            if is_folder(self._path.parent):
                write_whole(self._path, data)
