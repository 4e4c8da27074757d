"""A run that has to end in time."""

import os
import re
import time
from pathlib import Path

import psutil
import pytest

from tests.project import WAIT, TemporaryProject


@pytest.mark.slow
def test_a_stage_that_cannot_end_before_the_deadline_is_not_started(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.stage("long", "import time\ntime.sleep(4)", writes=("long.txt",))
    project.stage("short", writes=("short.txt",))
    project.stage("after", reads=("long.txt",), writes=("after.txt",))
    project.pretend("all")
    done = project.pretend("all", "-f", "--deadline", "3", code=4)
    assert re.search(
        r"long: cancelled: it took [4-9]\.\d s before, and \d\.\d s are left", done.text
    )
    assert "--start-late starts it all the same" in done.text
    wanted = {"long": "cancelled", "short": "succeeded", "after": "blocked"}
    assert project.states("all") == wanted
    assert project.record("all")["state"] == "timed_out"
    done = project.run("all", "-f", "--deadline", "3", "--start-late", code=4)
    assert project.states("all")["long"] == "timed_out"
    assert "long: started" in done.text
    project.pretend("all")
    assert set(project.states("all").values()) <= {"succeeded", "skipped", "taken_over"}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"RUN_DEADLINE": "2s"}, "out of time (2.0 s by RUN_DEADLINE)"),
        pytest.param(
            {"RUN_DEADLINE": "2s", "K8S_TIMEOUT_SECONDS": "9999"},
            "by RUN_DEADLINE",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"K8S_TIMEOUT_SECONDS": "1"},
            "before K8S_TIMEOUT_SECONDS ends the pod",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_deadline_may_come_from_the_environment(
    project: TemporaryProject, tmp_path: Path, variables: dict[str, str | None], words: str
) -> None:
    project.waiting(tmp_path / "never")
    assert words in project.run("all", code=4, env=variables).text
    assert project.states("all")["a"] == "timed_out"


def test_a_deadline_that_is_no_time_is_told_before_anything_runs(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.waiting(tmp_path / "never")
    for name in ("RUN_DEADLINE", "K8S_TIMEOUT_SECONDS"):
        for words in (("all",), ("-n", "all")):
            done = project.call(*words, code=2, env={name: "soon"})
            assert f"the environment variable {name} takes a time such as 90" in done.err
    assert not project.outputs("all").exists()


def test_a_failure_counts_more_than_a_stage_that_was_not_started(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("long", "import time\ntime.sleep(4)", writes=("long.txt",))
    project.stage("bad", "wrong = False", writes=("bad.txt",))
    project.pretend("all")
    project.stage("bad", "1 / 0", writes=("bad.txt",))
    project.pretend("all", "-f", "-k", "--deadline", "3", code=1)
    assert project.states("all") == {"bad": "failed", "long": "cancelled"}
    assert project.record("all")["state"] == "failed"


@pytest.mark.parametrize(
    ("words", "variables", "setting", "origin"),
    [
        ([], {"RUN_DEADLINE": "1h"}, "2h", "1 h 0 min 0 s by RUN_DEADLINE"),
        (["--deadline", "3h"], {"RUN_DEADLINE": "1h"}, "2h", "3 h 0 min 0 s for the run"),
        ([], {"K8S_TIMEOUT_SECONDS": "9999"}, "2h", "2 h 0 min 0 s for the run"),
        ([], {"K8S_TIMEOUT_SECONDS": "1", "RUN_DEADLINE": "0"}, "0", None),
        (["--deadline", "0"], {"K8S_TIMEOUT_SECONDS": "1"}, "2h", None),
    ],
)
def test_the_deadline_that_counts(
    project: TemporaryProject,
    words: list[str],
    variables: dict[str, str | None],
    setting: str,
    origin: str | None,
) -> None:
    project.profile("all")
    project.write("pyproject.toml", f'[tool.runner]\ndeadline = "{setting}"\n')
    project.stage("a", writes=("a.txt",))
    done = project.pretend("all", *words, env=variables)
    found = re.search(r"it must end by [-\d]+ [\d:]+: (.*)", done.text)
    assert (found and found[1]) == origin


def test_a_container_that_is_started_again_has_the_time_of_its_pod(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    first = tmp_path / "first-start"
    variables = {"RUN_DEADLINE": "1h", "RUN_DEADLINE_FROM": str(first)}
    assert "1 h 0 min 0 s by RUN_DEADLINE\n" in project.pretend("all", env=variables).text
    before = first.stat().st_mtime - 1800
    os.utime(first, (before, before))
    done = project.pretend("all", "-f", env=variables)
    assert re.search(r"by RUN_DEADLINE, of which 30 min [\d]+ s were over before", done.text)
    os.utime(first, (0, 0))
    assert (
        "were over before); nothing was run" in project.pretend("all", code=4, env=variables).text
    )


@pytest.mark.slow
def test_a_deadline_in_the_middle_of_a_stage_costs_nothing_but_time(
    project: TemporaryProject, tmp_path: Path
) -> None:
    plain = TemporaryProject(tmp_path / "plain")
    for one in (plain, project):
        one.profile("all")
        one.stage("a", writes=("a.txt",))
        one.stage("b", WAIT.format(marker=tmp_path / "go"), reads=("a.txt",), writes=("b.txt",))
        one.stage("c", reads=("b.txt",), writes=("c.txt",))
    done = project.run("all", "--deadline", "10", code=4)
    assert "b: timed out in cell 2 of 3" in done.out
    assert "out of time (10.0 s for the run)" in done.out
    assert project.record("all")["state"] == "timed_out"
    assert project.states("all") == {"a": "succeeded", "b": "timed_out", "c": "blocked"}
    (tmp_path / "go").touch()
    project.run("all")
    assert project.states("all") == {"a": "skipped", "b": "succeeded", "c": "succeeded"}
    plain.pretend("all")
    for name in ("a.txt", "b.txt", "c.txt"):
        made, wanted = (one.outputs("all") / name for one in (project, plain))
        assert made.read_bytes() == wanted.read_bytes()


def test_the_time_of_a_pod_is_less_by_two_minutes_and_by_its_age(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    began = psutil.Process(1).create_time()
    limit = 30 * 86400
    before = limit - 120 - (time.time() - began)
    done = project.pretend("all", env={"K8S_TIMEOUT_SECONDS": str(limit)})
    after = limit - 120 - (time.time() - began)
    found = re.search(r": (\d+) h (\d+) min (\d+) s before K8S_TIMEOUT_SECONDS", done.text)
    assert found is not None, done.text
    hours, minutes, seconds = map(int, found.groups())
    # The system counts whole seconds since its start.
    assert after - 3 <= 3600 * hours + 60 * minutes + seconds <= before + 3


@pytest.mark.slow
def test_of_the_limits_of_a_stage_and_of_a_cell_the_shorter_counts(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.notebook("a", "import time", "time.sleep(3)", "time.sleep(60)")
    done = project.run("all", "--timeout", "50", "--cell-timeout", "1", code=1)
    assert "a: timed out in cell 2 of 3" in done.text
    assert "the limit of a cell (cell-timeout) ended it after 1.0 s" in done.text
    # The cell's is less than the stage's, but more than what is left of that.
    done = project.run("all", "--timeout", "5", "--cell-timeout", "4.5", code=1)
    assert "the limit of a stage (timeout) ended it after" in done.text
