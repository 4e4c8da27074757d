"""What the pages say of runs and builds, from their records: values for the templates."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..errors import Exit
from ..model import State
from ..runs import Record, StageRecord, is_number, store
from ..system import read_plain
from ..words import clock_in_words, counted, seconds_in_words, size_in_words, state_in_words
from . import drawing

# A sign and a class of the style sheet for each state; never the colour alone.
_SIGNS = {
    State.RUNNING: ("▶", "is-running"),
    State.SUCCEEDED: ("✓", "is-good"),
    State.EXITED_EARLY: ("✓", "is-good"),
    State.SKIPPED: ("-", "is-quiet"),
    State.TAKEN_OVER: ("✓", "is-good"),
    State.CANCELLED: ("■", "is-warned"),
    State.BLOCKED: ("■", "is-warned"),
    State.TIMED_OUT: ("◷", "is-warned"),
    State.LOST: ("?", "is-bad"),
    None: ("○", "is-quiet"),
}
_BAD = ("✗", "is-bad")
_GOOD = {State.SUCCEEDED, State.SKIPPED, State.TAKEN_OVER, State.EXITED_EARLY}
# Log lines on a page: of a longer log the first and the last ones.
_FIRST, _LAST = 200, 1800
_LINE = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3}) (\w+) +(.*?)(\[\d+/\d+\])?( [\w.]+)?: (.*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Mark:
    """A state as a page shows it: a sign, a word, a class."""

    sign: str
    word: str
    style: str

    @classmethod
    def of(cls, state: str | None, error: str | None = None) -> "Mark":
        """Give the mark of a stage or a run."""
        sign, style = _SIGNS.get(state, _BAD)  # type: ignore[arg-type]
        if state == State.EXITED_EARLY and error is not None:
            sign, style = _BAD
        return cls(sign, state_in_words(state or "not started"), style)

    @classmethod
    def of_stage(cls, stage: StageRecord) -> "Mark":
        """Give the mark of a stage."""
        return cls.of(stage.state, stage.error)


def is_fault(stage: StageRecord) -> bool:
    """Tell whether a stage ended badly by itself."""
    mark = Mark.of(stage.state, stage.error)
    return stage.state == State.TIMED_OUT or mark.style == "is-bad"


def verdict(run: store.Run) -> str:
    """Say in one sentence how a run ended."""
    record, took = run.record, seconds_in_words(run.seconds)
    who = f"{record.profile}"
    match run.state:
        case State.RUNNING:
            return f"{who} is running, for {took}"
        case State.LOST:
            return f"{who} was lost: its runner vanished after {took}"
        case State.SUCCEEDED if record.exit_code == Exit.DIFFERENT:
            return f"{who} was built in {took}, but not as expected"
        case State.SUCCEEDED if not any(map(has_run, record.stages)):
            return f"{who} was up to date"
    bad = [stage.name for stage in record.stages if is_fault(stage)]
    at = f" at {', '.join(bad[:3])}{', …' if len(bad) > 3 else ''}" if bad else ""  # noqa: PLR2004
    return f"{who} {state_in_words(run.state)} {'in' if not at else 'after'} {took}{at}"


def has_run(stage: StageRecord) -> bool:
    """Tell whether a stage was started in its run."""
    return stage.state not in {State.SKIPPED, State.BLOCKED, None} and stage.began is not None


def mark_of_run(run: store.Run) -> Mark:
    """Give the mark of a run; one that was not as expected is no success."""
    mark = Mark.of(run.state)
    if run.record.exit_code and run.state == State.SUCCEEDED:
        return Mark(_BAD[0], "not as expected", _BAD[1])
    return mark


def again(record: Record) -> str:
    """Write the command that runs the same once more, as a shell takes it."""
    given = (word for one in record.parameters for word in ("-p", one))
    return shlex.join(["python", "run.py", *record.targets, *given])


def counts(record: Record) -> str:
    """Say how many stages ended in which way."""
    words: dict[str, int] = {}
    for stage in record.stages:
        word = Mark.of(stage.state).word
        words[word] = words.get(word, 0) + 1
    return ", ".join(f"{number} {word}" for word, number in words.items())


def needs(stages: Iterable[StageRecord]) -> dict[str, frozenset[str]]:
    """Find what each stage needs: as it was planned, and by the files that it read."""
    found: dict[str, frozenset[str]] = {}
    writers: dict[str, str] = {}
    for stage in stages:
        used = [*(one.name for one in stage.inputs), *stage.reads]
        read = {writers[one] for one in used if one in writers}
        found[stage.name] = frozenset(read | (found.keys() & stage.needs))
        for name in [*(one.name for one in stage.outputs), *stage.writes]:
            writers[name] = stage.name
    return found


def graph(stages: Sequence[StageRecord], edges: Mapping[str, frozenset[str]]) -> Markup:
    """Draw the stages of a run; nothing if they are too many to be told apart, or one.

    All points of a notebook are one node, which shows the worst of them.
    """
    alike: dict[str, list[StageRecord]] = {}
    for stage in stages:
        alike.setdefault(_notebook(stage), []).append(stage)
    if not 1 < len(alike) <= drawing.MOST:
        return Markup("")
    names = {
        stage.name: name if not those[0].point else f"{name} × {len(those)}"
        for name, those in alike.items()
        for stage in those
    }
    needs: dict[str, frozenset[str]] = {}
    nodes = {}
    for those in alike.values():
        worst = max(those, key=lambda one: (is_fault(one), one.state not in _GOOD))
        mark = Mark.of(worst.state, worst.error)
        seconds = sum(one.seconds or 0.0 for one in those if has_run(one))
        took = f" · {seconds_in_words(seconds)}" if seconds else ""
        name = names[those[0].name]
        nodes[name] = drawing.Node(mark.sign, f"{mark.word}{took}", mark.style)
        needs[name] = frozenset(
            names[before] for one in those for before in edges.get(one.name, ()) if before in names
        )
    told = [f"{name} after {' and '.join(sorted(one))}" for name, one in needs.items() if one]
    label = f"Graph of {counted(len(nodes), 'stage')}: {'; '.join(told) or 'none needs another'}"
    return drawing.graph(needs, nodes, label)


def _notebook(stage: StageRecord) -> str:
    return stage.name.partition("[")[0] if stage.point else stage.name


def worth(stages: Sequence[StageRecord], most: int) -> list[StageRecord]:
    """Choose the stages that a page looks at closely: of many points those that went wrong."""
    some = [one for one in stages if one.point and not is_fault(one)][most:]
    left_out = {one.name for one in some}
    return [one for one in stages if one.name not in left_out]


def bars(record: Record) -> dict[str, tuple[float, float]]:
    """Give where each stage stands on a line of time: from where, how long, in per cent."""
    ran = {one.name: one for one in record.stages if one.began is not None and has_run(one)}
    if not ran:
        return {}
    first = min(record.started, *(one.began or 0.0 for one in ran.values()))
    last = max((one.began or 0.0) + (one.seconds or 0.0) for one in ran.values())
    span = max(last - first, 1e-3)
    return {
        name: (
            round(100 * ((one.began or first) - first) / span, 2),
            max(0.4, round(100 * (one.seconds or 0.0) / span, 2)),
        )
        for name, one in ran.items()
    }


@dataclass(frozen=True)
class LogLine:
    """A line of the log; `level` is in lower case, `stage` is `run` for what is of none."""

    clock: str
    level: str
    stage: str
    place: str
    text: str


def log_lines(path: Path) -> tuple[list[LogLine], int]:
    """Read the log of a run; of a long one the first and the last lines, and how many are not."""
    try:
        lines = read_plain(path).decode("utf-8", "replace").split("\n")[:-1]
    except OSError:
        return [], 0
    left_out = max(0, len(lines) - _FIRST - _LAST)
    if left_out:
        lines = [*lines[:_FIRST], *lines[-_LAST:]]
    return [*_parsed(lines)], left_out


def _parsed(lines: Iterable[str]) -> Iterator[LogLine]:
    last = LogLine("", "info", "run", "", "")
    for line in lines:
        if found := _LINE.fullmatch(line):
            _, clock, level, stage, place, _, text = found.groups()
            last = LogLine(clock, level.lower(), stage, place or "", text)
            yield last
        else:
            yield LogLine("", last.level, last.stage, last.place, line)


def metrics(numbers: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Give numbers as file, path in it, value; not those of long lists."""
    found = []
    for name, value in numbers.items():
        if is_number(value) and "[" not in name:
            file, _, where = name.partition(": ")
            found.append((file, where, number(value)))
    return found


def number(value: object) -> str:
    """Write a number; what is none stays empty."""
    return f"{value:.6g}" if is_number(value) else "" if value is None else str(value)


def when(seconds: float | None) -> str:
    """Write a time."""
    return clock_in_words(seconds) if seconds is not None else ""


def memory(size: int | None) -> str:
    """Write a number of bytes, if it is known."""
    return size_in_words(size) if size else ""
