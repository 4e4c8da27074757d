"""Chooses how a run is shown: a live display on a terminal, else plain lines."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError
from .logfile import Console, PlainConsole


@contextlib.contextmanager
def console(*, plain: bool = False) -> Iterator[Console]:
    """Give a live display if a person watches a terminal, else plain lines."""
    if sys.stdout is None:  # closed by whoever started us
        with Path(os.devnull).open("wb") as nowhere:
            yield PlainConsole(nowhere.fileno())
        return
    sys.stdout.flush()
    if plain or not _in_front():
        with contextlib.closing(PlainConsole(sys.stdout.fileno())) as lines:
            yield lines
        return
    from .live import LiveConsole  # noqa: PLC0415 - rich is slow to import

    with LiveConsole() as live:
        yield live


def agreed(question: str, command: str, does: str) -> bool:
    """Ask a person on a terminal.

    Raises:
        UsageError: there is none.
    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        message = f"{command} asks before it {does}, and this is no terminal; give --yes"
        raise UsageError(message)
    try:
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def _in_front() -> bool:
    """Tell whether a person watches a terminal that is ours, not that of a shell's `&`."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return False
    try:
        return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
    except OSError:
        # A terminal that no shell controls, such as one that a program made.
        return True
