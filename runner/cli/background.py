"""A run that goes on when the terminal that it was started on is gone."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ..build.command import Started
from ..errors import Exit, exit_code


def detach(work: Callable[[Started], int]) -> int:
    """Do `work` in a process of its own, and wait until it has started.

    Until then the process writes where this one does. It tells by calling what it is given,
    with a text for the person who waits, and the log that takes what it writes to stderr
    from then on: a session of its own, without a terminal.

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

    def started(text: str, log: Path) -> None:
        # Whoever waits may be gone: that is no matter of the run.
        with contextlib.suppress(OSError):
            print(text, flush=True)
        _point(1, os.devnull, os.O_WRONLY)
        _point(2, str(log), os.O_WRONLY | os.O_APPEND)
        with contextlib.suppress(OSError):
            os.write(writer, b".")
        os.close(writer)

    return work(started)


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
