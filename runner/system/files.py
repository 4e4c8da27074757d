"""Whole files: at every moment a complete old or new version."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, Protocol


def write_whole(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Replace a file at once: a temporary one beside it, synced, then renamed.

    Args:
        path: the file.
        data: what it is to hold.
        lasting: it outlives a power loss.

    Raises:
        OSError: the disk would not take it; the old version still stands.
    """
    with replacing(path, lasting=lasting) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, *, lasting: bool = True) -> Iterator[BinaryIO]:
    """Open a file to be written whole; it takes the place of `path` at the end, or never."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise
    if lasting:
        sync_folder(path.parent)


def kind(path: Path) -> str | None:
    """Say what is at a path that is neither a plain file nor a folder, such as a link."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return None
    kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    plain = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    return None if plain else kinds.get(stat.S_IFMT(mode), "a device")


def link_on_the_way(path: Path, top: Path) -> Path | None:
    """Give a link that stands between a folder and what lies below it, if there is one."""
    between = (one for one in path.parents if one != top and one.is_relative_to(top))
    return next(filter(kind, between), None)


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def plain_folder(folder: Path) -> Path:
    """Make a folder, if it is not there; nothing is written or removed through a link.

    Raises:
        OSError: it cannot be made, or something else stands there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if found := kind(folder):
        raise OSError(errno.EINVAL, f"it is {found}, not a folder", str(folder))
    return folder


def open_plain(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file of the runner's own; give its descriptor.

    Raises:
        OSError: it cannot be opened, or is no plain file: nothing is followed or waited for.
    """
    try:
        how = flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, how, 0o644)
    except OSError as error:
        if found := kind(path):
            raise OSError(errno.EINVAL, f"it is {found}, not a file", str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"it is {kind(path) or 'a folder'}, not a file", str(path))
    return descriptor


def read_plain(path: Path) -> bytes:
    """Read a file of the runner's own.

    Raises:
        OSError: it cannot be read, or is no plain file.
    """
    with open(open_plain(path), "rb") as file:
        return file.read()


def append_line(
    path: Path, value: object, length: int | None = None, *, lasting: bool = True
) -> None:
    """Append a line of JSON; with `length`, in the place of what stands after that.

    One that is `lasting` outlives a power cut.

    Raises:
        OSError: it cannot be written.
    """
    line = json.dumps(value, allow_nan=False).encode("ascii") + b"\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    with open(open_plain(path, flags), "ab") as file:
        if length is not None:
            file.truncate(length)
        file.write(line)
        file.flush()
        if lasting:
            os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Make a file, or all files of a folder, last through a power loss.

    Raises:
        OSError: the disk would not take it.
    """
    for one in _inside(path) if path.is_dir() else (path,):
        with looked_at(one) as file:
            os.fsync(file.fileno())
    sync_folder(path if path.is_dir() else path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder last through a power loss, where the system can."""
    with contextlib.suppress(OSError):
        with OPENED.ours(folder):
            descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def copy_whole(source: Path, target: Path) -> None:
    """Publish a copy of a file, whole."""
    with source.open("rb") as reader, replacing(target) as writer:
        while block := reader.read(1 << 20):
            writer.write(block)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_full(error: OSError) -> bool:
    """Tell whether an error says that there is no room: on the disk, or in a quota."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


def why(error: OSError) -> str:
    """Say in a line what is the matter with a file, and for a full disk what to do."""
    place = f" ({error.filename})" if error.filename else ""
    if is_full(error):
        return f"the disk is full{place}; free some space and give the same command again"
    return f"{error.strerror or error}{place}"


def reserve(path: Path, size: int) -> None:
    """Set disk space aside, for what must be written even when the disk is full.

    Raises:
        OSError: there is none; nothing is left at `path`.
    """
    try:
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.write(bytes(size))
    except OSError as error:
        path.unlink(missing_ok=True)
        error.filename = error.filename or str(path)
        raise


def in_reserve(action: Callable[[], None], path: Path) -> None:
    """Do what needs disk space; if there is none, again with what was set aside at `path`.

    Raises:
        OSError: it cannot be done.
    """
    try:
        action()
    except OSError as error:
        if not is_full(error) or not path.exists():
            raise
        path.unlink()
        action()


def to_json(value: Any) -> bytes:  # noqa: ANN401 - whatever JSON takes
    """Write strict JSON (no NaN), readable by people; lone surrogates are escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


class Watcher(Protocol):
    """Sees which files and folders are opened."""

    def ours(self, path: str) -> AbstractContextManager[None]:
        """Have one opening of a path, by this process, not be told."""
        ...


class Openings:
    """Lets whoever watches folders know which openings are this process's own."""

    def __init__(self) -> None:
        """Begin with nobody who watches."""
        self.watchers: list[Watcher] = []

    @contextlib.contextmanager
    def ours(self, path: Path | str) -> Iterator[None]:
        """Open a path meanwhile, once."""
        with contextlib.ExitStack() as held:
            for one in tuple(self.watchers):
                held.enter_context(one.ours(str(path)))
            yield


OPENED = Openings()


def looked_at(path: Path) -> BufferedReader:
    """Open a file to read it, for the runner's own purposes.

    Raises:
        OSError: it cannot be read.
    """
    with OPENED.ours(path):
        return path.open("rb")


def content(path: Path) -> bytes:
    """Read a file, for the runner's own purposes.

    Raises:
        OSError: it cannot be read.
    """
    with looked_at(path) as file:
        return file.read()


def digest(path: Path) -> str:
    """Give `sha256:…` of a file.

    Raises:
        OSError: it cannot be read.
    """
    with looked_at(path) as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _inside(folder: Path) -> Iterator[Path]:
    """Give the files in a folder, also those behind links to folders, each folder once."""
    seen: set[str] = set()
    todo = [str(folder)]
    while todo:
        parent = todo.pop()
        real = os.path.realpath(parent)
        if real in seen:
            continue
        seen.add(real)
        entries: list[os.DirEntry[str]] = []
        with contextlib.suppress(OSError), OPENED.ours(parent), os.scandir(parent) as found:
            entries = list(found)
        todo += [entry.path for entry in entries if entry.is_dir()]
        yield from (Path(entry.path) for entry in entries if entry.is_file())


def folder_digest(path: Path, of_file: Callable[[Path], str]) -> str:
    """Give `sha256:…` of a folder's names and contents, the latter as `of_file` gives them."""
    total = hashlib.sha256()
    for inner in sorted(_inside(path)):
        name = str(inner.relative_to(path)).encode("utf-8", "surrogateescape")
        total.update(name + b"\0" + of_file(inner).encode() + b"\n")
    return f"sha256:{total.hexdigest()}"
