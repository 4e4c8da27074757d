"""The seam between deciding and doing: a job and its result are all that passes."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from runner.model import Job, Result
from tests.pretended import PretendedExecutor
from tests.project import ROOT, TemporaryProject

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


class Elsewhere(PretendedExecutor):
    """Runs each job in a process of its own that knows nothing but the job's pickle."""

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
