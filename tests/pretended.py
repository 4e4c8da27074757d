"""An executor of the tests' own, for what is decided about stages, not how they run."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import nbformat

from runner.cli.main import main
from runner.model import CellRef, CellStarted, Event, Job, Preload, Result, State
from runner.stop import Stop
from runner.system.files import remove, write_whole

if TYPE_CHECKING:
    from runner.kernels.warm import Warm


class PretendedExecutor:
    """Carries out a stage's cells in this process, at once, without IPython.

    An exception fails the stage, in that cell; else each output must be there.
    """

    def __init__(
        self, jobs: int, emit: Callable[[Event], None], stop: Stop, warm: "Warm | None" = None
    ) -> None:
        """Remember whom to tell; `jobs` is one."""
        self._emit = emit

    def __enter__(self) -> Self:
        """Give the executor."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to wait for."""

    def submit(self, job: Job) -> Future[Result]:
        """Have a job done."""
        future: Future[Result] = Future()
        future.set_result(self._run(job))
        return future

    def expect(self, coming: Sequence[Preload]) -> None:
        """Nothing is done ahead."""

    def forget(self) -> None:
        """Nothing was done ahead."""

    def _run(self, job: Job) -> Result:
        started, began = time.time(), time.monotonic()
        notebook = nbformat.read(job.source, as_version=4)
        write_whole(job.executed, nbformat.writes(notebook).encode())
        for path in job.outputs:
            remove(path)
            path.parent.mkdir(parents=True, exist_ok=True)
        state, error, place = State.SUCCEEDED, None, None
        names: dict[str, Any] = {}
        code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source]
        # Reentrant, and the tests' own processes have no threads that would notice.
        with contextlib.chdir(job.working_directory):
            for number, cell in enumerate(code, 1):
                if number in job.left_out:
                    continue
                place = CellRef(cell.get("id"), number, len(code), cell.source.split("\n")[0])
                self._emit(CellStarted(job.stage, place))
                try:
                    exec(cell.source, names)  # noqa: S102 - the tests' own code
                except Exception as raised:  # noqa: BLE001 - as a kernel does
                    state, error = State.FAILED, f"{type(raised).__name__}: {raised}"
                    break
                if "parameters" in cell.metadata.get("tags", []):
                    names |= job.parameters
        missing = [path for path in job.outputs if not path.exists()]
        if state is State.SUCCEEDED and missing:
            names_of = ", ".join(os.path.relpath(one, job.working_directory) for one in missing)
            state, error = State.FAILED, f"no cell wrote {names_of}"
        return Result(
            job.stage,
            state,
            started,
            time.monotonic() - began,
            error=error,
            cell=place if state is State.FAILED else None,
            warm=False,
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd(), PretendedExecutor))
