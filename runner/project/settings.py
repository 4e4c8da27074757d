"""What can be chosen for a run, on the command line or in `[tool.runner]`."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..model import LOG_LEVELS


class SettingError(ValueError):
    """A value that a setting cannot take; the text says what it takes."""


@dataclass(frozen=True)
class Settings:
    """The options; times in seconds, None is no bound; sizes in bytes.

    Raises:
        SettingError: a value is not of the option's kind.
    """

    jobs: int = 1
    keep_going: bool = False
    force: bool = False
    timeout: float | None = None
    cell_timeout: float | None = None
    deadline: float | None = None
    start_timeout: float = 60.0
    end_timeout: float = 60.0
    log_level: str = "INFO"
    kernel: str | None = None
    tolerance: float = 1e-9
    heartbeat: float | None = 60.0
    silence: float | None = 600.0
    secrets: tuple[str, ...] = ()
    keep: int | None = None
    keep_outputs: int = 1 << 20
    retries: int | Mapping[str, int] = 0
    retry_exceptions: bool = False
    warm: bool = True
    start_late: bool = False
    notify: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    portable: bool = False
    pages: bool = False
    keep_failed: float | None = None

    def __post_init__(self) -> None:
        """Check every value and bring it into its form."""
        _set(self, "jobs", whole_number(self.jobs))
        for name in (
            *("timeout", "cell_timeout", "deadline", "heartbeat", "silence"),
            "keep_failed",
        ):
            _set(self, name, duration(getattr(self, name)))
        for name in ("start_timeout", "end_timeout"):
            bound = duration(getattr(self, name))
            if bound is None:
                message = f"a kernel's {name.partition('_')[0]} needs a limit; give a time above 0"
                raise SettingError(message)
            _set(self, name, bound)
        _set(self, "log_level", level(self.log_level))
        if self.keep is not None:
            _set(self, "keep", whole_number(self.keep))
        _set(self, "keep_outputs", size(self.keep_outputs))
        _set(self, "retries", retries(self.retries))
        for name in (
            "keep_going",
            "force",
            "retry_exceptions",
            "start_late",
            "warm",
            "portable",
            "pages",
        ):
            if type(getattr(self, name)) is not bool:
                message = "takes true or false"
                raise SettingError(message)
        if type(self.kernel) not in {str, type(None)}:
            message = "takes the name of an installed kernel, as text"
            raise SettingError(message)
        what = 'a list of names in quotes, such as ["MY_PIN", "!MAX_TOKENS"]'
        _set(self, "secrets", texts(self.secrets, what))
        what = 'a URL in quotes, or a list of them, such as ["slack://…", "mailto://…"]'
        _set(self, "notify", texts(self.notify, what, or_one=True))
        what = 'a list of stages in quotes, such as ["fetch"]'
        _set(self, "always", texts(self.always, what))
        tolerance = self.tolerance
        if type(tolerance) not in {int, float} or not 0 <= tolerance < math.inf:
            message = "takes a number from 0 up"
            raise SettingError(message)

    @property
    def forks(self) -> bool:
        """Whether kernels are forked; one that may have to be kept is below no other process."""
        return self.warm and self.keep_failed is None

    def retries_of(self, stage: str) -> int:
        """Say how often a stage is tried again."""
        if isinstance(self.retries, int):
            return self.retries
        return self.retries.get(stage, 0)


def _set(settings: Settings, name: str, value: object) -> None:
    object.__setattr__(settings, name, value)


def retries(value: object) -> int | dict[str, int]:
    """Read a number of further attempts: one for all stages, or one for each that is named."""
    more = ", or one for each stage"
    if isinstance(value, Mapping):
        return {str(stage): whole_number(count, 0, more) for stage, count in value.items()}
    return whole_number(value, 0, more)


def texts(value: object, what: str, *, or_one: bool = False) -> tuple[str, ...]:
    """Read a list of texts, or one; `what` names it in a message."""
    if or_one and isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        message = f"takes {what}"
        raise SettingError(message)
    return tuple(value)


def _short(value: object) -> str:
    """Write a value for reading; Python refuses to write very long numbers."""
    return str(value) if not isinstance(value, int) or abs(value) < _HUGE else "a huge number"


def whole_number(value: object, least: int = 1, more: str = "") -> int:
    """Read a whole number; `more` says what else there may be."""
    text = _short(value)
    is_count = text.isdecimal() and len(text) <= _DIGITS and not isinstance(value, bool)
    if not is_count or int(text) < least:
        message = f"takes a whole number from {least} up{more}, not {text[:40]!r}"
        raise SettingError(message)
    return int(text)


# Waits that are longer are beyond what the system's clocks take.
_LONGEST = 3650 * 86400.0
_DIGITS = 9
_HUGE = 10**40
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def duration(value: object) -> float | None:
    """Read a time in seconds from `90`, `1.5` or `5h45m`; 0 and None are no bound."""
    if value is None:
        return None
    text = _short(value).strip().lower()
    seconds = None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
    elif re.fullmatch(r"(\d+(\.\d+)?[dhms])+", text):
        parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", text)
        seconds = math.fsum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds is not None and seconds > _LONGEST:
        message = f"takes a time of at most {_LONGEST / _UNITS['d']:.0f}d, not {text[:40]!r}"
        raise SettingError(message)
    if seconds is None or isinstance(value, bool):
        message = f"takes a time such as 90 (seconds), 10m or 5h45m, not {text!r}"
        raise SettingError(message)
    return seconds or None


def size(value: object) -> int:
    """Read a size in bytes from `0`, `500k`, `1M` or `1.5G`, in powers of 1,024."""
    text = _short(value).strip().lower()
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)([kmg]?)(?:i?b)?", text)
    if found is None or isinstance(value, bool) or ("." in found[1] and not found[2]):
        message = f"takes a size such as 500k or 1M, or 0, not {_short(value)[:40]!r}"
        raise SettingError(message)
    return round(float(found[1]) * _SIZES[found[2]])


def level(value: object) -> str:
    """Read a log level, in any case."""
    text = str(value).upper()
    if text not in LOG_LEVELS:
        message = f"takes one of {', '.join(LOG_LEVELS)}, not {value!r}"
        raise SettingError(message)
    return text
