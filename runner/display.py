"""Chooses how a run is shown: a live display on a terminal, else plain lines."""

import contextlib
import os
import sys
from collections.abc import Iterator

from .logs import Console, PlainConsole


@contextlib.contextmanager
def console() -> Iterator[Console]:
    """Give a live display if a person watches a terminal, else plain lines."""
    sys.stdout.flush()
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        yield PlainConsole(sys.stdout.fileno())
        return
    from .terminal import LiveConsole  # noqa: PLC0415 - rich is slow to import

    with LiveConsole() as live:
        yield live
