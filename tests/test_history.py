"""What is asked after the runs: their history, what is up to date, what is running."""

import re
import time
from pathlib import Path

import pytest

from tests.project import WAIT, TemporaryProject, wait_for


def chain(project: TemporaryProject) -> None:
    """Write two stages, of which the second reads the first."""
    project.profile("all")
    project.stage("a", writes=("a.txt",), parameters="n = 1")
    project.stage("b", reads=("a.txt",), writes=("b.txt",))


def test_history_lists_the_runs(project: TemporaryProject) -> None:
    chain(project)
    assert project.run("history").out == "nothing has run yet\n"
    project.run("all")
    project.run("all")
    project.stage("b", "1 / 0", reads=("a.txt",), writes=("b.txt",))
    project.run("all", code=1)
    first, *lines = project.run("history", "all").out.splitlines()
    assert first == "all:"
    moment = r"\d{8}T\d{6}Z-\w{4}  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d +[\d.]+ s  "
    wanted = [r"succeeded +ran a, b", r"succeeded +2 skipped", r"failed +b failed; 1 skipped"]
    assert len(lines) == len(wanted)
    for line, words in zip(lines, wanted, strict=True):
        assert re.fullmatch(rf"  {moment}{words}", line), line
    assert "no profile `al`" in project.run("history", "al", code=2).err


def test_status_says_what_is_up_to_date_and_why_not(project: TemporaryProject) -> None:
    chain(project)
    assert project.run("status").out == "nothing has run yet\n"
    project.run("all")
    project.profile("all", "a:\n  n: 2\n")
    first, a, b, newest = project.run("status").out.splitlines()
    assert (first, a, b) == (
        "all:",
        "  a  run    parameter n: 1 → 2",
        "  b  maybe  if a writes something else",
    )
    assert newest.startswith(f"  newest run: {project.runs('all')[0].name}")
    assert len(project.runs("all")) == 1


def test_status_says_what_is_running(project: TemporaryProject, tmp_path: Path) -> None:
    chain(project)
    project.run("all")
    wait = WAIT.format(marker=tmp_path / "go")
    project.stage("b", f'print("here")\n{wait}', reads=("a.txt",), writes=("b.txt",))
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "here")
        (beat,) = project.outputs("all").glob("runs/*/heartbeat.json")
        while '"memory": 0' in beat.read_text("utf-8"):
            time.sleep(0.1)
        out = project.run("status").out
        assert re.search(
            r"running for [\d.]+ s on \S+, memory \d+ MiB(?: of \S+ .iB)?: run 20", out
        )
        assert re.search(
            r"  b: running for [\d.]+ s, cell 2 \(print\(\"here\"\)\), usually [\d.]+ s", out
        )
        assert re.search(r"about [\d.]+ s left, by earlier runs", out)
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    assert not [*project.outputs("all").glob("runs/*/heartbeat.json")]


def test_a_run_that_is_not_heard_of_is_lost_in_the_history(
    project: TemporaryProject, tmp_path: Path
) -> None:
    chain(project)
    project.stage("a", WAIT.format(marker=tmp_path / "never"), writes=("a.txt",))
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "a: started")
        while not [*project.outputs("all").glob("runs/*/heartbeat.json")]:
            time.sleep(0.05)
        process.kill()
        process.wait(10)
    project.silence("all")
    assert "  lost  " in project.run("history").out


def test_keep_removes_old_runs_but_those_that_the_build_stands_on(
    project: TemporaryProject,
) -> None:
    chain(project)
    project.run("all")
    made = project.runs("all")[0]
    for _ in range(3):
        project.run("all")
    project.run("all", "--keep", "2")
    kept = project.runs("all")
    assert len(kept) == 3
    assert kept[0] == made
    project.run("all", "--keep", "2")
    assert set(project.states("all").values()) == {"skipped"}


@pytest.mark.parametrize("settings", ["retries = 2", "retries = {a = 2}"])
def test_a_kernel_that_died_is_tried_again(
    project: TemporaryProject, tmp_path: Path, settings: str
) -> None:
    project.profile("all")
    project.write("pyproject.toml", f"[tool.runner]\n{settings}\n")
    source = (
        "import os\n\n"
        f"path = '{tmp_path}/count'\n"
        "open(path, 'a').write('x')\ncount = os.path.getsize(path) - 1\n"
        "if count < 2:\n    os.kill(os.getpid(), 9)"
    )
    project.notebook("a", source)
    done = project.run("all")
    assert "a: attempt 2 of 3 failed, trying again: the kernel died: SIGKILL" in done.out
    assert project.stage_record("all", "a")["attempts"] == 3
    notebooks = sorted(path.name for path in (project.runs("all")[0] / "notebooks").iterdir())
    assert notebooks == ["a.attempt-1.ipynb", "a.attempt-2.ipynb", "a.ipynb"]


@pytest.mark.parametrize(
    ("source", "options", "attempts"),
    [
        ("1 / 0", (), 1),
        ("1 / 0", ("retry-exceptions = true",), 2),
        ("raise ConnectionError('gone')", (), 2),
        ("open('/no/such/file')", (), 1),
        ("import time; time.sleep(60)", ('cell-timeout = "1s"',), 1),
    ],
)
def test_a_plain_exception_is_not_tried_again_unless_asked(
    project: TemporaryProject, source: str, options: tuple[str, ...], attempts: int
) -> None:
    project.profile("all")
    lines = ["[tool.runner]", "retries = 1", *options]
    project.write("pyproject.toml", "\n".join(lines))
    project.notebook("a", source)
    project.run("all", code=1)
    assert project.stage_record("all", "a")["attempts"] == attempts
