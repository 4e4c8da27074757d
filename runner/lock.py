"""One run at a time for a build, by a lock that dies with its holder."""

import contextlib
import errno
import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import BuildLockedError, UsageError
from .files import is_full
from .logs import clock_in_words

LOCKS = ".locks"
_MOMENT = 0.3


@contextlib.contextmanager
def hold(outputs: Path, profile: str, what: str) -> Iterator[None]:
    """Hold the build of a profile, and say in a file beside the lock who does.

    The system gives the lock back when the process ends, however it ends. The file of
    words is for people only.

    Raises:
        BuildLockedError: someone else holds it; the text says who, since when.
        UsageError: the folder cannot be written.
    """
    folder = outputs / LOCKS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock_file = (folder / f"{profile}.lock").open("ab")
        lock_file.close()
    except OSError as error:
        if is_full(error):
            raise
        message = (
            f"outputs/ cannot be written: {error.strerror} ({error.filename}); "
            "make it a folder that you may write to"
        )
        raise UsageError(message) from None
    words = folder / f"{profile}.json"
    lock = FileLock(folder / f"{profile}.lock")
    try:
        # Whoever asks for the holder takes the lock for a moment.
        lock.acquire(timeout=_MOMENT, poll_interval=0.02)
    except Timeout:
        message = f"another run holds outputs/{profile}/: {_holder(words)}; wait for it or stop it"
        raise BuildLockedError(message) from None
    try:
        holder = {"what": what, "since": time.time(), "host": platform.node(), "pid": os.getpid()}
        words.write_text(json.dumps(holder), encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            words.unlink()
        lock.release()


def holder(outputs: Path, profile: str) -> str | None:
    """Give what holds the build of a profile, as `hold` was told, if anything does.

    On another host it may be held though this says no: not every disk hands locks on.
    """
    folder = outputs / LOCKS
    try:
        descriptor = os.open(folder / f"{profile}.lock", os.O_RDONLY | os.O_CLOEXEC)
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
        told: dict[str, Any] = json.loads(words.read_text(encoding="utf-8"))
        return told if told.keys() >= {"what", "since", "host", "pid"} else None
    except (OSError, ValueError):
        return None


def _holder(words: Path) -> str:
    told = _told(words)
    if told is None:
        return "it has only just started"
    since = clock_in_words(told["since"])
    return f"{told['what']}, since {since} on {told['host']} (process {told['pid']})"
