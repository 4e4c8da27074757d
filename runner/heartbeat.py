"""A sign of life in a run's folder, for whoever looks from elsewhere: never a process id."""

import contextlib
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import Exit
from .files import to_json, write_whole
from .machine import memory_limit, size_in_words, tree_memory
from .stop import Stop

_FILE = "heartbeat.json"
_REQUEST = "stop.json"
_EVERY, _FIRST, _LOOK = 5.0, 1.0, 0.5
# Clocks of hosts that share a disk differ, and a disk may be slow.
_DEAD, _DEAD_HERE = 60.0, 20.0


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
    def alive(self) -> bool:
        """Whether the run is under way, as far as can be known."""
        limit = _DEAD_HERE if self.host == platform.node() else _DEAD
        return abs(time.time() - self.at) < limit

    @property
    def words(self) -> str:
        """When and where the run was last heard of, and what memory it had."""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at))
        words = f"last heard of at {when} on {self.host}"
        if self.memory:
            of = f" of {size_in_words(self.limit)}" if self.limit else ""
            words += f" with {size_in_words(self.memory)}{of} of memory"
        return words


def ask_to_stop(folder: Path, *, at_once: bool) -> None:
    """Leave a request in a run's folder, which its runner finds within a second or two.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(folder / _REQUEST, to_json({"host": platform.node(), "at_once": at_once}))


def _obey(folder: Path, stop: Stop) -> None:
    """Take in a request to stop, if there is one."""
    try:
        found = json.loads((folder / _REQUEST).read_text("utf-8"))
        words = f"stopped by `run.py stop` on {found['host']}"
        stop.request(words, Exit.TERMINATED, at_once=bool(found["at_once"]))
    except (OSError, ValueError, TypeError, KeyError):
        return


@contextlib.contextmanager
def beating(folder: Path, stop: Stop, watch: Callable[[int], None]) -> Iterator[None]:
    """Give a sign of life in `folder` every few seconds; it is gone at the end.

    A request to stop that is left there is passed on; `watch` is called as often,
    with the bytes of memory that all processes use.
    """
    over = threading.Event()

    def beat() -> None:
        # The first beat is quick: a run with nothing to do is over before the second.
        memory = 0
        while not over.is_set():
            data = to_json(asdict(Beat(time.time(), platform.node(), memory, memory_limit())))
            with contextlib.suppress(OSError):
                write_whole(folder / _FILE, data)
            until = time.monotonic() + (_EVERY if memory else _FIRST)
            while not over.wait(_LOOK) and time.monotonic() < until:
                _obey(folder, stop)
            if not over.is_set():
                memory = tree_memory(os.getpid())
                watch(memory)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for name in (_FILE, _REQUEST):
            with contextlib.suppress(OSError):
                (folder / name).unlink()


def last(folder: Path) -> Beat | None:
    """Give a run's last sign of life, if there is one."""
    try:
        return Beat(**json.loads((folder / _FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
