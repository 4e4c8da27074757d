"""What several commands say, and refuse."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..model import BuildKey, Planned
from ..project import Project, layout
from ..system import why
from ..words import did_you_mean

if TYPE_CHECKING:
    from ..plan import request


def usual_profile(loaded: Project) -> str:
    """Give the profile that is looked at where none is named: one that is built, and `test`."""

    def rank(name: str) -> tuple[bool, bool]:
        return not loaded.build(BuildKey(name)).is_dir(), name != layout.TEST_PROFILE

    return min(loaded.profiles, key=rank)


def plan_lines(plan: "request.BuildPlan", skipped: str) -> list[str]:
    """Write each stage and what becomes of it; `skipped` is said of one that is up to date."""
    width = max(len(planned.stage) for planned in plan.planned)
    return [
        f"{planned.stage:<{width}}  {_fate(planned) if planned.may_run else skipped}"
        + ("" if planned.may_run or plan.pipeline.declares(planned.stage) else " (seen)")
        for planned in plan.planned
    ]


def _fate(planned: Planned) -> str:
    if planned.reasons:
        return f"run    {'; '.join(reason.text for reason in planned.reasons)}"
    return f"maybe  if {' or '.join(planned.before)} writes something else"


def profiles_only(command: str, words: Sequence[str], loaded: Project) -> None:
    """Refuse words that are no profiles.

    Raises:
        UsageError: there is one.
    """
    unknown = [word for word in words if word not in loaded.profiles]
    if unknown:
        hint = did_you_mean(unknown[0], loaded.profiles)
        message = f"{command} takes names of profiles; there is no profile `{unknown[0]}`{hint}"
        raise UsageError(message)


def warn(text: str) -> None:
    """Tell of what is left out."""
    print(f"run.py: {text}", file=sys.stderr)


def page_file(option: str, word: str) -> Path:
    """Give the file that a page is to be written to.

    Raises:
        UsageError: it cannot be one.
    """
    path = Path(word)
    if path.suffix.lower() not in {".html", ".htm"}:
        message = f"{option} {word}: a page is a file that ends in .html"
        raise UsageError(message)
    if not path.parent.is_dir():
        message = f"{option} {word}: there is no folder {path.parent}"
        raise UsageError(message)
    return path


def write_page(write: Callable[[], None], path: Path, root: Path) -> None:
    """Have a page written, and say where it is.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        write()
    except OSError as error:
        message = f"the page cannot be written: {why(error)}"
        raise UsageError(message) from None
    print(f"the page is made: {label(path, root)}")


def label(path: Path, root: Path) -> str:
    """Name a file for a person: relative to the project where it lies inside."""
    found = path.resolve()
    return str(found.relative_to(root)) if found.is_relative_to(root) else str(found)
