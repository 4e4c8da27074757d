"""The files beside a page, each named by its content; in a page that stands alone, inside it."""

import base64
import hashlib
import mimetypes
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

_DIGITS = 16
# So much stands in a page that stands alone.
_MOST = 8 << 20


@dataclass
class Files:
    """The files of one page, in a folder beside it.

    `name` begins their names; `folder` is where they are, `beside` how the page calls that. In a
    page that stands alone (`single`) the folder is a temporary one, and they are written into
    the page.
    """

    folder: Path
    name: str
    beside: str = "files"
    single: bool = False
    kept: set[str] = field(default_factory=set)
    _used: set[str] = field(default_factory=set)
    _inside: int = 0

    def put(self, suffix: str, write: Callable[[BinaryIO], object]) -> str:
        """Keep what a function writes; give the file's name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{secrets.token_hex(8)}.tmp"
        try:
            with temporary.open("xb") as file:
                write(file)
            with temporary.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]
            name = f"{self.name}-{digest}{suffix}"
            temporary.replace(self.folder / name)
        finally:
            temporary.unlink(missing_ok=True)
        self.kept.add(name)
        return name

    def put_bytes(self, suffix: str, data: bytes) -> str:
        """Keep a file."""
        return self.put(suffix, lambda file: file.write(data))

    def read(self, name: str) -> bytes:
        """Read a file that was kept."""
        return (self.folder / name).read_bytes()

    def fits(self, size: int) -> bool:
        """Take room in a page that stands alone, if there is some."""
        self._inside += size
        return self._inside <= _MOST

    def url(self, name: str) -> str:
        """Give what the page says to show a file; nothing if there is no room for it."""
        if not self.single:
            self._used.add(name)
            return f"{self.beside}/{quote(name)}"
        data = self.read(name)
        return as_url(data, Path(name).suffix) if self.fits(len(data)) else ""

    def clear(self) -> None:
        """Remove what no page asks for: it was only put aside."""
        for name in sorted(self.kept - self._used):
            (self.folder / name).unlink(missing_ok=True)
        self.kept &= self._used


def url(path: Path, folder: Path) -> str:
    """Give the place of a file as a page in a folder says it."""
    return quote(os.path.relpath(path, folder).replace(os.sep, "/"))


def as_url(data: bytes, suffix: str) -> str:
    """Write a file as a `data:` URL."""
    kind = mimetypes.guess_type(f"x{suffix}")[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
