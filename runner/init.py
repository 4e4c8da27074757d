"""What the first process of a container owes the others: signals handed on, orphans buried."""

import os
import signal
from collections.abc import Callable
from types import FrameType

from .errors import exit_code

_HANDED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1)


def as_first(work: Callable[[], int]) -> int:
    """Do `work` in a process of its own; be its parent and that of all orphans.

    The system ignores signals to a first process that does not handle them, and leaves
    processes that lost their parent to it: they stay as zombies if it does not wait for them.

    Returns:
        In this process the exit code of the other one, in the other one what `work` gives.
    """
    child = os.fork()
    if not child:
        return work()

    def hand_on(number: int, _: FrameType | None) -> None:
        os.kill(child, number)

    for number in _HANDED_ON:
        signal.signal(number, hand_on)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return exit_code(status)
