"""The pages of a project: which there are, what each is made from, where they stand.

    outputs/index.html                      leads to all builds
    outputs/<profile>/pages/index.html      a build: what stands, its runs
    outputs/<profile>/pages/<run>/          a run, its executed notebooks, and large outputs

A page of a run is made of what the run left, so it is the same each time, and made once.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from ..model import BuildKey, Planned, State
from ..project import Outline
from ..runs import run_folders, store
from ..runs.metrics import is_number
from ..runs.record import File, StageRecord
from ..system import is_folder, write_whole
from ..words import counted
from . import drawing, views
from .files import Files
from .inside import Inside, look
from .notebook import Shown, show
from .render import Renderer
from .views import Finder, Mark, Result

FOLDER = "pages"
# In one go so many executed notebooks are shown, beside those of what is asked for.
_NOTEBOOKS = 60
_RUNS = 200
_REFRESH = 3
_PLOTS = 24


@dataclass(frozen=True)
class Standing:
    """What a build would do now: None where the project has mistakes, or does not know it."""

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
        self._renderer = Renderer(known.root.resolve().name, mask)
        self._standing = standing
        self._past: dict[str, list[store.Run]] = {}

    def of_profile(self, name: str, *, also: Sequence[store.Run] = ()) -> Path:
        """Make the pages of a build, of its newest run, and of those that made what stands.

        Args:
            name: the profile.
            also: runs whose pages are to be there, too.

        Returns:
            The page of the build.

        Raises:
            OSError: they cannot be written.
        """
        past = self._runs(name)
        folder = self._known.build(BuildKey(name)) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        self._write(folder / "style.css", self._renderer.style)
        self._clear(folder, past)
        made = {one.run.folder.name for one in self._stands(past).values()}
        wanted = [run for run in past if run.folder.name in made]
        wanted = [*{run.folder: run for run in [*also, *past[:1], *wanted]}.values()]
        budget = _NOTEBOOKS
        for run in past:
            count = sum(map(views.has_run, run.record.stages))
            budget -= count
            if run not in wanted and budget >= 0:
                wanted.append(run)
        for run in sorted(wanted, key=lambda one: past.index(one) if one in past else 0)[::-1]:
            self._of_run(run)
        page = folder / "index.html"
        self._write(page, self._profile(name, past))
        return page

    def index(self) -> Path:
        """Make the page that leads to all builds."""
        builds = []
        for name in self._known.profiles:
            past, folder = self._runs(name), self._known.build(BuildKey(name))
            page = folder / FOLDER / "index.html"
            if past or page.exists():
                builds.append(
                    {
                        "name": name,
                        "page": _url(page, self._known.outputs) if page.exists() else "",
                        "verdict": views.verdict(past[0]) if past else "it has not run",
                        "when": views.when(past[0].started) if past else "",
                        "mark": views.mark_of_run(past[0]) if past else Mark.of(None),
                        "state": self._state(name, past),
                    }
                )
        path = self._known.outputs / "index.html"
        html = self._renderer.page("index.html.j2", builds=builds, inline=True)
        self._write(path, html)
        return path

    def run_page(self, run: store.Run) -> Path:
        """Give the page of a run."""
        build = run.folder.parents[1]
        return build / FOLDER / run.folder.name / "index.html"

    def single(self, run: store.Run, path: Path) -> None:
        """Make one page of a run that stands alone.

        Raises:
            OSError: it cannot be written.
        """
        with tempfile.TemporaryDirectory() as folder:
            html = self._run(run, Path(folder), single=True)
        self._write(path, html)

    def live(self, run: store.Run) -> Path:
        """Make the page of a run that is under way once more."""
        fresh = store.of_folder(run.folder) or run
        self._of_run(fresh)
        return self.run_page(run)

    def _runs(self, name: str) -> list[store.Run]:
        if name not in self._past:
            self._past[name] = list(store.of_build(self._known.build(BuildKey(name))))
        return self._past[name]

    def _stands(self, past: Sequence[store.Run]) -> "dict[str, _Made]":
        """Find for each stage of a build where it was last made."""
        found: dict[str, _Made] = {}
        for run in past:
            for stage in run.record.stages:
                good = Mark.of(stage.state, stage.error).style == "is-good"
                if good and views.has_run(stage):
                    found.setdefault(stage.name, _Made(run, stage))
        return found

    def _clear(self, folder: Path, past: Sequence[store.Run]) -> None:
        """Remove the pages of runs that are gone."""
        there = {one.name for one in run_folders(folder.parent)} | {one.folder.name for one in past}
        for path in folder.iterdir():
            if is_folder(path) and path.name not in there:
                shutil.rmtree(path, ignore_errors=True)

    def _of_run(self, run: store.Run) -> None:
        """Make the pages of a run, if they are not there as they are to be."""
        folder = self.run_page(run).parent
        stamp = self._stamp(run)
        with contextlib.suppress(OSError, UnicodeError):
            with (folder / "index.html").open(encoding="utf-8") as file:
                if run.state != State.RUNNING and f'content="{stamp}"' in file.read(1000):
                    return
        folder.mkdir(parents=True, exist_ok=True)
        html = self._run(run, folder, stamp=stamp)
        self._write(folder / "index.html", html)

    def _stamp(self, run: store.Run) -> str:
        """Name what the pages of a run are made from."""
        found = hashlib.sha256(self._renderer.made_from.encode())
        for name in ("run.json", "journal.jsonl"):
            with contextlib.suppress(OSError):
                found.update((run.folder / name).read_bytes())
        return found.hexdigest()[:32]

    def _run(self, run: store.Run, folder: Path, *, stamp: str = "", single: bool = False) -> str:
        record, build = run.record, run.folder.parents[1]
        finder = Finder(self._known.root, build)
        beside = "files"
        shown: dict[str, Shown] = {}
        pages: dict[str, str] = {}
        kept: set[str] = set()
        for stage in record.stages:
            executed = run.folder / "notebooks" / f"{stage.name}.ipynb"
            if not views.has_run(stage) or not executed.is_file():
                continue
            name = stage.name.replace("/", "~")
            files = Files(folder / beside, name, single=single)
            at = stage.cell.get("id") if stage.cell and views.is_fault(stage) else None
            with contextlib.suppress(OSError, ValueError):
                shown[stage.name] = show(executed, stage.name, files, at)
                kept |= files.kept
                if not single:
                    pages[stage.name] = f"{name}.html"
        edges = views.needs(self._all(record.stages, build))
        files = Files(folder / beside, "result", single=single)
        results = [
            self._result(one, file, run_id, finder, files, folder)
            for one, run_id in self._wrote(record.stages, run)
            for file in views.written(one)
        ]
        kept |= files.kept
        lines, left_out = views.log_lines(run.folder / "log.txt")
        about = {
            "run": run,
            "record": record,
            "mark": views.mark_of_run(run),
            "verdict": views.verdict(run),
            "faults": [one for one in record.stages if views.is_fault(one)],
            "shown": shown,
            "pages": pages,
            "results": results,
            "edges": edges,
            "graph": views.graph(record.stages, edges),
            "bars": views.bars(record),
            "metrics": views.metrics(record.metrics),
            "log": lines,
            "log_left_out": left_out,
            "differences": [one for one in lines if one.stage == "check" and one.level == "error"],
            "home": "" if single else "../../runs/" + run.folder.name,
            "refresh": _REFRESH if run.state == State.RUNNING and not single else None,
            "stamp": stamp,
            "single": single,
        }
        for stage in record.stages if not single else ():
            if stage.name in pages:
                view = {**about, "stage": stage, "notebook": shown[stage.name]}
                html = self._renderer.page("stage.html.j2", hashes=shown[stage.name].hashes, **view)
                self._write(folder / pages[stage.name], html)
        if not single:
            _only(folder, {*pages.values(), "index.html", beside}, folder / beside, kept)
        hashes = {one for name in shown for one in shown[name].hashes} if single else set()
        for stage in record.stages:
            if views.is_fault(stage) and stage.name in shown:
                hashes |= shown[stage.name].hashes
        return self._renderer.page("run.html.j2", hashes=hashes, inline=single, **about)

    def _all(self, stages: Iterable[StageRecord], build: Path) -> list[StageRecord]:
        """Give the stages of a run, those that were up to date as they were made."""
        return [self._made(one, build) for one in stages]

    def _made(self, stage: StageRecord, build: Path) -> StageRecord:
        if stage.made_by is None:
            return stage
        run = self._by_id(build, stage.made_by)
        found = [one for one in run.record.stages if one.name == stage.name] if run else []
        return replace(found[0], state=stage.state, made_by=stage.made_by) if found else stage

    def _by_id(self, build: Path, run_id: str) -> store.Run | None:
        past = self._past.get(build.name, [])
        found = next((run for run in past if run.folder.name == run_id), None)
        return found or store.of_folder(build / "runs" / run_id)

    def _wrote(
        self, stages: Iterable[StageRecord], run: store.Run
    ) -> Iterable[tuple[StageRecord, str]]:
        for one in self._all(stages, run.folder.parents[1]):
            if one.state == State.SKIPPED or Mark.of(one.state, one.error).style == "is-good":
                yield one, one.made_by or run.folder.name

    def _result(
        self,
        stage: StageRecord,
        file: File,
        run_id: str,
        finder: Finder,
        files: Files,
        folder: Path,
    ) -> Result:
        """Look at a file that a stage wrote, and have it where a page can show it."""
        path = finder.path(run_id, file)
        suffix = Path(file.name).suffix.lower()
        url = ""
        if path is not None and suffix in views.PICTURES:
            inside_runs = path.is_relative_to(self._known.outputs) and "runs" in path.parts
            if inside_runs and not files.single:
                url = _url(path, folder)
            elif path.stat().st_size <= views.LARGEST:
                url = files.url(files.put_bytes(suffix, path.read_bytes()))
        inside = self._look(path) if path is not None else None
        return Result(stage.name, file.name, file.hash, url, inside)

    def _look(self, path: Path) -> Inside | None:
        found = look(path)
        if found is None:
            return None
        rows = tuple(tuple(map(self._mask, row)) for row in found.rows)
        return replace(found, rows=rows, text=self._mask(found.text))

    def _profile(self, name: str, past: Sequence[store.Run]) -> str:
        folder = self._known.build(BuildKey(name)) / FOLDER
        stands = self._stands(past)
        standing = self._standing.get(name, Standing())
        current = {one.stage for one in standing.planned or ()}
        stages = [one for key, one in stands.items() if not current or key in current]
        results, numbers = [], {}
        for one in sorted(stages, key=lambda each: each.run.started + (each.stage.began or 0)):
            numbers |= one.stage.metrics
            for file in views.written(one.stage):
                path = self._known.root / file.name
                if path.is_file():
                    inside = self._look(path)
                    results.append(
                        Result(one.stage.name, file.name, file.hash, _url(path, folder), inside)
                    )
        rows = [
            {
                "run": run,
                "mark": views.mark_of_run(run),
                "page": f"{run.folder.name}/index.html" if self.run_page(run).exists() else "",
                "ran": [one.name for one in run.record.stages if views.has_run(one)],
                "metrics": run.record.metrics,
            }
            for run in past[:_RUNS]
        ]
        failed = None
        if past and (faults := [one for one in past[0].record.stages if views.is_fault(one)]):
            failed = faults
        return self._renderer.page(
            "profile.html.j2",
            name=name,
            state=self._state(name, past),
            standing=standing,
            newest=past[0] if past else None,
            mark=views.mark_of_run(past[0]) if past else Mark.of(None),
            verdict=views.verdict(past[0]) if past else "",
            faults=failed or (),
            results=results,
            metrics=views.metrics(numbers),
            rows=rows,
            left_out=max(0, len(past) - _RUNS),
            plots=_plots([row["metrics"] for row in reversed(rows)]),
        )

    def _state(self, name: str, past: Sequence[store.Run]) -> str:
        """Say in a few words whether a build is up to date."""
        standing = self._standing.get(name, Standing())
        if past and past[0].state == State.RUNNING:
            return "it is being built"
        if standing.planned is None:
            return standing.mistake or "not known"
        todo = [one.stage for one in standing.planned if one.reasons]
        if not past:
            return "it has not been built"
        return f"{counted(len(todo), 'stage')} to run" if todo else "up to date"

    def _write(self, path: Path, text: str) -> None:
        write_whole(path, text.encode("utf-8", "backslashreplace"), lasting=False)


@dataclass(frozen=True)
class _Made:
    """A stage as it was last made, and the run that did it."""

    run: store.Run
    stage: StageRecord


def _url(path: Path, page_folder: Path) -> str:
    """Give the place of a file as a page in a folder says it."""
    return quote(os.path.relpath(path, page_folder).replace(os.sep, "/"))


def _only(folder: Path, pages: Collection[str], files: Path, kept: Collection[str]) -> None:
    """Remove what an earlier version of a run's pages has left."""
    for one in folder.iterdir():
        if one.name not in pages and not one.name.startswith("."):
            one.unlink()
    for one in files.iterdir() if files.is_dir() else ():
        if one.name not in kept:
            one.unlink()


def _plots(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, Markup]]:
    """Draw each number over the runs: its name, the first and the last value, the line."""
    names = dict.fromkeys(name for numbers in history for name in numbers if "[" not in name)
    found = []
    for name in names:
        values = [numbers.get(name) for numbers in history]
        known = [value for value in values if is_number(value)]
        if len({*known}) > 1:
            label = f"{name} over {len(known)} runs: from {known[0]:.6g} to {known[-1]:.6g}"
            drawn = drawing.line([value if is_number(value) else None for value in values], label)
            found.append((name, f"{known[0]:.6g}", f"{known[-1]:.6g}", drawn))
    return found[:_PLOTS]
