"""Kill -9 at any moment: the same command goes on, and gives the same result.

The environment variables CRASHES, SEED and TOGETHER make these tests longer, or the same again.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from runner.journal import read_journal
from tests.project import WAIT, TemporaryProject, left

TOGETHER = int(os.environ.get("TOGETHER", "4"))
CRASHES = int(os.environ.get("CRASHES", "4"))
SEED = int(os.environ.get("SEED", str(random.SystemRandom().randrange(10**6))))
# What a build takes here, about, in seconds.
LONGEST = 3.0


def six_stages(project: TemporaryProject) -> None:
    """Write a build of six stages: two that read nothing, two in between, two at the end."""
    project.profile("all")
    reads = {"a": (), "b": (), "c": ("a",), "d": ("a", "b"), "e": ("c", "d"), "f": ("e",)}
    for name, inputs in reads.items():
        project.stage(name, reads=tuple(f"{one}.txt" for one in inputs), writes=(f"{name}.txt",))


def artifacts(project: TemporaryProject) -> dict[str, bytes]:
    """Give the files that the stages have written."""
    written = [path for path in project.outputs("all").glob("*.txt") if path.name != "log.txt"]
    return {path.name: path.read_bytes() for path in written}


def whole(project: TemporaryProject) -> None:
    """Assert that no notebook and no record is torn."""
    for path in project.root.glob("outputs/all/**/*.ipynb"):
        nbformat.read(path, as_version=4)
    for path in project.root.glob("outputs/all/runs/*/run.json"):
        json.loads(path.read_text("utf-8"))


def made_in(run: Path) -> list[str]:
    """Give the stages that a run has finished."""
    return [event["stage"] for event in read_journal(run / "journal.jsonl") if event.get("made")]


def victims(process: psutil.Process, who: str) -> list[psutil.Process]:
    """Find whom to kill: the runner, the kernels, both, or what kernels are forked from."""
    below = process.children(recursive=True)
    kernels = [one for one in below if _is_kernel(one, process.pid)]
    warm = [one for one in below if _runs(one, "nursery.py") and one not in kernels]
    both = [process, *kernels]
    return {"runner": [process], "kernel": kernels, "both": both, "warm": warm}[who]


def _is_kernel(process: psutil.Process, runner: int) -> bool:
    """Tell a kernel by its session, which it leads; a warm one has no command line of its own."""
    with contextlib.suppress(psutil.Error, OSError):
        leads = os.getsid(process.pid) == process.pid
        return leads and process.ppid() != runner and not _runs(process, "guard.py")
    return False


def _runs(process: psutil.Process, script: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(Path(word).name == script for word in process.cmdline()[:4])
    return False


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kill_at_random_moments(project: TemporaryProject) -> None:
    print(f"{CRASHES} crashes, seed {SEED}")  # noqa: T201 - to do the same again
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    six_stages(project)
    project.run("all")
    undisturbed = artifacts(project)
    assert len(undisturbed) == 6
    struck = 0
    while struck < CRASHES:
        shutil.rmtree(project.outputs("all"))
        who = chance.choice(["runner", "kernel", "both", "warm"])
        how = chance.choice([[], ["--cold"]])
        with project.running("all", "-j", str(chance.choice([1, 2])), *how) as process:
            runner = psutil.Process(process.pid)
            time.sleep(chance.uniform(0.1, LONGEST))
            if process.poll() is not None:
                continue
            family = [runner, *runner.children(recursive=True)]
            for one in victims(runner, who):
                # It may have ended by itself.
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGKILL)
            struck += 1
            assert process.stdout is not None
            out = process.stdout.read()
            process.wait(60)
        assert left(family[1:], 2) == []
        whole(project)
        runs = project.runs("all") if (project.outputs("all") / "runs").is_dir() else []
        finished = made_in(runs[0]) if runs else []
        done = project.run("all")
        again = made_in(project.runs("all")[-1])
        assert sorted(finished + again) == list("abcdef"), f"{who} after {out}, then {done.out}"
        assert artifacts(project) == undisturbed
        whole(project)
        if runs:
            first = json.loads((runs[0] / "run.json").read_text("utf-8"))
            assert first["state"] in {"lost", "kernel_died", "succeeded"}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("rounds", [1, pytest.param(TOGETHER, marks=pytest.mark.slow)])
def test_of_two_runs_started_together_one_runs(
    project: TemporaryProject, tmp_path: Path, rounds: int
) -> None:
    project.profile("all")
    go = tmp_path / "go"
    project.stage("a", WAIT.format(marker=go), writes=("a.txt",))
    for count in range(1, rounds + 1):
        with project.running("all", "-f") as one, project.running("all", "-f") as other:
            end = time.monotonic() + 60
            while one.poll() is None and other.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            # One is refused while the other runs, which ends when it is told to.
            assert sorted([str(one.poll()), str(other.poll())]) == ["5", "None"]
            go.touch()
            codes = sorted([one.wait(60), other.wait(60)])
            assert one.stdout is not None
            assert other.stdout is not None
            text = one.stdout.read() + other.stdout.read()
        go.unlink()
        assert codes == [0, 5]
        assert "another run holds outputs/all/: run 20" in text
        assert len(project.runs("all")) == count
        assert (project.outputs("all") / "a.txt").read_text("utf-8") == "a\n"
