"""A request to end, from any thread to whatever runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import Exit


class Stop:
    """Set once, with the reason; those who subscribed are called at once, in its thread."""

    def __init__(self) -> None:
        """Start unset."""
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []
        self.reason: str | None = None
        self.exit_code = Exit.INTERRUPTED
        self.at_once = False

    def request(
        self, reason: str, exit_code: Exit = Exit.INTERRUPTED, *, at_once: bool = False
    ) -> None:
        """Ask everything to end; only the first reason counts.

        With `at_once` kernels are killed, not interrupted; this can be asked for later, too.
        """
        with self._lock:
            self.at_once = self.at_once or at_once
            if self.reason is not None:
                return
            self.reason = reason
            self.exit_code = exit_code
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def asked(self) -> bool:
        """Tell whether everything is asked to end."""
        return self.reason is not None

    @contextmanager
    def subscribed(self, callback: Callable[[], object]) -> Iterator[None]:
        """Have `callback` called at the request; at once if it was made already."""
        with self._lock:
            self._callbacks.append(callback)
            asked = self.reason is not None
        if asked:
            callback()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)
