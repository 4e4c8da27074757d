"""One job to one result: through papermill, tried again where that helps, its outputs checked."""

import asyncio
import builtins
import contextlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..system import without

# For formats of text that notebooks do not hold, and for files in Hadoop. They are slow: the
# first one compiles a grammar for more than a second.
with without("rfc3987_syntax", "isoduration", "pyarrow"):
    import nbformat
    import papermill
    from nbformat import NotebookNode
    from papermill.engines import Engine, papermill_engines
    from papermill.exceptions import PapermillExecutionError

from ..kernels.launch import Coming
from ..kernels.manager import Ended
from ..model import Event, Job, Line, Result, State, Usage
from ..project import PYTHON, document, dotenv
from ..stop import Stop
from ..system import in_reserve, remove, reserve, why
from ..system.cgroups import memory_limit, oom_kills
from ..words import shortened, size_in_words
from . import banner, hints
from .executed import ExecutedNotebook, now
from .session import Outcome, Session, unwritten

NAME = "runner"
# Room for the executed notebook, in bytes, should the disk fill up meanwhile.
_RESERVED = 1 << 20
# So much of what an exception says is in the record and in the log.
_LONGEST = 1_000

# papermill and nbclient tell what they do; the run's own log says it once, and in order.
for _name in ("papermill", "traitlets"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False

# Errors of I/O that another attempt will not mend.
_LASTING = {
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
}

Emit = Callable[[Event], None]


class TruthfulEngine(Engine):  # type: ignore[misc]  # papermill has no types
    """Takes the place of papermill's bookkeeping of cells and of its saving.

    Both come from `Session`: papermill's own marks every cell as completed whatever
    happened, and rewrites the file in place.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,  # noqa: ARG003 - the session knows the kernel
        *,
        execute: Callable[[NotebookNode], None],
        **_: Any,  # noqa: ANN401
    ) -> NotebookNode:
        """Have the notebook executed in place."""
        execute(nb)
        return nb


papermill_engines.register(NAME, TruthfulEngine)


def run(job: Job, emit: Emit, stop: Stop, spare: Coming) -> Result:
    """Run one stage, again if it may be tried again and that may help.

    The first attempt takes the kernel `spare`, if one is coming. Whatever goes wrong is in
    the result. Each attempt but the last leaves its notebook as
    `<stage>.attempt-<n>.ipynb`.
    """
    for attempt in range(1, job.retries + 2):
        printed = job.printed / f"attempt-{attempt}" if attempt > 1 else job.printed
        keep = job.keep if attempt > job.retries else None
        result = _attempt(replace(job, printed=printed, keep=keep), emit, stop, spare)
        spare = None
        result = replace(result, attempts=attempt)
        if attempt > job.retries or stop.reason is not None or not _may_help(result, job):
            break
        left = job.executed.with_suffix(f".attempt-{attempt}.ipynb")
        with contextlib.suppress(OSError):
            job.executed.replace(left)
        words = f"attempt {attempt} of {job.retries + 1} failed, trying again: {result.error}"
        emit(Line(time.time(), logging.WARNING, job.stage, words))
    return result


def _may_help(result: Result, job: Job) -> bool:
    """Tell whether another attempt may end better: after a failure of the kernel or of I/O."""
    if result.state is State.KERNEL_DIED:
        return True
    if result.state is not State.FAILED:
        return False
    kind = getattr(builtins, (result.error or "").partition(":")[0], None)
    of_io = isinstance(kind, type) and issubclass(kind, OSError) and kind not in _LASTING
    return job.retry_exceptions or of_io


def _attempt(job: Job, emit: Emit, stop: Stop, spare: Coming) -> Result:
    """Run one stage once: a fresh kernel, all cells, then a look at what was written."""
    started, began, before = time.time(), time.monotonic(), oom_kills()
    try:
        _clear(job.outputs)
        outcome = _execute(job, emit, stop, spare)
        outcome = _with_outputs(job, outcome)
    except OSError as error:
        outcome = Outcome(State.FAILED, why(error))
    except document.NotebookError as error:
        what = f"the notebook was edited after this run began: {error}"
        outcome = Outcome(State.FAILED, what)
    usage = _usage(outcome.ended, before)
    if usage.oom_kills and outcome.state is State.KERNEL_DIED:
        outcome = _out_of_memory(outcome, usage)
    ended = outcome.ended
    return Result(
        stage=job.stage,
        state=outcome.state,
        started=started,
        seconds=time.monotonic() - began,
        error=outcome.error and shortened(outcome.error, _LONGEST),
        cell=outcome.cell,
        exit_status=ended.words if ended and outcome.state is State.KERNEL_DIED else None,
        usage=usage,
        warm=outcome.warm,
        trace=hints.read(outcome.trace, job.root, job.working_directory),
    )


def _usage(ended: Ended | None, before: int | None) -> Usage:
    if ended is None:
        return Usage()
    after = oom_kills()
    killed = None if before is None or after is None else after - before
    return Usage(ended.cpu_seconds, ended.peak_memory, killed)


def _out_of_memory(outcome: Outcome, usage: Usage) -> Outcome:
    """Say that it was memory, and how much there was."""
    limit = memory_limit()
    words = f", the limit is {size_in_words(limit)}" if limit else ""
    peak = size_in_words(usage.peak_memory or 0)
    return replace(outcome, error=f"{outcome.error}, out of memory: it had {peak}{words}")


def _clear(outputs: tuple[Path, ...]) -> None:
    """Remove what an earlier run left, so that what is there afterwards is new."""
    for path in outputs:
        remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)


def _execute(job: Job, emit: Emit, stop: Stop, spare: Coming) -> Outcome:
    # Read as when it was checked: nbformat would fail on what was repaired then.
    notebook = nbformat.from_dict(document.read(job.source, job.source.name).content())
    found: list[Outcome] = []

    def execute(parameterised: NotebookNode) -> None:
        found.append(_session(parameterised, job, emit, stop, spare))

    # Raised for any error that a cell shows, an expected one too: the session knows.
    with contextlib.suppress(PapermillExecutionError):
        # A notebook and no path: papermill would expand braces in the names of files.
        papermill.execute_notebook(
            notebook,
            None,
            parameters=dict(job.parameters),
            engine_name=NAME,
            kernel_name="python3" if job.language == PYTHON else job.kernel,
            language=job.language,
            progress_bar=False,
            execute=execute,
        )
    return found[0]


def _session(notebook: NotebookNode, job: Job, emit: Emit, stop: Stop, spare: Coming) -> Outcome:
    """Run the cells and save the notebook as it is then, whatever the outcome."""
    about = notebook.metadata.papermill
    about |= {
        "input_path": os.path.relpath(job.source, job.working_directory),
        "output_path": os.path.relpath(job.executed, job.working_directory),
        "start_time": now(),
        "end_time": None,
        "duration": None,
        "exception": None,
    }
    if "RUN_ID" in job.environment:
        # Else it is no run's, but a trial.
        notebook.cells.insert(0, nbformat.from_dict(banner.of_record(job)))
    aside = job.executed.with_name(f".{job.executed.stem}.reserve")
    try:
        reserve(aside, _RESERVED)
        mask = dotenv.mask(job.root, os.environ, job.secrets)
        executed = ExecutedNotebook(notebook, job.executed, mask)
        began = time.monotonic()
        outcome = asyncio.run(Session(job, executed, emit, stop, spare).async_run())
        about["end_time"] = now()
        about["duration"] = round(time.monotonic() - began, 3)
        about["exception"] = outcome.error is not None
        return _saved(job, executed, outcome, emit, aside)
    finally:
        aside.unlink(missing_ok=True)


def _saved(
    job: Job, executed: ExecutedNotebook, outcome: Outcome, emit: Emit, aside: Path
) -> Outcome:
    try:
        in_reserve(lambda: executed.save(executed.content()), aside)
    except OSError as error:
        emit(
            Line(time.time(), logging.ERROR, job.stage, f"its notebook is not saved: {why(error)}")
        )
        if outcome.error is None:
            outcome = replace(outcome, state=State.FAILED, error=why(error))
    return outcome


def _with_outputs(job: Job, outcome: Outcome) -> Outcome:
    """Fail a stage that ended well without having written what it declares."""
    if outcome.state is not State.SUCCEEDED:
        return outcome
    names = unwritten(job)
    if not names:
        return outcome
    what = f"no cell wrote {names}; write it, or remove it from the parameters cell"
    return replace(outcome, state=State.FAILED, error=what)
