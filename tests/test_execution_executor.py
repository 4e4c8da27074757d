"""The seam between deciding and doing: a job and its result are all that passes."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pytest

from runner.model import Event, Job, Preload, Result
from runner.stop import Stop
from tests.project import ROOT, TemporaryProject

if TYPE_CHECKING:
    from runner.kernels.warm import Warm

# Runs the job of a file, and leaves the events and the result in another one.
THERE = """
import pickle, sys
from runner.execution import engine
from runner.stop import Stop
with open(sys.argv[1], "rb") as file:
    job = pickle.load(file)
events = []
result = engine.run(job, events.append, Stop(), None)
with open(sys.argv[2], "wb") as file:
    pickle.dump((events, result), file)
"""


class Elsewhere:
    """Runs each job in a process of its own that knows nothing but the job's pickle."""

    def __init__(
        self, jobs: int, emit: Callable[[Event], None], stop: Stop, warm: "Warm | None" = None
    ) -> None:
        self._pool = ThreadPoolExecutor(jobs)
        self._emit = emit

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def submit(self, job: Job) -> Future[Result]:
        return self._pool.submit(self._run, job)

    def expect(self, coming: Sequence[Preload]) -> None:
        pass

    def forget(self) -> None:
        pass

    def _run(self, job: Job) -> Result:
        there, back = (Path(f"{job.executed}.{name}") for name in ("job", "result"))
        there.write_bytes(pickle.dumps(job))
        subprocess.run([sys.executable, "-c", THERE, there, back], cwd=ROOT, check=True)
        events, result = pickle.loads(back.read_bytes())  # noqa: S301 - our own
        for event in events:
            self._emit(event)
        there.unlink()
        back.unlink()
        return result  # type: ignore[no-any-return]


@pytest.mark.slow
def test_a_job_can_be_done_by_a_process_that_has_nothing_but_its_pickle(
    project: TemporaryProject,
) -> None:
    project.profile("all", "b:\n  x: 3\n")
    project.stage("a", "print('from afar')", writes=("a.txt",))
    project.notebook("b", "assert x == 3", "1 / 0", parameters="x = 1")
    done = project.call("all", "-k", executors=Elsewhere, code=1)
    assert project.states("all") == {"a": "succeeded", "b": "failed"}
    assert "a[2/3]: from afar" in done.out
    assert "b: failed in cell 3 of 3, In [4] (1 / 0): ZeroDivisionError" in done.out
    done = project.call("all", "-k", executors=Elsewhere, code=1)
    assert project.states("all") == {"a": "skipped", "b": "failed"}
