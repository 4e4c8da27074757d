"""Signs of life of a cell that is busy for long: a line now and then, and where it is stuck."""

import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from ..kernels.manager import GuardedProvisioner
from ..kernels.stacks import readable
from ..model import Pace
from ..system import machine
from ..words import seconds_in_words, size_in_words

# How often the memory of all processes is looked at, in seconds.
_LOOK = 2.0

Say = Callable[[int, str, str | None], None]


class Pulse:
    """Watches one cell after the other."""

    def __init__(self, kernel: GuardedProvisioner, crashes: Path, pace: Pace, say: Say) -> None:
        """Look after the kernel at the given pace, and log by `say(level, text, logger)`."""
        self._kernel = kernel
        self._crashes = crashes
        self._pace = pace
        self._say = say
        self._looked = time.monotonic()
        self.peak_memory = 0
        self.begin("")

    def begin(self, where: str) -> None:
        """Turn to another cell, called so."""
        self._where = where
        self._began = self._said = time.monotonic()
        self._dumped = False
        self._dump: float | None = None

    def memory(self) -> int | None:
        """Give the resident bytes of the kernel's own process, if it is there."""
        import psutil  # noqa: PLC0415 - see below

        with contextlib.suppress(psutil.Error):
            pid = self._kernel.kernel_pid
            return None if pid is None else int(psutil.Process(pid).memory_info().rss)
        return None

    def tick(self, heard: float) -> None:
        """Say what is due; `heard` is when the cell last printed (monotonic clock)."""
        now = time.monotonic()
        if now - self._looked >= _LOOK and self._kernel.kernel_pid is not None:
            self._looked = now
            memory = machine.tree_memory(self._kernel.kernel_pid)
            self.peak_memory = max(self.peak_memory, memory)
        if self._pace.heartbeat and now - self._said >= self._pace.heartbeat:
            self._said = now
            self._say(logging.INFO, self._busy(now), None)
        silence = self._pace.silence
        if silence and not self._dumped and now - max(heard, self._began) >= silence:
            self._dumped = True
            if self._crashes.exists():
                self._kernel.dump()
                self._dump = now
        # The kernel writes the dump at once, unless it is stopped.
        if self._dump is not None and now - self._dump >= 1:
            self._dump = None
            words = seconds_in_words(now - max(heard, self._began))
            stack = readable(self._read(), self._where)
            self._say(logging.WARNING, f"nothing printed for {words}; it is here:\n{stack}", None)

    def _read(self) -> str:
        """Take the dump out of the file; the kernel goes on appending to it."""
        try:
            text = self._crashes.read_text("utf-8", "replace")
            os.truncate(self._crashes, 0)
        except OSError:
            return ""
        return text

    def _busy(self, now: float) -> str:
        cpu, memory = _used(self._kernel.kernel_pid)
        words = f"busy for {seconds_in_words(now - self._began)}"
        return f"{words}, CPU {seconds_in_words(cpu)}, memory {size_in_words(memory)}"


def _used(pid: int | None) -> tuple[float, int]:
    """Give the CPU seconds and the resident bytes of a process and all below it."""
    import psutil  # noqa: PLC0415 - only cells that run for long need it

    if pid is None:
        return 0.0, 0
    cpu = 0.0
    try:
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            with process.oneshot():
                times = process.cpu_times()
                cpu += times.user + times.system
    except psutil.Error:
        pass
    return cpu, machine.tree_memory(pid)
