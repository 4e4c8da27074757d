"""What the first process of a container owes the others: signals handed on, orphans buried."""

import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType

from ..errors import exit_code

_HANDED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1)


def _come_to_the_front() -> None:
    """Have what is typed on a terminal, such as Ctrl-C, reach this process and not its parent.

    The parent would hand it on: it would come twice, and the second one ends at once.
    """
    os.setpgid(0, 0)
    # There is no shell that would have it go on.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, os.getpgrp())
        os.close(terminal)
    signal.signal(signal.SIGTTOU, before)


def as_first(work: Callable[[], int]) -> int:
    """Do `work` in a process of its own; be its parent and that of all orphans.

    The system ignores signals to a first process that does not handle them, and leaves
    processes that lost their parent to it: they stay as zombies if it does not wait for them.

    Returns:
        In this process the exit code of the other one, in the other one what `work` gives.
    """
    # A signal waits until there is someone to hand it on.
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDED_ON)
    child = os.fork()
    if not child:
        _come_to_the_front()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDED_ON)
        return work()

    def hand_on(number: int, _: FrameType | None) -> None:
        os.kill(child, number)

    for number in _HANDED_ON:
        signal.signal(number, hand_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDED_ON)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return exit_code(status)
