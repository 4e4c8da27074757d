"""Runs and what they came to: a row a run, a column a parameter that differs, or a metric."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..model import State
from .record import Record, StageRecord, in_any_build

Cell = object


@dataclass(frozen=True)
class Column:
    """A parameter, such as `features.degree`, or a metric, such as `model.json: loss`.

    `short` tells it from the others, too; `varies` is whether it differs among the rows.
    """

    name: str
    short: str
    is_metric: bool
    varies: bool


@dataclass(frozen=True)
class Row:
    """A run: times in seconds, and what it has in each column, None where it has nothing."""

    id: str
    profile: str | None
    started: float
    state: str
    seconds: float | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Runs, the newest last."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def of(runs: Sequence[Record], last: int | None = None) -> Table:
    """Make a table of runs: of those in which a stage ran, or that have metrics.

    The parameters of what a run has skipped are those of the run that made it, if that is among
    them. With `last` the newest so many are shown.
    """
    by_id = {run.id: run for run in runs}
    shown = sorted(filter(_counts, runs), key=lambda run: (run.started, run.number or 0, run.id))
    shown = shown[-last:] if last is not None else shown
    parameters = [_parameters(run, by_id) for run in shown]
    metrics = [run.metrics for run in shown]
    columns: list[Column] = []
    cells: list[tuple[Cell, ...]] = [() for _ in shown]
    for values, is_metric in ((parameters, False), (metrics, True)):
        names = [*dict.fromkeys(name for one in values for name in one)]
        shorts = _shorts(names) if is_metric else {}
        for name in names:
            column = tuple(one.get(name) for one in values)
            # What a run has not got, such as one that failed, is no other value.
            varies = len({repr(cell) for cell in column if cell is not None}) > 1
            if varies or is_metric:
                columns.append(Column(name, shorts.get(name, name), is_metric, varies))
                cells = [(*row, cell) for row, cell in zip(cells, column, strict=True)]
    rows = [
        Row(run.id, run.profile, run.started, run.state, run.seconds, row)
        for run, row in zip(shown, cells, strict=True)
    ]
    return Table(tuple(columns), tuple(rows))


def _counts(run: Record) -> bool:
    ran = any(stage.notebook is not None for stage in run.stages)
    return ran or bool(run.metrics)


def _parameters(run: Record, by_id: dict[str, Record]) -> dict[str, Cell]:
    return {
        f"{stage.name}.{name}": in_any_build(value.value, run.profile)
        for stage in run.stages
        for name, value in _made(stage, by_id).parameters.items()
    }


def _made(stage: StageRecord, by_id: dict[str, Record]) -> StageRecord:
    if stage.state != State.SKIPPED:
        return stage
    maker = by_id.get(stage.made_by or "")
    return (maker and maker.stage(stage.was or stage.name)) or stage


def _shorts(names: Sequence[str]) -> dict[str, str]:
    """Give for `model.json: loss` `loss`, where no other file has that."""
    rests = [name.partition(": ")[2] or name for name in names]
    count = Counter(rests)
    return {
        name: rest if count[rest] == 1 else name for name, rest in zip(names, rests, strict=True)
    }
