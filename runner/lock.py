"""One run at a time for a build, by a lock that dies with its holder."""

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import BuildLockedError, UsageError
from .files import is_full

LOCKS = ".locks"


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
        lock.acquire(blocking=False)
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


def _holder(words: Path) -> str:
    try:
        holder = json.loads(words.read_text(encoding="utf-8"))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder["since"]))
        return f"{holder['what']}, since {since} on {holder['host']} (process {holder['pid']})"
    except (OSError, ValueError, KeyError):
        return "it has only just started"
