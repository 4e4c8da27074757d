"""In words: how far a run is, how a stage ended, how a run ended."""

import logging
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ..model import VARIANTS, Pipeline, Result, State
from ..system import machine
from ..words import counted, few_in_words, seconds_in_words, size_in_words, state_in_words

_FEW, _TOLD, _MOST = 12, 3, 40
_PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".pdf", ".html"}
_TABLES = {".csv", ".tsv", ".parquet", ".xlsx"}


def situation(ended: int, stages: int, seconds: float, *, rest: float | None, memory: int) -> str:
    """Say how far a run is, how long it will go on, and its memory.

    Args:
        ended: how many of its stages have ended.
        stages: how many there are.
        seconds: how long it has taken.
        rest: how many seconds it will go on, by earlier runs, if that is known.
        memory: the bytes that all its processes use, 0 if that is not known.
    """
    words = [f"{ended} of {counted(stages, 'stage')}", seconds_in_words(seconds)]
    if rest is not None:
        words.append(f"about {seconds_in_words(rest)} left")
    if memory:
        total = size_in_words(machine.memory_total())
        words.append(f"{size_in_words(memory)} of {total}")
    return " · ".join(words)


def stages(pipeline: Pipeline, names: Sequence[str]) -> str:
    """Name stages; of a notebook with many points say how many."""
    return ", ".join(_named(pipeline, names))


def _named(pipeline: Pipeline, names: Sequence[str]) -> list[str]:
    count: dict[str, list[str]] = {}
    for name in names:
        count.setdefault(pipeline.stages[name].notebook.stage, []).append(name)
    found: list[str] = []
    for notebook, those in count.items():
        found += those if len(those) <= _TOLD else [f"{notebook} × {len(those)}"]
    return found


def former_points(build: str, labels: Sequence[str]) -> str:
    """Say what is left of points that a build has no more."""
    what = f"{build}/{VARIANTS}/ also has {counted(len(labels), 'point')} of earlier runs"
    return f"{what} ({few_in_words(labels, _TOLD)}); delete what you do not want any more"


def left_out(cells: Sequence[int], profile: str) -> str:
    """Say which cells of a stage are not run."""
    *before, last = map(str, cells)
    what = f"cells {', '.join(before)} and {last} are" if before else f"cell {last} is"
    return f"{what} left out in {profile}, by tags"


def stage_end(result: Result) -> tuple[int, str]:
    """Say how a stage ended, and the level of the log at which that is said."""
    if result.state is State.SKIPPED:
        # Of hundreds of points the summary says it.
        level = logging.DEBUG if result.stage.endswith("]") else logging.INFO
        return level, "skipped, it is up to date"
    if result.state is State.TAKEN_OVER:
        return logging.DEBUG, f"taken over in {seconds_in_words(result.seconds)}"
    if result.good:
        how = "left early, with all its outputs written" if result.cell else "succeeded"
        return logging.INFO, f"{how} in {seconds_in_words(result.seconds)}"
    if result.state in {State.BLOCKED, State.CANCELLED} and result.cell is None:
        return logging.WARNING, f"{state_in_words(result.state)}: {result.error}"
    return logging.ERROR, _fault(result)


def summary(pipeline: Pipeline, results: Collection[Result]) -> str:
    """Write every stage with its state: how many, and their names while these are few."""
    names: dict[str, list[str]] = {}
    for result in results:
        names.setdefault(state_in_words(result.state), []).append(result.stage)
    parts = []
    for word, those in names.items():
        parts.append(f"{len(those)} {word} ({few_in_words(_named(pipeline, those), _FEW)})")
    return ", ".join(parts)


def to_list(results: Sequence[Result]) -> list[Result]:
    """Choose the stages that a person looks through: of very many those that did not end well."""
    if len(results) <= _MOST:
        return [*results]
    return [one for one in results if not one.good or not one.stage.endswith("]")][:_MOST]


def to_open(files: Iterable[Path]) -> list[Path]:
    """Choose what a person looks at: pictures, then tables; the last ones, which conclude."""
    found = list(dict.fromkeys(files))
    pictures = [path for path in found if path.suffix.lower() in _PICTURES]
    tables = [path for path in found if path.suffix.lower() in _TABLES]
    return [*pictures[-_TOLD:], *tables[-_TOLD:]]


def faults(results: Collection[Result]) -> list[str]:
    """Write the stages that ended badly by themselves, a few of them, for a short message."""
    own = [one for one in results if not one.good and one.state is not State.BLOCKED]
    lines = [f"{one.stage}: {_fault(one)}" for one in own[:_TOLD]]
    if len(own) > _TOLD:
        lines.append(f"and {len(own) - _TOLD} more")
    return lines


def _fault(result: Result) -> str:
    place = f" in {result.cell}" if result.cell else ""
    return f"{state_in_words(result.state)}{place}: {result.error}"
