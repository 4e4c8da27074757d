"""A stage that failed, as the trail has it: what its cells were, and where it stopped."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..execution import banner
from ..model import INJECTED_CELL, RUN_TAGS, BuildKey, State
from ..plan import hashes
from ..project import CACHE, PYTHON, NotebookError, Outline, document, first_line
from ..runs import record, store
from ..secrets import Mask
from ..system import read_json, read_plain, why

_FAILED = {State.FAILED, State.KERNEL_DIED, State.TIMED_OUT, State.EXITED_EARLY}
_SKIPPED = "skipped"


@dataclass(frozen=True)
class Step:
    """A code cell to run; `number` is that in the log, 0 for the one that a run puts in.

    `may_fail` is whether what is wrong in it is no failure, `values` whether the parameters have
    their values after it.
    """

    id: str | None
    number: int
    source: str
    may_fail: bool = False
    values: bool = False

    @property
    def title(self) -> str:
        """Its first line."""
        return first_line(self.source)


@dataclass(frozen=True)
class Failure:
    """A stage that failed in a run.

    `steps` are its cells up to the one at fault, or all where there is none; `cells` is how many
    the notebook has; `edited` is whether the source is not what it was then; `others` are the
    inputs that are not; `traceback` is what the cell at fault shows.
    """

    run: store.Run
    stage: record.StageRecord
    notebook: Path
    steps: tuple[Step, ...]
    cells: int
    language: str
    kernel: str | None
    edited: bool
    others: tuple[str, ...]
    traceback: str

    @property
    def profile(self) -> str:
        """The profile of the run."""
        return self.run.folder.parents[1].name

    @property
    def is_at_fault(self) -> bool:
        """Whether the last step is the cell at fault."""
        return self.stage.cell is not None

    @property
    def raised(self) -> bool:
        """Whether it was an exception, which does no harm if it is raised again."""
        return self.stage.state == State.FAILED


def newest(known: Outline, stage: str | None, profile: str | None, mask: Mask) -> Failure:
    """Find the newest failure, of a stage and in a profile if they are given.

    Raises:
        UsageError: there is none, or nothing is left to go back to.
    """
    found = [
        one
        for name in known.profiles
        if profile in {None, name}
        for one in _newest(known, name, stage)
    ]
    if not found:
        whose = f"{stage or 'no stage'}{' has not' if stage else ' has'} failed"
        where = f" in {profile}" if profile else ""
        message = f"debug: {whose}{where} in any run that there is"
        raise UsageError(message)
    run, failed = max(found, key=lambda one: one[0].started)
    executed = run.folder / "notebooks" / f"{failed.name}.ipynb"
    try:
        return _failure(known, run, failed, executed, mask)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = why(error) if isinstance(error, OSError) else "it is no notebook"
        message = f"debug: there is no executed notebook of {failed.name} to go back to: {what}"
        raise UsageError(message) from None


def _newest(
    known: Outline, profile: str, stage: str | None
) -> Iterator[tuple[store.Run, record.StageRecord]]:
    """Give the newest failure in a profile, if there is one."""
    for run in store.of_build(known.build(BuildKey(profile))):
        for one in run.record.stages:
            if one.state in _FAILED and stage in {None, one.name, one.name.partition("[")[0]}:
                yield run, one
                return


def _failure(
    known: Outline, run: store.Run, failed: record.StageRecord, executed: Path, mask: Mask
) -> Failure:
    content = read_json(read_plain(executed))
    metadata = content["metadata"]
    cells = [one for one in content["cells"] if one["cell_type"] == "code" and _text(one).strip()]
    own = [one for one in cells if not _tags(one) & {banner.TAG, INJECTED_CELL}]
    notebook = known.root / (failed.notebook or f"notebooks/{failed.name}.ipynb")
    sources = _sources(notebook)
    edited = [mask(one) for one in sources] != [_text(one) for one in own]
    # What the executed notebook hides is not hidden in the source.
    texts = [_text(one) for one in own] if edited else sources
    steps = list(_steps(cells, texts))
    at = None if failed.cell is None else failed.cell["id"]
    end = next((n for n, one in enumerate(steps, 1) if at and one.id == at), len(steps))
    spec, info = metadata.get("kernelspec", {}), metadata.get("language_info", {})
    language = str(info.get("name") or spec.get("language") or PYTHON).lower()
    language = PYTHON if language in {PYTHON, "ipython"} else language
    left_out = {one.get("id") for one in own if _status(one) == _SKIPPED}
    return Failure(
        run=run,
        stage=failed,
        notebook=notebook,
        steps=tuple(one for one in steps[:end] if not one.number or one.id not in left_out),
        cells=len(own),
        language=language,
        kernel=None if language == PYTHON else spec.get("name"),
        edited=edited,
        others=tuple(_others(known, failed)),
        traceback=_traceback(next((one for one in cells if at and one.get("id") == at), {})),
    )


def _steps(cells: list[dict[str, Any]], texts: list[str]) -> Iterator[Step]:
    number = 0
    is_injected = any(INJECTED_CELL in _tags(cell) for cell in cells)
    for cell in cells:
        tags = _tags(cell)
        if banner.TAG in tags:
            continue
        if INJECTED_CELL in tags:
            yield Step(cell.get("id"), 0, _text(cell), values=True)
            continue
        number += 1
        last = "parameters" in tags and not is_injected
        yield Step(cell.get("id"), number, texts[number - 1], bool(tags & {*RUN_TAGS}), last)


def _sources(notebook: Path) -> list[str]:
    try:
        cells = document.read(notebook, notebook.name).cells
    except NotebookError:
        return []
    code = (one["source"] for one in cells if one["cell_type"] == "code")
    return [one for one in code if one.strip()]


def _others(known: Outline, failed: record.StageRecord) -> Iterator[str]:
    """Name the inputs, files of the project, that are not what they were."""
    looked = hashes.Hashes(known.outputs / CACHE / "hashes.json")
    for one in failed.inputs:
        path = known.root / one.name
        if ":" in one.name and not path.exists():
            continue
        try:
            if looked.of(path) != one.hash:
                yield one.name
        except OSError:
            yield one.name


def _traceback(cell: Mapping[str, Any]) -> str:
    errors = [one for one in cell.get("outputs", ()) if one["output_type"] == "error"]
    return "\n".join(errors[-1]["traceback"]) if errors else ""


def _tags(cell: Mapping[str, Any]) -> set[str]:
    return set(cell["metadata"].get("tags", ()))


def _status(cell: Mapping[str, Any]) -> str | None:
    found: str | None = cell["metadata"].get("papermill", {}).get("status")
    return found


def _text(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)
