"""What signals to this process mean: it is to end in good order."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from ..errors import Exit
from ..stop import Stop


@contextlib.contextmanager
def ending(stop: Stop, *, hangup: bool = False) -> Iterator[None]:
    """End in good order on SIGINT and SIGTERM; a second one ends at once.

    The guards kill the kernels when this process vanishes. A terminal that closes does
    not end a run, which may be in the background, but with `hangup` what serves that terminal.
    """
    codes = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}
    if hangup and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        codes[signal.SIGHUP] = Exit.TERMINATED
    came: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        code = codes[signal.Signals(number)]
        came.append(number)
        # A deadline, or `run.py stop`, does not make a first signal the second one.
        if len(came) > 1:
            os._exit(code)
        name = "interrupted" if code is Exit.INTERRUPTED else "terminated"
        reason = f"{name} ({signal.Signals(number).name})"
        # In a thread: what runs here may hold a lock that ending needs.
        threading.Thread(target=stop.request, args=(reason, code)).start()

    before = {number: signal.signal(number, handle) for number in codes}
    if signal.SIGHUP not in codes:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
