"""A run that goes on when the terminal that it was started on is gone."""

import contextlib
import os
import platform
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ..console import Console, console
from ..errors import Exit, exit_code
from ..model import Line


class _Waited(Console):
    """The lines of the log for the person who waits, until the first run has started.

    From then on the process has no terminal, and the log takes what it writes to stderr.
    """

    def __init__(self, shown: Console, writer: int) -> None:
        self._shown = shown
        self._writer = writer

    def line(self, line: Line, text: str) -> None:
        self._shown.line(line, text)

    def run_started(self, run_id: str, profile: str, log: Path, *, more: bool) -> None:
        if self._writer < 0:
            return
        self._shown.close()
        then = ", then the other profiles" if more else ""
        # Whoever waits may be gone: that is no matter of the run.
        with contextlib.suppress(OSError):
            print(
                f"run {run_id} goes on in the background on {platform.node()}{then}\n"
                f"  python run.py log -f {profile}   follow it\n"
                f"  python run.py stop {profile}     end it in good order",
                flush=True,
            )
        _point(1, os.devnull, os.O_WRONLY)
        _point(2, str(log), os.O_WRONLY | os.O_APPEND)
        with contextlib.suppress(OSError):
            os.write(self._writer, b".")
        os.close(self._writer)
        self._writer = -1


def detach(work: Callable[[Console], int]) -> int:
    """Do `work`, which shows what it does, in a session of its own; wait until it has started.

    Returns:
        In this process 0 once the work has started, else its exit code. In the other one
        what `work` gives.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # What is opened next would else be taken for a standard stream.
            _point(number, os.devnull, os.O_RDWR)
    reader, writer = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by whoever started us
            stream.flush()
    child = os.fork()
    if child:
        os.close(writer)
        return _wait(child, reader)
    os.close(reader)
    os.setsid()
    _point(0, os.devnull, os.O_RDONLY)
    with console(plain=True) as shown:
        return work(_Waited(shown, writer))


def _wait(child: int, reader: int) -> int:
    try:
        if os.read(reader, 1):
            return Exit.OK
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)
    finally:
        os.close(reader)
    _, status = os.waitpid(child, 0)
    return exit_code(status)


def _point(number: int, path: str, flags: int) -> None:
    """Have a standard stream's descriptor point to another file."""
    descriptor = os.open(path, flags)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
