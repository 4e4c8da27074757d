"""A sign of life in a run's folder, for whoever looks from elsewhere: never a process id."""

import contextlib
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import Exit
from ..stop import Stop
from ..system import fits, machine, read_json, read_plain, to_json, write_whole
from ..system.cgroups import memory_limit
from ..words import clock_in_words, size_in_words
from . import shapes

FILE = "heartbeat.json"
_REQUEST = "stop.json"
_ASKED = {"host": str, "at_once": bool}
_EVERY, _FIRST, _LOOK = 5.0, 1.0, 0.5
_PATIENCE = 10.0
_SILENT = 8.0


@dataclass(frozen=True)
class Beat:
    """When a run was last heard of (seconds since 1970), where, and its memory in bytes.

    The memory is 0 while it has not been looked at; its limit is None where there is none.
    """

    at: float
    host: str
    memory: int
    limit: int | None = None

    @property
    def words(self) -> str:
        """When and where the run was last heard of, and what memory it had."""
        words = f"last sign of life at {clock_in_words(self.at)} on {self.host}"
        return f"{words} with {self.memory_words} of memory" if self.memory else words

    @property
    def memory_words(self) -> str:
        """What memory the run had, and of how much."""
        of = f" of {size_in_words(self.limit)}" if self.limit else ""
        return f"{size_in_words(self.memory)}{of}"

    @property
    def is_here(self) -> bool:
        """Whether the run is on this host."""
        return self.host == platform.node()


def ask_to_stop(folder: Path, *, at_once: bool) -> None:
    """Leave a request in a run's folder, which its runner finds within a second or two.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(folder / _REQUEST, to_json({"host": platform.node(), "at_once": at_once}))


@contextlib.contextmanager
def beating(folder: Path, stop: Stop, watch: Callable[[int], None]) -> Iterator[None]:
    """Give a sign of life in `folder` every few seconds; it is gone at the end.

    A request to stop that is left there is passed on. `watch` is called as often, with the
    bytes of memory that all processes use; that it waits or fails does not keep anything up.
    """
    over = threading.Event()
    memory = [0]
    threads = [
        threading.Thread(target=_beat, args=(folder, stop, over, memory), daemon=True),
        threading.Thread(target=_watch, args=(watch, over, memory), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            # A disk that is away holds a thread for as long.
            thread.join(_PATIENCE)
        # What was asked for in the last moment is for the rest of the command.
        _obey(folder, stop, b"", wait=True)
        for name in (FILE, _REQUEST):
            with contextlib.suppress(OSError):
                (folder / name).unlink()


def _beat(folder: Path, stop: Stop, over: threading.Event, memory: list[int]) -> None:
    path, obeyed = folder / FILE, b""
    while not over.is_set():
        data = to_json(asdict(Beat(time.time(), platform.node(), memory[0], memory_limit())))
        try:
            write_whole(path, data, lasting=False)
        except OSError:
            # On a full disk the time of the file is a sign of life, too.
            with contextlib.suppress(OSError):
                os.utime(path)
        # The second beat has the memory.
        until = time.monotonic() + (_EVERY if memory[0] else _FIRST)
        while not over.wait(_LOOK) and time.monotonic() < until:
            obeyed = _obey(folder, stop, obeyed)
            # What kernels come from, and nobody else is there to look after.
            machine.have_children_go_on()


def _watch(watch: Callable[[int], None], over: threading.Event, memory: list[int]) -> None:
    wait = _FIRST / 2
    while not over.wait(wait):
        memory[0] = machine.tree_memory(os.getpid())
        # What it shows is for comfort: that it cannot be shown ends nothing.
        with contextlib.suppress(Exception):
            watch(memory[0])
        wait = _EVERY


def _obey(folder: Path, stop: Stop, obeyed: bytes, *, wait: bool = False) -> bytes:
    """Take in a request to stop, if there is one that was not obeyed yet; give the newest."""
    try:
        data = read_plain(folder / _REQUEST)
        found = read_json(data)
    except (OSError, ValueError):
        return obeyed
    if data == obeyed or not fits(found, _ASKED):
        return obeyed
    words, at_once = f"stopped by `run.py stop` on {found['host']}", found["at_once"]
    # In a thread: what is called may have to wait.
    request = {"reason": words, "exit_code": Exit.TERMINATED, "at_once": at_once}
    thread = threading.Thread(target=stop.request, kwargs=request, daemon=True)
    thread.start()
    if wait:
        thread.join(_PATIENCE)
    return data


def last(folder: Path) -> Beat | None:
    """Give a run's last sign of life, if there is one."""
    try:
        return beat_of(read_json(read_plain(folder / FILE)))
    except (OSError, ValueError):
        return None


def beat_of(found: object) -> Beat | None:
    """Read a sign of life, if it is one."""
    if not fits(found, shapes.BEAT):
        return None
    return Beat(**{key: found.get(key) for key in Beat.__dataclass_fields__})  # type: ignore[attr-defined]


def silence(folder: Path, beat: Beat) -> float:
    """Give the seconds since a run was heard of.

    Clocks of hosts differ. If a run seems to be silent for long by ours, the clock of the
    disk counts, which dates both the sign of life and a file that is made now.
    """
    seconds = abs(time.time() - beat.at)
    if seconds < _SILENT:
        return seconds
    now = folder / f".now.{secrets.token_hex(4)}"
    try:
        now.touch()
        seconds = min(seconds, abs(now.stat().st_mtime - (folder / FILE).stat().st_mtime))
        now.unlink()
    except OSError:
        return seconds
    return seconds
