"""Keeps the kernel of a stage that failed: for a time, while there is memory.

    python -m runner.kernels.keeper CONTROL NOTE ABOUT

CONTROL is the descriptor of the socket to the kernel's guard, which ends the kernel when this
process is gone, however that comes. NOTE is the file that says what is kept (ABOUT, as JSON),
locked as long as it is; the kernel ends, too, when that is removed. SIGTERM ends the kernel,
SIGINT interrupts it.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from ..system import cgroups, machine
from .keeping import READY, in_use, is_locked_by_others

_LOOK = 1.0
# The kernel ends where less memory is left than this share, or than so many bytes.
_SHARE, _BYTES = 0.05, 256 << 20


def main() -> None:
    """Keep a kernel."""
    control = socket.socket(fileno=int(sys.argv[1]))
    note, about = Path(sys.argv[2]), json.loads(sys.argv[3])
    note.parent.mkdir(parents=True, exist_ok=True)
    # Whoever sees it finds it locked: one that is not is removed.
    coming = note.with_suffix(f".{os.getpid()}")
    descriptor = os.open(coming, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(descriptor, json.dumps({**about, "pid": os.getpid()}).encode())
    coming.replace(note)
    keeper = _Keeper(control, note, about["until"])
    keeper.listen()
    os.write(1, READY)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    keeper.keep()
    for path in (note, in_use(note)):
        path.unlink(missing_ok=True)


class _Keeper:
    def __init__(self, control: socket.socket, note: Path, until: float) -> None:
        self._control, self._note, self._until = control, note, until

    def listen(self) -> None:
        """Take signals as requests."""
        signal.signal(signal.SIGTERM, lambda *_: self._tell(b"kill"))
        signal.signal(signal.SIGINT, lambda *_: self._tell(str(int(signal.SIGINT)).encode()))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def keep(self) -> None:
        """Wait for the kernel's end, and bring it about when it is time."""
        self._control.settimeout(None)
        while True:
            ready, _, _ = select.select([self._control], [], [], _LOOK)
            if ready:
                if self._is_over():
                    return
            elif self._is_time():
                self._tell(b"kill")

    def _is_over(self) -> bool:
        """Read what the guard says: that the kernel has ended is the last of it."""
        try:
            data = self._control.recv(4096)
        except OSError:
            return True
        return not data or b'"status"' in data

    def _is_time(self) -> bool:
        if not self._note.exists() or _is_memory_low():
            return True
        return time.time() > self._until and not is_locked_by_others(in_use(self._note))

    def _tell(self, word: bytes) -> None:
        with contextlib.suppress(OSError):
            self._control.sendall(word + b"\n")


def _is_memory_low() -> bool:
    free: Any = psutil.virtual_memory().available
    limit, used = cgroups.memory_limit(), cgroups.memory_used()
    if limit is not None and used is not None:
        free = min(free, limit - used)
    return bool(free < max(_BYTES, _SHARE * machine.memory_total()))


if __name__ == "__main__":
    main()
