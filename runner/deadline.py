"""When a run must be over: as it was told, or because its machine is taken away."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import Exit, UsageError
from .logs import seconds_in_words
from .settings import SettingError, Settings, duration
from .stop import Stop

# What is left of a pod's time to end in good order, in seconds; less of a short one.
_MARGIN, _MARGIN_OF_SHORT = 120.0, 0.1


@dataclass(frozen=True)
class Deadline:
    """A time by `time.monotonic()`, and what it comes from, for a person."""

    at: float
    origin: str

    @property
    def left(self) -> float:
        """How many seconds are left."""
        return self.at - time.monotonic()


def of(settings: Settings, environ: Mapping[str, str]) -> Deadline | None:
    """Find out when the run must be over, if it must.

    A setting or an option comes first, then RUN_DEADLINE, then K8S_TIMEOUT_SECONDS, after
    which DSMLP ends a pod: its seconds count from the pod's start.

    Raises:
        UsageError: a variable does not hold a time.
    """
    seconds, origin = settings.deadline, "for the run"
    if seconds is None:
        seconds, origin = _variable("RUN_DEADLINE", environ), "by RUN_DEADLINE"
    if seconds is None and (limit := _variable("K8S_TIMEOUT_SECONDS", environ)):
        seconds = max(1.0, less_margin(limit) - _age_of_machine())
        origin = "before K8S_TIMEOUT_SECONDS ends the pod"
    if seconds is None:
        return None
    return Deadline(time.monotonic() + seconds, f"{seconds_in_words(seconds)} {origin}")


def less_margin(seconds: float) -> float:
    """Give how much of a machine's time a run may take, so that it can end in good order."""
    return seconds - min(_MARGIN, _MARGIN_OF_SHORT * seconds)


def _variable(name: str, environ: Mapping[str, str]) -> float | None:
    try:
        return duration(environ.get(name) or None)
    except SettingError as error:
        message = f"the environment variable {name} {error}"
        raise UsageError(message) from None


def _age_of_machine() -> float:
    """Give the seconds since the first process that we see started: in a pod, since its start."""
    try:
        # Field 22 of proc(5), in clock ticks since the system's start.
        started = float(Path("/proc/1/stat").read_text("utf-8").rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text("utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    return max(0.0, uptime - started / os.sysconf("SC_CLK_TCK"))


@contextlib.contextmanager
def watching(deadline: Deadline | None, stop: Stop) -> Iterator[None]:
    """Ask everything to end when the run's time is over."""
    if deadline is None:
        yield
        return
    words = f"out of time ({deadline.origin})"
    timer = threading.Timer(deadline.left, stop.request, (words, Exit.OUT_OF_TIME))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
