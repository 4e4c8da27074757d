"""A sign of life in a run's folder, for whoever looks from elsewhere: never a process id."""

import contextlib
import json
import platform
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .files import to_json, write_whole

_FILE = "heartbeat.json"
_EVERY, _FIRST = 5.0, 1.0
# Clocks of hosts that share a disk differ, and a disk may be slow.
_DEAD, _DEAD_HERE = 60.0, 20.0


@dataclass(frozen=True)
class Beat:
    """When a run was last heard of (seconds since 1970), where, and its memory in bytes.

    The memory is 0 while it has not been looked at.
    """

    at: float
    host: str
    memory: int

    @property
    def alive(self) -> bool:
        """Whether the run is under way, as far as can be known."""
        limit = _DEAD_HERE if self.host == platform.node() else _DEAD
        return abs(time.time() - self.at) < limit


@contextlib.contextmanager
def beating(folder: Path) -> Iterator[None]:
    """Give a sign of life in `folder` every few seconds; it is gone at the end."""
    over = threading.Event()

    def beat() -> None:
        # The first beat is quick: a run with nothing to do is over before the second.
        memory = 0
        while not over.is_set():
            data = to_json(asdict(Beat(time.time(), platform.node(), memory)))
            with contextlib.suppress(OSError):
                write_whole(folder / _FILE, data)
            if not over.wait(_EVERY if memory else _FIRST):
                memory = _memory()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(OSError):
            (folder / _FILE).unlink()


def last(folder: Path) -> Beat | None:
    """Give a run's last sign of life, if there is one."""
    try:
        return Beat(**json.loads((folder / _FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _memory() -> int:
    """Give the resident bytes of this process and all below it, what they share once."""
    import psutil  # noqa: PLC0415 - only a run needs it

    top = psutil.Process()
    total = 0
    for process in (top, *top.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += _share(process.pid) or process.memory_info().rss
    return total


def _share(pid: int) -> int | None:
    """Give a process's proportional set size, in bytes, where the kernel tells (Linux 4.14)."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return None
    found = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
