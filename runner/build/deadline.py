"""When a run must be over: as it was told, or because its machine is taken away."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import Exit, UsageError
from ..project import SettingError, Settings, duration
from ..stop import Stop
from ..system import why
from ..words import seconds_in_words

# What is left of a pod's time to end in good order, in seconds; less of a short one.
_MARGIN, _MARGIN_OF_SHORT = 120.0, 0.1


@dataclass(frozen=True)
class Deadline:
    """A time by `time.monotonic()`, and what it comes from, for a person."""

    at: float
    origin: str

    @property
    def clock(self) -> float:
        """The time of day, in seconds since 1970."""
        return time.time() + self.left

    @property
    def left(self) -> float:
        """How many seconds are left."""
        return self.at - time.monotonic()


def of(settings: Settings, environ: Mapping[str, str], *, option: bool) -> Deadline | None:
    """Find out when the run must be over, if it must.

    The option comes first, then RUN_DEADLINE, then the project's setting; 0 is no deadline.
    Where none is given it is K8S_TIMEOUT_SECONDS, after which DSMLP ends a pod: its seconds
    count from the pod's start. Those of RUN_DEADLINE count from the making of the file that
    RUN_DEADLINE_FROM names, which is made if it is missing: a container that is started again
    has no more time than its pod.

    Args:
        settings: the project's, with the options on top.
        environ: the environment.
        option: whether the deadline was given as an option.

    Raises:
        UsageError: a variable does not hold a time.
    """
    seconds, origin = settings.deadline, "for the run"
    variable, used = _variable("RUN_DEADLINE", environ), 0.0
    if not option and environ.get("RUN_DEADLINE"):
        seconds, origin = variable, "by RUN_DEADLINE"
        if seconds is not None and (path := environ.get("RUN_DEADLINE_FROM")):
            used = _since(Path(path))
            origin += f", of which {seconds_in_words(used)} were over before" if used else ""
    elif not option and seconds is None and (limit := _variable("K8S_TIMEOUT_SECONDS", environ)):
        seconds = max(1.0, less_margin(limit) - _age_of_machine())
        origin = "before K8S_TIMEOUT_SECONDS ends the pod"
    if seconds is None:
        return None
    return Deadline(time.monotonic() + seconds - used, f"{seconds_in_words(seconds)} {origin}")


def _since(path: Path) -> float:
    """Give the seconds since a file was made, which is now if there is none yet."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError as error:
        message = f"the environment variable RUN_DEADLINE_FROM names no file to use: {why(error)}"
        raise UsageError(message) from None
    return 0.0


def less_margin(seconds: float) -> float:
    """Give how much of a machine's time a run may take, so that it can end in good order."""
    return seconds - min(_MARGIN, _MARGIN_OF_SHORT * seconds)


def check(environ: Mapping[str, str]) -> None:
    """Refuse what is no time, though nothing is to run.

    Raises:
        UsageError: a variable does not hold a time.
    """
    for name in ("RUN_DEADLINE", "K8S_TIMEOUT_SECONDS"):
        _variable(name, environ)


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
    if deadline.left <= 0:
        stop.request(words, Exit.OUT_OF_TIME)
    timer = threading.Timer(max(0.0, deadline.left), stop.request, (words, Exit.OUT_OF_TIME))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
