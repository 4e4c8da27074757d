"""Kernels of stages that failed, kept for a while because the user asked for it.

Each is held by a process of its own (see `keeper`), which holds a lock on a note about it: who
finds the lock free knows that nothing is kept.
"""

import contextlib
import fcntl
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from ..model import Keep
from ..system import count, fits, open_plain, read_json, read_plain, second

FOLDER = "kept"
_SHAPE = {
    "stage": str,
    "run": str,
    "profile": str,
    "host": str,
    "connection": str,
    "pid": count,
    "until": second,
}
# In seconds, for a keeper to begin, and to end.
_TO_BEGIN, _TO_END = 10.0, 10.0
_LOOK = 0.05
READY = b"ready\n"


@dataclass(frozen=True)
class Kept:
    """A kernel that is kept here: of which stage and run, and until when."""

    note: Path
    stage: str
    run: str
    profile: str
    connection: Path
    keeper: int
    until: float

    def interrupt(self) -> None:
        """Interrupt what runs in it."""
        with contextlib.suppress(OSError):
            os.kill(self.keeper, signal.SIGINT)

    def end(self) -> bool:
        """End it; tell whether it has ended."""
        if is_held(self.note):
            with contextlib.suppress(OSError):
                os.kill(self.keeper, signal.SIGTERM)
        limit = time.monotonic() + _TO_END
        while is_held(self.note):
            if time.monotonic() > limit:
                return False
            time.sleep(_LOOK)
        return True

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Have it stay, whatever its time, as long as someone works in it."""
        descriptor = open_plain(in_use(self.note), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)


def in_use(note: Path) -> Path:
    """Give the file that is locked while someone works in a kernel."""
    return note.with_suffix(".lock")


def is_held(path: Path) -> bool:
    """Tell whether a process has locked a file."""
    try:
        descriptor = open_plain(path)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_locked_by_others(path: Path) -> bool:
    """Tell whether anyone shares or holds the lock of a file."""
    try:
        descriptor = open_plain(path)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def kept(cache: Path) -> list[Kept]:
    """Give the kernels that are kept on this machine, by the folder of what is cached.

    A note is removed whose kernel is gone, as after a power cut.
    """
    found = []
    for note in sorted((cache / FOLDER).glob("*.json")):
        try:
            told: dict[str, Any] = read_json(read_plain(note))
        except (OSError, ValueError):
            continue
        # What another machine holds may look free here.
        if not fits(told, _SHAPE) or told["host"] != platform.node():
            continue
        if not is_held(note):
            with contextlib.suppress(OSError):
                for path in (note, in_use(note)):
                    path.unlink(missing_ok=True)
        else:
            one = Kept(
                note=note,
                stage=told["stage"],
                run=told["run"],
                profile=told["profile"],
                connection=Path(told["connection"]),
                keeper=told["pid"],
                until=float(told["until"]),
            )
            found.append(one)
    return found


def keep(wanted: Keep, control: int, connection: Path, root: Path) -> bool:
    """Hand a kernel over to a keeper; tell whether one has it now.

    Args:
        wanted: for how long, and what is noted.
        control: the socket to the kernel's guard, which is the caller's to close.
        connection: the kernel's connection file.
        root: the project's folder.
    """
    about = {
        "stage": wanted.stage,
        "run": wanted.run,
        "profile": wanted.profile,
        "host": platform.node(),
        "connection": str(connection),
        "until": time.time() + wanted.seconds,
    }
    command = [sys.executable, "-m", "runner.kernels.keeper", str(control), str(wanted.note)]
    keeper = subprocess.Popen(  # noqa: S603 - our own words
        [*command, json.dumps(about)],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[control],
        start_new_session=True,
    )
    with cast("IO[bytes]", keeper.stdout) as answer:
        os.set_blocking(answer.fileno(), False)
        limit = time.monotonic() + _TO_BEGIN
        said = b""
        while said != READY and keeper.poll() is None and time.monotonic() < limit:
            said += answer.read() or b""
            time.sleep(_LOOK)
    if said != READY:
        keeper.kill()
        keeper.wait()
        return False
    # It stays when we are gone, which is what it is for; Python would warn of that.
    keeper.returncode = 0
    return True
