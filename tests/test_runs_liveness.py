"""Runs that live, and runs that are lost: the signs of life in their folders."""

import json
import os
import platform
import signal
import time
from pathlib import Path

import pytest

from tests.project import TemporaryProject, wait_for


def killed(project: TemporaryProject) -> None:
    """Run a `waiting` project, and kill the runner in the middle of its first stage."""
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "here")
        wait_for(next(project.outputs("all").glob("runs/*")) / "heartbeat.json")
        process.kill()
        process.wait(10)


def state(project: TemporaryProject) -> str:
    """Ask for the state of the newest run."""
    (build,) = json.loads(project.call("status", "--json").out)["builds"]
    return str(build["run"]["state"])


@pytest.mark.slow
def test_a_run_gives_a_sign_of_life_every_few_seconds(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "never")
    with project.running("all"):
        wait_for(project.outputs("all") / "log.txt", "here")
        (run,) = project.runs("all")
        found: set[float] = set()
        # The first two are a second apart.
        until = time.monotonic() + 30
        while len(found) < 4:
            assert time.monotonic() < until, f"only {len(found)} signs of life"
            found.add(json.loads(wait_for(run / "heartbeat.json"))["at"])
            time.sleep(0.2)


# The other host's name, or our own; how many seconds ago the run was heard of; whether it lives.
# Those that are to come are as far from now, and do not grow while we look.
HEARD = [
    ("", -7.5, True),
    ("", 8.5, False),
    ("elsewhere", 8.5, True),
    ("elsewhere", -59.0, True),
    ("elsewhere", 61.0, False),
]


def test_a_run_is_lost_after_8_seconds_here_and_after_60_elsewhere(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "never")
    killed(project)
    (run,) = project.runs("all")
    path = run / "heartbeat.json"
    beat = json.loads(path.read_text("utf-8"))
    for host, ago, lives in HEARD:
        at = time.time() - ago
        path.write_text(json.dumps(beat | {"at": at, "host": host or platform.node()}), "utf-8")
        os.utime(path, (at, at))
        assert state(project) == ("running" if lives else "lost"), (host, ago)
    # By the clock of the disk it was heard of now.
    path.write_text(json.dumps(beat | {"at": 1, "host": "elsewhere"}), "utf-8")
    assert state(project) == "running"


def test_a_run_that_lives_is_not_lost_however_long_it_is_silent(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "never")
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "here")
        wait_for(next(project.outputs("all").glob("runs/*")) / "heartbeat.json")
        process.send_signal(signal.SIGSTOP)
        project.silence("all")
        assert "no sign of life for" in project.call("status").out
        with project.running("stop") as stopper:
            wait_for(next(project.outputs("all").glob("runs/*")) / "stop.json")
            process.send_signal(signal.SIGCONT)
            assert stopper.wait(30) == 0
        assert process.wait(30) == 143


@pytest.mark.slow
def test_a_lost_run_is_settled_whatever_lies_in_its_folder(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "go")
    killed(project)
    (run,) = project.runs("all")
    (run / "notebooks/.ipynb_checkpoints").mkdir()
    (tmp_path / "go").touch()
    project.run("all")


def test_a_run_whose_host_is_gone_is_lost(project: TemporaryProject, tmp_path: Path) -> None:
    project.waiting(tmp_path / "never")
    killed(project)
    project.silence("all")
    told = (
        "is lost: it gives no sign of life any more, last sign of life at 1970-01-01 00:00:01 on "
    )
    assert told in project.call("log", "-f", env={"TZ": "UTC"}, code=1).out
    assert "is lost, last sign of life at" in project.call("stop", "all").out
    (build,) = json.loads(project.call("status", "--json").out)["builds"]
    assert build["run"]["state"] == "lost"
