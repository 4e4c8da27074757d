"""The end of a kernel: not before what the notebook has left at work has ended, too."""

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from jupyter_core.utils import ensure_async

from ..model import Job
from ..words import seconds_in_words, shortened
from .manager import GuardedManager
from .trace import STARTED, records

if TYPE_CHECKING:
    import psutil

_TICK = 0.2
# Processes that wait for work: of multiprocessing, joblib, and forks of the kernel itself.
_WORKERS = ("multiprocessing", "loky", "joblib", "ipykernel", "nursery.py", "kernels/main.py")
_LONGEST = 80
# What ends within this is not worth a line.
_SOON = 2.0
# Who carries out a script is at work while it waits for one of its commands.
_SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish"}
# So long a process that is busy may take to begin to write; one so young is busy.
_TO_BEGIN, _YOUNG = 5.0, 1.0

Say = Callable[[int, str], None]


class Ending:
    """Waits for what is at work in a kernel, and says what that is."""

    def __init__(self, manager: GuardedManager, job: Job, say: Say) -> None:
        """Look after the kernel of `manager`."""
        self._manager = manager
        self._job = job
        self._say = say
        self._told = ""
        self._used: dict[int, float] = {}
        self._looks: dict[str, tuple[tuple[int, int], float]] = {}
        self._started = False
        self._left: dict[int, str] = {}

    async def wait(self, stopped: asyncio.Event, limit: float, *, good: bool) -> str:
        """Ask the kernel to end and wait until it has, or is to be killed.

        Args:
            stopped: set when nothing is to be waited for any more.
            limit: the seconds that it has.
            good: what is at work may still be finished.

        Returns:
            What was still at work after that time, in words.
        """
        guarded = self._manager.guarded
        began = time.monotonic()
        over = asyncio.create_task(guarded.wait_until_over())
        stop = asyncio.create_task(stopped.wait())
        asked = False
        try:
            while True:
                seconds = time.monotonic() - began
                left = limit - seconds
                looks = good and not asked and guarded.ended is None
                writing, busy = self._processes() if looks else ("", False)
                waits = left > 0 and (writing or (busy and seconds < _TO_BEGIN))
                if not asked and not waits and guarded.ended is None:
                    asked = True
                    # A kernel of ours that is to be restarted does not wait for tasks.
                    await ensure_async(self._manager.request_shutdown(restart=not good))
                at_work = writing or (self._named() if asked else "")
                if over.done() or left <= 0 or stopped.is_set():
                    break
                await asyncio.wait(
                    {over, stop}, timeout=min(_TICK, left), return_when=asyncio.FIRST_COMPLETED
                )
                self._tell(at_work, time.monotonic() - began, limit)
            if not over.done() and stopped.is_set():
                await asyncio.wait({over}, timeout=min(1.0, limit))
            if over.done() and good and self._left and not stopped.is_set():
                words = ", ".join(dict.fromkeys(self._left.values()))
                self._say(logging.WARNING, f"still running at its end, and killed: {words}")
            return "" if over.done() and not writing else at_work
        finally:
            for task in (over, stop):
                task.cancel()

    def _tell(self, at_work: str, seconds: float, limit: float) -> None:
        if at_work and at_work != self._told and seconds > _SOON:
            self._told = at_work
            words = f"waits for what is still at work, up to {seconds_in_words(limit)}: {at_work}"
            self._say(logging.INFO, words)

    def _named(self) -> str:
        """Read what the kernel says is at work."""
        try:
            names = json.loads(self._manager.place.ending.read_text("utf-8"))
        except (OSError, ValueError):
            return ""
        return ", ".join(map(str, names))

    def _processes(self) -> tuple[str, bool]:
        """Look at the processes below the kernel.

        Returns:
            Those that have a file of the project open to write, or carry out a script, in words;
            and whether one is busy, which may be about to open one.
        """
        pid = self._manager.guarded.kernel_pid
        if pid is None or not self._has_started_any():
            return "", False
        import psutil  # noqa: PLC0415 - few notebooks start processes

        writing, busy = [], False
        self._left.clear()
        with contextlib.suppress(psutil.Error):
            kernel = psutil.Process(pid)
            guard = kernel.parent()
            inherited = {file.path for file in kernel.open_files() if file.mode != "r"}
            for process in guard.children(recursive=True) if guard else ():
                if process.pid == pid:
                    continue
                with contextlib.suppress(psutil.Error, OSError):
                    self._note_left(process)
                    busy |= (now := self._is_busy(process))
                    if process.name() in _SHELLS and process.status() != "zombie":
                        line = shortened(" ".join(process.cmdline()), _LONGEST)
                        writing.append(f"process {process.pid} ({line})")
                    for file in process.open_files():
                        name = file.path.removeprefix(f"{self._job.root}/")
                        if file.mode == "r" or name == file.path:
                            continue
                        # What a worker that idles has from the kernel, the kernel closes.
                        if now or (file.path not in inherited and self._is_at_it(file.path)):
                            writing.append(f"process {process.name()}, which writes {name}")
        return ", ".join(writing), busy

    def _note_left(self, process: "psutil.Process") -> None:
        """Remember a program that the notebook has not waited for; idle workers are no news."""
        words = process.cmdline()
        line = " ".join(words)
        if words and process.status() != "zombie" and not any(one in line for one in _WORKERS):
            self._left[process.pid] = shortened(line, _LONGEST)

    def _is_busy(self, process: "psutil.Process") -> bool:
        """Tell whether a process does something, by its state and the time that it has used."""
        before = self._used.get(process.pid)
        times = process.cpu_times()
        self._used[process.pid] = used = times.user + times.system
        if process.status() in {"running", "disk-sleep"}:
            return True
        young = time.time() - process.create_time() < _YOUNG
        return process.status() != "zombie" and (young if before is None else used > before)

    def _is_at_it(self, path: str) -> bool:
        """Tell whether a file that is open to be written is an output, or grew not long ago."""
        if any(path == str(one) or path.startswith(f"{one}/") for one in self._job.outputs):
            return True
        looks, now = os.stat(path), time.monotonic()  # noqa: PTH116 - of a text
        before = self._looks.get(path)
        if before is None or before[0] != (looks.st_size, looks.st_mtime_ns):
            self._looks[path] = (looks.st_size, looks.st_mtime_ns), now
            return True
        return now - before[1] < _TO_BEGIN

    def _has_started_any(self) -> bool:
        if not self._started:
            with contextlib.suppress(OSError):
                data = self._manager.place.trace.read_bytes()
                self._started = any(kind == STARTED for kind, _ in records(data))
        return self._started
