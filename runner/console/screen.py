"""Writing to a terminal or a pipe that may stop taking what is written, or go away."""

import contextlib
import os
import select
import stat
import time

from ..system import is_full

# How long a run waits for a person who has stopped the output or a connection that hangs.
_PATIENCE = 10.0


class Screen:
    """Takes text for whoever watches: waits a while for a slow reader, never for ever.

    What cannot be shown is left out, and that is said where the text goes on; once nobody
    reads any more, all is. The log's files have everything.
    """

    def __init__(self, descriptor: int) -> None:
        """Write where an open file descriptor points to."""
        self._own = _unblocked(descriptor)
        self._descriptor = descriptor if self._own is None else self._own
        self._waits = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._stuck = False
        self._left_out = 0
        self._gone = False

    def write(self, text: str) -> None:
        """Show a text."""
        if self._gone:
            return
        try:
            self._write(text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            # Room on a disk may come back, a reader does not.
            self._gone = not is_full(error)

    def close(self) -> None:
        """Write no more."""
        self._gone = True
        if self._own is not None:
            os.close(self._own)
            self._own = None

    def _write(self, data: bytes) -> None:
        missing = self._left_out
        if missing:
            told = f"\n[{missing:,} bytes are not shown here; the log has them]\n"
            missing -= len(told)
            data = told.encode("ascii") + data
        until = time.monotonic() + (0.0 if self._stuck else _PATIENCE)
        while data:
            left = max(0.0, until - time.monotonic())
            if not self._waits or _takes(self._descriptor, left):
                # As little as surely finds room, where a write could wait for more.
                part = data[: select.PIPE_BUF] if self._own is None and self._waits else data
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self._descriptor, part) :]
                    self._stuck, missing = False, 0
                    continue
            if time.monotonic() >= until:
                self._stuck = True
                self._left_out = missing + len(data)
                return
        self._left_out = 0


def _takes(descriptor: int, seconds: float) -> bool:
    """Tell whether something can be written, within some seconds; an error counts, too."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(1000 * seconds))


def _unblocked(descriptor: int) -> int | None:
    """Open the same terminal or pipe anew, so that a write to it returns at once.

    The flag would else hold for all who share it. None where that cannot be done, as for
    files, which do not block, and sockets.
    """
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISFIFO(mode) or os.isatty(descriptor)):
            return None
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{descriptor}", flags)
    except OSError:
        return None
