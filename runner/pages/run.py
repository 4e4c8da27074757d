"""The pages of one run: its own, and one for each executed notebook."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import in_a_line
from ..model import State
from ..runs import StageRecord, store
from ..system import plain_folder, write_whole
from . import views
from .files import Files
from .notebook import Shown, show
from .render import Renderer
from .results import Result, Results
from .views import Mark

_FILES = "files"
# Names of files are no longer than that, and what is added to them.
_LONGEST = 120
# While the run goes on, a browser asks for its page again after so many seconds.
_REFRESH = 3
# Of so many points of a run the notebooks, files and rows are shown, beside those that went wrong.
_POINTS = 40


class RunPages:
    """Makes the pages of a run from its folder; the same each time."""

    def __init__(
        self,
        run: store.Run,
        renderer: Renderer,
        results: Results,
        other: Callable[[str], store.Run | None],
    ) -> None:
        """Make those of `run`; `other` gives a run of the same build by its id."""
        # What ran when the runner vanished is lost with it.
        lost = run.state == State.LOST
        stages = (
            replace(one, state=State.LOST) if lost and one.state == State.RUNNING else one
            for one in run.record.stages
        )
        self._run = replace(run, record=replace(run.record, stages=tuple(stages)))
        self._renderer = renderer
        self._results = results
        self._other = other
        # Why the executed notebooks of stages cannot be shown.
        self._unshown: dict[str, str] = {}

    def write(self, folder: Path, stamp: str) -> None:
        """Write the pages into a folder, and remove what an earlier version has left there.

        Args:
            folder: it is made if it is not there.
            stamp: stands in the page, and says what it was made from.

        Raises:
            OSError: they cannot be written.
        """
        plain_folder(plain_folder(folder) / _FILES)
        shown, kept = self._notebooks(folder / _FILES)
        pages = {name: f"{_plain(name)}.html" for name in shown}
        files = Files(folder / _FILES, "result")
        about = self._about(shown, pages, files)
        for stage in self._run.record.stages:
            if stage.name in shown:
                notebook = shown[stage.name]
                html = self._renderer.page(
                    "stage.html.j2", notebook.hashes, stage=stage, notebook=notebook, **about
                )
                write(folder / pages[stage.name], html)
        html = self._renderer.page("run.html.j2", self._hashes(shown), stamp=stamp, **about)
        write(folder / "index.html", html)
        _only(folder, {*pages.values(), "index.html"})
        _only(folder / _FILES, kept | files.kept)

    def single(self) -> str:
        """Give a page that stands alone, with all executed notebooks in it."""
        with tempfile.TemporaryDirectory() as folder:
            shown, _ = self._notebooks(Path(folder), single=True)
            about = self._about(shown, {}, Files(Path(folder), "result", single=True))
        hashes = {one for notebook in shown.values() for one in notebook.hashes}
        return self._renderer.page("run.html.j2", hashes, inline=True, **about)

    def _notebooks(
        self, folder: Path, *, single: bool = False
    ) -> tuple[dict[str, Shown], set[str]]:
        """Show the executed notebooks; give the names of their files, too."""
        shown: dict[str, Shown] = {}
        kept: set[str] = set()
        self._unshown.clear()
        for stage in views.worth(self._run.record.stages, _POINTS):
            executed = self._run.folder / "notebooks" / f"{stage.name}.ipynb"
            if not views.has_run(stage) or not executed.is_file():
                continue
            files = Files(folder, _plain(stage.name), single=single)
            at = stage.cell.get("id") if stage.cell and views.is_fault(stage) else None
            try:
                shown[stage.name] = show(executed, stage.name, files, at)
                kept |= files.kept
            except Exception as error:  # noqa: BLE001 - whatever a library makes of what was changed
                self._unshown[stage.name] = in_a_line(error)
        return shown, kept

    def _about(
        self, shown: dict[str, Shown], pages: dict[str, str], files: Files
    ) -> dict[str, Any]:
        """Say for the templates what there is to say of the run."""
        run, record = self._run, self._run.record
        lines, left_out = views.log_lines(run.folder / "log.txt")
        edges = views.needs(self._stages)
        return {
            "run": run,
            "record": record,
            "mark": views.mark_of_run(run),
            "verdict": views.verdict(run),
            "faults": [one for one in record.stages if views.is_fault(one)],
            "differences": [one for one in lines if one.stage == "check" and one.level == "error"],
            "shown": shown,
            "unshown": self._unshown,
            "again": views.again(record),
            "valued": any(not _is_path(name) for one in record.stages for name in one.parameters),
            "pages": pages,
            "results": [*self._written(files)],
            "metrics": views.metrics(record.metrics),
            "edges": edges,
            "graph": views.graph(record.stages, edges),
            "bars": views.bars(record),
            "worth": views.worth(record.stages, _POINTS),
            "log": lines,
            "log_left_out": left_out,
            "home": f"../../runs/{run.folder.name}",
            "beside": [one for one in ("run.json", "log.txt") if (run.folder / one).is_file()],
            "refresh": _REFRESH if run.state == State.RUNNING and not files.single else None,
            "single": files.single,
        }

    def _hashes(self, shown: dict[str, Shown]) -> set[str]:
        """Give the scripts in cells that the page of the run shows: those at fault."""
        at_fault = (one.name for one in self._run.record.stages if views.is_fault(one))
        return {one for name in at_fault if name in shown for one in shown[name].hashes}

    @cached_property
    def _stages(self) -> list[StageRecord]:
        """The stages, those that were up to date as they were made."""
        return [self._as_made(one) for one in self._run.record.stages]

    def _as_made(self, stage: StageRecord) -> StageRecord:
        made = self._other(stage.made_by) if stage.made_by else None
        found = made.record.stage(stage.was or stage.name) if made else None
        if found is None:
            return stage
        return replace(found, name=stage.name, state=stage.state, made_by=stage.made_by)

    def _written(self, files: Files) -> Iterator[Result]:
        for one in views.worth(self._stages, _POINTS):
            if one.state == State.SKIPPED or Mark.of_stage(one).style == "is-good":
                yield from self._results.of_run(one, one.made_by or self._run.folder.name, files)
        yield from self._results.from_outside(views.worth(self._stages, _POINTS))


def _is_path(parameter: str) -> bool:
    return parameter.startswith(("input_", "output_"))


def write(path: Path, text: str) -> None:
    """Write a page whole.

    Raises:
        OSError: it cannot be written; the old one still stands.
    """
    write_whole(path, text.encode("utf-8", "backslashreplace"), lasting=False)


def _plain(stage: str) -> str:
    """Name the files of a stage, whose name may have slashes, or be that of the run's page."""
    name = f"{stage}~" if stage == "index" else stage.replace("~", "~~").replace("/", "~")
    if len(name.encode()) <= _LONGEST:
        return name
    return f"{name[: _LONGEST // 4]}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _only(folder: Path, names: set[str]) -> None:
    for one in folder.iterdir():
        if one.name not in names and not one.name.startswith(".") and not one.is_dir():
            one.unlink()
