"""What several commands say, and refuse."""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..model import BuildKey, Pipeline, Planned
from ..project import Project, Variation, layout
from ..system import why
from ..words import did_you_mean, few_in_words

if TYPE_CHECKING:
    from ..plan import request
    from .options import Options

_FEW = 4
_NAME = re.compile(r"[\w-][\w.-]{0,39}")


def usual_profile(loaded: Project) -> str:
    """Give the profile that is looked at where none is named: one that is built, and `test`."""

    def rank(name: str) -> tuple[bool, bool]:
        return not loaded.build(BuildKey(name)).is_dir(), name != layout.TEST_PROFILE

    return min(loaded.profiles, key=rank)


def plan_lines(plan: "request.BuildPlan", skipped: str) -> list[str]:
    """Write each stage and what becomes of it; `skipped` is said of one that is up to date.

    Points of a notebook that fare alike are one line.
    """
    stages = plan.pipeline.stages
    from ..plan import elsewhere  # noqa: PLC0415 - few commands need it

    before = elsewhere.Elsewhere(plan.freshness)
    taken = {one.stage: before.of_planned(one) for one in plan.planned}
    alike: dict[tuple[str, object], list[Planned]] = {}
    for planned in plan.planned:
        stage = stages[planned.stage]
        source = taken[planned.stage]
        kinds = [reason.kind for reason in planned.reasons], bool(planned.before)
        kind = str((kinds, source and source.build)) if stage.label else ""
        alike.setdefault((stage.notebook.stage, kind), []).append(planned)
    lines = []
    for (notebook, _), those in alike.items():
        first = those[0]
        name = points_in_words(plan.pipeline, notebook, [one.stage for one in those])
        fate = _fate(plan, those) if first.may_run else skipped
        if (source := taken[first.stage]) is not None:
            why_not = "; ".join(reason.text for reason in first.reasons)
            fate = f"take   from {source.build}, run {source.run} ({why_not})"
        declares = first.may_run or plan.pipeline.declares(first.stage)
        lines.append((name, fate + ("" if declares else " (seen)")))
    lines += [
        (f"{name} × ?", "later  its points are known when others have run")
        for name in plan.pipeline.coming
    ]
    if plan.is_part and not plan.pipeline.coming:
        lines.append(("…", "later  the rest is planned when these have run"))
    width = max(len(name) for name, _ in lines)
    return [f"{name:<{width}}  {fate}" for name, fate in lines]


def points_in_words(pipeline: Pipeline, notebook: str, names: Sequence[str]) -> str:
    """Name stages of one notebook: `model × 12 (degree × alpha)`, or the only one of them."""
    every = pipeline.points[notebook]
    if len(names) == 1:
        return names[0]
    if len(names) < len(every):
        return f"{notebook} × {len(names)} of {len(every)}"
    return f"{notebook} × {len(every)} ({' × '.join(pipeline.axes[notebook])})"


def _fate(plan: "request.BuildPlan", those: Sequence[Planned]) -> str:
    first = those[0]
    texts = {"; ".join(reason.text for reason in planned.reasons) for planned in those}
    if first.reasons:
        text = "; ".join(reason.text for reason in first.reasons)
        return f"run    {text}{', and the like' if len(texts) > 1 else ''}"
    stages = plan.pipeline.stages
    before = dict.fromkeys(
        one if len(those) == 1 else stages[one].notebook.stage
        for planned in those
        for one in planned.before
    )
    return f"maybe  if {few_in_words([*before], _FEW).replace(', ', ' or ')} writes something else"


def variation(chosen: "Options") -> Variation:
    """Say how stages with several points are made.

    Raises:
        UsageError: an option says nothing possible.
    """
    name, order = chosen.given.get("variant"), chosen.given.get("order", "depth")
    if name is not None and not _NAME.fullmatch(name):
        message = f"--name {name}: write letters, digits, dots and dashes, 40 at most"
        raise UsageError(message)
    if order not in {"depth", "breadth"}:
        message = f"--order {order}: write depth or breadth"
        raise UsageError(message)
    most = None if chosen.has("yes") else Variation.most
    return Variation(name, order == "breadth", most)


def int_of(flag: str, text: str, least: int) -> int:
    """Read a whole number that an option has.

    Raises:
        UsageError: it is none, or too small.
    """
    if not text.isdecimal() or int(text) < least:
        message = f"{flag} {text}: write a whole number, at least {least}"
        raise UsageError(message)
    return int(text)


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
