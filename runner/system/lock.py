"""One run at a time for a build, by a lock that dies with its holder."""

import contextlib
import errno
import fcntl
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import BuildLockedError, UsageError
from ..words import clock_in_words
from . import strict_json
from .files import is_full, kind, open_plain, read_plain, remove, to_json

LOCKS = ".locks"
_MOMENT = 0.3
_TOLD = {"what": str, "since": strict_json.second, "host": str, "pid": strict_json.count}


@contextlib.contextmanager
def hold(outputs: Path, profile: str, what: str) -> Iterator[None]:
    """Hold the build of a profile, and say in a file beside the lock who does.

    The system gives the lock back when the process ends, however it ends. The file of
    words is for people only.

    Raises:
        BuildLockedError: someone else holds it; the text says who, since when.
        UsageError: the folder cannot be written, or its disk has no locks.
    """
    folder = outputs / LOCKS
    _refuse_links(outputs, folder, outputs / profile)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = open_plain(folder / f"{profile}.lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        if is_full(error):
            raise
        message = (
            f"outputs/ cannot be written: {error.strerror} ({error.filename}); "
            "make it a folder that you may write to"
        )
        raise UsageError(message) from None
    words = folder / f"{profile}.json"
    try:
        if not _taken(descriptor):
            told = _holder(words)
            message = f"another run holds outputs/{profile}/: {told}; wait for it or stop it"
            raise BuildLockedError(message)
        try:
            us = {"what": what, "since": time.time(), "host": platform.node(), "pid": os.getpid()}
            remove(words)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(open_plain(words, flags), "wb") as file:  # noqa: PTH123 - it is open
                file.write(to_json(us))
            yield
        finally:
            with contextlib.suppress(OSError):
                words.unlink()
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _refuse_links(outputs: Path, *folders: Path) -> None:
    """Refuse folders that lead elsewhere.

    Raises:
        UsageError: one does.
    """
    for folder in folders:
        if found := kind(folder):
            message = (
                f"{folder.relative_to(outputs.parent)} is {found}; move it away: nothing in "
                "outputs/ may lead elsewhere, only outputs/ itself may be a link"
            )
            raise UsageError(message)


def _taken(descriptor: int) -> bool:
    """Take a lock, if nobody else holds it.

    Raises:
        UsageError: there are no locks on this disk.
    """
    # Whoever asks for the holder takes the lock for a moment.
    until = time.monotonic() + _MOMENT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                message = (
                    f"the disk of outputs/ takes no locks (flock: {error.strerror}), so nothing "
                    "would keep two runs apart; make outputs/ a link to a folder on another disk"
                )
                raise UsageError(message) from None
        else:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.02)


def holder(outputs: Path, profile: str) -> str | None:
    """Give what holds the build of a profile, as `hold` was told, if anything does.

    On another host it may be held though this says no: not every disk hands locks on.
    """
    folder = outputs / LOCKS
    try:
        descriptor = open_plain(folder / f"{profile}.lock")
    except OSError:
        return None
    try:
        # Shared, so that those who ask do not take each other for a holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK and (told := _told(folder / f"{profile}.json")):
            return str(told["what"])
    finally:
        os.close(descriptor)
    return None


def _told(words: Path) -> dict[str, Any] | None:
    """Read what a holder says of itself; None while it has not said all."""
    try:
        told: dict[str, Any] = strict_json.read_json(read_plain(words))
    except (OSError, ValueError):
        return None
    return told if strict_json.fits(told, _TOLD) else None


def _holder(words: Path) -> str:
    told = _told(words)
    if told is None:
        return "it has only just started"
    since = clock_in_words(told["since"])
    return f"{told['what']}, since {since} on {told['host']} (process {told['pid']})"
