"""The pages of a project: which there are, and where they stand.

    outputs/index.html                  leads to all builds
    outputs/<profile>/pages/index.html  a build: what stands, its runs
    outputs/<profile>/pages/<run id>/   a run, its executed notebooks, and what is large in them

The pages of a run that has ended are made once.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..model import BuildKey, Planned, State
from ..project import PAGES, Outline
from ..runs import Record, StageRecord, compare, is_number, run_folders, store
from ..runs import table as tables
from ..system import is_folder, plain_folder
from ..words import counted
from . import comparison, drawing, points, views
from .files import url
from .render import Renderer
from .results import Result, Results
from .run import RunPages, write
from .views import Mark

# So many executed notebooks of older runs are shown in one go, and so many runs in a table.
_NOTEBOOKS, _RUNS, _PLOTS, _COLUMNS = 60, 200, 24, 6


@dataclass(frozen=True)
class Standing:
    """What the next run of a build would do; None where that cannot be known."""

    planned: tuple[Planned, ...] | None = None
    mistake: str = ""


class Site:
    """Makes the pages of the builds of one project."""

    def __init__(
        self, known: Outline, mask: Callable[[str], str], standing: Mapping[str, Standing]
    ) -> None:
        """Have the project's names, what hides its secrets, and how its builds stand."""
        self._known = known
        self._mask = mask
        self._standing = standing
        self._renderer = Renderer(known.root.resolve().name, mask)
        self._past: dict[str, list[store.Run]] = {}

    def of_profile(self, name: str, also: Sequence[store.Run] = ()) -> Path:
        """Make the page of a build and those of runs; give the page.

        These are the newest run, those that made what stands, and older ones as far as there
        are few executed notebooks to be shown.

        Args:
            name: the profile.
            also: runs whose pages are to be there in any case.

        Raises:
            OSError: they cannot be written.
        """
        past = self._runs(name)
        folder = self._known.build(BuildKey(name)) / PAGES
        plain_folder(folder.parent)
        plain_folder(folder)
        write(folder / "style.css", self._renderer.style)
        there = {one.name for one in run_folders(folder.parent)}
        for path in folder.iterdir():
            if is_folder(path) and path.name not in there:
                shutil.rmtree(path, ignore_errors=True)
        stands = _stands(past, self._by_id(folder.parent))
        for run in _worth(past, [*also, *past[:1], *(run for run, _ in stands.values())]):
            self.of_run(run)
        page = folder / "index.html"
        write(page, self._profile(name, past, stands))
        return page

    def of_run(self, run: store.Run) -> Path:
        """Make the pages of a run, if they are not there as they are to be; give the first.

        Raises:
            OSError: they cannot be written.
        """
        build = run.folder.parents[1]
        folder = build / PAGES / run.folder.name
        page, stamp = folder / "index.html", self._stamp(run)
        with contextlib.suppress(OSError, UnicodeError), page.open(encoding="utf-8") as file:
            if run.state != State.RUNNING and f'content="{stamp}"' in file.read(2000):
                return page
        plain_folder(folder.parent)
        plain_folder(folder)
        self._pages(run).write(folder, stamp)
        return page

    def single(self, run: store.Run, path: Path) -> None:
        """Make one page of a run that stands alone.

        Raises:
            OSError: it cannot be written.
        """
        write(path, self._pages(run).single())

    def comparison(self, found: compare.Diff, path: Path) -> None:
        """Make the page of a comparison of two runs, which stands alone.

        Raises:
            OSError: it cannot be written.
        """
        write(path, comparison.page(found, self._renderer))

    def index(self) -> Path:
        """Make the page that leads to all builds.

        Raises:
            OSError: it cannot be written.
        """
        builds = []
        for name in self._known.profiles:
            past = self._runs(name)
            page = self._known.build(BuildKey(name)) / PAGES / "index.html"
            builds.append(
                {
                    "name": name,
                    "page": url(page, self._known.outputs) if page.exists() else "",
                    "verdict": views.verdict(past[0]) if past else "it has not run",
                    "when": views.when(past[0].started) if past else "",
                    "mark": views.mark_of_run(past[0]) if past else Mark.of(None),
                    "state": self._state(name, past),
                }
            )
        path = self._known.outputs / "index.html"
        write(path, self._renderer.page("index.html.j2", builds=builds, inline=True))
        return path

    def _runs(self, name: str) -> list[store.Run]:
        if name not in self._past:
            found = store.of_build(self._known.build(BuildKey(name)))
            self._past[name] = [*islice(found, _RUNS)]
        return self._past[name]

    def _pages(self, run: store.Run) -> RunPages:
        build = run.folder.parents[1]
        return RunPages(run, self._renderer, self._results(build), self._by_id(build))

    def _by_id(self, build: Path) -> Callable[[str], store.Run | None]:
        past = {one.folder.name: one for one in self._runs(build.name)}

        @cache
        def found(run_id: str) -> store.Run | None:
            return past.get(run_id) or store.of_folder(build / "runs" / run_id)

        return found

    def _results(self, build: Path) -> Results:
        return Results(self._known.root, build, self._mask)

    def _stamp(self, run: store.Run) -> str:
        """Name what the pages of a run are made from."""
        # That a run was lost stands in none of its files.
        found = hashlib.sha256(f"{self._renderer.made_from} {run.state}".encode())
        for name in ("run.json", "journal.jsonl"):
            with contextlib.suppress(OSError):
                found.update((run.folder / name).read_bytes())
        return found.hexdigest()[:32]

    def _profile(
        self,
        name: str,
        past: Sequence[store.Run],
        stands: Mapping[str, tuple[store.Run, StageRecord]],
    ) -> str:
        folder = self._known.build(BuildKey(name)) / PAGES
        standing = self._standing.get(name, Standing())
        stages = {one.stage for one in standing.planned or ()} or {*stands}
        made = [(run, one) for run, one in stands.values() if one.name in stages]
        results: list[Result] = []
        numbers: dict[str, Any] = {}
        for _, stage in sorted(made, key=lambda one: one[1].began or 0.0):
            numbers |= stage.named_metrics
            results += self._results(folder.parent).that_stand(stage, folder)
        newest = past[0] if past else None
        columns, cells = _columns([run.record for run in past])
        return self._renderer.page(
            "profile.html.j2",
            name=name,
            state=self._state(name, past),
            standing=standing,
            newest=newest,
            mark=views.mark_of_run(newest) if newest else Mark.of(None),
            verdict=views.verdict(newest) if newest else "",
            again=views.again(newest.record) if newest else "",
            faults=[one for one in newest.record.stages if views.is_fault(one)] if newest else [],
            results=results,
            metrics=views.metrics(numbers),
            rows=[
                {
                    "run": run,
                    "mark": views.mark_of_run(run),
                    "page": f"{run.folder.name}/index.html"
                    if (folder / run.folder.name / "index.html").exists()
                    else "",
                    "ran": [one.name for one in run.record.stages if views.has_run(one)],
                    "cells": cells.get(run.folder.name, ()),
                }
                for run in past
            ],
            points=points.of(folder.parent, [run.record for run in past]),
            columns=columns,
            left_out=len(run_folders(folder.parent)) - len(past),
            plots=_plots([run.record.metrics for run in reversed(past)]),
        )

    def _state(self, name: str, past: Sequence[store.Run]) -> str:
        """Say in a few words whether a build is up to date."""
        standing = self._standing.get(name, Standing())
        if past and past[0].state == State.RUNNING:
            return "it is being built"
        if standing.planned is None:
            return "not known, the project has mistakes" if standing.mistake else "not known"
        todo = [one.stage for one in standing.planned if one.reasons]
        if not past:
            return "it has not been built"
        return f"{counted(len(todo), 'stage')} to run" if todo else "up to date"


