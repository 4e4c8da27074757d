"""What can go wrong for a user, each with its exit code."""

import os
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

_LONGEST = 500


class Exit(IntEnum):
    """The exit codes of `run.py`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DIFFERENT = 3
    OUT_OF_TIME = 4
    LOCKED = 5
    INTERRUPTED = 130
    TERMINATED = 143


def exit_code(status: int) -> int:
    """Give what a shell makes of a process's status as `os.wait` gives it: 128 + a signal."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def in_a_line(error: BaseException) -> str:
    """Say of an exception that is a fault of the runner's what it is, and where in our code."""
    import traceback  # noqa: PLC0415 - where all is well it is not needed

    try:
        said = str(error).strip().partition("\n")[0][:_LONGEST]
    except Exception:  # noqa: BLE001 - what it says is its own code
        said = ""
    frames = traceback.extract_tb(error.__traceback__)
    here = Path(__file__).parent
    own = [one for one in frames if Path(one.filename).is_relative_to(here)]
    places = [f" (runner/{Path(one.filename).relative_to(here)}, line {one.lineno})" for one in own]
    where = places[-1] if places else ""
    return f"{type(error).__name__}{f': {said}' if said else ''}{where}"


class Problem(NamedTuple):
    """One mistake in the project: where it stands and what to do about it."""

    where: str
    what: str

    def __str__(self) -> str:
        """Give the line that the user reads."""
        return f"{self.where}: {self.what}"


class RunnerError(Exception):
    """An error that the user can mend; its text is the whole message."""

    exit_code = Exit.USAGE


class UsageError(RunnerError):
    """The command line says something that cannot be done."""


class ProjectError(RunnerError):
    """The project has mistakes; all of them are told at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems, in the order in which they were found, each once."""
        self.problems = tuple(dict.fromkeys(problems))
        count = len(self.problems)
        head = "1 mistake" if count == 1 else f"{count} mistakes"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{head} in the project, nothing was run:\n{lines}")


class BuildLockedError(RunnerError):
    """Another run holds the build."""

    exit_code = Exit.LOCKED