def _worth(past: Sequence[store.Run], first: Sequence[store.Run]) -> list[store.Run]:
    """Choose the runs whose pages are made: these, and of the others as many as are cheap."""
    chosen = {run.folder.name: run for run in first}
    room = _NOTEBOOKS
    for run in past:
        if run.folder.name not in chosen:
            room -= sum(map(views.has_run, run.record.stages)) or 1
            if room < 0:
                break
            chosen[run.folder.name] = run
    return [*chosen.values()]


def _stands(
    past: Sequence[store.Run], other: Callable[[str], store.Run | None]
) -> dict[str, tuple[store.Run, StageRecord]]:
    """Find for each stage of a build where it was last made."""
    found: dict[str, tuple[store.Run, StageRecord]] = {}
    for run in past:
        for stage in run.record.stages:
            if stage.name in found:
                continue
            if views.has_run(stage) and Mark.of_stage(stage).style == "is-good":
                found[stage.name] = run, stage
            elif stage.made_by is not None and (maker := other(stage.made_by)) is not None:
                made = maker.record.stage(stage.was or stage.name)
                if made is not None:
                    found[stage.name] = maker, replace(made, name=stage.name)
    return found


def _columns(records: Sequence[Record]) -> tuple[list[tables.Column], dict[str, list[object]]]:
    """Choose the columns that say most of runs: what was set, what came of it; and their cells."""
    found = tables.of(records)
    ranks = sorted((not one.varies, one.is_metric, n) for n, one in enumerate(found.columns))
    best = sorted(n for *_, n in ranks if "[" not in found.columns[n].name)[:_COLUMNS]
    cells = {row.id: [row.cells[n] for n in best] for row in found.rows}
    return [found.columns[n] for n in best], cells


def _plots(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, Markup]]:
    """Draw each number over the runs: its name, its first and its last value, the line."""
    found = []
    for name in dict.fromkeys(name for numbers in history for name in numbers if "[" not in name):
        values = [numbers.get(name) for numbers in history]
        known = [value for value in values if is_number(value)]
        if len({*known}) > 1:
            first, last = f"{known[0]:.6g}", f"{known[-1]:.6g}"
            label = f"{name} over {len(known)} runs: from {first} to {last}"
            drawn = drawing.line([value if is_number(value) else None for value in values], label)
            found.append((name, first, last, drawn))
    return found[:_PLOTS]
